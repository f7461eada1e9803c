//! The transform of input patches: 6 x 6 numbers to 36 positions.
//!
//! It works on a few rows at a time, so that no intermediate value leaves the registers.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::{A, AA, B, BB, PATCH};
use crate::Isa;
use crate::vector::{Portable, Vector};

/// Which outer rows and columns of a patch lie in the padding and are zero.
pub(in crate::winograd) const TOP: usize = 1;
pub(in crate::winograd) const BOTTOM: usize = 2;
pub(in crate::winograd) const LEFT: usize = 4;
pub(in crate::winograd) const RIGHT: usize = 8;
/// Combinations of them.
const EDGES: usize = 16;

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
pub(in crate::winograd) struct InputCall {
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
pub(super) struct Patch {
    pub input: *const f32,
    pub row: usize,
    pub to: *mut f32,
    pub position: usize,
}

/// # Safety
/// The processor has the instruction set; what the call names is readable and writable.
pub(in crate::winograd) type InputFunction = unsafe fn(&InputCall);

/// A number of the patch; what lies in the padding is not read.
#[inline(always)]
pub(super) unsafe fn load<V: Vector, const EDGE: usize>(patch: Patch, row: usize, column: usize) -> V {
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

unsafe fn input_portable<const EDGE: usize>(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { input::<Portable, EDGE>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn input_avx2<const EDGE: usize>(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { input::<crate::vector::x86::Avx2, EDGE>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn input_avx512<const EDGE: usize>(call: &InputCall) {
    // SAFETY: the caller's promise.
    unsafe { input::<crate::vector::x86::Avx512, EDGE>(call) }
}

/// The input transforms of an instruction set by the edges that are padding.
pub(in crate::winograd) fn inputs(isa: Isa) -> [InputFunction; EDGES] {
    macro_rules! edges {
        ($function:ident) => {
            [
                $function::<0> as InputFunction,
                $function::<1>,
                $function::<2>,
                $function::<3>,
                $function::<4>,
                $function::<5>,
                $function::<6>,
                $function::<7>,
                $function::<8>,
                $function::<9>,
                $function::<10>,
                $function::<11>,
                $function::<12>,
                $function::<13>,
                $function::<14>,
                $function::<15>,
            ]
        };
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => edges!(input_avx512),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => edges!(input_avx2),
        _ => edges!(input_portable),
    }
}
