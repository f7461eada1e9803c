//! The gradient of a weight by Winograd's algorithm F(3x3, 4x4): 36 products per pair of channels for
//! a tile of 4 x 4 output gradients, in place of 144.
//!
//! The transpose of the convolution's algorithm in its weights: transformed patches are multiplied by
//! transformed tiles of output gradients, and the sums of all tiles and images are transformed back
//! to weights once.
#![expect(unsafe_code, reason = "hands pointers into checked slices to the kernels")]

use super::patch::{Placed, Tile, tiles, transform_inputs};
use super::transform::{InputCall, gradients, weights_of};
use super::{OUTPUTS, PATCH, POSITIONS, Winograd, met, with_scratch};
use crate::call::Tensors;
use crate::geometry::parts;
use crate::train::weight_tile::{WeightCall, tiles as products};
use crate::{ConvShape, Isa};
use rayon::prelude::*;

/// Tiles that are multiplied together; more would leave the second-level cache.
const TOGETHER: usize = 8;
/// Products that take as long as the transform of a channel in a tile, and as the sum over the lanes
/// of a product's result; both measured.
const TRANSFORM_COST: usize = 350;
const SUM_COST: usize = 6;

/// Pairs of channels that a thread transforms at a time.
const RUN: usize = 1 << 10;

/// How the gradient of a weight is computed.
#[derive(Debug, Clone)]
pub(crate) struct WinogradWeight {
    shape: ConvShape,
    isa: Isa,
    tiles: Vec<Tile>,
}

impl WinogradWeight {
    /// Whether this is the faster way for a checked shape, by the shape alone.
    pub fn pays(shape: &ConvShape) -> bool {
        let tiles: usize = shape.output().map(|size| size.div_ceil(OUTPUTS)).iter().product();
        let (depth, count) = (shape.in_channels as f64, shape.out_channels as f64);
        let of_pair = POSITIONS * (tiles + SUM_COST * tiles.div_ceil(TOGETHER));
        let products = depth * count * of_pair as f64;
        let transforms = (depth + count) * (tiles * TRANSFORM_COST) as f64;
        Winograd::suits(shape) && met(shape) as f64 * depth * count > products + transforms
    }

    /// A plan for a shape that suits.
    pub fn new(shape: ConvShape, isa: Isa) -> Self {
        Self { tiles: tiles(&shape), shape, isa }
    }

    /// Numbers of the sums, `[position][out_channels][in_channels]`.
    pub fn sums_len(&self) -> usize {
        POSITIONS * self.shape.out_channels * self.shape.in_channels
    }

    /// Adds the products of a group of images to `sums`.
    ///
    /// # Safety
    /// The processor has the instruction set; the slices have the lengths of the shape in lanes and of
    /// the sums.
    pub unsafe fn add(&self, input: &[f32], gradient: &[f32], sums: &mut [f32]) {
        let lanes = self.isa.lanes();
        let [depth, count] = [self.shape.in_channels, self.shape.out_channels];
        let most = TOGETHER.min(self.tiles.len());
        // A cache line more than needed, as for the convolution.
        let slot = |channels: usize, tiles: usize| (channels * tiles + 1) * lanes;
        let inputs_len = POSITIONS * slot(depth, most);
        let lens = [inputs_len + POSITIONS * slot(count, most), POSITIONS * lanes];
        let tensors =
            Tensors { input: input.as_ptr(), residual: std::ptr::null(), output: std::ptr::null_mut() };
        with_scratch(lens, |[inputs, scratch]| {
            for part in parts(self.tiles.len(), most) {
                let tiles = &self.tiles[part];
                let placed: Vec<Placed> = tiles.iter().map(|tile| Placed { tile, tensors }).collect();
                let slots = [slot(count, tiles.len()), slot(depth, tiles.len())];
                // SAFETY: the caller's promise; the memory has room for so many tiles of both.
                unsafe {
                    let gradients = inputs.add(inputs_len);
                    transform_inputs(&self.shape, self.isa, &placed, [inputs, scratch], slots[1]);
                    self.transform_gradients(tiles, gradient.as_ptr(), [gradients, scratch], slots[0]);
                    self.multiply([gradients, inputs].map(<*mut f32>::cast_const), slots, tiles.len(), sums);
                }
            }
        });
    }

