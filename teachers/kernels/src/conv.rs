//! Convolution, computed by whichever kind of kernel suits its shape.
#![expect(unsafe_code, reason = "hands checked slices to the kernels as pointers")]

use crate::call::{Epilogue, Tensors};
use crate::dense::Dense;
use crate::depthwise::Depthwise;
use crate::error::check_length;
use crate::winograd::Winograd;
use crate::{Activation, Algorithm, ConvShape, Isa, KernelError};

/// A convolution with its weights packed for one instruction set.
#[derive(Debug, Clone)]
pub struct Conv2d {
    shape: ConvShape,
    isa: Isa,
    direct: Method,
    /// With fewer products, where there is one.
    fast: Option<Method>,
}

/// What a convolution reads and writes for one block of images.
#[derive(Debug)]
pub struct ConvBlock<'a> {
    /// `[in_channels][height][width][lanes]`.
    pub input: &'a [f32],
    /// The summand.
    pub residual: Residual<'a>,
    /// `[out_channels][height][width][lanes]`.
    pub output: &'a mut [f32],
}

/// A summand that is added to the result of a convolution before the activation.
#[derive(Debug, Clone, Copy)]
pub enum Residual<'a> {
    /// Nothing is added.
    None,
    /// These numbers, in the shape of the output.
    Of(&'a [f32]),
    /// The numbers that the output holds before it is written.
    Output,
}

/// How a convolution, or the gradient of its input, is computed.
#[derive(Debug, Clone)]
pub(crate) enum Method {
    Dense(Dense),
    Depthwise(Depthwise),
    Winograd(Winograd),
}

impl Method {
    /// A convolution; everything is checked.
    pub fn forward(
        shape: ConvShape,
        weight: &[f32],
        epilogue: Epilogue,
        algorithm: Algorithm,
        isa: Isa,
    ) -> Self {
        if algorithm == Algorithm::Fast && Winograd::pays(&shape) {
            Self::Winograd(Winograd::new(shape, weight, epilogue, isa))
        } else {
            Self::direct(shape, weight, epilogue, isa)
        }
    }

    /// A convolution by its definition, each product for itself; everything is checked.
    pub fn direct(shape: ConvShape, weight: &[f32], epilogue: Epilogue, isa: Isa) -> Self {
        match Depthwise::function(&shape, isa) {
            Some(function) => Self::Depthwise(Depthwise::new(shape, weight, epilogue, isa, function)),
            None => Self::Dense(Dense::new(shape, weight, epilogue, isa)),
        }
    }

    /// The gradient of the input; everything is checked.
    pub fn input_gradient(shape: ConvShape, weight: &[f32], algorithm: Algorithm, isa: Isa) -> Self {
        let depthwise = shape.in_channels == shape.groups && shape.out_channels == shape.groups;
        let fast = algorithm == Algorithm::Fast;
        let suits = |gradient: &ConvShape| depthwise || (fast && Winograd::pays(gradient));
        match shape.transposed().filter(suits) {
            Some(gradient) => {
                let bias = vec![0.0; shape.in_channels];
                let epilogue = Epilogue { bias, range: Activation::Identity.range() };
                Self::forward(gradient, &shape.transposed_weight(weight), epilogue, algorithm, isa)
            }
            None => Self::Dense(Dense::input_gradient(shape, weight, isa)),
        }
    }

    /// Computes all that is written, for each block of images.
    ///
    /// # Safety
    /// The processor has the instruction set; the tensors are those of the shape, in lanes; what is
    /// written overlaps nothing else, except that a residual may be the output itself.
    pub unsafe fn run(&self, blocks: &[Tensors]) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::Dense(dense) => dense.run(blocks),
                Self::Depthwise(depthwise) => blocks.iter().for_each(|tensors| depthwise.run(*tensors)),
                Self::Winograd(winograd) => winograd.run(blocks),
            }
        }
    }
}

