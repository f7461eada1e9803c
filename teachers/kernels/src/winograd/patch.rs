//! Tiles of the outputs, and the patches of inputs that they see.
#![expect(unsafe_code, reason = "hands pointers into checked slices to the kernels")]

use super::transform::{BOTTOM, InputCall, LEFT, RIGHT, TOP, inputs};
use super::{OUTPUTS, PATCH};
use crate::call::Tensors;
use crate::{ConvShape, Isa};

/// A tile of outputs and the patch of inputs that it sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    /// Row and column of its first output.
    pub first: [usize; 2],
    /// Rows and columns that lie in the output.
    pub size: [usize; 2],
    /// Which edges of the patch lie in the padding; nothing if more than its outermost rows and
    /// columns do.
    edges: Option<usize>,
}

/// A tile of one of the images' blocks.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub tile: &'a Tile,
    pub tensors: Tensors,
}

impl Tile {
    fn new(shape: &ConvShape, first: [usize; 2]) -> Self {
        let output = shape.output();
        let size = [0, 1].map(|axis| OUTPUTS.min(output[axis] - first[axis]));
        let mut edges = Some(0);
        for (axis, [before, after]) in [[TOP, BOTTOM], [LEFT, RIGHT]].into_iter().enumerate() {
            // Rows or columns of the patch before the input and after it.
            let missing = shape.padding[axis].saturating_sub(first[axis]);
            let beyond = (first[axis] + PATCH).saturating_sub(shape.input[axis] + shape.padding[axis]);
            edges = match (missing, beyond) {
                (0 | 1, 0 | 1) => edges.map(|found| found | (before * missing) | (after * beyond)),
                _ => None,
            };
        }
        Self { first, size, edges }
    }
}

/// All tiles of a shape.
pub(super) fn tiles(shape: &ConvShape) -> Vec<Tile> {
    let [height, width] = shape.output();
    let starts = |size: usize| (0..size).step_by(OUTPUTS);
    let tiles = starts(height).flat_map(|row| starts(width).map(move |column| [row, column]));
    tiles.map(|first| Tile::new(shape, first)).collect()
}

/// Writes `[position][input channel][tile][lanes]`, with `slot` numbers between two positions.
///
/// # Safety
/// The processor has the instruction set; the tensors are those of the shape; there is room for the
/// result, and in `scratch` for a patch.
pub(super) unsafe fn transform_inputs(
    shape: &ConvShape,
    isa: Isa,
    tiles: &[Placed],
    [to, scratch]: [*mut f32; 2],
    slot: usize,
) {
    let lanes = isa.lanes();
    let [height, width] = shape.input;
    let plane = height * width * lanes;
    let functions = inputs(isa);
    for (index, Placed { tile, tensors }) in tiles.iter().enumerate() {
        let [row, column] = [0, 1].map(|axis| tile.first[axis] as isize - shape.padding[axis] as isize);
        let origin = (row * width as isize + column) * lanes as isize;
        let call = InputCall {
            input: tensors.input.wrapping_offset(origin),
            row: width * lanes,
            to: to.wrapping_add(index * lanes),
            position: slot,
            channels: shape.in_channels,
            channel_steps: [plane, tiles.len() * lanes],
        };
        // SAFETY: the caller's promise; only what lies in the input is read.
        unsafe {
            if let Some(edges) = tile.edges {
                functions[edges](&call);
                continue;
            }
            for channel in 0..shape.in_channels {
                copy_patch(shape, isa, tensors.input.add(channel * plane), [row, column], scratch);
                functions[0](&InputCall {
                    input: scratch,
                    row: PATCH * lanes,
                    to: call.to.add(channel * call.channel_steps[1]),
                    channels: 1,
                    ..call
                });
            }
        }
    }
}

/// Copies a patch, with zeros where it is padding.
///
/// # Safety
/// `plane` is a channel of the input; `to` has room for a patch.
unsafe fn copy_patch(shape: &ConvShape, isa: Isa, plane: *const f32, [top, left]: [isize; 2], to: *mut f32) {
    let lanes = isa.lanes();
    let [height, width] = shape.input;
    let inside = |start: isize, step: usize, size: usize| {
        usize::try_from(start + step as isize).ok().filter(|place| *place < size)
    };
    for (row, column) in (0..PATCH).flat_map(|row| (0..PATCH).map(move |column| (row, column))) {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.add((row * PATCH + column) * lanes);
            match (inside(top, row, height), inside(left, column, width)) {
                (Some(row), Some(column)) => {
                    to.copy_from_nonoverlapping(plane.add((row * width + column) * lanes), lanes);
                }
                _ => to.write_bytes(0, lanes),
            }
        }
    }
}
