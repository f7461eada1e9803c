//! A convolution and its gradients for a batch of images, one group of lanes after the other.
#![expect(unsafe_code, reason = "hands checked slices to the kernels as pointers")]

use super::memory::{Output, with_scratch};
use super::transpose::{deinterleave, interleave};
use super::weight::WeightGradient;
use crate::call::{Epilogue, Tensors};
use crate::conv::Method;
use crate::error::check_length;
use crate::geometry::parts;
use crate::{Activation, ConvShape, Isa, KernelError};
use rayon::prelude::*;
use std::ops::Range;

/// Most parts of a batch whose weight gradients are summed one by one and then together. What is in
/// a part depends on the batch alone, and so the sum does not depend on the number of threads.
const PARTS: usize = 16;

/// What [`conv_backward`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvGradients {
    /// `[batch][in_channels][height][width]`; empty unless asked for.
    pub input: Vec<f32>,
    /// `[out_channels][in_channels / groups][kernel height][kernel width]`.
    pub weight: Vec<f32>,
    /// `[out_channels]`.
    pub bias: Vec<f32>,
}

/// Numbers of an image of the input and of the output; refuses a shape that cannot be.
fn lens(isa: Isa, shape: &ConvShape, batch: usize) -> Result<[usize; 2], KernelError> {
    isa.require()?;
    shape.validate()?;
    let lens = [shape.in_channels * shape.input_pixels(), shape.out_channels * shape.output_pixels()];
    // `validate` has seen that images in lanes can be addressed.
    let bytes = lens[0].max(lens[1]) * size_of::<f32>();
    match bytes.checked_mul(batch).filter(|bytes| *bytes <= isize::MAX as usize) {
        Some(_) => Ok(lens),
        None => Err(KernelError::shape("batch", "makes more elements than can be addressed")),
    }
}

/// Convolves a batch: `input` is `[batch][in_channels][height][width]`, `weight`
/// `[out_channels][in_channels / groups][kernel height][kernel width]`, `bias` `[out_channels]`.
///
/// # Errors
/// [`KernelError::Shape`] names the field that cannot be, [`KernelError::Length`] the slice of
/// another length; [`KernelError::Unavailable`] where the processor lacks the instruction set.
pub fn conv_forward(
    isa: Isa,
    shape: &ConvShape,
    weight: &[f32],
    bias: Option<&[f32]>,
    input: &[f32],
    batch: usize,
) -> Result<Vec<f32>, KernelError> {
    let lens = lens(isa, shape, batch)?;
    check_length("weight", weight.len(), shape.weight_len())?;
    check_length("input", input.len(), batch * lens[0])?;
    if let Some(bias) = bias {
        check_length("bias", bias.len(), shape.out_channels)?;
    }
    let bias = bias.map_or_else(|| vec![0.0; shape.out_channels], <[f32]>::to_vec);
    let epilogue = Epilogue { bias, range: Activation::Identity.range() };
    let method = Method::forward(*shape, weight, epilogue, isa);
    Ok(run(isa, &method, input, lens, batch))
}

/// The gradient of the input, `[batch][in_channels][height][width]`, from that of the output.
///
/// # Errors
/// As [`conv_forward`].
pub fn conv_input_gradient(
    isa: Isa,
    shape: &ConvShape,
    weight: &[f32],
    output_gradient: &[f32],
    batch: usize,
) -> Result<Vec<f32>, KernelError> {
    let [input_len, output_len] = lens(isa, shape, batch)?;
    check_length("weight", weight.len(), shape.weight_len())?;
    check_length("output_gradient", output_gradient.len(), batch * output_len)?;
    let method = Method::input_gradient(*shape, weight, isa);
    Ok(run(isa, &method, output_gradient, [output_len, input_len], batch))
}

/// The gradient of the weight, summed over the batch.
///
/// # Errors
/// As [`conv_forward`].
pub fn conv_weight_gradient(
    isa: Isa,
    shape: &ConvShape,
    input: &[f32],
    output_gradient: &[f32],
    batch: usize,
) -> Result<Vec<f32>, KernelError> {
    backward(isa, shape, None, input, output_gradient, batch).map(|gradients| gradients.weight)
}

