//! Batch norm in training mode with the residual sum and the activation that may follow it, alone or
//! right after a convolution.
//!
//! Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
//! Covariate Shift" (2015). Each plane of a channel in a group is summed by one thread, in single
//! precision over short runs and in double precision over all of them; the sums of the groups are
//! added in order.
#![expect(unsafe_code, reason = "threads write the planes of different channels to one slice")]

use super::batch::Batch;
use super::conv::{self, ConvGradients, Convolution, InputGradient};
use super::memory::{Aligned, Output, with_scratch};
use super::plane::{self, Affine, BackwardSums, Gradient, Moments, Statistics};
use crate::error::check_length;
use crate::vector::dispatch;
use crate::{Activation, KernelError};
use rayon::prelude::*;
use std::ops::Range;

/// Numbers that a thread takes together at least.
const RUN: usize = 1 << 13;

/// The parameters of a batch norm.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// The factor of each channel.
    pub weight: &'a [f32],
    /// The summand of each channel.
    pub bias: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
    /// Follows the residual sum.
    pub activation: Activation,
}

/// The result of [`norm_forward`]; all but the output are `[channels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    /// `[groups][channels][pixels][lanes]`.
    pub output: Aligned,
    /// Over images and pixels.
    pub mean: Vec<f32>,
    /// The biased variance (the mean of squared differences), which is used to normalise.
    pub variance: Vec<f32>,
    /// `1 / sqrt(variance + epsilon)`.
    pub inverse_deviation: Vec<f32>,
}

/// The values of the forward pass that [`norm_backward`] needs.
#[derive(Debug, Clone, Copy)]
pub struct SavedNorm<'a> {
    /// The parameters.
    pub norm: Norm<'a>,
    /// The input of the forward pass, `[groups][channels][pixels][lanes]`.
    pub input: &'a [f32],
    /// [`BatchNorm::mean`].
    pub mean: &'a [f32],
    /// [`BatchNorm::inverse_deviation`].
    pub inverse_deviation: &'a [f32],
    /// The residual that was added before the activation, as long as the input.
    pub residual: Option<&'a [f32]>,
}

/// The gradients of a batch norm's parameters, `[channels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct NormGradients {
    /// Of the factors.
    pub weight: Vec<f32>,
    /// Of the summands.
    pub bias: Vec<f32>,
}

impl BatchNorm {
    /// The values that the backward pass needs; the arguments are those of the forward pass.
    pub fn saved<'a>(
        &'a self,
        input: &'a [f32],
        norm: Norm<'a>,
        residual: Option<&'a [f32]>,
    ) -> SavedNorm<'a> {
        let (mean, inverse_deviation) = (&self.mean, &self.inverse_deviation);
        SavedNorm { norm, input, mean, inverse_deviation, residual }
    }
}

/// A tensor seen plane by plane; the planes of a group follow each other.
#[derive(Clone, Copy)]
struct Planes {
    batch: Batch,
    channels: usize,
    /// Numbers of a plane, lanes included.
    len: usize,
}

impl Planes {
    fn new(batch: Batch, len: usize, norm: &Norm<'_>) -> Result<Self, KernelError> {
        let channels = norm.weight.len();
        for (field, value) in [("channels", channels), ("batch", batch.images())] {
            if value == 0 {
                return Err(KernelError::shape(field, "must be at least 1"));
            }
        }
        check_length("bias", norm.bias.len(), channels)?;
        let pixels = len / batch.len(channels)?;
        check_length("input", len, batch.len(channels * pixels.max(1))?)?;
        Ok(Self { batch, channels, len: pixels * batch.isa().lanes() })
    }

    fn channel(self, plane: usize) -> usize {
        plane % self.channels
    }

    fn range(self, plane: usize) -> Range<usize> {
        plane * self.len..(plane + 1) * self.len
    }

    /// Planes that a thread takes together at least.
    fn run(self) -> usize {
        RUN.div_ceil(self.len)
    }

    /// All planes in parallel.
    fn all(self) -> impl IndexedParallelIterator<Item = usize> {
        (0..self.batch.groups() * self.channels).into_par_iter().with_min_len(self.run())
    }

    fn moments(self, group: usize, plane: &[f32]) -> Result<Moments, KernelError> {
        let mut found = Moments::default();
        let images = self.batch.images_in(group);
        dispatch(self.batch.isa(), Statistics { plane, images, found: &mut found })?;
        Ok(found)
    }

