//! Depth-wise convolution: each output channel is computed from one input channel, row by row.
#![expect(unsafe_code, reason = "the innermost loop reads and writes through pointers")]

use crate::call::{Epilogue, Tensors};
use crate::geometry::{Segment, segments};
use crate::vector::{Portable, Vector};
use crate::{Buffer, ConvShape, Isa};
use std::ops::Range;

/// Output channels for one input channel from which on the general tiles, which compute several
/// channels from one load, are faster.
const MANY: usize = 4;
/// Pixels of the wide and of the narrow tile.
const WIDE: usize = 8;
const NARROW: usize = 4;

/// A depth-wise convolution.
#[derive(Debug, Clone)]
pub(crate) struct Depthwise {
    shape: ConvShape,
    isa: Isa,
    epilogue: Epilogue,
    /// `[output channel][kernel row][kernel column]`.
    weights: Buffer,
    rows: Vec<Segment>,
    function: ChannelFunction,
}

/// The arguments of computing one output channel; pointers are to the channel's first pixel.
#[derive(Debug, Clone)]
pub(crate) struct ChannelCall {
    tensors: Tensors,
    /// `[kernel row][kernel column]`.
    weights: *const f32,
    bias: f32,
    /// Rows of the output that are computed.
    rows: Range<usize>,
}

/// Computes one output channel with one instruction set, kernel width and stride.
///
/// # Safety
/// The processor has the instruction set; the pointers stand for a whole channel of the shape and
/// a whole kernel, and nothing else writes to the output.
pub(crate) type ChannelFunction = unsafe fn(&Depthwise, &ChannelCall);

/// Consecutive output pixels of a row and the input rows that they see.
struct Span {
    /// First output pixel.
    column: usize,
    /// The first input row under a tap.
    input: *const f32,
    /// Between two such rows, in `f32`.
    input_row: usize,
    /// How many there are.
    lines: usize,
    /// The weights of the first.
    weights: *const f32,
    /// The first output pixel, in `f32` from the channel's first.
    output: usize,
}

impl Depthwise {
    /// The function for a shape, where there is one for its size, stride and dilation.
    pub fn function(shape: &ConvShape, isa: Isa) -> Option<ChannelFunction> {
        let suits = shape.in_channels == shape.groups
            && shape.out_channels / shape.groups < MANY
            && shape.dilation[1] == 1;
        suits.then(|| function(isa, shape.kernel[1], shape.stride[1]))?
    }

    /// Keeps a checked weight and the function for its shape.
    pub fn new(
        shape: ConvShape,
        weight: &[f32],
        epilogue: Epilogue,
        isa: Isa,
        function: ChannelFunction,
    ) -> Self {
        let (weights, rows) = (Buffer::from_slice(weight), segments(&shape, 0));
        Self { shape, isa, epilogue, weights, rows, function }
    }

    /// Computes the whole output.
    ///
    /// # Safety
    /// The processor has the instruction set; the tensors are those of the shape.
    pub unsafe fn run(&self, tensors: Tensors) {
        // SAFETY: the caller's promise.
        unsafe { self.run_rows(0..self.shape.output()[0], tensors) }
    }

    /// Computes some rows of the output; the output and the residual consist of only these.
    ///
    /// # Safety
    /// As [`Self::run`].
    pub unsafe fn run_rows(&self, rows: Range<usize>, tensors: Tensors) {
        let multiplier = self.shape.out_channels / self.shape.groups;
        let taps = self.shape.kernel[0] * self.shape.kernel[1];
        let (input, output) = (self.shape.input_pixels(), rows.len() * self.shape.output()[1]);
        for (channel, bias) in self.epilogue.bias.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let to = channel * output * self.isa.lanes();
                let tensors = Tensors {
                    input: tensors.input.add(channel / multiplier * input * self.isa.lanes()),
                    residual: tensors.residual_at(to),
                    output: tensors.output.add(to),
                };
                let weights = self.weights.as_ptr().add(channel * taps);
                (self.function)(self, &ChannelCall { tensors, weights, bias: *bias, rows: rows.clone() });
            }
        }
    }
}

/// Computes a channel row by row, in wide tiles where the row has room for one. A row's last tile
/// may overlap the one before, which gives the same numbers again.
#[inline(always)]
unsafe fn channel<V: Vector, const KERNEL: usize, const STRIDE: usize>(plan: &Depthwise, call: &ChannelCall) {
    let shape = &plan.shape;
    let (input_width, width) = (shape.input[1], shape.output()[1]);
    for segment in &plan.rows {
        let (start, end) = (segment.outputs.start, segment.outputs.end);
        for row in start.max(call.rows.start)..end.min(call.rows.end) {
            let from = (segment.origin + (row - start) * shape.stride[0]) * input_width * V::LANES;
            let row = row - call.rows.start;
            let size = match width {
                WIDE.. => WIDE,
                NARROW.. => NARROW,
                _ => 1,
            };
            for start in (0..width).step_by(size) {
                let column = start.min(width - size);
                // SAFETY: the caller's promise; a segment names only rows of the input.
                unsafe {
                    let span = Span {
                        column,
                        input: call.tensors.input.add(from),
                        input_row: shape.dilation[0] * input_width * V::LANES,
                        lines: segment.taps.len(),
                        weights: call.weights.add(segment.taps.start * KERNEL),
                        output: (row * width + column) * V::LANES,
                    };
                    match size {
                        WIDE => pixels::<V, KERNEL, STRIDE, WIDE>(plan, call, &span),
                        NARROW => pixels::<V, KERNEL, STRIDE, NARROW>(plan, call, &span),
                        _ => pixels::<V, KERNEL, STRIDE, 1>(plan, call, &span),
                    }
                }
            }
        }
    }
}

