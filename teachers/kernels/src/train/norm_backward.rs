//! The gradients of a batch norm, alone or right before those of the convolution that it follows.
#![expect(unsafe_code, reason = "threads write the planes of different channels to one slice")]

use super::batch::Batch;
use super::conv::{self, ConvGradients, Convolution, InputGradient};
use super::memory::{Aligned, Output, with_scratch};
use super::norm::{Planes, SavedNorm, maps};
use super::plane::{self, Affine, BackwardSums, Gradient};
use crate::error::check_length;
use crate::vector::dispatch;
use crate::{Activation, KernelError};
use rayon::prelude::*;

/// The gradients of a batch norm's parameters, `[channels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct NormGradients {
    /// Of the factors.
    pub weight: Vec<f32>,
    /// Of the summands.
    pub bias: Vec<f32>,
}

/// How the gradient of a batch norm's input follows from that of its output.
struct Slopes<'a> {
    planes: Planes,
    saved: &'a SavedNorm<'a>,
    /// The maps of the channels; open where the gradient has been masked already.
    maps: Vec<Affine>,
    factors: Vec<[f32; 3]>,
}

impl Slopes<'_> {
    /// Writes the gradient of a plane of the input.
    ///
    /// # Safety
    /// `target` has room for a plane, which nothing else uses.
    unsafe fn write(&self, plane: usize, gradient: &[f32], target: *mut f32) -> Result<(), KernelError> {
        let channel = self.planes.channel(plane);
        let input = &self.saved.input[self.planes.range(plane)];
        check_length("gradient", gradient.len(), input.len())?;
        let (map, mean, factors) = (self.maps[channel], self.saved.mean[channel], self.factors[channel]);
        // SAFETY: the caller's promise; both slices are as long as a plane.
        let kernel = unsafe { plane::InputGradient::new(map, mean, factors, [input, gradient], target) };
        dispatch(self.planes.batch.isa(), kernel)?;
        // SAFETY: the plane has just been written.
        let written = unsafe { std::slice::from_raw_parts_mut(target, input.len()) };
        self.planes.batch.clear_missing(plane / self.planes.channels, written);
        Ok(())
    }
}

/// The first pass over a gradient. With a residual, the gradient is replaced by that of the residual.
fn backward<'a>(
    batch: Batch,
    saved: &'a SavedNorm<'a>,
    gradient: &mut [f32],
) -> Result<(Slopes<'a>, NormGradients), KernelError> {
    let planes = Planes::new(batch, saved.input.len(), &saved.norm)?;
    for (name, slice) in [("mean", saved.mean), ("inverse_deviation", saved.inverse_deviation)] {
        check_length(name, slice.len(), planes.channels)?;
    }
    check_length("output_gradient", gradient.len(), saved.input.len())?;
    if let Some(residual) = saved.residual {
        check_length("residual", residual.len(), saved.input.len())?;
    }
    let mut maps = maps(&saved.norm, saved.mean, saved.inverse_deviation);
    let sums = |plane: usize, gradient: Gradient<'_>| -> Result<[f64; 2], KernelError> {
        let (range, channel) = (planes.range(plane), planes.channel(plane));
        let residual = saved.residual.map(|residual| &residual[range.clone()]);
        let (input, mean) = (&saved.input[range], saved.mean[channel]);
        let mut sums = [0.0; 2];
        let kernel = BackwardSums { map: maps[channel], mean, input, residual, gradient, sums: &mut sums };
        dispatch(batch.isa(), kernel)?;
        Ok(sums)
    };
    let replaces = saved.residual.is_some();
    let pass = |(plane, gradient): (usize, &mut [f32])| {
        sums(plane, if replaces { Gradient::Replace(gradient) } else { Gradient::Read(gradient) })
    };
    let chunks = gradient.par_chunks_mut(planes.len).enumerate().with_min_len(planes.run());
    let sums: Vec<[f64; 2]> = chunks.map(pass).collect::<Result<_, _>>()?;
    // Of the gradient, and of the gradient times the difference from the mean.
    let totals = (0..planes.channels).map(|channel| {
        let groups = sums.iter().skip(channel).step_by(planes.channels);
        groups.fold([0.0; 2], |total, sums| [total[0] + sums[0], total[1] + sums[1]])
    });
    let totals: Vec<[f64; 2]> = totals.collect();
    let count = (batch.images() * (planes.len / batch.isa().lanes())) as f64;
    let inverse = |channel: usize| f64::from(saved.inverse_deviation[channel]);
    let factors = totals.iter().enumerate().map(|(channel, [sum, product])| {
        let scale = f64::from(saved.norm.weight[channel]) * inverse(channel);
        let slope = -scale * inverse(channel) * inverse(channel) * product / count;
        [scale, slope, -scale * sum / count].map(|value| value as f32)
    });
    let factors = factors.collect();
    let weights = totals.iter().enumerate().map(|(channel, [_, product])| product * inverse(channel));
    let gradients = NormGradients {
        weight: weights.map(|value| value as f32).collect(),
        bias: totals.iter().map(|[sum, _]| *sum as f32).collect(),
    };
    if replaces {
        maps.iter_mut().for_each(|map| map.range = Activation::Identity.range());
    }
    Ok((Slopes { planes, saved, maps, factors }, gradients))
}

/// The gradients of [`norm_forward`](super::norm_forward), through mean and variance too: that of the input, and those of
/// the parameters. With a residual, `gradient` becomes that of the residual.
///
/// # Errors
/// As [`norm_forward`](super::norm_forward).
pub fn norm_backward(
    batch: Batch,
    saved: &SavedNorm<'_>,
    gradient: &mut [f32],
) -> Result<(Aligned, NormGradients), KernelError> {
    let (slopes, gradients) = backward(batch, saved, gradient)?;
    let result = Output::new(saved.input.len());
    slopes.planes.all().try_for_each(|plane| {
        let range = slopes.planes.range(plane);
        let target = result.at(range.start);
        // SAFETY: no other thread writes this plane, which lies in the result.
        unsafe { slopes.write(plane, &gradient[range], target) }
    })?;
    // SAFETY: every plane has been written.
    Ok((unsafe { result.finish() }, gradients))
}

/// The gradients of [`conv_norm_forward`](super::conv_norm_forward); `input` is the convolution's, `saved` the batch norm's. The
/// gradient of the convolution's output is never stored as a whole. With a residual, `gradient` becomes
/// that of the residual.
///
/// # Errors
/// As [`norm_forward`](super::norm_forward) and [`conv_forward`](super::conv_forward).
pub fn conv_norm_backward(
    batch: Batch,
    conv: Convolution<'_>,
    input: &[f32],
    wanted: InputGradient<'_>,
    saved: &SavedNorm<'_>,
    gradient: &mut [f32],
) -> Result<(ConvGradients, NormGradients), KernelError> {
    check_length("saved", saved.input.len(), batch.len(conv.output_len()?)?)?;
    let (slopes, gradients) = backward(batch, saved, gradient)?;
    let planes = slopes.planes;
    let gradient = &*gradient;
    let of_conv = conv::backward(batch, conv, input, wanted, |group, run| {
        with_scratch(planes.channels * planes.len, |scratch| {
            for (index, target) in scratch.chunks_exact_mut(planes.len).enumerate() {
                let plane = group * planes.channels + index;
                // SAFETY: the scratch memory has room for the plane.
                unsafe { slopes.write(plane, &gradient[planes.range(plane)], target.as_mut_ptr())? };
            }
            run(scratch)
        })
    })?;
    Ok((of_conv, gradients))
}
