//! The gradients of a convolution's weight and bias: the walk over both in register tiles.
#![expect(unsafe_code, reason = "calls the register tiles with pointers into checked slices")]

use super::weight_tile::{MOST_TAPS, WeightCall, tiles};
use crate::dense::flatten;
use crate::geometry::{Segment, parts, segments};
use crate::vector::{Kernel, Vector, dispatch};
use crate::winograd::WinogradWeight;
use crate::{Algorithm, ConvShape, Isa, KernelError};
use std::ops::Range;

/// Outputs at which a row of the kernel meets the input.
#[derive(Debug, Clone)]
struct Rows {
    /// The kernel's row.
    tap: usize,
    /// Rows of the output.
    outputs: Range<usize>,
    /// The input's row under the first.
    input: usize,
}

/// Outputs at which the same neighbouring taps of the kernel's rows meet the input.
#[derive(Debug, Clone)]
struct Columns {
    taps: Range<usize>,
    /// Columns of the output.
    outputs: Range<usize>,
    /// The input's column under the first tap at the first.
    input: usize,
}

/// How the gradient of a weight is computed.
#[derive(Debug, Clone)]
pub(super) struct WeightGradient {
    shape: ConvShape,
    isa: Isa,
    rows: Vec<Rows>,
    columns: Vec<Columns>,
    /// With fewer products, where there is one.
    fast: Option<WinogradWeight>,
}

fn rows(shape: &ConvShape) -> Vec<Rows> {
    let rows = |tap: usize| {
        let mut found = (0..shape.output()[0]).filter_map(|output| {
            let place = output * shape.stride[0] + tap * shape.dilation[0];
            let row = place.checked_sub(shape.padding[0])?;
            (row < shape.input[0]).then_some((output, row))
        });
        let (first, input) = found.next()?;
        Some(Rows { tap, outputs: first..first + 1 + found.count(), input })
    };
    (0..shape.kernel[0]).filter_map(rows).collect()
}

fn columns(shape: &ConvShape) -> Vec<Columns> {
    let of_segment = |segment: Segment| {
        parts(segment.taps.len(), MOST_TAPS).map(move |part| Columns {
            input: segment.origin + part.start * shape.dilation[1],
            outputs: segment.outputs.clone(),
            taps: segment.taps.start + part.start..segment.taps.start + part.end,
        })
    };
    segments(shape, 1).into_iter().flat_map(of_segment).filter(|columns| !columns.taps.is_empty()).collect()
}

impl WeightGradient {
    /// A plan for a checked shape.
    pub fn new(shape: ConvShape, algorithm: Algorithm, isa: Isa) -> Self {
        let fast = (algorithm == Algorithm::Fast && WinogradWeight::pays(&shape))
            .then(|| WinogradWeight::new(shape, isa));
        let shape = flatten(shape);
        Self { rows: rows(&shape), columns: columns(&shape), shape, isa, fast }
    }

    fn weight_sums(&self) -> usize {
        self.fast.as_ref().map_or(self.shape.weight_len(), WinogradWeight::sums_len)
    }

    /// Numbers of the sums that gradients are computed from.
    pub fn sums_len(&self) -> usize {
        self.weight_sums() + self.shape.out_channels
    }

    /// The gradients of the weight and of the bias from the sums of all groups.
    pub fn finish(&self, sums: &[f64]) -> [Vec<f32>; 2] {
        let single = |sums: &[f64]| sums.iter().map(|sum| *sum as f32).collect();
        let (weights, biases) = sums.split_at(self.weight_sums());
        let weight = self.fast.as_ref().map_or_else(|| single(weights), |fast| fast.finish(weights));
        [weight, single(biases)]
    }

    /// Adds what a group of images gives to `sums`, first for the weight, then for the bias.
    ///
    /// # Safety
    /// The processor has the instruction set; the slices have the lengths of the shape in lanes.
    pub unsafe fn add(&self, input: &[f32], gradient: &[f32], sums: &mut [f32]) -> Result<(), KernelError> {
        let (weights, biases) = sums.split_at_mut(self.weight_sums());
        if let Some(fast) = &self.fast {
            // SAFETY: the caller's promise.
            unsafe { fast.add(input, gradient, weights) }
        } else {
            for (group, taps) in (0..self.shape.groups).flat_map(|g| (1..=MOST_TAPS).map(move |t| (g, t))) {
                // SAFETY: the caller's promise.
                unsafe { self.add_taps(group, taps, [gradient.as_ptr(), input.as_ptr()], weights) }
            }
        }
        let planes = gradient.chunks_exact(self.shape.output_pixels() * self.isa.lanes());
        planes.zip(biases).try_for_each(|(plane, sum)| dispatch(self.isa, PlaneSum { plane, sum }))
    }

