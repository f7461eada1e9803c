//! The transforms of F(4x4, 3x3): input patches of 6 x 6 to 36 positions, and 36 sums to 4 x 4 outputs.
//!
//! Each works on a few rows at a time, so that no intermediate value leaves the registers.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::{OUTPUTS, PATCH, POSITIONS};
use crate::Isa;
use crate::vector::{Portable, Vector};

/// The points of interpolation are 0, A, -A, B, -B and infinity. With 1 and 2, the usual choice, the
/// rounding error is more than twice as large.
const A: f32 = 0.625;
const B: f32 = 1.5;
const AA: f32 = A * A;
const BB: f32 = B * B;

/// Which outer rows and columns of a patch lie in the padding and are zero.
pub(super) const TOP: usize = 1;
pub(super) const BOTTOM: usize = 2;
pub(super) const LEFT: usize = 4;
pub(super) const RIGHT: usize = 8;
/// Combinations of them.
const EDGES: usize = 16;

/// Kernels that are transformed side by side.
pub(super) const KERNELS: usize = 8;

/// The values of lines of three weights at `point` and `-point`, divided by the product of a point's
/// distances from the other finite points.
#[inline(always)]
fn kernel_pair(taps: &[[f64; KERNELS]; 3], point: f64, other: f64) -> [[f64; KERNELS]; 2] {
    let scale = 1.0 / (2.0 * point * point * (point * point - other * other));
    let mut pair = [[0.0; KERNELS]; 2];
    for kernel in 0..KERNELS {
        let even = (taps[0][kernel] + taps[2][kernel] * (point * point)) * scale;
        let odd = taps[1][kernel] * (point * scale);
        pair[0][kernel] = even + odd;
        pair[1][kernel] = even - odd;
    }
    pair
}

/// Transforms lines of three weights of some kernels.
#[inline(always)]
pub(super) fn kernel_line(taps: [[f64; KERNELS]; 3]) -> [[f64; KERNELS]; PATCH] {
    let [a, b] = [A, B].map(f64::from);
    let ([plus_a, minus_a], [plus_b, minus_b]) = (kernel_pair(&taps, a, b), kernel_pair(&taps, b, a));
    let mut zero = taps[0];
    zero.iter_mut().for_each(|tap| *tap *= 1.0 / (a * a * b * b));
    [zero, plus_a, minus_a, plus_b, minus_b, taps[2]]
}

/// The values of an input line at `point` and `-point`, from its elements 1 to 4.
///
/// # Safety
/// As for every function of this file: the processor has the instruction set.
#[inline(always)]
unsafe fn input_pair<V: Vector>([d1, d2, d3, d4]: [V; 4], point: f32, other_squared: f32) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let other = V::splat(-other_squared);
        let (even, odd) = (d2.mul_add(other, d4), d1.mul_add(other, d3));
        [odd.mul_add(V::splat(point), even), odd.mul_add(V::splat(-point), even)]
    }
}

/// The value of an input line at zero from its elements 0, 2, 4; at infinity from 1, 3, 5.
#[inline(always)]
unsafe fn input_end<V: Vector>([first, second, third]: [V; 3]) -> V {
    // SAFETY: the caller's promise.
    unsafe { first.mul_add(V::splat(AA * BB), second.mul_add(V::splat(-(AA + BB)), third)) }
}

/// The values of an input line at all points.
#[inline(always)]
unsafe fn input_line<V: Vector>([d0, d1, d2, d3, d4, d5]: [V; PATCH]) -> [V; PATCH] {
    // SAFETY: the caller's promise.
    unsafe {
        let [a, minus_a] = input_pair([d1, d2, d3, d4], A, BB);
        let [b, minus_b] = input_pair([d1, d2, d3, d4], B, AA);
        [input_end([d0, d2, d4]), a, minus_a, b, minus_b, input_end([d1, d3, d5])]
    }
}

/// Transforms a patch of some channels; strides in `f32`.
#[derive(Debug, Clone, Copy)]
pub(super) struct InputCall {
    /// The first channel's patch; its first number need not be readable where it is padding.
    pub input: *const f32,
    /// Between two rows of the patch.
    pub row: usize,
    /// Where position 0 of the first channel is written.
    pub to: *mut f32,
    /// Between two positions.
    pub position: usize,
    pub channels: usize,
    /// Between two channels of the input and of the result.
    pub channel_steps: [usize; 2],
}

/// A patch of one channel.
#[derive(Clone, Copy)]
struct Patch {
    input: *const f32,
    row: usize,
    to: *mut f32,
    position: usize,
}

/// # Safety
/// The processor has the instruction set; what the call names is readable and writable.
pub(super) type InputFunction = unsafe fn(&InputCall);

