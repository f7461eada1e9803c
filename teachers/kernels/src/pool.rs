//! Pooling with PyTorch's rules for borders and bins.
#![expect(unsafe_code, reason = "vector loads and stores at checked positions of slices")]

use crate::error::check_length;
use crate::vector::{Kernel, Vector, dispatch};
use crate::{Isa, KernelError};
use std::ops::Range;

/// The value of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The maximum; padding does not count.
    Max,
    /// The mean.
    Average {
        /// Whether zeros of the padding count as values.
        count_include_pad: bool,
    },
}

/// The shape of a pooling; pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolShape {
    /// Channels of the input and of the output.
    pub channels: usize,
    /// Pixels of the input.
    pub input: [usize; 2],
    /// Pixels of a window.
    pub kernel: [usize; 2],
    /// Input pixels between two windows.
    pub stride: [usize; 2],
    /// Pixels added on each side; at most half the kernel.
    pub padding: [usize; 2],
    /// Whether a window may reach beyond the padded input, so that the last pixels are not dropped.
    pub ceil_mode: bool,
}

/// The pixels that an output takes along one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub pixels: Range<usize>,
    /// The divisor of the mean.
    pub divisor: usize,
}

/// A pooling of each channel.
#[derive(Debug, Clone)]
pub struct Pool {
    channels: usize,
    pub(crate) input: [usize; 2],
    pub(crate) rows: Vec<Window>,
    pub(crate) columns: Vec<Window>,
    pub(crate) kind: PoolKind,
    pub(crate) isa: Isa,
}

impl Pool {
    /// A pooling with a moving window.
    ///
    /// # Errors
    /// [`KernelError::Shape`] names the invalid field, [`KernelError::Unavailable`] where
    /// the processor lacks the instruction set.
    pub fn new(shape: PoolShape, kind: PoolKind, isa: Isa) -> Result<Self, KernelError> {
        for (field, pair) in [("kernel", shape.kernel), ("stride", shape.stride)] {
            if pair.contains(&0) {
                return Err(KernelError::shape(field, "must be at least 1"));
            }
        }
        for axis in 0..2 {
            if shape.padding[axis] > shape.kernel[axis] / 2 {
                return Err(KernelError::shape("padding", "must be at most half the kernel"));
            }
            let Some(padded) = shape.input[axis].checked_add(2 * shape.padding[axis]) else {
                return Err(KernelError::shape("input", "makes more elements than can be addressed"));
            };
            if padded < shape.kernel[axis] {
                return Err(KernelError::shape("kernel", "must fit in the padded input"));
            }
        }
        let windows = [moving(&shape, kind, 0), moving(&shape, kind, 1)];
        Self::of_windows(shape.channels, shape.input, windows, kind, isa)
    }

    /// The mean over `output` bins that divide the input as evenly as possible; bin `i` of `n` is
    /// `floor(i * size / n)..ceil((i + 1) * size / n)`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn adaptive_average(
        channels: usize,
        input: [usize; 2],
        output: [usize; 2],
        isa: Isa,
    ) -> Result<Self, KernelError> {
        if output.contains(&0) {
            return Err(KernelError::shape("output", "must be at least 1"));
        }
        let bins = |axis: usize| {
            let (size, count) = (input[axis], output[axis]);
            let bin = |index: usize| {
                let pixels = index * size / count..((index + 1) * size).div_ceil(count);
                Window { divisor: pixels.len(), pixels }
            };
            (0..count).map(bin).collect()
        };
        let kind = PoolKind::Average { count_include_pad: false };
        Self::of_windows(channels, input, [bins(0), bins(1)], kind, isa)
    }

    /// The mean over all pixels.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn global_average(channels: usize, input: [usize; 2], isa: Isa) -> Result<Self, KernelError> {
        Self::adaptive_average(channels, input, [1, 1], isa)
    }

    fn of_windows(
        channels: usize,
        input: [usize; 2],
        [rows, columns]: [Vec<Window>; 2],
        kind: PoolKind,
        isa: Isa,
    ) -> Result<Self, KernelError> {
        isa.require()?;
        if channels == 0 || input.contains(&0) {
            let field = if channels == 0 { "channels" } else { "input" };
            return Err(KernelError::shape(field, "must be at least 1"));
        }
        Ok(Self { channels, input, rows, columns, kind, isa })
    }

    /// Pixels of the output, `[height, width]`.
    pub fn output(&self) -> [usize; 2] {
        [self.rows.len(), self.columns.len()]
    }

    /// Elements of the input, lanes included.
    pub fn input_len(&self) -> usize {
        self.channels * self.input[0] * self.input[1] * self.isa.lanes()
    }

    /// Elements of the output, lanes included.
    pub fn output_len(&self) -> usize {
        self.channels * self.rows.len() * self.columns.len() * self.isa.lanes()
    }

    /// Pools `[channels][height][width][lanes]`.
    ///
    /// # Errors
    /// [`KernelError::Length`] when a slice has another length.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), KernelError> {
        check_length("input", input.len(), self.input_len())?;
        check_length("output", output.len(), self.output_len())?;
        dispatch(self.isa, Run { pool: self, input, output })
    }
}