impl Conv2d {
    /// Packs a weight `[out_channels][in_channels / groups][kernel height][kernel width]` and a
    /// bias `[out_channels]`. With [`Algorithm::Fast`] both algorithms are prepared.
    ///
    /// # Errors
    /// [`KernelError::Shape`] names the invalid field, [`KernelError::Length`] the slice of
    /// another length; [`KernelError::Unavailable`] where the processor lacks the instruction set.
    pub fn new(
        shape: ConvShape,
        weight: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
        algorithm: Algorithm,
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
        let fast = (algorithm == Algorithm::Fast && Winograd::pays(&shape))
            .then(|| Method::Winograd(Winograd::new(shape, weight, epilogue.clone(), isa)));
        Ok(Self { shape, isa, direct: Method::direct(shape, weight, epilogue, isa), fast })
    }

    /// The shape.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Whether [`Algorithm::Fast`] computes it otherwise than [`Algorithm::Direct`].
    pub fn is_fast(&self) -> bool {
        self.fast.is_some()
    }

    /// Elements of the input, lanes included.
    pub fn input_len(&self) -> usize {
        self.shape.in_channels * self.shape.input_pixels() * self.isa.lanes()
    }

    /// Elements of the output, lanes included.
    pub fn output_len(&self) -> usize {
        self.shape.out_channels * self.shape.output_pixels() * self.isa.lanes()
    }

    /// Computes `activation(convolution(input) + bias + residual)` for one block of images;
    /// `residual` and `output` have the same shape.
    ///
    /// # Errors
    /// As [`Self::run_blocks`].
    pub fn run(
        &self,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
    ) -> Result<(), KernelError> {
        let residual = residual.map_or(Residual::None, Residual::Of);
        self.run_blocks(Algorithm::Fast, &mut [ConvBlock { input, residual, output }])
    }

    /// Computes some blocks of images, in less time than one after the other where a weight is too
    /// large for the cache. [`Algorithm::Fast`] has an effect only if it was prepared.
    ///
    /// # Errors
    /// [`KernelError::Length`] when a slice has another length.
    pub fn run_blocks(&self, algorithm: Algorithm, blocks: &mut [ConvBlock<'_>]) -> Result<(), KernelError> {
        // A depth-wise kernel computes some outputs twice, so it needs a residual of its own.
        let mut copies = Vec::new();
        let mut tensors = Vec::with_capacity(blocks.len());
        for block in blocks {
            let copied = matches!((block.residual, &self.direct), (Residual::Output, Method::Depthwise(_)));
            if copied {
                copies.push(block.output.to_vec());
            }
            let mut found = self.tensors(block, self.input_len())?;
            if let (true, Some(copy)) = (copied, copies.last()) {
                found.residual = copy.as_ptr();
            }
            tensors.push(found);
        }
        let method = match algorithm {
            Algorithm::Fast => self.fast.as_ref().unwrap_or(&self.direct),
            Algorithm::Direct => &self.direct,
        };
        // SAFETY: the slices have the lengths of the shape, each output is borrowed exclusively,
        // and `new` has checked the instruction set.
        unsafe { method.run(&tensors) }
        Ok(())
    }

    /// Pointers to the tensors of a block whose input has `input_len` elements.
    pub(crate) fn tensors(
        &self,
        block: &mut ConvBlock<'_>,
        input_len: usize,
    ) -> Result<Tensors, KernelError> {
        check_length("input", block.input.len(), input_len)?;
        check_length("output", block.output.len(), self.output_len())?;
        let output = block.output.as_mut_ptr();
        let residual = match block.residual {
            Residual::None => std::ptr::null(),
            Residual::Of(residual) => {
                check_length("residual", residual.len(), self.output_len())?;
                residual.as_ptr()
            }
            Residual::Output => output.cast_const(),
        };
        Ok(Tensors { input: block.input.as_ptr(), residual, output })
    }

    /// The kernel of the direct algorithm.
    pub(crate) fn direct(&self) -> &Method {
        &self.direct
    }
}