/// A number of the patch; what lies in the padding is not read.
#[inline(always)]
unsafe fn load<V: Vector, const EDGE: usize>(patch: Patch, row: usize, column: usize) -> V {
    let outside = row == 0 && EDGE & TOP != 0
        || row == PATCH - 1 && EDGE & BOTTOM != 0
        || column == 0 && EDGE & LEFT != 0
        || column == PATCH - 1 && EDGE & RIGHT != 0;
    // SAFETY: the caller's promise.
    unsafe {
        if outside {
            V::splat(0.0)
        } else {
            V::load(patch.input.wrapping_add(row * patch.row + column * V::LANES))
        }
    }
}

/// Transforms along a row and writes its six positions.
#[inline(always)]
unsafe fn store_line<V: Vector>(patch: Patch, row: usize, line: [V; PATCH]) {
    // SAFETY: the caller's promise.
    unsafe {
        let values = input_line(line);
        for (column, value) in values.iter().enumerate() {
            value.store(patch.to.add((row * PATCH + column) * patch.position));
        }
    }
}

/// Positions of one row of points, that at zero or that at infinity.
#[inline(always)]
unsafe fn input_end_row<V: Vector, const EDGE: usize>(patch: Patch, row: usize, first: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut line = [V::splat(0.0); PATCH];
        for (column, value) in line.iter_mut().enumerate() {
            *value = input_end([
                load::<V, EDGE>(patch, first, column),
                load::<V, EDGE>(patch, first + 2, column),
                load::<V, EDGE>(patch, first + 4, column),
            ]);
        }
        store_line(patch, row, line);
    }
}

/// Positions of two rows of points, those at `point` and `-point`.
#[inline(always)]
unsafe fn input_pair_rows<V: Vector, const EDGE: usize>(
    patch: Patch,
    row: usize,
    point: f32,
    other_squared: f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut plus = [V::splat(0.0); PATCH];
        let mut minus = plus;
        for column in 0..PATCH {
            let inner = [
                load::<V, EDGE>(patch, 1, column),
                load::<V, EDGE>(patch, 2, column),
                load::<V, EDGE>(patch, 3, column),
                load::<V, EDGE>(patch, 4, column),
            ];
            [plus[column], minus[column]] = input_pair(inner, point, other_squared);
        }
        store_line(patch, row, plus);
        store_line(patch, row + 1, minus);
    }
}

#[inline(always)]
unsafe fn input<V: Vector, const EDGE: usize>(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe {
        let InputCall { row, position, channel_steps: [input_step, step], .. } = *call;
        for channel in 0..call.channels {
            let input = call.input.wrapping_add(channel * input_step);
            let patch = Patch { input, row, to: call.to.add(channel * step), position };
            input_end_row::<V, EDGE>(patch, 0, 0);
            input_pair_rows::<V, EDGE>(patch, 1, A, BB);
            input_pair_rows::<V, EDGE>(patch, 3, B, AA);
            input_end_row::<V, EDGE>(patch, PATCH - 1, 1);
        }
    }
}

/// Outputs 0 and 2 of a line of sums at 0, A, -A, B, -B.
#[inline(always)]
unsafe fn output_even<V: Vector>([zero, a, minus_a, b, minus_b]: [V; 5]) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (a.add(minus_a), b.add(minus_b));
        [zero.add(a.add(b)), a.mul_add(V::splat(AA), b.mul(V::splat(BB)))]
    }
}

/// Outputs 1 and 3 of a line of sums at A, -A, B, -B and infinity.
#[inline(always)]
unsafe fn output_odd<V: Vector>([a, minus_a, b, minus_b, infinity]: [V; 5]) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (a.sub(minus_a), b.sub(minus_b));
        let last = a.mul_add(V::splat(A * AA), b.mul_add(V::splat(B * BB), infinity));
        [a.mul_add(V::splat(A), b.mul(V::splat(B))), last]
    }
}

/// Writes the outputs of some channels in one tile, `clamp(transform + bias + residual)`; strides in
/// `f32`.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutputCall {
    /// The first channel's sum at position 0.
    pub sums: *const f32,
    /// Between two positions.
    pub position: usize,
    pub channels: usize,
    /// Between two channels of the sums and of the output.
    pub channel_steps: [usize; 2],
    /// One number for each channel.
    pub bias: *const f32,
    pub range: [f32; 2],
    /// As `output`, or null.
    pub residual: *const f32,
    /// The tile's first output in the first channel.
    pub output: *mut f32,
    /// Between two rows of the output.
    pub row: usize,
    /// Rows and columns of the tile that lie in the output.
    pub size: [usize; 2],
}

/// # Safety
/// The processor has the instruction set; what the call names is readable and writable.
pub(super) type OutputFunction = unsafe fn(&OutputCall);

