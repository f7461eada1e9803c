//! The transform of tiles of output gradients, 4 x 4 numbers to 36 positions, for the gradient of a
//! weight.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::input::{InputCall, InputFunction, Patch, load};
use super::{A, AA, B, BB, PATCH};
use crate::Isa;
use crate::vector::{Portable, Vector};
use crate::winograd::OUTPUTS;

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
pub(in crate::winograd) fn gradients(isa: Isa) -> InputFunction {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => gradient_avx512,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => gradient_avx2,
        _ => gradient_portable,
    }
}
