//! The backward passes of the operations.

use std::sync::Arc;

use burn::backend::{
    Autodiff, Flex,
    autodiff::{
        NodeId,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    flex::FlexTensor,
    tensor::FloatTensor,
};
use cgym_kernels::{ConvShape, train::SavedNorm};

use super::{
    NormOptions, Normalised, TrainingOps,
    flex::{self, contiguous, dims, tensor, values},
};

type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

#[derive(Debug)]
struct ConvBackward(ConvShape);

impl Backward<Flex, 3> for ConvBackward {
    /// Input and weight.
    type State = [FlexTensor; 2];

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let ([input, weight], shape) = (ops.state, self.0);
        let [of_input, of_weight, of_bias] = ops.parents;
        let found = flex::convolve_backward(&input, &weight, &gradient, &shape, of_input.is_some());
        if let Some(node) = of_input {
            gradients.register::<Flex>(node.id, tensor(found.input, dims(&input)));
        }
        if let Some(node) = of_weight {
            gradients.register::<Flex>(node.id, tensor(found.weight, dims(&weight)));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, tensor(found.bias, [shape.out_channels]));
        }
        [input, gradient].into_iter().for_each(flex::recycle);
    }
}

/// The values that the backward pass of a batch norm needs.
#[derive(Debug, Clone)]
struct NormState {
    input: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    residual: Option<FlexTensor>,
    /// Mean and inverse deviation.
    statistics: Arc<[Vec<f32>; 2]>,
}

impl NormState {
    /// Registers the gradients of input, weight, bias and residual that have an id.
    fn backward(self, relu: bool, gradient: FlexTensor, ids: [Option<NodeId>; 4], gradients: &mut Gradients) {
        let [mean, inverse_deviation] = &*self.statistics;
        let saved = SavedNorm {
            input: values(&self.input),
            weight: values(&self.weight),
            bias: values(&self.bias),
            mean,
            inverse_deviation,
            residual: self.residual.as_ref().map(values),
            relu,
        };
        let found = flex::normalise_backward(&saved, &gradient);
        let (size, channels) = (dims(&self.input), [mean.len()]);
        let mut register = |id: Option<NodeId>, gradient: FlexTensor| {
            if let Some(id) = id {
                gradients.register::<Flex>(id, gradient);
            }
        };
        let [of_input, of_weight, of_bias, of_residual] = ids;
        register(of_input, tensor(found.input, size));
        register(of_weight, tensor(found.weight, channels));
        register(of_bias, tensor(found.bias, channels));
        if self.residual.is_some() {
            register(of_residual, tensor(found.residual, size));
        }
        flex::recycle(gradient);
        [Some(self.input), self.residual].into_iter().flatten().for_each(flex::recycle);
    }
}

#[derive(Debug)]
struct NormBackward {
    relu: bool,
}

impl Backward<Flex, 3> for NormBackward {
    type State = NormState;

    fn backward(self, ops: Ops<NormState, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let [input, weight, bias] = ops.parents.map(|node| node.map(|node| node.id));
        ops.state.backward(self.relu, gradient, [input, weight, bias, None], gradients);
    }
}

impl Backward<Flex, 4> for NormBackward {
    type State = NormState;

    fn backward(self, ops: Ops<NormState, 4>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let parents = ops.parents.map(|node| node.map(|node| node.id));
        ops.state.backward(self.relu, gradient, parents, gradients);
    }
}

#[derive(Debug)]
struct PadBackward {
    stride: usize,
    sources: Vec<Option<usize>>,
    size: [usize; 4],
}

impl Backward<Flex, 1> for PadBackward {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let found = flex::pad_channels_backward(&gradient, self.stride, &self.sources, self.size);
            gradients.register::<Flex>(node.id, found);
        }
    }
}

/// The result of [`flex::normalise`], and the values that its backward pass needs.
fn normalise(
    [input, weight, bias]: [&FlexTensor; 3],
    residual: Option<&FlexTensor>,
    options: NormOptions,
) -> (NormState, [FlexTensor; 3]) {
    let [input, weight, bias] = [input, weight, bias].map(contiguous);
    let residual = residual.map(contiguous);
    let norm = flex::normalise(&input, [&weight, &bias], residual.as_ref(), options);
    let (size, channels) = (dims(&input), [norm.mean.len()]);
    let outputs =
        [tensor(norm.output, size), tensor(norm.mean.clone(), channels), tensor(norm.variance, channels)];
    let statistics = Arc::new([norm.mean, norm.inverse_deviation]);
    (NormState { input, weight, bias, residual, statistics }, outputs)
}

impl<C: CheckpointStrategy> TrainingOps for Autodiff<Flex, C> {
    fn convolve(input: Tracked<C>, weight: Tracked<C>, bias: Tracked<C>, shape: ConvShape) -> Tracked<C> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let [input, weight, bias] = [&input, &weight, &bias].map(|tracked| contiguous(tracked.primitive()));
        let output = flex::convolve(&input, &weight, &bias, &shape);
        match ConvBackward(shape).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish([input, weight], output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }

    fn normalise(
        input: Tracked<C>,
        weight: Tracked<C>,
        bias: Tracked<C>,
        options: NormOptions,
    ) -> Normalised<Self> {
        let tensors = [input.primitive(), weight.primitive(), bias.primitive()];
        let (state, [output, mean, variance]) = normalise(tensors, None, options);
        let nodes = [input.node(), weight.node(), bias.node()];
        let step = NormBackward { relu: options.relu };
        let output = match Backward::<Flex, 3>::prepare::<C>(step, nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(state, output),
            OpsKind::UnTracked(step) => step.finish(output),
        };
        Normalised { output, mean: Tracked::<C>::new(mean), variance: Tracked::<C>::new(variance) }
    }

    fn normalise_and_add(
        input: Tracked<C>,
        weight: Tracked<C>,
        bias: Tracked<C>,
        residual: Tracked<C>,
        options: NormOptions,
    ) -> Normalised<Self> {
        let tensors = [input.primitive(), weight.primitive(), bias.primitive()];
        let (state, [output, mean, variance]) = normalise(tensors, Some(residual.primitive()), options);
        let nodes = [input.node(), weight.node(), bias.node(), residual.node()];
        let step = NormBackward { relu: options.relu };
        let output = match Backward::<Flex, 4>::prepare::<C>(step, nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(state, output),
            OpsKind::UnTracked(step) => step.finish(output),
        };
        Normalised { output, mean: Tracked::<C>::new(mean), variance: Tracked::<C>::new(variance) }
    }

    fn pad_channels(input: Tracked<C>, stride: usize, sources: Vec<Option<usize>>) -> Tracked<C> {
        let output = flex::pad_channels(&contiguous(input.primitive()), stride, &sources);
        let step = PadBackward { stride, sources, size: dims(input.primitive()) };
        match step.prepare::<C>([input.node()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((), output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }
}
