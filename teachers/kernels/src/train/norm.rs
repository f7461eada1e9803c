//! Batch norm in training mode with the residual sum and the ReLU that may follow it, in two passes
//! over each channel.
//!
//! Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
//! Covariate Shift" (2015). Sums run in single precision over at most [`CHUNK`] numbers of a plane
//! and in double precision over all of them, of differences from a guess at the
//! mean, so that a mean far from zero costs no digits. Each channel is summed by one thread in a fixed order.
#![expect(unsafe_code, reason = "threads write the planes of different channels to one slice")]

use super::memory::Output;
use super::plane::{Affine, Backward, CHUNK, InputGradient, ResidualGradient, Statistics};
use crate::error::check_length;
use crate::vector::dispatch;
use crate::{Isa, KernelError};
use rayon::prelude::*;
use std::ops::Range;

/// Numbers of an image that a thread takes together at least: several channels where planes are
/// small, so that memory is read in long runs.
const RUN: usize = 1024;

/// Numbers of a channel from which its mean is guessed.
const SAMPLE: usize = 256;

/// The result of [`batch_norm_relu_forward`]; all but the output are `[channels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    /// `[batch][channels][pixels]`.
    pub output: Vec<f32>,
    /// Over batch and pixels.
    pub mean: Vec<f32>,
    /// The biased variance (the mean of squared differences), which is used to normalise.
    pub variance: Vec<f32>,
    /// `1 / sqrt(variance + epsilon)`.
    pub inverse_deviation: Vec<f32>,
}

/// The values of the forward pass that [`batch_norm_relu_backward`] needs.
#[derive(Debug, Clone, Copy)]
pub struct SavedNorm<'a> {
    /// The input of the forward pass, `[batch][channels][pixels]`.
    pub input: &'a [f32],
    /// The factor of each channel.
    pub weight: &'a [f32],
    /// The summand of each channel.
    pub bias: &'a [f32],
    /// [`BatchNorm::mean`].
    pub mean: &'a [f32],
    /// [`BatchNorm::inverse_deviation`].
    pub inverse_deviation: &'a [f32],
    /// The residual that was added before the ReLU, as long as the input.
    pub residual: Option<&'a [f32]>,
    /// Whether a ReLU followed.
    pub relu: bool,
}

/// The result of [`batch_norm_relu_backward`].
#[derive(Debug, Clone, PartialEq)]
pub struct NormGradients {
    /// `[batch][channels][pixels]`.
    pub input: Vec<f32>,
    /// The same, of the residual; empty where there was none.
    pub residual: Vec<f32>,
    /// `[channels]`.
    pub weight: Vec<f32>,
    /// `[channels]`.
    pub bias: Vec<f32>,
}

/// A batch seen channel by channel.
#[derive(Clone, Copy)]
struct Planes {
    batch: usize,
    channels: usize,
    pixels: usize,
}

impl Planes {
    fn new(len: usize, channels: usize, batch: usize) -> Result<Self, KernelError> {
        for (field, value) in [("channels", channels), ("batch", batch)] {
            if value == 0 {
                return Err(KernelError::shape(field, "must be at least 1"));
            }
        }
        let planes = batch.checked_mul(channels);
        let planes = planes.ok_or_else(|| KernelError::shape("batch", "is more than can be addressed"))?;
        let pixels = len / planes;
        if pixels == 0 {
            return Err(KernelError::Length { slice: "input", expected: planes, found: len });
        }
        check_length("input", len, planes * pixels)?;
        Ok(Self { batch, channels, pixels })
    }

    /// Channels that a thread takes together.
    fn blocks(self) -> impl IndexedParallelIterator<Item = Range<usize>> {
        let size = RUN.div_ceil(self.pixels).min(self.channels);
        let block = move |block: usize| block * size..((block + 1) * size).min(self.channels);
        (0..self.channels.div_ceil(size)).into_par_iter().map(block)
    }

    /// Where the planes of a block lie, image by image, each with its index in the block.
    fn of_block(self, block: &Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
        let block = block.clone();
        (0..self.batch).flat_map(move |image| {
            block.clone().enumerate().map(move |(index, channel)| {
                let start = (image * self.channels + channel) * self.pixels;
                (index, start..start + self.pixels)
            })
        })
    }