/// A tile of one channel.
#[derive(Clone, Copy)]
struct Tile<V> {
    sums: *const f32,
    position: usize,
    bias: V,
    range: [V; 2],
    residual: *const f32,
    output: *mut f32,
    row: usize,
    size: [usize; 2],
}

/// A sum of the tile.
#[inline(always)]
unsafe fn sum<V: Vector>(tile: &Tile<V>, row: usize, column: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe { V::load(tile.sums.add((row * PATCH + column) * tile.position)) }
}

/// Transforms along a row and writes its outputs, where they lie in the size.
#[inline(always)]
unsafe fn finish_line<V: Vector, const BOUNDED: bool>(
    tile: &Tile<V>,
    row: usize,
    [d0, d1, d2, d3, d4, d5]: [V; PATCH],
) {
    // SAFETY: the caller's promise.
    unsafe {
        if row >= tile.size[0] {
            return;
        }
        let [first, third] = output_even([d0, d1, d2, d3, d4]);
        let [second, fourth] = output_odd([d1, d2, d3, d4, d5]);
        let values = [first, second, third, fourth];
        for (column, value) in values.iter().enumerate() {
            if column < tile.size[1] {
                let offset = row * tile.row + column * V::LANES;
                let mut value = value.add(tile.bias);
                if !tile.residual.is_null() {
                    value = value.add(V::load(tile.residual.add(offset)));
                }
                value = tile.range[0].max(value);
                if BOUNDED {
                    value = tile.range[1].min(value);
                }
                value.store(tile.output.add(offset));
            }
        }
    }
}

/// Transforms a tile of one channel.
#[inline(always)]
unsafe fn output_tile<V: Vector, const BOUNDED: bool>(tile: &Tile<V>) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut upper = [V::splat(0.0); PATCH];
        let mut lower = upper;
        for column in 0..PATCH {
            let sums = [
                sum(tile, 0, column),
                sum(tile, 1, column),
                sum(tile, 2, column),
                sum(tile, 3, column),
                sum(tile, 4, column),
            ];
            [upper[column], lower[column]] = output_even(sums);
        }
        finish_line::<V, BOUNDED>(tile, 0, upper);
        finish_line::<V, BOUNDED>(tile, 2, lower);
        for column in 0..PATCH {
            let sums = [
                sum(tile, 1, column),
                sum(tile, 2, column),
                sum(tile, 3, column),
                sum(tile, 4, column),
                sum(tile, 5, column),
            ];
            [upper[column], lower[column]] = output_odd(sums);
        }
        finish_line::<V, BOUNDED>(tile, 1, upper);
        finish_line::<V, BOUNDED>(tile, 3, lower);
    }
}

#[inline(always)]
unsafe fn output<V: Vector>(call: &OutputCall) {
    // SAFETY: the caller's promise.
    unsafe {
        if call.range[1] == f32::INFINITY {
            output_channels::<V, false>(call);
        } else {
            output_channels::<V, true>(call);
        }
    }
}

/// Transforms a tile of some channels, whose activation has an upper bound or none.
#[inline(always)]
unsafe fn output_channels<V: Vector, const BOUNDED: bool>(call: &OutputCall) {
    // SAFETY: the caller's promise.
    unsafe {
        let OutputCall { position, row, size, channel_steps: [sum_step, step], .. } = *call;
        let range = [V::splat(call.range[0]), V::splat(call.range[1])];
        for channel in 0..call.channels {
            let offset = channel * step;
            let residual = if call.residual.is_null() { call.residual } else { call.residual.add(offset) };
            let tile = Tile {
                sums: call.sums.add(channel * sum_step),
                position,
                bias: V::splat(*call.bias.add(channel)),
                range,
                residual,
                output: call.output.add(offset),
                row,
                size,
            };
            if size == [OUTPUTS; 2] {
                // The size is known, so that the compiler leaves out its checks.
                output_tile::<V, BOUNDED>(&Tile { size: [OUTPUTS; 2], ..tile });
            } else {
                output_tile::<V, BOUNDED>(&tile);
            }
        }
    }
}

/// The values of a line of four output gradients at `point` and `-point`.
#[inline(always)]
unsafe fn gradient_pair<V: Vector>([g0, g1, g2, g3]: [V; OUTPUTS], point: f32, squared: f32) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let squared = V::splat(squared);
        let (even, odd) = (g2.mul_add(squared, g0), g3.mul_add(squared, g1));
        [odd.mul_add(V::splat(point), even), odd.mul_add(V::splat(-point), even)]
    }
}

