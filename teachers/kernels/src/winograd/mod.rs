//! Convolution by Winograd's minimal filtering algorithm F(4x4, 3x3): 36 products per pair of
//! channels for a tile of 4 x 4 outputs, in place of 144.
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), equation 8. A patch
//! of 6 x 6 inputs is transformed to 36 positions; at each, the channels are multiplied by a matrix
//! of transformed weights; the 36 sums are transformed to the outputs. With one image per lane, the
//! transforms are sums of whole vectors.
#![expect(unsafe_code, reason = "hands pointers into checked slices to the kernels")]

mod patch;
mod product;
mod transform;
mod weight;

use crate::call::{Epilogue, Tensors};
use crate::geometry::{parts, segments};
use crate::{Buffer, ConvShape, Isa};
use patch::{Placed, Tile, tiles, transform_inputs};
use product::{ProductCall, products};
use std::cell::RefCell;
use std::ops::Range;
use transform::{KERNELS, OutputCall, kernel_line, outputs};

pub(crate) use weight::WinogradWeight;

/// Outputs of a tile along an axis.
const OUTPUTS: usize = 4;
/// Inputs that they see.
const PATCH: usize = OUTPUTS + 2;
/// Positions of a transformed patch.
const POSITIONS: usize = PATCH * PATCH;

/// Products of a vector that take as long as both transforms of a channel in a tile, together with
/// their accesses to memory, and as one product between the transforms; both measured.
const TRANSFORM_COST: usize = 300;
const PRODUCT_COST: usize = 38;
/// Bytes of weights up to which a few tiles are enough between two uses of a weight: a part of a
/// second-level cache of 1 MiB or more.
const NEAR_WEIGHTS: usize = 768 << 10;
/// Tiles that are computed with a weight of more bytes before the next weight is read.
const FAR_TILES: usize = 16;

thread_local! {
    /// Transformed inputs and sums, and a patch with its padding. Each thread keeps them, because
    /// the first access to new memory takes longer than the computation.
    static SCRATCH: RefCell<[Buffer; 2]> = RefCell::default();
}

/// A convolution with a kernel of 3 x 3 at every pixel.
#[derive(Debug, Clone)]
pub(crate) struct Winograd {
    shape: ConvShape,
    isa: Isa,
    epilogue: Epilogue,
    /// `[position][block][input channel][output channel of the block]`.
    weights: Buffer,
    /// Output channels that are computed together.
    blocks: Vec<Range<usize>>,
    tiles: Vec<Tile>,
}

impl Winograd {
    /// Whether the algorithm can compute a checked shape.
    fn suits(shape: &ConvShape) -> bool {
        shape.kernel == [3, 3]
            && shape.stride == [1, 1]
            && shape.dilation == [1, 1]
            && shape.groups == 1
            && shape.padding.iter().all(|padding| *padding <= PATCH - OUTPUTS)
    }

    /// Whether this is the faster way to compute a checked shape. The rule depends on the shape
    /// alone, so that results do not depend on the machine.
    pub fn pays(shape: &ConvShape) -> bool {
        let tiles: usize = shape.output().map(|size| size.div_ceil(OUTPUTS)).iter().product();
        let (depth, count) = (shape.in_channels as f64, shape.out_channels as f64);
        let products = depth * count * PRODUCT_COST as f64 + (depth + count) * TRANSFORM_COST as f64;
        Self::suits(shape) && met(shape) as f64 * depth * count > tiles as f64 * products
    }

    /// Transforms a checked weight `[out_channels][in_channels][3][3]`.
    pub fn new(shape: ConvShape, weight: &[f32], epilogue: Epilogue, isa: Isa) -> Self {
        let blocks: Vec<Range<usize>> = parts(shape.out_channels, products(isa).len()).collect();
        let weights = transform_weights(&shape, weight, &blocks);
        Self { shape, isa, epilogue, weights, blocks, tiles: tiles(&shape) }
    }

    /// Computes the whole outputs of some blocks of images.
    ///
    /// # Safety
    /// The processor has the instruction set; all tensors are those of the shape.
    pub unsafe fn run(&self, blocks: &[Tensors]) {
        let width = products(self.isa)[self.blocks[0].len() - 1].len();
        let near = self.weights.len() * size_of::<f32>() <= NEAR_WEIGHTS;
        let most = if near { width } else { FAR_TILES };
        let count = self.tiles.len() * blocks.len();
        let place = |index: usize| Placed {
            tile: &self.tiles[index % self.tiles.len()],
            tensors: blocks[index / self.tiles.len()],
        };
        let lens = [(POSITIONS + 1) * self.slot(most.min(count)), POSITIONS * self.isa.lanes()];
        with_scratch(lens, |[memory, patch]| {
            let mut group = Vec::with_capacity(most);
            for indices in parts(count, most) {
                group.clear();
                group.extend(indices.map(place));
                // SAFETY: the caller's promise; the memory has room for so many tiles.
                unsafe { self.run_group(&group, width, memory, patch) }
            }
        });
    }

    /// Numbers of the memory for one position of some tiles. A cache line more than needed, so that
    /// the positions do not compete for the same sets of the cache.
    fn slot(&self, tiles: usize) -> usize {
        (self.shape.in_channels.max(self.shape.out_channels) * tiles + 1) * self.isa.lanes()
    }