/// The windows of one axis.
fn moving(shape: &PoolShape, kind: PoolKind, axis: usize) -> Vec<Window> {
    let (input, padding) = (shape.input[axis], shape.padding[axis]);
    let (kernel, stride) = (shape.kernel[axis], shape.stride[axis]);
    let room = input + 2 * padding - kernel;
    let mut count = if shape.ceil_mode { room.div_ceil(stride) } else { room / stride } + 1;
    // PyTorch drops a window that would start beyond the input.
    if shape.ceil_mode && (count - 1) * stride >= input + padding {
        count -= 1;
    }
    let window = |index: usize| {
        // In padded coordinates.
        let start = index * stride;
        let end = (start + kernel).min(input + 2 * padding);
        let pixels = start.saturating_sub(padding)..end.saturating_sub(padding).min(input);
        let padded = kind == PoolKind::Average { count_include_pad: true };
        Window { divisor: if padded { end - start } else { pixels.len() }, pixels }
    };
    (0..count).map(window).collect()
}

struct Run<'a> {
    pool: &'a Pool,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Kernel for Run<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let pool = self.pool;
        let width = pool.input[1];
        let mut outputs = self.output.chunks_exact_mut(V::LANES);
        for channel in self.input.chunks_exact(pool.input[0] * width * V::LANES) {
            for rows in &pool.rows {
                for (columns, out) in pool.columns.iter().zip(&mut outputs) {
                    // SAFETY: `out` has `LANES` elements; the caller has the instruction set.
                    unsafe {
                        let value = match pool.kind {
                            PoolKind::Max => reduce::<V>(
                                channel,
                                width,
                                [rows, columns],
                                f32::NEG_INFINITY,
                                |best, next| best.max(next),
                            ),
                            PoolKind::Average { .. } => {
                                let sum = |sum: V, next| sum.add(next);
                                let sum = reduce::<V>(channel, width, [rows, columns], 0.0, sum);
                                let count = rows.divisor * columns.divisor;
                                sum.mul_add(V::splat((count as f32).recip()), V::splat(0.0))
                            }
                        };
                        value.store(out.as_mut_ptr());
                    }
                }
            }
        }
    }
}

/// Folds the pixels of a window, row by row.
///
/// # Safety
/// The processor has the instruction set of `V`.
#[inline(always)]
unsafe fn reduce<V: Vector>(
    channel: &[f32],
    width: usize,
    [rows, columns]: [&Window; 2],
    start: f32,
    step: impl Fn(V, V) -> V,
) -> V {
    // SAFETY: the caller's promise.
    let mut value = unsafe { V::splat(start) };
    for row in rows.pixels.clone() {
        let pixels = row * width + columns.pixels.start..row * width + columns.pixels.end;
        let pixels = &channel[pixels.start * V::LANES..pixels.end * V::LANES];
        for pixel in pixels.chunks_exact(V::LANES) {
            // SAFETY: each chunk has `LANES` elements.
            value = step(value, unsafe { V::load(pixel.as_ptr()) });
        }
    }
    value
}
