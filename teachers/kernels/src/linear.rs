//! A fully connected layer.

use crate::{Activation, Algorithm, Conv2d, ConvShape, Isa, KernelError};

/// `activation(weight * input + bias)` for each image of a group.
#[derive(Debug, Clone)]
pub struct Linear(Conv2d);

impl Linear {
    /// Packs a weight `[out_features][in_features]` and a bias `[out_features]`.
    ///
    /// # Errors
    /// As [`Conv2d::new`], of which it is the case of a kernel and an input of one pixel; features
    /// are called channels.
    pub fn new(
        in_features: usize,
        out_features: usize,
        weight: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
        isa: Isa,
    ) -> Result<Self, KernelError> {
        let shape = ConvShape::square(in_features, out_features, 1, 1, 0, [1, 1]);
        Conv2d::new(shape, weight, bias, activation, Algorithm::Direct, isa).map(Self)
    }

    /// Computes `[out_features][lanes]` from `[in_features][lanes]`.
    ///
    /// # Errors
    /// [`KernelError::Length`] when a slice has another length.
    pub fn run(
        &self,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
    ) -> Result<(), KernelError> {
        self.0.run(input, residual, output)
    }

    /// Elements of the input, lanes included.
    pub fn input_len(&self) -> usize {
        self.0.input_len()
    }

    /// Elements of the output, lanes included.
    pub fn output_len(&self) -> usize {
        self.0.output_len()
    }

    /// Multiply-accumulates for one image.
    pub fn macs(&self) -> u64 {
        self.0.shape().macs()
    }
}
