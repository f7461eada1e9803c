//! The operations as nodes of Burn's graph of gradients.

use burn::backend::{
    Autodiff, Flex,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    flex::FlexTensor,
    tensor::FloatTensor,
};

use super::{
    Normalised, Sum, TrainingOps,
    carrier::contiguous,
    change::Change,
    layer::{Layer, Saved},
    layers,
};

type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

#[derive(Debug)]
struct LayerBackward(Layer);

impl<const N: usize> Backward<Flex, N> for LayerBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = self.0.backward(ops.state, gradient, &wanted);
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

fn run<C: CheckpointStrategy, const N: usize>(
    inputs: [Tracked<C>; N],
    layer: Layer,
) -> Normalised<Autodiff<Flex, C>> {
    let tensors = inputs.iter().map(|input| input.primitive().clone()).collect();
    let ([output, mean, variance], saved) = layer.forward(tensors);
    let nodes = inputs.map(|input| input.node());
    let step = LayerBackward(layer);
    let output = match Backward::<Flex, N>::prepare::<C>(step, nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(saved, output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    Normalised { output, mean: Tracked::<C>::new(mean), variance: Tracked::<C>::new(variance) }
}

#[derive(Debug)]
struct ChangeBackward(Change);

impl Backward<Flex, 1> for ChangeBackward {
    /// The input, or the output where that is needed.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let [parent] = ops.parents;
        if let Some(node) = parent
            && let Some(found) = self.0.backward(ops.state, gradient)
        {
            gradients.register::<Flex>(node.id, found);
        }
    }
}

#[derive(Debug)]
struct SumBackward(Sum);

impl Backward<Flex, 2> for SumBackward {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let mut give = |side: usize, gradient: FlexTensor| {
            if let Some(node) = &ops.parents[side]
                && let Some(sum) = self.0.readers[side].give(self.0.batch, gradient)
            {
                gradients.register::<Flex>(node.id, sum);
            }
        };
        give(0, gradient.clone());
        give(1, gradient);
    }
}

impl<C: CheckpointStrategy> TrainingOps for Autodiff<Flex, C> {
    fn change(input: Tracked<C>, change: Change) -> Tracked<C> {
        let primitive = contiguous(input.primitive());
        let output = change.forward(&primitive);
        let saved = change.saved(&primitive, &output);
        drop(primitive);
        match ChangeBackward(change).prepare::<C>([input.node()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(saved, output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    fn add(left: Tracked<C>, right: Tracked<C>, sum: Sum) -> Tracked<C> {
        let output = sum.forward(left.primitive(), right.primitive());
        match SumBackward(sum).prepare::<C>([left.node(), right.node()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((), output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    layers!();
}
