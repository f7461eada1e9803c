//! The transform of sums to outputs: 36 positions to 4 x 4 numbers, with bias, residual and activation.
//!
//! It works on two rows at a time, so that no intermediate value leaves the registers.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::{A, AA, B, BB, PATCH};
use crate::Isa;
use crate::vector::{Portable, Vector};
use crate::winograd::OUTPUTS;

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
pub(in crate::winograd) struct OutputCall {
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
pub(in crate::winograd) type OutputFunction = unsafe fn(&OutputCall);

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

unsafe fn output_portable(call: &OutputCall) {
    // SAFETY: the caller's promise.
    unsafe { output::<Portable>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn output_avx2(call: &OutputCall) {
    // SAFETY: the caller's promise.
    unsafe { output::<crate::vector::x86::Avx2>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn output_avx512(call: &OutputCall) {
    // SAFETY: the caller's promise.
    unsafe { output::<crate::vector::x86::Avx512>(call) }
}

/// The output transform of an instruction set.
pub(in crate::winograd) fn outputs(isa: Isa) -> OutputFunction {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => output_avx512,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => output_avx2,
        _ => output_portable,
    }
}