    /// A number near each channel's mean: that of its first few numbers.
    fn pivots(self, isa: Isa, input: &[f32], block: &Range<usize>) -> Result<Vec<f32>, KernelError> {
        let images = SAMPLE.div_ceil(self.pixels).min(self.batch);
        let length = self.pixels.min(CHUNK);
        let mut sums = vec![[0.0f64; 2]; block.len()];
        for (index, plane) in self.of_block(block).take(images * block.len()) {
            let plane = &input[plane][..length];
            dispatch(isa, Statistics { plane, pivot: 0.0, sums: &mut sums[index] })?;
        }
        Ok(sums.iter().map(|[sum, _]| (sum / (images * length) as f64) as f32).collect())
    }

    /// Numbers of a channel.
    fn count(self) -> f64 {
        self.batch as f64 * self.pixels as f64
    }
}

/// The factor and the summand that normalise a channel. Forward and backward pass share them, so that
/// the ReLU masks the gradient exactly where it masked the value.
fn affine(weight: f32, bias: f32, mean: f32, inverse_deviation: f32) -> [f32; 2] {
    let scale = weight * inverse_deviation;
    [scale, (f64::from(bias) - f64::from(mean) * f64::from(scale)) as f32]
}

/// Normalises each channel over batch and pixels, `(input - mean) * inverse_deviation * weight +
/// bias`, adds `residual`, then clamps below at zero if `relu`; `input` and `residual` are
/// `[batch][channels][pixels]` with as many channels as `weight` and `bias` have elements.
///
/// # Errors
/// [`KernelError::Shape`] without a channel or an image, [`KernelError::Length`] where a slice has
/// another length, [`KernelError::Unavailable`] where the processor lacks the instruction set.
pub fn batch_norm_relu_forward(
    isa: Isa,
    input: &[f32],
    [weight, bias]: [&[f32]; 2],
    epsilon: f32,
    residual: Option<&[f32]>,
    relu: bool,
    batch: usize,
) -> Result<BatchNorm, KernelError> {
    isa.require()?;
    let planes = Planes::new(input.len(), weight.len(), batch)?;
    check_length("bias", bias.len(), weight.len())?;
    if let Some(residual) = residual {
        check_length("residual", residual.len(), input.len())?;
    }
    let output = Output::new(input.len());
    let block = |block: Range<usize>| -> Result<Vec<[f32; 3]>, KernelError> {
        let pivots = planes.pivots(isa, input, &block)?;
        let mut sums = vec![[0.0f64; 2]; block.len()];
        for (index, plane) in planes.of_block(&block) {
            for plane in input[plane].chunks(CHUNK) {
                dispatch(isa, Statistics { plane, pivot: pivots[index], sums: &mut sums[index] })?;
            }
        }
        let statistics = |(pivot, [sum, squares]): (&f32, [f64; 2])| {
            let difference = sum / planes.count();
            // A sum of rounded squares may lie below zero; `NaN` comes through.
            let variance = squares / planes.count() - difference * difference;
            let variance = if variance < 0.0 { 0.0 } else { variance };
            let inverse = 1.0 / (variance + f64::from(epsilon)).sqrt();
            [f64::from(*pivot) + difference, variance, inverse].map(|value| value as f32)
        };
        let found: Vec<[f32; 3]> = pivots.iter().zip(sums).map(statistics).collect();
        let maps: Vec<[f32; 2]> = block
            .clone()
            .zip(&found)
            .map(|(channel, [mean, _, inverse])| affine(weight[channel], bias[channel], *mean, *inverse))
            .collect();
        let low = if relu { 0.0 } else { f32::NEG_INFINITY };
        for (index, plane) in planes.of_block(&block) {
            let output = output.at(plane.start);
            let residual = residual.map(|residual| &residual[plane.clone()]);
            // SAFETY: no other block writes this plane, which lies in the output.
            dispatch(isa, unsafe { Affine::new(&input[plane], residual, maps[index], low, output) })?;
        }
        Ok(found)
    };
    let found: Vec<Vec<[f32; 3]>> = planes.blocks().map(block).collect::<Result<_, _>>()?;
    let column = |index: usize| found.iter().flatten().map(|values| values[index]).collect();
    let [mean, variance, inverse_deviation] = [0, 1, 2].map(column);
    // SAFETY: the blocks hold every channel once, and each has written all its planes.
    Ok(BatchNorm { output: unsafe { output.finish() }, mean, variance, inverse_deviation })
}