/// Transforms along a row of four and writes its six positions.
#[inline(always)]
unsafe fn store_gradients<V: Vector>(patch: Patch, row: usize, line: [V; OUTPUTS]) {
    // SAFETY: the caller's promise.
    unsafe {
        let [a, minus_a] = gradient_pair(line, A, AA);
        let [b, minus_b] = gradient_pair(line, B, BB);
        let values = [line[0], a, minus_a, b, minus_b, line[3]];
        for (column, value) in values.iter().enumerate() {
            value.store(patch.to.add((row * PATCH + column) * patch.position));
        }
    }
}

/// Positions of two rows of points.
#[inline(always)]
unsafe fn gradient_pair_rows<V: Vector>(patch: Patch, row: usize, point: f32, squared: f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut plus = [V::splat(0.0); OUTPUTS];
        let mut minus = plus;
        for column in 0..OUTPUTS {
            let line = [
                load::<V, 0>(patch, 0, column),
                load::<V, 0>(patch, 1, column),
                load::<V, 0>(patch, 2, column),
                load::<V, 0>(patch, 3, column),
            ];
            [plus[column], minus[column]] = gradient_pair(line, point, squared);
        }
        store_gradients(patch, row, plus);
        store_gradients(patch, row + 1, minus);
    }
}

/// Transforms tiles of output gradients, 4 x 4, as the gradient of a weight needs them.
#[inline(always)]
unsafe fn gradient<V: Vector>(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe {
        let InputCall { row, position, channel_steps: [input_step, step], .. } = *call;
        for channel in 0..call.channels {
            let input = call.input.add(channel * input_step);
            let patch = Patch { input, row, to: call.to.add(channel * step), position };
            for (from, to) in [(0, 0), (OUTPUTS - 1, PATCH - 1)] {
                let mut line = [V::splat(0.0); OUTPUTS];
                for (column, value) in line.iter_mut().enumerate() {
                    *value = load::<V, 0>(patch, from, column);
                }
                store_gradients(patch, to, line);
            }
            gradient_pair_rows::<V>(patch, 1, A, AA);
            gradient_pair_rows::<V>(patch, 3, B, BB);
        }
    }
}

/// The gradient of three weights of a line from those of its values at all points: the transpose of
/// [`kernel_line`].
pub(super) fn weights_of(points: [f64; PATCH]) -> [f64; 3] {
    let [a, b] = [A, B].map(f64::from);
    let [zero, plus_a, minus_a, plus_b, minus_b, infinity] = points;
    let scale = |point: f64, other: f64| 1.0 / (2.0 * point * point * (point * point - other * other));
    let (of_a, of_b) = (scale(a, b), scale(b, a));
    let (even_a, odd_a) = ((plus_a + minus_a) * of_a, (plus_a - minus_a) * of_a);
    let (even_b, odd_b) = ((plus_b + minus_b) * of_b, (plus_b - minus_b) * of_b);
    [
        zero / (a * a * b * b) + even_a + even_b,
        odd_a * a + odd_b * b,
        even_a * (a * a) + even_b * (b * b) + infinity,
    ]
}

const _: () = assert!(OUTPUTS == 4 && POSITIONS == 36);

unsafe fn input_portable<const EDGE: usize>(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { input::<Portable, EDGE>(call) }
}

unsafe fn output_portable(call: &OutputCall) {
    // SAFETY: the caller's promise.
    unsafe { output::<Portable>(call) }
}

unsafe fn gradient_portable(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { gradient::<Portable>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn gradient_avx2(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { gradient::<crate::vector::x86::Avx2>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn gradient_avx512(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { gradient::<crate::vector::x86::Avx512>(call) }
}

/// The transform of output gradients of an instruction set.
pub(super) fn gradients(isa: Isa) -> InputFunction {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => gradient_avx512,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => gradient_avx2,
        _ => gradient_portable,
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn input_avx2<const EDGE: usize>(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { input::<crate::vector::x86::Avx2, EDGE>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn output_avx2(call: &OutputCall) {
    // SAFETY: the caller's promise.
    unsafe { output::<crate::vector::x86::Avx2>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn input_avx512<const EDGE: usize>(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { input::<crate::vector::x86::Avx512, EDGE>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn output_avx512(call: &OutputCall) {
    // SAFETY: the caller's promise.
    unsafe { output::<crate::vector::x86::Avx512>(call) }
}

/// The input transforms of an instruction set by the edges that are padding, and its output transform.
pub(super) fn transforms(isa: Isa) -> ([InputFunction; EDGES], OutputFunction) {
    macro_rules! edges {
        ($function:ident: $($edge:literal)*) => { [$($function::<$edge> as InputFunction),*] };
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => (edges!(input_avx512: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15), output_avx512),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => (edges!(input_avx2: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15), output_avx2),
        _ => (edges!(input_portable: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15), output_portable),
    }
}