    /// Computes some tiles, at most `width` in one product. The sums of a position are written over
    /// the inputs of the position before, which are no longer needed and lie in the cache.
    ///
    /// # Safety
    /// As [`Self::run`]; `memory` has a slot for each position and one more, `patch` a patch.
    unsafe fn run_group(&self, tiles: &[Placed], width: usize, memory: *mut f32, patch: *mut f32) {
        let lanes = self.isa.lanes();
        let [depth, count] = [self.shape.in_channels, self.shape.out_channels];
        let slot = self.slot(tiles.len());
        let products = products(self.isa);
        // SAFETY: the caller's promise; sums take no more room than the slot before them.
        unsafe {
            for part in parts(tiles.len(), width) {
                let to = memory.add(slot + part.start * depth * lanes);
                transform_inputs(&self.shape, self.isa, &tiles[part], [to, patch], slot);
            }
            for position in 0..POSITIONS {
                let inputs = memory.add((position + 1) * slot);
                let sums = memory.add(position * slot);
                for channels in &self.blocks {
                    let weights = self.weights.as_ptr().add((position * count + channels.start) * depth);
                    for part in parts(tiles.len(), width) {
                        let product = products[channels.len() - 1][part.len() - 1];
                        product(&ProductCall {
                            inputs: inputs.add(part.start * depth * lanes),
                            weights,
                            sums: sums.add((part.start * count + channels.start * part.len()) * lanes),
                            channels: depth,
                        });
                    }
                }
            }
            for part in parts(tiles.len(), width) {
                let sums = memory.add(part.start * count * lanes);
                self.transform_outputs(&tiles[part], sums, slot);
            }
        }
    }

    /// Reads `[position][output channel][tile][lanes]`, with `slot` numbers between two positions.
    ///
    /// # Safety
    /// As [`Self::run_group`].
    unsafe fn transform_outputs(&self, tiles: &[Placed], sums: *const f32, slot: usize) {
        let lanes = self.isa.lanes();
        let [height, width] = self.shape.output();
        let function = outputs(self.isa);
        for (block, channels) in self.blocks.iter().enumerate() {
            debug_assert!(block == 0 || channels.start > 0);
            for (index, Placed { tile, tensors }) in tiles.iter().enumerate() {
                let first = ((channels.start * height + tile.first[0]) * width + tile.first[1]) * lanes;
                // SAFETY: the caller's promise; a tile writes only outputs within its size.
                unsafe {
                    function(&OutputCall {
                        sums: sums.add((channels.start * tiles.len() + index) * lanes),
                        position: slot,
                        channels: channels.len(),
                        channel_steps: [tiles.len() * lanes, height * width * lanes],
                        bias: self.epilogue.bias.as_ptr().add(channels.start),
                        range: self.epilogue.range,
                        residual: tensors.residual_at(first),
                        output: tensors.output.add(first),
                        row: width * lanes,
                        size: tile.size,
                    });
                }
            }
        }
    }
}

/// Pairs of an output and a tap that meets the input there: the direct products of a pair of channels.
fn met(shape: &ConvShape) -> usize {
    let [rows, columns] = [0, 1].map(|axis| {
        let segments = segments(shape, axis).into_iter();
        segments.map(|segment| segment.outputs.len() * segment.taps.len()).sum::<usize>()
    });
    rows * columns
}

/// Runs a function with the thread's scratch memory, of at least these lengths.
fn with_scratch(lens: [usize; 2], run: impl FnOnce([*mut f32; 2])) {
    SCRATCH.with_borrow_mut(|scratch| {
        for (buffer, len) in scratch.iter_mut().zip(lens) {
            if buffer.len() < len {
                *buffer = Buffer::zeros(len);
            }
        }
        run(scratch.each_mut().map(|buffer| buffer.as_mut_ptr()));
    });
}

/// Transforms a weight in double precision and orders it as the products read it.
fn transform_weights(shape: &ConvShape, weight: &[f32], blocks: &[Range<usize>]) -> Buffer {
    let (depth, count) = (shape.in_channels, shape.out_channels);
    let mut packed = Buffer::zeros(count * depth * POSITIONS);
    for channels in blocks {
        debug_assert!(channels.len() <= KERNELS);
        for input in 0..depth {
            let mut taps = [[[0.0f64; KERNELS]; 3]; 3];
            for (place, channel) in channels.clone().enumerate() {
                let kernel = &weight[(channel * depth + input) * 9..][..9];
                for (tap, value) in kernel.iter().enumerate() {
                    // Columns first, so that each is a line.
                    taps[tap % 3][tap / 3][place] = f64::from(*value);
                }
            }
            let columns = taps.map(kernel_line);
            let start = channels.start * depth + input * channels.len();
            for row in 0..PATCH {
                let line = kernel_line([columns[0][row], columns[1][row], columns[2][row]]);
                for (column, values) in line.iter().enumerate() {
                    let to = &mut packed[(row * PATCH + column) * count * depth + start..][..channels.len()];
                    to.iter_mut().zip(values).for_each(|(to, value)| *to = *value as f32);
                }
            }
        }
    }
    packed
}
