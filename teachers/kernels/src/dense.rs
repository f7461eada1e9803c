//! Dense and grouped convolution: packed weights, and the walk over the outputs in register tiles.
#![expect(unsafe_code, reason = "calls the register tiles with pointers into checked slices")]

use crate::conv::{Epilogue, Tensors};
use crate::geometry::{Segment, parts, segments};
use crate::tile::{Tap, TileCall, Tiles, tiles};
use crate::{Buffer, ConvShape, Isa};
use std::ops::Range;

/// Bytes of weights that are used again and again before the next are read: a part of a
/// second-level cache of 512 KiB or more.
const WEIGHT_BYTES: usize = 256 << 10;
/// Bytes of input that are used for all of these weights before the next are read.
const INPUT_BYTES: usize = 128 << 10;

/// Output channels that a tile computes together.
#[derive(Debug, Clone)]
struct Block {
    /// Output channels, counted within the group.
    channels: Range<usize>,
    /// Tiles of this many channels.
    tiles: Tiles,
}

/// Outputs that the same taps meet, along both axes.
#[derive(Debug, Clone)]
struct Region {
    columns: Segment,
    taps: Vec<Tap>,
    /// The first of the taps in the kernel, row by row.
    first_tap: usize,
}

/// A row of regions.
#[derive(Debug, Clone)]
struct Strip {
    rows: Segment,
    regions: Vec<Region>,
}

/// A convolution of any shape.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    shape: ConvShape,
    isa: Isa,
    epilogue: Epilogue,
    /// `[group][block][input channel][kernel row][kernel column][output channel of the block]`.
    weights: Buffer,
    blocks: Vec<Block>,
    strips: Vec<Strip>,
}

/// Outputs of a region, counted from its first.
#[derive(Clone)]
struct Rectangle {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Dense {
    /// Packs a checked weight.
    pub fn new(shape: ConvShape, weight: &[f32], epilogue: Epilogue, isa: Isa) -> Self {
        let tiles = tiles(isa);
        let blocks: Vec<Block> = parts(shape.out_channels / shape.groups, tiles.len())
            .map(|channels| Block { tiles: tiles[channels.len() - 1], channels })
            .collect();
        let weights = pack(&shape, &blocks, weight);
        let shape = flatten(shape);
        let strips = strips(&shape, isa.lanes());
        Self { isa, epilogue, weights, blocks, strips, shape }
    }

    /// Computes the whole output.
    ///
    /// # Safety
    /// The processor has the instruction set; the tensors are those of the shape.
    pub unsafe fn run(&self, tensors: Tensors) {
        for group in 0..self.shape.groups {
            // SAFETY: the caller's promise.
            unsafe { self.run_group(group, tensors) }
        }
    }

    /// Input and output channels of a group.
    fn channels_of_a_group(&self) -> (usize, usize) {
        (self.shape.in_channels / self.shape.groups, self.shape.out_channels / self.shape.groups)
    }