/// Sums in the order of the kernel's rows and columns, leaving out what meets the padding.
#[inline(always)]
unsafe fn pixels<V: Vector, const KERNEL: usize, const STRIDE: usize, const PIXELS: usize>(
    plan: &Depthwise,
    call: &ChannelCall,
    span: &Span,
) {
    let (padding, width) = (plan.shape.padding[1], plan.shape.input[1]);
    // In padded columns.
    let first = span.column * STRIDE;
    let reach = (PIXELS - 1) * STRIDE + KERNEL;
    let inside = first >= padding && first + reach <= width + padding;
    // SAFETY: the caller's promise; only columns inside the input are read.
    unsafe {
        let mut sums = [V::splat(call.bias); PIXELS];
        let (mut input, mut weights) = (span.input, span.weights);
        for _ in 0..span.lines {
            let mut taps = [V::splat(0.0); KERNEL];
            for (index, tap) in taps.iter_mut().enumerate() {
                *tap = V::splat(*weights.add(index));
            }
            if inside {
                let input = input.add((first - padding) * V::LANES);
                spread::<V, KERNEL, STRIDE, PIXELS>(&taps, &mut sums, |offset| {
                    Some(V::load(input.add(offset * V::LANES)))
                });
            } else {
                spread::<V, KERNEL, STRIDE, PIXELS>(&taps, &mut sums, |offset| {
                    let column = (first + offset).wrapping_sub(padding);
                    (column < width).then(|| V::load(input.add(column * V::LANES)))
                });
            }
            input = input.wrapping_add(span.input_row);
            weights = weights.wrapping_add(KERNEL);
        }
        let [low, high] = plan.epilogue.range;
        let (low, high) = (V::splat(low), V::splat(high));
        for (pixel, sum) in sums.iter().enumerate() {
            let offset = span.output + pixel * V::LANES;
            let mut value = *sum;
            if !call.tensors.residual.is_null() {
                value = value.add(V::load(call.tensors.residual.add(offset)));
            }
            value.clamp(low, high).store(call.tensors.output.add(offset));
        }
    }
}

/// Reads each input pixel once, by its offset from the first, and adds it to every sum that sees it.
#[inline(always)]
unsafe fn spread<V: Vector, const KERNEL: usize, const STRIDE: usize, const PIXELS: usize>(
    taps: &[V; KERNEL],
    sums: &mut [V; PIXELS],
    read: impl Fn(usize) -> Option<V>,
) {
    // Written out: in a loop that the compiler does not unroll, the sums would leave the registers.
    macro_rules! for_each {
        ($($offset:literal)*) => {$(
            if $offset < (PIXELS - 1) * STRIDE + KERNEL && let Some(value) = read($offset) {
                for (index, tap) in taps.iter().enumerate() {
                    let distance = usize::wrapping_sub($offset, index);
                    if distance.is_multiple_of(STRIDE) && distance / STRIDE < PIXELS {
                        let sum = &mut sums[distance / STRIDE];
                        // SAFETY: the caller has the instruction set.
                        *sum = unsafe { value.mul_add(*tap, *sum) };
                    }
                }
            }
        )*};
    }
    const { assert!((PIXELS - 1) * STRIDE + KERNEL <= 19) };
    for_each!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18);
}

unsafe fn portable<const KERNEL: usize, const STRIDE: usize>(plan: &Depthwise, call: &ChannelCall) {
    // SAFETY: the caller's promise.
    unsafe { channel::<Portable, KERNEL, STRIDE>(plan, call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const KERNEL: usize, const STRIDE: usize>(plan: &Depthwise, call: &ChannelCall) {
    // SAFETY: the caller's promise.
    unsafe { channel::<crate::vector::x86::Avx2, KERNEL, STRIDE>(plan, call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const KERNEL: usize, const STRIDE: usize>(plan: &Depthwise, call: &ChannelCall) {
    // SAFETY: the caller's promise.
    unsafe { channel::<crate::vector::x86::Avx512, KERNEL, STRIDE>(plan, call) }
}

/// The kernel for an instruction set, a kernel width and a stride along the row.
fn function(isa: Isa, kernel: usize, stride: usize) -> Option<ChannelFunction> {
    macro_rules! of_size {
        ($function:ident) => {
            match (kernel, stride) {
                (3, 1) => Some($function::<3, 1> as ChannelFunction),
                (3, 2) => Some($function::<3, 2>),
                (5, 1) => Some($function::<5, 1>),
                (5, 2) => Some($function::<5, 2>),
                _ => None,
            }
        };
    }
    match isa {
        Isa::Portable => of_size!(portable),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => of_size!(avx2),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => of_size!(avx512),
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => None,
    }
}
