//! Convolution, computed by whichever of the two kinds of kernel suits its shape.
#![expect(unsafe_code, reason = "hands checked slices to the kernels as pointers")]

use crate::call::{Epilogue, Tensors};
use crate::dense::Dense;
use crate::depthwise::Depthwise;
use crate::error::check_length;
use crate::{Activation, ConvShape, Isa, KernelError};

/// A convolution with its weights packed for one instruction set.
#[derive(Debug, Clone)]
pub struct Conv2d {
    shape: ConvShape,
    isa: Isa,
    method: Method,
}

/// How a convolution, or the gradient of its input, is computed.
#[derive(Debug, Clone)]
pub(crate) enum Method {
    Dense(Dense),
    Depthwise(Depthwise),
}

impl Method {
    /// A convolution; everything is checked.
    pub fn forward(shape: ConvShape, weight: &[f32], epilogue: Epilogue, isa: Isa) -> Self {
        match Depthwise::function(&shape, isa) {
            Some(function) => Self::Depthwise(Depthwise::new(shape, weight, epilogue, isa, function)),
            None => Self::Dense(Dense::new(shape, weight, epilogue, isa)),
        }
    }

    /// The gradient of the input; everything is checked.
    pub fn input_gradient(shape: ConvShape, weight: &[f32], isa: Isa) -> Self {
        let suits = shape.in_channels == shape.groups && shape.out_channels == shape.groups;
        match shape.transposed().filter(|_| suits) {
            Some(gradient) => {
                let bias = vec![0.0; shape.in_channels];
                let epilogue = Epilogue { bias, range: Activation::Identity.range() };
                Self::forward(gradient, &shape.transposed_weight(weight), epilogue, isa)
            }
            None => Self::Dense(Dense::input_gradient(shape, weight, isa)),
        }
    }

    /// Computes all that is written.
    ///
    /// # Safety
    /// The processor has the instruction set; the tensors are those of the shape, in lanes.
    pub unsafe fn run(&self, tensors: Tensors) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::Dense(dense) => dense.run(tensors),
                Self::Depthwise(depthwise) => depthwise.run(tensors),
            }
        }
    }
}

impl Conv2d {
    /// Packs a weight `[out_channels][in_channels / groups][kernel height][kernel width]` and a
    /// bias `[out_channels]`.
    ///
    /// # Errors
    /// [`KernelError::Shape`] names the invalid field, [`KernelError::Length`] the slice of
    /// another length; [`KernelError::Unavailable`] where the processor lacks the instruction set.
    pub fn new(
        shape: ConvShape,
        weight: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
        isa: Isa,
    ) -> Result<Self, KernelError> {
        isa.require()?;
        shape.validate()?;
        check_length("weight", weight.len(), shape.weight_len())?;
        if let Some(bias) = bias {
            check_length("bias", bias.len(), shape.out_channels)?;
        }
        let bias = bias.map_or_else(|| vec![0.0; shape.out_channels], <[f32]>::to_vec);
        let epilogue = Epilogue { bias, range: activation.range() };
        Ok(Self { shape, isa, method: Method::forward(shape, weight, epilogue, isa) })
    }

    /// The shape.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// Elements of the input, lanes included.
    pub fn input_len(&self) -> usize {
        self.shape.in_channels * self.shape.input_pixels() * self.isa.lanes()
    }

    /// Elements of the output, lanes included.
    pub fn output_len(&self) -> usize {
        self.shape.out_channels * self.shape.output_pixels() * self.isa.lanes()
    }

    /// Computes `activation(convolution(input) + bias + residual)`.
    ///
    /// `input` is `[in_channels][height][width][lanes]`; `residual` and `output` have the output's
    /// shape.
    ///
    /// # Errors
    /// [`KernelError::Length`] when a slice has another length.
    pub fn run(
        &self,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
    ) -> Result<(), KernelError> {
        check_length("input", input.len(), self.input_len())?;
        check_length("output", output.len(), self.output_len())?;
        if let Some(residual) = residual {
            check_length("residual", residual.len(), self.output_len())?;
        }
        let tensors = Tensors {
            input: input.as_ptr(),
            residual: residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
            output: output.as_mut_ptr(),
        };
        // SAFETY: the slices have the lengths of the shape, the output is borrowed exclusively,
        // and `new` has checked the instruction set.
        unsafe { self.method.run(tensors) }
        Ok(())
    }
}