    /// Walks over the outputs so that weights, then input, are used again while in cache.
    ///
    /// # Safety
    /// As [`Self::run`].
    unsafe fn run_group(&self, group: usize, tensors: Tensors) {
        let (depth, _) = self.channels_of_a_group();
        let Block { channels, tiles } = &self.blocks[0];
        let [taps, lines] = [self.shape.kernel[0] * self.shape.kernel[1], self.shape.kernel[0]];
        let block_bytes = depth * taps * channels.len() * size_of::<f32>();
        let height = tiles.len();
        let lines = (height - 1) * self.shape.stride[0] + lines;
        let column_bytes = depth * lines * self.shape.stride[1] * self.isa.lanes() * size_of::<f32>();
        let width = (INPUT_BYTES / column_bytes).next_multiple_of(height).max(2 * height);
        for blocks in self.blocks.chunks((WEIGHT_BYTES / block_bytes).max(1)) {
            for strip in &self.strips {
                for rows in parts(strip.rows.outputs.len(), height) {
                    for region in &strip.regions {
                        for columns in parts(region.columns.outputs.len(), width) {
                            let rectangle = Rectangle { rows: rows.clone(), columns };
                            for block in blocks {
                                // SAFETY: the caller's promise.
                                unsafe {
                                    let at = (strip, region, &rectangle);
                                    self.run_block(group, block, at, tensors);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Computes a block's channels in a rectangle, in tiles along its rows or its columns.
    ///
    /// # Safety
    /// As [`Self::run`].
    unsafe fn run_block(
        &self,
        group: usize,
        block: &Block,
        (strip, region, rectangle): (&Strip, &Region, &Rectangle),
        tensors: Tensors,
    ) {
        let lanes = self.isa.lanes();
        let (depth, count) = self.channels_of_a_group();
        let (input_channel, output_channel) =
            (self.shape.input_pixels() * lanes, self.shape.output_pixels() * lanes);
        let channel = group * count + block.channels.start;
        let taps = self.shape.kernel[0] * self.shape.kernel[1];
        let (input_width, output_width) = (self.shape.input[1], self.shape.output()[1]);
        // Of inputs and of outputs, from one row or column to the next.
        let row_steps = [self.shape.stride[0] * input_width, output_width].map(|pixels| pixels * lanes);
        let column_steps = [self.shape.stride[1], 1].map(|pixels| pixels * lanes);
        let origin = group * depth * input_channel
            + (strip.rows.origin * input_width + region.columns.origin) * lanes
            + rectangle.rows.start * row_steps[0]
            + rectangle.columns.start * column_steps[0];
        let first = ((strip.rows.outputs.start + rectangle.rows.start) * output_width
            + region.columns.outputs.start
            + rectangle.columns.start)
            * lanes
            + channel * output_channel;
        let weights = channel * depth * taps + region.first_tap * block.channels.len();

        let most = block.tiles.len();
        let (rows, columns) = (rectangle.rows.len(), rectangle.columns.len());
        let across = rows * columns.div_ceil(most) <= columns * rows.div_ceil(most);
        let (lines, line_steps, pixels, pixel_steps) = if across {
            (rows, row_steps, columns, column_steps)
        } else {
            (columns, column_steps, rows, row_steps)
        };
        for line in 0..lines {
            for part in parts(pixels, most) {
                let input = origin + line * line_steps[0] + part.start * pixel_steps[0];
                let output = first + line * line_steps[1] + part.start * pixel_steps[1];
                // SAFETY: the caller's promise; the segments name only taps that lie in the input,
                // and cover each output once.
                unsafe {
                    let call = TileCall {
                        input: tensors.input.add(input),
                        input_step: pixel_steps[0],
                        input_channel,
                        channels: depth,
                        taps: &region.taps,
                        weights: self.weights.as_ptr().add(weights),
                        weight_channel: taps * block.channels.len(),
                        bias: self.epilogue.bias.as_ptr().add(channel),
                        residual: tensors.residual_at(output),
                        output: tensors.output.add(output),
                        output_step: pixel_steps[1],
                        output_channel,
                        range: self.epilogue.range,
                    };
                    block.tiles[part.len() - 1](&call);
                }
            }
        }
    }
}

/// A 1x1 convolution that uses every pixel does not care where a row ends.
fn flatten(shape: ConvShape) -> ConvShape {
    if shape.kernel == [1, 1] && shape.stride == [1, 1] && shape.padding == [0, 0] {
        ConvShape { input: [1, shape.input[0] * shape.input[1]], ..shape }
    } else {
        shape
    }
}

/// The regions of the outputs and their taps.
fn strips(shape: &ConvShape, lanes: usize) -> Vec<Strip> {
    let columns = segments(shape, 1);
    let strip = |rows: Segment| {
        let regions = columns.iter().cloned().map(|columns| {
            let first_tap = rows.taps.start * shape.kernel[1] + columns.taps.start;
            let taps =
                rows.taps.clone().flat_map(|row| columns.taps.clone().map(move |column| (row, column)));
            let taps = taps.map(|(row, column)| {
                let down = (row - rows.taps.start) * shape.dilation[0];
                let right = (column - columns.taps.start) * shape.dilation[1];
                Tap {
                    input: (down * shape.input[1] + right) * lanes,
                    weight: row * shape.kernel[1] + column - first_tap,
                }
            });
            Region { taps: taps.collect(), first_tap, columns }
        });
        Strip { regions: regions.collect(), rows }
    };
    segments(shape, 0).into_iter().map(strip).collect()
}

/// Orders a weight as the tiles read it.
fn pack(shape: &ConvShape, blocks: &[Block], weight: &[f32]) -> Buffer {
    let depth = shape.in_channels / shape.groups;
    let taps = shape.kernel[0] * shape.kernel[1];
    let group_size = shape.out_channels / shape.groups * depth * taps;
    let mut packed = Buffer::zeros(weight.len());
    let mut places = packed.iter_mut();
    for group in weight.chunks_exact(group_size) {
        for block in blocks {
            for position in 0..depth * taps {
                for (channel, place) in block.channels.clone().zip(&mut places) {
                    *place = group[channel * depth * taps + position];
                }
            }
        }
    }
    packed
}
