//! Dense and grouped convolution: packed weights, and the walk over the outputs in register tiles.
#![expect(unsafe_code, reason = "calls the register tiles with pointers into checked slices")]

use crate::call::{Epilogue, Tensors};
use crate::geometry::{Axis, Span, parts};
use crate::tile::{Tap, TileCall, Tiles, tiles};
use crate::{Activation, Buffer, ConvShape, Isa};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of weights that are reused before the next are read: a part of a second-level cache of
/// 512 KiB or more.
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
    columns: Span,
    /// Regions share lists of taps; the first `count` of this one are those of the region.
    list: Arc<[Tap]>,
    count: usize,
    /// The first of the taps in the kernel, row by row.
    first_tap: usize,
}

impl Region {
    fn taps(&self) -> &[Tap] {
        &self.list[..self.count]
    }
}

/// A row of regions.
#[derive(Debug, Clone)]
struct Strip {
    rows: Span,
    regions: Vec<Region>,
}

/// A convolution of any shape, or the gradient of its input.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    groups: usize,
    /// Channels of a group that are read and that are written.
    channels: [usize; 2],
    axes: [Axis; 2],
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
        let channels = [shape.in_channels / shape.groups, shape.out_channels / shape.groups];
        let flat = flatten(shape);
        let axes = [0, 1].map(|axis| Axis::forward(&flat, axis));
        Self::of_axes(shape.groups, channels, axes, weight, epilogue, isa)
    }

    /// The same 1x1 kernel for an input that consists of fewer pixels than the output; it computes the
    /// output's first pixels.
    pub fn on_band(&self, pixels: usize) -> Self {
        let [down, across] = &self.axes;
        let span = Span { first: 0, count: pixels, tap: 0, taps: 1, origin: 0 };
        let across = Axis { sizes: [pixels, across.sizes[1]], spans: vec![span], ..across.clone() };
        let axes = [down.clone(), across];
        Self { strips: strips(&axes, self.isa.lanes()), axes, ..self.clone() }
    }

    /// The kernel that computes the gradient of the input from that of the output; `weight` is the
    /// weight of the convolution.
    pub fn input_gradient(shape: ConvShape, weight: &[f32], isa: Isa) -> Self {
        let channels = [shape.out_channels / shape.groups, shape.in_channels / shape.groups];
        let flat = flatten(shape);
        let axes = [0, 1].map(|axis| Axis::input_gradient(&flat, axis));
        let epilogue = Epilogue { bias: vec![0.0; shape.in_channels], range: Activation::Identity.range() };
        let weight = shape.transposed_weight(weight);
        Self::of_axes(shape.groups, channels, axes, &weight, epilogue, isa)
    }

    /// Packs a weight `[groups][channels written][channels read][taps]`.
    fn of_axes(
        groups: usize,
        channels: [usize; 2],
        axes: [Axis; 2],
        weight: &[f32],
        epilogue: Epilogue,
        isa: Isa,
    ) -> Self {
        let tiles = tiles(isa);
        let blocks: Vec<Block> = parts(channels[1], tiles.len())
            .map(|channels| Block { tiles: tiles[channels.len() - 1], channels })
            .collect();
        let positions = channels[0] * axes[0].kernel * axes[1].kernel;
        let weights = pack(positions, channels[1], &blocks, weight);
        let strips = strips(&axes, isa.lanes());
        Self { groups, channels, axes, isa, epilogue, weights, blocks, strips }
    }

    /// Computes the whole outputs of some blocks of images.
    ///
    /// # Safety
    /// The processor has the instruction set; all tensors are those of the shape.
    pub unsafe fn run(&self, blocks: &[Tensors]) {
        for group in 0..self.groups {
            // SAFETY: the caller's promise.
            unsafe { self.run_group(group, blocks) }
        }
    }

    /// Walks over the outputs so that weights, then input, are used again while in cache.
    ///
    /// # Safety
    /// As [`Self::run`].
    unsafe fn run_group(&self, group: usize, images: &[Tensors]) {
        let [depth, _] = self.channels;
        let [down, across] = &self.axes;
        let Block { channels, tiles } = &self.blocks[0];
        let [taps, lines] = [down.kernel * across.kernel, down.kernel];
        let block_bytes = depth * taps * channels.len() * size_of::<f32>();
        let height = tiles.len();
        // Steps may be longer than the input.
        let lines = (height - 1).saturating_mul(down.steps[0]).saturating_add(lines);
        let column = [depth, lines, across.steps[0], self.isa.lanes()];
        let column_bytes = column.into_iter().fold(size_of::<f32>(), usize::saturating_mul);
        let width = (INPUT_BYTES / column_bytes).next_multiple_of(height).max(2 * height);
        let chunks = self.blocks.chunks((WEIGHT_BYTES / block_bytes).max(1));
        for (blocks, tensors) in chunks.flat_map(|blocks| images.iter().map(move |image| (blocks, *image))) {
            for strip in &self.strips {
                for rows in parts(strip.rows.count, height) {
                    for region in &strip.regions {
                        for columns in parts(region.columns.count, width) {
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
        let [depth, count] = self.channels;
        let [down, across] = &self.axes;
        let [input_channel, output_channel] =
            [0, 1].map(|side| down.sizes[side] * across.sizes[side] * lanes);
        let channel = group * count + block.channels.start;
        let taps = down.kernel * across.kernel;
        // Of inputs and of outputs, from one row or column to the next.
        let row_steps = [0, 1].map(|side| down.steps[side] * across.sizes[side] * lanes);
        let column_steps = across.steps.map(|pixels| pixels * lanes);
        let origin = group * depth * input_channel
            + (strip.rows.origin * across.sizes[0] + region.columns.origin) * lanes
            + rectangle.rows.start * row_steps[0]
            + rectangle.columns.start * column_steps[0];
        let first = (strip.rows.first * across.sizes[1] + region.columns.first) * lanes
            + rectangle.rows.start * row_steps[1]
            + rectangle.columns.start * column_steps[1]
            + channel * output_channel;
        let weights = channel * depth * taps + region.first_tap * block.channels.len();

        let most = block.tiles.len();
        let (rows, columns) = (rectangle.rows.len(), rectangle.columns.len());
        let along_rows = rows * columns.div_ceil(most) <= columns * rows.div_ceil(most);
        let (lines, line_steps, pixels, pixel_steps) = if along_rows {
            (rows, row_steps, columns, column_steps)
        } else {
            (columns, column_steps, rows, row_steps)
        };
        for line in 0..lines {
            for part in parts(pixels, most) {
                let input = origin + line * line_steps[0] + part.start * pixel_steps[0];
                let output = first + line * line_steps[1] + part.start * pixel_steps[1];
                // The last numbers that the tile reads and writes.
                let last_pixel = pixel_steps.map(|step| (part.len() - 1) * step + lanes);
                debug_assert!(region.taps().iter().all(|tap| {
                    let end = input + tap.input + (depth - 1) * input_channel + last_pixel[0];
                    let weight = tap.weight + 1 + (depth - 1) * taps;
                    end <= self.groups * depth * input_channel
                        && weights + weight * block.channels.len() <= self.weights.len()
                }));
                debug_assert!(
                    output + (block.channels.len() - 1) * output_channel + last_pixel[1]
                        <= self.groups * count * output_channel
                );
                // SAFETY: the caller's promise; the spans name only taps that lie in the input, and
                // cover each output once; where there are no taps, no input is read.
                unsafe {
                    let call = TileCall {
                        input: tensors.input.wrapping_add(input),
                        input_step: pixel_steps[0],
                        input_channel,
                        channels: depth,
                        taps: region.taps(),
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

/// The shape with all pixels in one row, where rows do not matter: a 1x1 convolution at every pixel.
pub(crate) fn flatten(shape: ConvShape) -> ConvShape {
    if shape.kernel == [1, 1] && shape.stride == [1, 1] && shape.padding == [0, 0] {
        ConvShape { input: [1, shape.input[0] * shape.input[1]], ..shape }
    } else {
        shape
    }
}

/// The regions of the outputs and their taps.
///
/// Row by row, the taps of few rows are the first of the taps of many rows, and so are the taps of
/// few columns where there is one row. A large kernel that overlaps the border has thousands of
/// regions, which share one list for each number of columns.
fn strips([down, across]: &[Axis; 2], lanes: usize) -> Vec<Strip> {
    let most = |axis: &Axis| axis.spans.iter().map(|span| span.taps).max().unwrap_or(0);
    let (rows, widest) = (most(down), most(across));
    let columns_of = |columns: &Span| if rows > 1 { columns.taps } else { widest };
    let list = |columns: usize| -> Arc<[Tap]> {
        let taps = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let taps = taps.map(|(row, column)| {
            let (line, place) = (row * down.tap_steps[0], column * across.tap_steps[0]);
            let (tap_row, tap_column) = (row * down.tap_steps[1], column * across.tap_steps[1]);
            Tap {
                input: (line * across.sizes[0] + place) * lanes,
                weight: tap_row * across.kernel + tap_column,
            }
        });
        taps.collect()
    };
    let mut lists: BTreeMap<usize, Arc<[Tap]>> = BTreeMap::new();
    for columns in across.spans.iter().map(columns_of) {
        lists.entry(columns).or_insert_with(|| list(columns));
    }
    let strip = |rows: &Span| {
        let regions = across.spans.iter().map(|columns| Region {
            list: lists[&columns_of(columns)].clone(),
            count: rows.taps * columns.taps,
            first_tap: rows.tap * across.kernel + columns.tap,
            columns: columns.clone(),
        });
        Strip { regions: regions.collect(), rows: rows.clone() }
    };
    down.spans.iter().map(strip).collect()
}

/// Orders a weight `[groups][count][positions]` as the tiles read it.
fn pack(positions: usize, count: usize, blocks: &[Block], weight: &[f32]) -> Buffer {
    let mut packed = Buffer::zeros(weight.len());
    let mut places = packed.iter_mut();
    for group in weight.chunks_exact(count * positions) {
        for block in blocks {
            for position in 0..positions {
                for (channel, place) in block.channels.clone().zip(&mut places) {
                    *place = group[channel * positions + position];
                }
            }
        }
    }
    packed
}
