//! The networks of actor and critic.
//!
//! The parameters of a network are one flat array: an optimiser step is one pass over it, and a
//! checkpoint stores it as it is. Tensors are made from it for the forward and backward pass.

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::{relu, sigmoid},
    module::linear,
};
use rand::{Rng, RngExt};

/// A linear layer: weights `[inputs, outputs]`, then a bias where there is one.
#[derive(Debug, Clone, Copy)]
struct Layer {
    inputs: usize,
    outputs: usize,
    bias: bool,
}

/// Flat parameters of a network of linear layers, and their tensors.
pub(super) struct Network {
    layers: Vec<Layer>,
    parameters: Vec<f32>,
    tensors: Tensors,
    device: Device,
}

/// The layers as tensors, either all constant or all tracked for a backward pass.
#[derive(Clone)]
pub(super) struct Tensors(Vec<(Tensor<2>, Option<Tensor<1>>)>);

impl Network {
    /// Observation → hidden → hidden → action.
    pub(super) fn actor(sizes: [usize; 4], device: &Device, rng: &mut impl Rng) -> Self {
        let layers = sizes.windows(2).map(|pair| Layer { inputs: pair[0], outputs: pair[1], bias: true });
        Self::new(layers.collect(), device, rng)
    }

    /// Observation and action → hidden → hidden → value; both are inputs of the first layer.
    pub(super) fn critic(
        [observation, action]: [usize; 2],
        hidden: [usize; 2],
        device: &Device,
        rng: &mut impl Rng,
    ) -> Self {
        let layer = |inputs, outputs, bias| Layer { inputs, outputs, bias };
        let layers = vec![
            layer(observation, hidden[0], true),
            layer(action, hidden[0], false),
            layer(hidden[0], hidden[1], true),
            layer(hidden[1], 1, true),
        ];
        Self::new(layers, device, rng)
    }

    /// Draws all parameters from U(-1/√inputs, 1/√inputs), as PyTorch's linear layers do.
    fn new(layers: Vec<Layer>, device: &Device, rng: &mut impl Rng) -> Self {
        let mut parameters = Vec::new();
        for layer in &layers {
            let limit = 1.0 / (layer.inputs as f32).sqrt();
            parameters.extend((0..layer.size()).map(|_| limit * (2.0 * rng.random::<f32>() - 1.0)));
        }
        let tensors = Tensors::new(&layers, &parameters, device);
        Self { layers, parameters, tensors, device: device.clone() }
    }

    /// An independent copy.
    pub(super) fn twin(&self) -> Self {
        Self {
            layers: self.layers.clone(),
            parameters: self.parameters.clone(),
            tensors: self.tensors.clone(),
            device: self.device.clone(),
        }
    }

    /// All parameters, layer after layer.
    pub(super) fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// Changes the parameters in place.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut [f32])) {
        change(&mut self.parameters);
        self.tensors = Tensors::new(&self.layers, &self.parameters, &self.device);
    }

    /// Moves all parameters by the share `rate` of the difference to those of `other` (Polyak
    /// averaging).
    pub(super) fn follow(&mut self, other: &Self, rate: f32) {
        self.change(|parameters| {
            for (own, target) in parameters.iter_mut().zip(&other.parameters) {
                *own += rate * (target - *own);
            }
        });
    }

    /// Tensors through which no gradient flows into the parameters.
    pub(super) fn constant(&self) -> &Tensors {
        &self.tensors
    }

    /// Tensors whose gradients [`Tensors::gradient`] reads.
    pub(super) fn tracked(&self) -> Tensors {
        let track = |(weight, bias): &(Tensor<2>, Option<Tensor<1>>)| {
            let bias = bias.as_ref().map(|bias| bias.clone().autodiff().require_grad());
            (weight.clone().autodiff().require_grad(), bias)
        };
        Tensors(self.tensors.0.iter().map(track).collect())
    }
}

impl Layer {
    fn size(&self) -> usize {
        self.inputs * self.outputs + if self.bias { self.outputs } else { 0 }
    }
}

impl Tensors {
    fn new(layers: &[Layer], parameters: &[f32], device: &Device) -> Self {
        let mut rest = parameters;
        let mut take = |length: usize| {
            let (taken, after) = rest.split_at(length);
            rest = after;
            taken.to_vec()
        };
        let tensors = layers.iter().map(|layer| {
            let shape = [layer.inputs, layer.outputs];
            let weight = Tensor::from_data(TensorData::new(take(shape[0] * shape[1]), shape), device);
            let bias = layer
                .bias
                .then(|| Tensor::from_data(TensorData::new(take(layer.outputs), [layer.outputs]), device));
            (weight, bias)
        });
        Self(tensors.collect())
    }

    fn layer(&self, index: usize, input: Tensor<2>) -> Tensor<2> {
        let (weight, bias) = &self.0[index];
        linear(input, weight.clone(), bias.clone())
    }

    /// An actor's actions in (0, 1) for `observations`, both `[batch, numbers]`.
    pub(super) fn policy(&self, observations: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.layer(0, observations));
        let hidden = relu(self.layer(1, hidden));
        sigmoid(self.layer(2, hidden))
    }

    /// A critic's values, `[batch, 1]`, of `actions` at `observations`.
    pub(super) fn value(&self, observations: Tensor<2>, actions: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.layer(0, observations) + self.layer(1, actions));
        let hidden = relu(self.layer(2, hidden));
        self.layer(3, hidden)
    }

    /// The gradient of `loss` in the order of the flat parameters; zeros where `loss` does not
    /// depend on a layer.
    pub(super) fn gradient(&self, loss: &Tensor<1>) -> Vec<f32> {
        let mut gradients = loss.backward();
        let mut flat = Vec::new();
        for (weight, bias) in &self.0 {
            extend(&mut flat, weight.grad_remove(&mut gradients), weight.shape().num_elements());
            if let Some(bias) = bias {
                extend(&mut flat, bias.grad_remove(&mut gradients), bias.shape().num_elements());
            }
        }
        flat
    }
}

fn extend<const D: usize>(flat: &mut Vec<f32>, gradient: Option<Tensor<D>>, length: usize) {
    let end = flat.len() + length;
    if let Some(gradient) = gradient
        && let Ok(values) = gradient.into_data().as_slice::<f32>()
    {
        flat.extend_from_slice(values);
    }
    flat.resize(end, 0.0);
}
