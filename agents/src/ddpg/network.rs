//! The networks of actor and critic, with their derivatives written out.
//!
//! Both have two hidden layers with ReLU, so one type serves for both; a critic has two inputs, which
//! are added in the first hidden layer. Numbers of a minibatch are `[units][rows]`: vector units
//! process the rows of a minibatch side by side. `tests.rs` compares all derivatives with Burn's.

use cgym_kernels::product::{Matrix, add_product, product};
use rand::Rng;

use crate::parameters::{Parameters, transpose_into};

/// A linear layer: indices of its weights `[inputs, outputs]` and its bias `[1, outputs]`.
#[derive(Debug, Clone, Copy)]
struct Layer {
    weights: usize,
    bias: Option<usize>,
}

/// Flat parameters of a network of linear layers.
#[derive(Clone)]
pub(super) struct Network {
    /// One layer per input, all with the first hidden layer as output.
    first: Vec<Layer>,
    second: Layer,
    last: Layer,
    pub(super) parameters: Parameters,
}

/// What one pass over a minibatch computes; its memory is used again by the next one.
#[derive(Default)]
pub(super) struct Pass {
    rows: usize,
    /// Values of both hidden layers after ReLU, `[units][rows]`.
    hidden: [Vec<f32>; 2],
    /// The network's output, `[units][rows]`.
    pub(super) output: Vec<f32>,
    /// Derivatives of the loss with respect to both hidden layers before ReLU.
    slopes: [Vec<f32>; 2],
    /// Derivatives as `[rows][units]`, for products with the rows of a minibatch as terms.
    transposed: Vec<f32>,
}

impl Network {
    /// Observation → hidden → hidden → action.
    pub(super) fn actor([observation, first, second, action]: [usize; 4], rng: &mut impl Rng) -> Self {
        Self::new(&[observation], [first, second], action, rng)
    }

    /// Observation and action → hidden → hidden → value.
    pub(super) fn critic(inputs: [usize; 2], hidden: [usize; 2], rng: &mut impl Rng) -> Self {
        Self::new(&inputs, hidden, 1, rng)
    }

    /// Draws all parameters from U(-1/√inputs, 1/√inputs), as PyTorch's linear layers do. Of the
    /// first layers only the first has a bias.
    fn new(inputs: &[usize], hidden: [usize; 2], outputs: usize, rng: &mut impl Rng) -> Self {
        let mut parameters = Parameters::default();
        let mut layer = |inputs: usize, outputs: usize, bias: bool| {
            let limit = 1.0 / (inputs as f32).sqrt();
            let weights = parameters.draw([inputs, outputs], limit, rng);
            Layer { weights, bias: bias.then(|| parameters.draw([1, outputs], limit, rng)) }
        };
        let first =
            inputs.iter().enumerate().map(|(index, &inputs)| layer(inputs, hidden[0], index == 0)).collect();
        let (second, last) = (layer(hidden[0], hidden[1], true), layer(hidden[1], outputs, true));
        Self { first, second, last, parameters }
    }

    /// All parameters, layer after layer.
    pub(super) fn values(&self) -> &[f32] {
        self.parameters.values()
    }

    /// Numbers of the input at `index` per row.
    pub(super) fn inputs(&self, index: usize) -> usize {
        self.parameters.shape(self.first[index].weights)[0]
    }

    /// Replaces all parameters by as many `values`.
    pub(super) fn set(&mut self, values: &[f32]) {
        self.parameters.values_mut().copy_from_slice(values);
    }

    /// Moves all parameters by the share `rate` of the difference to those of `other` (Polyak
    /// averaging).
    pub(super) fn follow(&mut self, other: &Self, rate: f32) {
        for (own, target) in self.parameters.values_mut().iter_mut().zip(other.values()) {
            *own += rate * (target - *own);
        }
    }

    /// Computes the output for `inputs`, each `[units][rows]`, into `pass`.
    pub(super) fn forward(&self, inputs: &[&[f32]], rows: usize, pass: &mut Pass) {
        let Pass { hidden: [first, second], output, .. } = pass;
        pass.rows = rows;
        self.start(self.first[0], rows, first);
        for (layer, input) in self.first.iter().zip(inputs) {
            self.add(*layer, input, rows, first);
        }
        rectify(first);
        self.start(self.second, rows, second);
        self.add(self.second, first, rows, second);
        rectify(second);
        self.start(self.last, rows, output);
        self.add(self.last, second, rows, output);
    }