/// The gradients of [`batch_norm_relu_forward`], through mean and variance too; the ReLU's mask is
/// computed again from the input.
///
/// # Errors
/// As [`batch_norm_relu_forward`].
pub fn batch_norm_relu_backward(
    isa: Isa,
    saved: &SavedNorm,
    output_gradient: &[f32],
    batch: usize,
) -> Result<NormGradients, KernelError> {
    isa.require()?;
    let planes = Planes::new(saved.input.len(), saved.weight.len(), batch)?;
    let per_channel =
        [("bias", saved.bias), ("mean", saved.mean), ("inverse_deviation", saved.inverse_deviation)];
    for (name, slice) in per_channel {
        check_length(name, slice.len(), planes.channels)?;
    }
    check_length("output_gradient", output_gradient.len(), saved.input.len())?;
    let residual_gradient = Output::new(match saved.residual {
        Some(residual) => {
            check_length("residual", residual.len(), saved.input.len())?;
            residual.len()
        }
        None => 0,
    });
    let result = Output::new(saved.input.len());
    let block = |block: Range<usize>| -> Result<Vec<[f32; 2]>, KernelError> {
        let shared = |channel: usize| {
            let (mean, inverse) = (saved.mean[channel], saved.inverse_deviation[channel]);
            let [scale, shift] = affine(saved.weight[channel], saved.bias[channel], mean, inverse);
            // Without a ReLU everything comes through, whatever the residual is.
            let mask = if saved.relu { [scale, shift] } else { [0.0, f32::INFINITY] };
            Backward { mask, mean }
        };
        let maps: Vec<Backward> = block.clone().map(shared).collect();
        // Of the gradient, and of the gradient times the difference from the mean.
        let mut sums = vec![[0.0f64; 2]; block.len()];
        for (index, plane) in planes.of_block(&block) {
            for start in plane.clone().step_by(CHUNK) {
                let chunk = start..(start + CHUNK).min(plane.end);
                let [input, gradient] = [saved.input, output_gradient].map(|all| &all[chunk.clone()]);
                let residual = saved.residual.map(|all| {
                    // SAFETY: no other block writes this plane, which lies in the gradient.
                    unsafe { ResidualGradient::new(&all[chunk], residual_gradient.at(start)) }
                });
                dispatch(isa, maps[index].sums(input, gradient, residual, &mut sums[index]))?;
            }
        }
        let factors: Vec<[f32; 3]> = block
            .clone()
            .zip(&sums)
            .map(|(channel, [sum, product])| {
                let inverse = f64::from(saved.inverse_deviation[channel]);
                let scale = f64::from(saved.weight[channel]) * inverse;
                let slope = -scale * inverse * inverse * product / planes.count();
                [scale, slope, -scale * sum / planes.count()].map(|value| value as f32)
            })
            .collect();
        for (index, plane) in planes.of_block(&block) {
            let target = result.at(plane.start);
            let mut channel = maps[index];
            let gradient = match saved.residual {
                None => &output_gradient[plane.clone()],
                Some(_) => {
                    // What came through has been written, and needs no mask.
                    channel.mask = [0.0, 1.0];
                    // SAFETY: the first pass has written this plane, which this thread alone uses.
                    unsafe { std::slice::from_raw_parts(residual_gradient.at(plane.start), plane.len()) }
                }
            };
            let input = &saved.input[plane];
            // SAFETY: no other block writes this plane, which lies in the result.
            dispatch(isa, unsafe { InputGradient::new(channel, factors[index], input, gradient, target) })?;
        }
        let parameters = block.zip(sums).map(|(channel, [sum, product])| {
            [(product * f64::from(saved.inverse_deviation[channel])) as f32, sum as f32]
        });
        Ok(parameters.collect())
    };
    let found: Vec<Vec<[f32; 2]>> = planes.blocks().map(block).collect::<Result<_, _>>()?;
    let column = |index: usize| found.iter().flatten().map(|values| values[index]).collect();
    let [weight, bias] = [0, 1].map(column);
    // SAFETY: the blocks hold every channel once, and each has written all its planes.
    let [input, residual] = unsafe { [result.finish(), residual_gradient.finish()] };
    Ok(NormGradients { input, residual, weight, bias })
}

impl BatchNorm {
    /// The values that the backward pass needs; the arguments are those of the forward pass.
    pub fn saved<'a>(
        &'a self,
        input: &'a [f32],
        [weight, bias]: [&'a [f32]; 2],
        residual: Option<&'a [f32]>,
        relu: bool,
    ) -> SavedNorm<'a> {
        let (mean, inverse_deviation) = (&self.mean, &self.inverse_deviation);
        SavedNorm { input, weight, bias, mean, inverse_deviation, residual, relu }
    }
}
