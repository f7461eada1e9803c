//! Batch norm in training mode with the residual sum and the activation that may follow it, alone or
//! right after a convolution.
//!
//! Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
//! Covariate Shift" (2015). Each plane of a channel in a group is summed by one thread, in single
//! precision over short runs and in double precision over all of them; the sums of the groups are
//! added in order.
#![expect(unsafe_code, reason = "threads write the planes of different channels to one slice")]

use super::batch::Batch;
use super::conv::{self, Convolution};
use super::memory::{Aligned, Output};
use super::moments::{Moments, Statistics};
use super::plane::Affine;
use crate::error::check_length;
use crate::vector::dispatch;
use crate::{Activation, KernelError};
use rayon::prelude::*;
use std::ops::Range;

/// Numbers that a thread takes together at least.
const RUN: usize = 1 << 16;

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

/// The values of the forward pass that [`norm_backward`](super::norm_backward) needs.
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
pub(super) struct Planes {
    pub batch: Batch,
    pub channels: usize,
    /// Numbers of a plane, lanes included.
    pub len: usize,
}

impl Planes {
    pub fn new(batch: Batch, len: usize, norm: &Norm<'_>) -> Result<Self, KernelError> {
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

    pub fn channel(self, plane: usize) -> usize {
        plane % self.channels
    }

    pub fn range(self, plane: usize) -> Range<usize> {
        plane * self.len..(plane + 1) * self.len
    }

    /// Planes that a thread takes together at least.
    pub fn run(self) -> usize {
        RUN.div_ceil(self.len)
    }

    /// All planes in parallel.
    pub fn all(self) -> impl IndexedParallelIterator<Item = usize> {
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
pub(super) fn maps(norm: &Norm<'_>, mean: &[f32], inverse_deviation: &[f32]) -> Vec<Affine> {
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