    /// Normalises with the moments of all planes.
    fn normalise(
        self,
        input: &[f32],
        norm: &Norm<'_>,
        residual: Option<&[f32]>,
        moments: &[Moments],
    ) -> Result<BatchNorm, KernelError> {
        if let Some(residual) = residual {
            check_length("residual", residual.len(), input.len())?;
        }
        let of_channel = |channel: usize| {
            let groups = moments.iter().skip(channel).step_by(self.channels).copied();
            let all = groups.reduce(Moments::with).unwrap_or_default();
            let variance = all.squares / all.count;
            // `f64::max` would turn a `NaN` into zero.
            let variance = if variance < 0.0 { 0.0 } else { variance };
            let inverse = 1.0 / (variance + f64::from(norm.epsilon)).sqrt();
            [all.mean, variance, inverse].map(|value| value as f32)
        };
        let found: Vec<[f32; 3]> = (0..self.channels).map(of_channel).collect();
        let column = |index: usize| found.iter().map(|values| values[index]).collect::<Vec<f32>>();
        let [mean, variance, inverse_deviation] = [0, 1, 2].map(column);
        let maps = maps(norm, &mean, &inverse_deviation);
        let output = Output::new(input.len());
        self.all().try_for_each(|plane| {
            let range = self.range(plane);
            let target = output.at(range.start);
            let residual = residual.map(|residual| &residual[range.clone()]);
            // SAFETY: no other thread writes this plane, which lies in the output.
            let apply = unsafe { maps[self.channel(plane)].apply(&input[range.clone()], residual, target) };
            dispatch(self.batch.isa(), apply)?;
            // SAFETY: the plane has just been written.
            let written = unsafe { std::slice::from_raw_parts_mut(target, range.len()) };
            self.batch.clear_missing(plane / self.channels, written);
            Ok::<(), KernelError>(())
        })?;
        // SAFETY: every plane has been written.
        Ok(BatchNorm { output: unsafe { output.finish() }, mean, variance, inverse_deviation })
    }
}

/// The map of each channel.
fn maps(norm: &Norm<'_>, mean: &[f32], inverse_deviation: &[f32]) -> Vec<Affine> {
    let channels = norm.weight.iter().zip(norm.bias).zip(mean.iter().zip(inverse_deviation));
    let map = |((weight, bias), (mean, inverse)): ((&f32, &f32), (&f32, &f32))| {
        let scale = f64::from(*weight) * f64::from(*inverse);
        let shift = f64::from(*bias) - f64::from(*mean) * scale;
        Affine { scale: scale as f32, shift: shift as f32, range: norm.activation.range() }
    };
    channels.map(map).collect()
}

/// Computes `activation((input - mean) / sqrt(variance + epsilon) * weight + bias + residual)` with
/// mean and variance of each channel over the batch; `input` is `[groups][channels][pixels][lanes]`.
///
/// # Errors
/// [`KernelError::Length`] names the slice of another length, [`KernelError::Shape`] a batch or
/// channels of zero.
pub fn norm_forward(
    batch: Batch,
    norm: Norm<'_>,
    input: &[f32],
    residual: Option<&[f32]>,
) -> Result<BatchNorm, KernelError> {
    let planes = Planes::new(batch, input.len(), &norm)?;
    let moments = |plane: usize| planes.moments(plane / planes.channels, &input[planes.range(plane)]);
    let moments: Vec<Moments> = planes.all().map(moments).collect::<Result<_, _>>()?;
    planes.normalise(input, &norm, residual, &moments)
}

/// [`conv_forward`](super::conv_forward) and [`norm_forward`] of its output, which is returned too.
/// The statistics of a group are computed right after its convolution, while it is in a cache.
///
/// # Errors
/// As both.
pub fn conv_norm_forward(
    batch: Batch,
    conv: Convolution<'_>,
    norm: Norm<'_>,
    input: &[f32],
    residual: Option<&[f32]>,
) -> Result<(Aligned, BatchNorm), KernelError> {
    check_length("weight", norm.weight.len(), conv.shape.out_channels)?;
    let planes = Planes::new(batch, batch.len(conv.output_len()?)?, &norm)?;
    let (output, moments) = conv::forward(batch, conv, input, |group, output| {
        output.chunks_exact(planes.len).map(|plane| planes.moments(group, plane)).collect()
    })?;
    let moments: Vec<Vec<Moments>> = moments;
    let normal = planes.normalise(&output, &norm, residual, &moments.concat())?;
    Ok((output, normal))
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

/// The gradients of [`norm_forward`], through mean and variance too: that of the input, and those of
/// the parameters. With a residual, `gradient` becomes that of the residual.
///
/// # Errors
/// As [`norm_forward`].
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

/// The gradients of [`conv_norm_forward`]; `input` is the convolution's, `saved` the batch norm's. The
/// gradient of the convolution's output is never stored as a whole. With a residual, `gradient` becomes
/// that of the residual.
///
/// # Errors
/// As [`norm_forward`] and [`conv_forward`](super::conv_forward).
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
