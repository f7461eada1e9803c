//! The register tile of a weight gradient: products of some output channels with some input
//! channels under neighbouring taps of a kernel's row, summed over pixels and lanes.
#![expect(unsafe_code, reason = "the innermost loop reads and writes through pointers")]

use crate::Isa;
use crate::vector::{Portable, Vector};

/// Most taps of a kernel's row that a tile takes.
pub(crate) const MOST_TAPS: usize = 3;

/// The arguments of a tile; strides in `f32`, `[0]` of the output's gradient, `[1]` of the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeightCall {
    /// First pixel in the first channel.
    pub gradient: *const f32,
    /// Under the first tap at the first pixel, in the first channel.
    pub input: *const f32,
    /// Rows and columns to sum over; at all of them, every tap meets the input.
    pub size: [usize; 2],
    /// Between the rows.
    pub row_steps: [usize; 2],
    /// Between two columns.
    pub column_steps: [usize; 2],
    /// Between two channels.
    pub channel_steps: [usize; 2],
    /// Between two taps, of the input.
    pub tap_step: usize,
    /// Weight gradient of the first output channel, input channel and tap, to which sums are added.
    pub sums: *mut f32,
    /// Between two output channels and between two input channels of the weight.
    pub weight_steps: [usize; 2],
}

/// A tile compiled for one instruction set and one size.
///
/// # Safety
/// The processor has the instruction set; every offset that follows from the call lies in the
/// memory that its pointers stand for, of which the sums are not shared.
pub(crate) type WeightTile = unsafe fn(&WeightCall);

/// Sums over rows, then columns, then lanes.
///
/// # Safety
/// As [`WeightTile`].
#[inline(always)]
unsafe fn tile<V: Vector, const OUT: usize, const IN: usize, const TAPS: usize>(call: &WeightCall) {
    const { assert!(OUT <= 4) };
    // SAFETY: the caller's promise; `wrapping_add` because the last step may leave the memory.
    unsafe {
        let mut sums = [[[V::splat(0.0); OUT]; TAPS]; IN];
        let (mut gradient_row, mut input_row) = (call.gradient, call.input);
        for _ in 0..call.size[0] {
            let (mut gradient, mut input) = (gradient_row, input_row);
            for _ in 0..call.size[1] {
                let mut gradients = [V::splat(0.0); OUT];
                for (channel, value) in gradients.iter_mut().enumerate() {
                    *value = V::load(gradient.add(channel * call.channel_steps[0]));
                }
                for (channel, taps) in sums.iter_mut().enumerate() {
                    for (tap, sums) in taps.iter_mut().enumerate() {
                        let offset = channel * call.channel_steps[1] + tap * call.tap_step;
                        let value = V::load(input.add(offset));
                        for (sum, gradient) in sums.iter_mut().zip(gradients) {
                            *sum = gradient.mul_add(value, *sum);
                        }
                    }
                }
                gradient = gradient.wrapping_add(call.column_steps[0]);
                input = input.wrapping_add(call.column_steps[1]);
            }
            gradient_row = gradient_row.wrapping_add(call.row_steps[0]);
            input_row = input_row.wrapping_add(call.row_steps[1]);
        }
        for (channel, taps) in sums.iter().enumerate() {
            for (tap, sums) in taps.iter().enumerate() {
                let vectors = std::array::from_fn(|out| if out < OUT { sums[out] } else { V::splat(0.0) });
                let place = channel * call.weight_steps[1] + tap;
                for (out, sum) in V::sums(vectors).into_iter().take(OUT).enumerate() {
                    *call.sums.add(place + out * call.weight_steps[0]) += sum;
                }
            }
        }
    }
}

unsafe fn portable<const OUT: usize, const IN: usize, const TAPS: usize>(call: &WeightCall) {
    // SAFETY: the caller's promise.
    unsafe { tile::<Portable, OUT, IN, TAPS>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const OUT: usize, const IN: usize, const TAPS: usize>(call: &WeightCall) {
    // SAFETY: the caller's promise.
    unsafe { tile::<crate::vector::x86::Avx2, OUT, IN, TAPS>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const OUT: usize, const IN: usize, const TAPS: usize>(call: &WeightCall) {
    // SAFETY: the caller's promise.
    unsafe { tile::<crate::vector::x86::Avx512, OUT, IN, TAPS>(call) }
}

/// The tiles of a number of taps, by output channels less one and input channels less one.
pub(crate) type WeightTiles = &'static [&'static [WeightTile]];

/// Lists tiles as output channels: input channels.
macro_rules! tiles {
    ($function:ident, $taps:literal: $($out:literal: $($in:literal)*;)*) => {
        &[$(&[$($function::<$out, $in, $taps> as WeightTile),*]),*]
    };
}

/// The tiles of an instruction set for 1 to [`MOST_TAPS`] taps: their sums, a vector of each output
/// channel and one of the input fill its registers.
pub(crate) fn tiles(isa: Isa, taps: usize) -> WeightTiles {
    match (isa, taps) {
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, 1) => {
            tiles!(avx512, 1: 1: 1 2 3 4 5 6; 2: 1 2 3 4 5 6; 3: 1 2 3 4 5 6; 4: 1 2 3 4 5 6;)
        }
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, 2) => tiles!(avx512, 2: 1: 1 2 3; 2: 1 2 3; 3: 1 2 3; 4: 1 2 3;),
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, _) => tiles!(avx512, 3: 1: 1 2; 2: 1 2; 3: 1 2; 4: 1 2;),
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, 1) => tiles!(avx2, 1: 1: 1 2 3 4; 2: 1 2 3 4; 3: 1 2 3 4;),
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, 2) => tiles!(avx2, 2: 1: 1 2; 2: 1 2; 3: 1 2;),
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, _) => tiles!(avx2, 3: 1: 1 2; 2: 1 2;),
        (_, 1) => tiles!(portable, 1: 1: 1 2; 2: 1 2;),
        (_, 2) => tiles!(portable, 2: 1: 1; 2: 1;),
        _ => tiles!(portable, 3: 1: 1;),
    }
}