/// All gradients of a convolution, faster than one by one; that of the input only if `weight` is
/// given.
///
/// # Errors
/// As [`conv_forward`].
pub fn conv_backward(
    isa: Isa,
    shape: &ConvShape,
    weight: Option<&[f32]>,
    input: &[f32],
    output_gradient: &[f32],
    batch: usize,
) -> Result<ConvGradients, KernelError> {
    if let Some(weight) = weight {
        lens(isa, shape, batch)?;
        check_length("weight", weight.len(), shape.weight_len())?;
    }
    let method = weight.map(|weight| Method::input_gradient(*shape, weight, isa));
    backward(isa, shape, method.as_ref(), input, output_gradient, batch)
}

/// Images that are computed together, each group of lanes by itself.
fn lane_groups(isa: Isa, batch: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
    let lanes = isa.lanes();
    let group = move |group: usize| group * lanes..((group + 1) * lanes).min(batch);
    (0..batch.div_ceil(lanes)).into_par_iter().map(group)
}

/// Runs a method on a whole batch; everything is checked.
fn run(isa: Isa, method: &Method, input: &[f32], [from, to]: [usize; 2], batch: usize) -> Vec<f32> {
    let output = Output::new(batch * to);
    lane_groups(isa, batch).for_each(|images| {
        let source = &input[images.start * from..images.end * from];
        let target = output.at(images.start * to);
        let count = images.len();
        with_scratch([from * isa.lanes(), to * isa.lanes(), 0], |[input, output, _]| {
            // SAFETY: the buffers are as long as the tensors in lanes, `source` and `target` as
            // `count` images; no other group has the same images; `lens` has checked the
            // instruction set.
            unsafe {
                interleave(isa, source.as_ptr(), from, count, input.as_mut_ptr());
                let (input, output) = (input.as_ptr(), output.as_mut_ptr());
                method.run(&[Tensors { input, residual: std::ptr::null(), output }]);
                deinterleave(isa, output, to, count, target);
            }
        });
    });
    // SAFETY: the groups hold every image once, and all have been written.
    unsafe { output.finish() }
}

/// All gradients, that of the input if there is a method for it.
fn backward(
    isa: Isa,
    shape: &ConvShape,
    method: Option<&Method>,
    input: &[f32],
    output_gradient: &[f32],
    batch: usize,
) -> Result<ConvGradients, KernelError> {
    let [from, to] = lens(isa, shape, batch)?;
    check_length("input", input.len(), batch * from)?;
    check_length("output_gradient", output_gradient.len(), batch * to)?;
    let plan = WeightGradient::new(*shape, isa);
    let result = Output::new(if method.is_some() { batch * from } else { 0 });
    let lanes = isa.lanes();
    let groups = batch.div_ceil(lanes);
    let part = |groups: Range<usize>| -> Result<Vec<f32>, KernelError> {
        let mut sums = vec![0.0f32; shape.weight_len() + shape.out_channels];
        for group in groups {
            let images = group * lanes..((group + 1) * lanes).min(batch);
            let count = images.len();
            let source = &input[images.start * from..images.end * from];
            let gradients = &output_gradient[images.start * to..images.end * to];
            with_scratch([from * lanes, to * lanes, from * lanes], |[input, gradient, target]| {
                // SAFETY: as in `run`; `sums` has an element for each weight and for each bias.
                unsafe {
                    interleave(isa, source.as_ptr(), from, count, input.as_mut_ptr());
                    interleave(isa, gradients.as_ptr(), to, count, gradient.as_mut_ptr());
                    plan.add(input, gradient, &mut sums)?;
                    if let Some(method) = method {
                        let (input, output) = (gradient.as_ptr(), target.as_mut_ptr());
                        method.run(&[Tensors { input, residual: std::ptr::null(), output }]);
                        deinterleave(isa, output, from, count, result.at(images.start * from));
                    }
                    Ok(())
                }
            })?;
        }
        Ok(sums)
    };
    let parts: Vec<Range<usize>> = parts(groups, groups.div_ceil(PARTS).max(1)).collect();
    let sums: Vec<Vec<f32>> = parts.into_par_iter().map(part).collect::<Result<_, _>>()?;
    let total = |index: usize| sums.iter().map(|part| f64::from(part[index])).sum::<f64>() as f32;
    let weights = shape.weight_len();
    Ok(ConvGradients {
        // SAFETY: where there is a method, the parts hold every image once, and all are written.
        input: unsafe { result.finish() },
        weight: (0..weights).map(total).collect(),
        bias: (weights..weights + shape.out_channels).map(total).collect(),
    })
}