    /// Writes `[position][output channel][tile][lanes]`, with `slot` numbers between two positions.
    ///
    /// # Safety
    /// As [`Self::add`], with room for the result and, in `scratch`, for a tile.
    unsafe fn transform_gradients(
        &self,
        tiles: &[Tile],
        gradient: *const f32,
        [to, scratch]: [*mut f32; 2],
        slot: usize,
    ) {
        let lanes = self.isa.lanes();
        let [height, width] = self.shape.output();
        let function = gradients(self.isa);
        for (index, tile) in tiles.iter().enumerate() {
            let first = (tile.first[0] * width + tile.first[1]) * lanes;
            let call = InputCall {
                input: gradient.wrapping_add(first),
                row: width * lanes,
                to: to.wrapping_add(index * lanes),
                position: slot,
                channels: self.shape.out_channels,
                channel_steps: [height * width * lanes, tiles.len() * lanes],
            };
            // SAFETY: the caller's promise; of a tile at the border only what lies inside is read.
            unsafe {
                if tile.size == [OUTPUTS; 2] {
                    function(&call);
                    continue;
                }
                scratch.write_bytes(0, OUTPUTS * OUTPUTS * lanes);
                for channel in 0..self.shape.out_channels {
                    let from = call.input.add(channel * call.channel_steps[0]);
                    for row in 0..tile.size[0] {
                        let to = scratch.add(row * OUTPUTS * lanes);
                        to.copy_from_nonoverlapping(from.add(row * call.row), tile.size[1] * lanes);
                    }
                    let to = call.to.add(channel * call.channel_steps[1]);
                    function(&InputCall { input: scratch, row: OUTPUTS * lanes, to, channels: 1, ..call });
                }
            }
        }
    }

    /// Adds the products of some tiles, summed over tiles and lanes.
    ///
    /// # Safety
    /// As [`Self::add`]; `tensors` are the transformed gradients and inputs.
    unsafe fn multiply(&self, tensors: [*const f32; 2], slots: [usize; 2], count: usize, sums: &mut [f32]) {
        let lanes = self.isa.lanes();
        let [depth, outputs] = [self.shape.in_channels, self.shape.out_channels];
        let products = products(self.isa, 1);
        for (position, sums) in sums.chunks_exact_mut(outputs * depth).enumerate() {
            let [gradient, input] = [0, 1].map(|side| tensors[side].wrapping_add(position * slots[side]));
            for outs in parts(outputs, products.len()) {
                for ins in parts(depth, products[0].len()) {
                    // SAFETY: the caller's promise; the sums are those of the product's channels.
                    unsafe {
                        products[outs.len() - 1][ins.len() - 1](&WeightCall {
                            gradient: gradient.add(outs.start * count * lanes),
                            input: input.add(ins.start * count * lanes),
                            size: [1, count],
                            row_steps: [0, 0],
                            column_steps: [lanes, lanes],
                            channel_steps: [count * lanes, count * lanes],
                            tap_step: 0,
                            sums: sums.as_mut_ptr().add(outs.start * depth + ins.start),
                            weight_steps: [depth, 1],
                        });
                    }
                }
            }
        }
    }

    /// The gradient `[out_channels][in_channels][3][3]` of sums over all images.
    pub fn finish(&self, sums: &[f64]) -> Vec<f32> {
        let pairs = self.shape.out_channels * self.shape.in_channels;
        let mut gradient = vec![0.0; pairs * 9];
        gradient.par_chunks_mut(9 * RUN).enumerate().for_each(|(run, kernels)| {
            for (pair, kernel) in kernels.chunks_exact_mut(9).enumerate() {
                let pair = run * RUN + pair;
                let mut lines = [[0.0; 3]; PATCH];
                for (row, line) in lines.iter_mut().enumerate() {
                    let position = |column| (row * PATCH + column) * pairs + pair;
                    *line = weights_of(std::array::from_fn(|column| sums[position(column)]));
                }
                for column in 0..3 {
                    let found = weights_of(lines.map(|line| line[column]));
                    for (row, value) in found.into_iter().enumerate() {
                        kernel[row * 3 + column] = value as f32;
                    }
                }
            }
        });
        gradient
    }
}
