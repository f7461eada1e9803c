//! A convolution and its gradients for a batch in lanes, one group after the other.
#![expect(unsafe_code, reason = "hands checked slices to the kernels as pointers")]

use super::batch::Batch;
use super::memory::{Aligned, Output};
use super::share;
use super::weight::WeightGradient;
use crate::call::{Epilogue, Tensors};
use crate::conv::Method;
use crate::error::check_length;
use crate::geometry::parts;
use crate::{Activation, ConvShape, KernelError};
use rayon::prelude::*;
use std::ops::Range;

/// Most parts of a batch whose weight gradients are summed one by one and then together. What is in
/// a part depends on the batch alone, and so the sum does not depend on the number of threads.
const PARTS: usize = 16;
/// Sums that a thread adds at a time.
const RUN: usize = 1 << 16;

/// A convolution as training sees it.
#[derive(Debug, Clone, Copy)]
pub struct Convolution<'a> {
    /// Its shape.
    pub shape: &'a ConvShape,
    /// `[out_channels][in_channels / groups][kernel height][kernel width]`.
    pub weight: &'a [f32],
    /// `[out_channels]`; zeros where there is none.
    pub bias: Option<&'a [f32]>,
}

/// The gradients of a convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvGradients {
    /// In the shape of the input; empty unless asked for.
    pub input: Aligned,
    /// `[out_channels][in_channels / groups][kernel height][kernel width]`.
    pub weight: Vec<f32>,
    /// `[out_channels]`.
    pub bias: Vec<f32>,
}

/// Which gradient of the input is computed.
#[derive(Debug, Clone, Copy)]
pub enum InputGradient<'a> {
    /// None.
    None,
    /// The convolution's.
    Alone,
    /// The convolution's plus this one, which other readers of the input have given.
    AddedTo(&'a [f32]),
}

impl Convolution<'_> {
    /// Numbers of an image of the output.
    pub(super) fn output_len(&self) -> Result<usize, KernelError> {
        self.check().map(|[_, to]| to)
    }

    /// Checks shape, weight and bias; numbers of an image of the input and of the output.
    fn check(&self) -> Result<[usize; 2], KernelError> {
        let shape = self.shape;
        shape.validate()?;
        check_length("weight", self.weight.len(), shape.weight_len())?;
        if let Some(bias) = self.bias {
            check_length("bias", bias.len(), shape.out_channels)?;
        }
        Ok([shape.in_channels * shape.input_pixels(), shape.out_channels * shape.output_pixels()])
    }
}

/// Convolves a batch: `input` is `[groups][in_channels][height][width][lanes]`.
///
/// # Errors
/// [`KernelError::Shape`] names the field that cannot be, [`KernelError::Length`] the slice of
/// another length.
pub fn conv_forward(batch: Batch, conv: Convolution<'_>, input: &[f32]) -> Result<Aligned, KernelError> {
    forward(batch, conv, input, |_, _| Ok(())).map(|(output, _)| output)
}

/// Convolves a batch, and calls `then` for each group with its output while that is in a cache.
pub(super) fn forward<T: Send>(
    batch: Batch,
    conv: Convolution<'_>,
    input: &[f32],
    then: impl Fn(usize, &[f32]) -> Result<T, KernelError> + Sync,
) -> Result<(Aligned, Vec<T>), KernelError> {
    let [from, to] = conv.check()?;
    let from = batch.check("input", input, from)?;
    let output = Output::new(batch.len(to)?);
    let to = to * batch.isa().lanes();
    let bias = conv.bias.map_or_else(|| vec![0.0; conv.shape.out_channels], <[f32]>::to_vec);
    let epilogue = Epilogue { bias, range: Activation::Identity.range() };
    let method = Method::forward(*conv.shape, conv.weight, epilogue, batch.algorithm(), batch.isa());
    let found: Result<Vec<T>, KernelError> = (0..batch.groups())
        .into_par_iter()
        .with_min_len(share(conv.shape.macs() as usize * batch.isa().lanes()))
        .map(|group| {
            let input = input[group * from..][..from].as_ptr();
            let start = output.at(group * to);
            // SAFETY: input and output are those of a group, which no other thread writes; a batch
            // has checked the instruction set; after the run, every output is initialised.
            let output = unsafe {
                method.run(&[Tensors { input, residual: std::ptr::null(), output: start }]);
                std::slice::from_raw_parts_mut(start, to)
            };
            if conv.bias.is_some() {
                batch.clear_missing(group, output);
            }
            then(group, output)
        })
        .collect();
    // SAFETY: every group has been written.
    Ok((unsafe { output.finish() }, found?))
}