    /// Adds what a group of channels gives wherever so many taps are taken together.
    ///
    /// # Safety
    /// As [`Self::add`], for pointers to the output's gradient and to the input.
    unsafe fn add_taps(&self, group: usize, taps: usize, tensors: [*const f32; 2], sums: &mut [f32]) {
        let (shape, lanes) = (&self.shape, self.isa.lanes());
        let (depth, count) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
        let (kernel, widths) = (shape.kernel, [shape.output()[1], shape.input[1]]);
        let channel_steps = [shape.output_pixels() * lanes, shape.input_pixels() * lanes];
        let tiles = tiles(self.isa, taps);
        let columns: Vec<&Columns> = self.columns.iter().filter(|part| part.taps.len() == taps).collect();
        for outs in parts(count, tiles.len()) {
            for ins in parts(depth, tiles[0].len()) {
                let (out, channel) = (group * count + outs.start, group * depth + ins.start);
                let tile = tiles[outs.len() - 1][ins.len() - 1];
                for (rows, columns) in
                    self.rows.iter().flat_map(|rows| columns.iter().map(move |c| (rows, c)))
                {
                    let from = [
                        (out, rows.outputs.start, columns.outputs.start),
                        (channel, rows.input, columns.input),
                    ];
                    let [gradient, input] = [0, 1].map(|side| {
                        let (channel, row, column) = from[side];
                        let offset = channel * channel_steps[side] + (row * widths[side] + column) * lanes;
                        tensors[side].wrapping_add(offset)
                    });
                    let line = (out * depth + ins.start) * kernel[0] + rows.tap;
                    debug_assert!((0..2).all(|side| {
                        let (channel, row, column) = from[side];
                        let (stride, more) = [([1, 1], 0), (shape.stride, columns.taps.len() - 1)][side];
                        let row = row + (rows.outputs.len() - 1) * stride[0];
                        let column =
                            column + (columns.outputs.len() - 1) * stride[1] + more * shape.dilation[1];
                        let channels = [outs.len(), ins.len()][side];
                        let end = (channel + channels - 1) * channel_steps[side]
                            + (row * widths[side] + column + 1) * lanes;
                        end <= (shape.groups * [count, depth][side]) * channel_steps[side]
                    }));
                    // SAFETY: the caller's promise; rows and columns name only taps that lie in the
                    // input; the sums are those of the tile's channels.
                    unsafe {
                        tile(&WeightCall {
                            gradient,
                            input,
                            size: [rows.outputs.len(), columns.outputs.len()],
                            row_steps: [widths[0] * lanes, shape.stride[0] * widths[1] * lanes],
                            column_steps: [lanes, shape.stride[1] * lanes],
                            channel_steps,
                            tap_step: shape.dilation[1] * lanes,
                            sums: sums.as_mut_ptr().add(line * kernel[1] + columns.taps.start),
                            weight_steps: [depth * kernel[0] * kernel[1], kernel[0] * kernel[1]],
                        });
                    }
                }
            }
        }
    }
}

/// Adds all numbers of a plane.
struct PlaneSum<'a> {
    plane: &'a [f32],
    sum: &'a mut f32,
}

impl Kernel for PlaneSum<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller has the instruction set; each chunk has whole vectors.
        unsafe {
            let mut sums = [V::splat(0.0); 4];
            let chunks = self.plane.chunks_exact(4 * V::LANES);
            for value in chunks.remainder().chunks_exact(V::LANES) {
                sums[0] = sums[0].add(V::load(value.as_ptr()));
            }
            for chunk in chunks {
                for (index, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(V::load(chunk.as_ptr().add(index * V::LANES)));
                }
            }
            *self.sum += V::sums(sums).iter().sum::<f32>();
        }
    }
}