    /// From the derivatives `slopes` of the loss with respect to the output of `pass`, computes
    /// those with respect to the hidden layers.
    pub(super) fn backward(&self, slopes: &[f32], pass: &mut Pass) {
        let Pass { rows, hidden, slopes: [first, second], .. } = pass;
        self.through(self.last, slopes, *rows, second);
        mask(second, &hidden[1]);
        self.through(self.second, second, *rows, first);
        mask(first, &hidden[0]);
    }

    /// The derivatives with respect to the input at `index`, after [`Network::backward`].
    pub(super) fn input_slopes(&self, index: usize, pass: &Pass) -> Vec<f32> {
        let mut slopes = Vec::new();
        self.through(self.first[index], &pass.slopes[0], pass.rows, &mut slopes);
        slopes
    }

    /// The gradient in the order of the flat parameters, after [`Network::backward`], for the same
    /// `inputs` and `slopes`.
    pub(super) fn gradient(
        &self,
        inputs: &[&[f32]],
        slopes: &[f32],
        pass: &mut Pass,
        gradient: &mut Vec<f32>,
    ) {
        gradient.resize(self.values().len(), 0.0);
        let Pass { rows, hidden, slopes: [first, second], transposed, .. } = pass;
        let mut layer = |layers: &[Layer], inputs: &[&[f32]], slopes: &[f32]| {
            let outputs = slopes.len() / *rows;
            transpose_into(slopes, [outputs, *rows], transposed);
            for (layer, input) in layers.iter().zip(inputs) {
                let left = Matrix::new(input, [input.len() / *rows, *rows]);
                product(left, transposed, &mut gradient[self.parameters.range(layer.weights)]);
                if let Some(bias) = layer.bias {
                    let sums = &mut gradient[self.parameters.range(bias)];
                    let terms = slopes.chunks_exact(*rows);
                    sums.iter_mut().zip(terms).for_each(|(sum, terms)| *sum = terms.iter().sum());
                }
            }
        };
        layer(&[self.last], &[&hidden[1]], slopes);
        layer(&[self.second], &[&hidden[0]], second);
        layer(&self.first, inputs, first);
    }

    /// The weights of a layer.
    fn weights(&self, layer: Layer) -> Matrix<'_> {
        Matrix::new(self.parameters.array(layer.weights), self.parameters.shape(layer.weights))
    }

    /// Fills `output` with the bias of `layer`.
    fn start(&self, layer: Layer, rows: usize, output: &mut Vec<f32>) {
        output.clear();
        for &bias in layer.bias.map_or(&[][..], |bias| self.parameters.array(bias)) {
            output.resize(output.len() + rows, bias);
        }
    }

    /// Adds the weights' part of a layer's output.
    fn add(&self, layer: Layer, input: &[f32], rows: usize, output: &mut [f32]) {
        if rows == 1 {
            // A vector is the same in both orders, and weights are read along their rows.
            add_product(Matrix::new(input, [1, input.len()]), self.parameters.array(layer.weights), output);
        } else {
            add_product(self.weights(layer).transposed(), input, output);
        }
    }

    /// Derivatives with respect to the input of `layer` from those with respect to its output.
    fn through(&self, layer: Layer, slopes: &[f32], rows: usize, result: &mut Vec<f32>) {
        result.resize(self.parameters.shape(layer.weights)[0] * rows, 0.0);
        product(self.weights(layer), slopes, result);
    }
}

/// ReLU in place; a NaN stays one, so that a diverged network is noticed.
fn rectify(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = if *value < 0.0 { 0.0 } else { *value });
}

/// Sets the derivatives to zero where ReLU was zero.
fn mask(slopes: &mut [f32], values: &[f32]) {
    for (slope, value) in slopes.iter_mut().zip(values) {
        *slope = if *value <= 0.0 { 0.0 } else { *slope };
    }
}

/// The logistic function in place: an actor's actions in (0, 1).
pub(super) fn squash(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
}