/// The gradients of a convolution, `output_gradient` given.
///
/// # Errors
/// As [`conv_forward`].
pub fn conv_backward(
    batch: Batch,
    conv: Convolution<'_>,
    input: &[f32],
    output_gradient: &[f32],
    wanted: InputGradient<'_>,
) -> Result<ConvGradients, KernelError> {
    let [_, to] = conv.check()?;
    let to = batch.check("output_gradient", output_gradient, to)?;
    backward(batch, conv, input, wanted, |group, run| run(&output_gradient[group * to..][..to]))
}

/// What [`backward`] does with the gradient of a group's output.
pub(super) type WithGradient<'a> = &'a mut dyn FnMut(&[f32]) -> Result<(), KernelError>;

/// The gradients of a convolution. For each group, `gradient` makes that of the output and hands it
/// to the function it gets.
pub(super) fn backward(
    batch: Batch,
    conv: Convolution<'_>,
    input: &[f32],
    wanted: InputGradient<'_>,
    gradient: impl Fn(usize, WithGradient<'_>) -> Result<(), KernelError> + Sync,
) -> Result<ConvGradients, KernelError> {
    let [image, to] = conv.check()?;
    let from = batch.check("input", input, image)?;
    let to = to * batch.isa().lanes();
    let shape = conv.shape;
    let earlier = match wanted {
        InputGradient::AddedTo(earlier) => {
            batch.check("earlier", earlier, image)?;
            Some(earlier)
        }
        InputGradient::None | InputGradient::Alone => None,
    };
    let method = match wanted {
        InputGradient::None => None,
        _ => Some(Method::input_gradient(*shape, conv.weight, batch.algorithm(), batch.isa())),
    };
    let result = Output::new(if method.is_some() { input.len() } else { 0 });
    let plan = WeightGradient::new(*shape, batch.algorithm(), batch.isa());
    let part = |groups: Range<usize>| -> Result<Vec<f32>, KernelError> {
        let mut sums = vec![0.0f32; plan.sums_len()];
        for group in groups {
            gradient(group, &mut |gradient| {
                check_length("output_gradient", gradient.len(), to)?;
                let input = &input[group * from..][..from];
                // SAFETY: input and gradient are those of a group; `sums` has an element for each
                // weight and for each bias; a batch has checked the instruction set.
                unsafe { plan.add(input, gradient, &mut sums)? };
                if let Some(method) = &method {
                    let earlier = earlier.map(|earlier| &earlier[group * from..][..from]);
                    let residual = earlier.map_or(std::ptr::null(), <[f32]>::as_ptr);
                    let (input, output) = (gradient.as_ptr(), result.at(group * from));
                    // SAFETY: the same; no other thread writes the group's gradient.
                    unsafe { method.run(&[Tensors { input, residual, output }]) };
                }
                Ok(())
            })?;
        }
        Ok(sums)
    };
    let groups = batch.groups();
    let parts: Vec<Range<usize>> = parts(groups, groups.div_ceil(PARTS).max(1)).collect();
    let of_part = 2 * shape.macs() as usize * batch.isa().lanes() * groups.div_ceil(parts.len().max(1));
    let shares = parts.into_par_iter().with_min_len(share(of_part));
    let sums: Vec<Vec<f32>> = shares.map(part).collect::<Result<_, _>>()?;
    let mut total = vec![0.0f64; plan.sums_len()];
    total.par_chunks_mut(RUN).enumerate().for_each(|(run, total)| {
        for part in &sums {
            let part = &part[run * RUN..][..total.len()];
            total.iter_mut().zip(part).for_each(|(total, sum)| *total += f64::from(*sum));
        }
    });
    let [weight, bias] = plan.finish(&total);
    // SAFETY: where there is a method, every group has been written.
    Ok(ConvGradients { input: unsafe { result.finish() }, weight, bias })
}
