//! The register tile of a convolution: some output channels at some pixels that the same taps meet.
#![expect(unsafe_code, reason = "the innermost loop reads and writes through pointers")]

use crate::Isa;
use crate::vector::{Portable, Vector};

/// One tap of a kernel, counted from the first that meets the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tap {
    /// From the input under the first tap to that under this one, in `f32`.
    pub input: usize,
    /// Taps of the kernel, row by row, between the first and this one.
    pub weight: usize,
}

/// What a tile computes: `output = clamp(bias + sum(input * weight) + residual)`; strides in `f32`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TileCall<'a> {
    /// Input under the first tap of the first pixel, in the first channel.
    pub input: *const f32,
    /// Between the inputs of two pixels of the tile.
    pub input_step: usize,
    /// Between two input channels.
    pub input_channel: usize,
    /// Input channels to sum over.
    pub channels: usize,
    /// Taps that meet the input at every pixel of the tile.
    pub taps: &'a [Tap],
    /// Weights `[input channel][tap][output channel]` from the first tap that meets the input on.
    pub weights: *const f32,
    /// Between the weights of two input channels.
    pub weight_channel: usize,
    /// One number for each output channel.
    pub bias: *const f32,
    /// As `output`, or null.
    pub residual: *const f32,
    /// First pixel of the first output channel.
    pub output: *mut f32,
    /// Between two pixels of the tile.
    pub output_step: usize,
    /// Between two output channels.
    pub output_channel: usize,
    /// The activation's least and greatest value.
    pub range: [f32; 2],
}

/// A tile compiled for one instruction set and one size.
///
/// # Safety
/// The processor has the instruction set; every offset that follows from the call lies in the
/// memory that its pointers stand for, of which the output is not shared.
pub(crate) type TileFunction = unsafe fn(&TileCall);

/// Sums in the order input channel, tap: the same for a pixel in a tile of any size.
///
/// # Safety
/// As [`TileFunction`].
#[inline(always)]
unsafe fn tile<V: Vector, const CHANNELS: usize, const PIXELS: usize>(call: &TileCall) {
    // SAFETY: the caller's promise; `wrapping_add` because the last step of a loop may leave the
    // memory, where nothing is read any more.
    unsafe {
        let mut sums = [[V::splat(0.0); PIXELS]; CHANNELS];
        for (channel, row) in sums.iter_mut().enumerate() {
            *row = [V::splat(*call.bias.add(channel)); PIXELS];
        }
        let (mut input, mut weights) = (call.input, call.weights);
        if let [_] = call.taps {
            // A 1x1 kernel, whose inner loop of one turn would cost as much as what it does.
            for _ in 0..call.channels {
                accumulate(call, input, weights, &mut sums);
                input = input.wrapping_add(call.input_channel);
                weights = weights.wrapping_add(call.weight_channel);
            }
        } else {
            for _ in 0..call.channels {
                for tap in call.taps {
                    let (input, weights) = (input.add(tap.input), weights.add(tap.weight * CHANNELS));
                    accumulate(call, input, weights, &mut sums);
                }
                input = input.wrapping_add(call.input_channel);
                weights = weights.wrapping_add(call.weight_channel);
            }
        }
        let (low, high) = (V::splat(call.range[0]), V::splat(call.range[1]));
        for (channel, row) in sums.iter().enumerate() {
            for (pixel, sum) in row.iter().enumerate() {
                let offset = channel * call.output_channel + pixel * call.output_step;
                let mut value = *sum;
                if !call.residual.is_null() {
                    value = value.add(V::load(call.residual.add(offset)));
                }
                value.clamp(low, high).store(call.output.add(offset));
            }
        }
    }
}

/// Adds one tap of one input channel.
///
/// # Safety
/// As [`TileFunction`].
#[inline(always)]
unsafe fn accumulate<V: Vector, const CHANNELS: usize, const PIXELS: usize>(
    call: &TileCall,
    input: *const f32,
    weights: *const f32,
    sums: &mut [[V; PIXELS]; CHANNELS],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut pixels = [V::splat(0.0); PIXELS];
        for (pixel, value) in pixels.iter_mut().enumerate() {
            *value = V::load(input.add(pixel * call.input_step));
        }
        for (channel, row) in sums.iter_mut().enumerate() {
            let weight = V::splat(*weights.add(channel));
            for (sum, pixel) in row.iter_mut().zip(pixels) {
                *sum = pixel.mul_add(weight, *sum);
            }
        }
    }
}

unsafe fn portable<const CHANNELS: usize, const PIXELS: usize>(call: &TileCall) {
    // SAFETY: the caller's promise.
    unsafe { tile::<Portable, CHANNELS, PIXELS>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const CHANNELS: usize, const PIXELS: usize>(call: &TileCall) {
    // SAFETY: the caller's promise.
    unsafe { tile::<crate::vector::x86::Avx2, CHANNELS, PIXELS>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const CHANNELS: usize, const PIXELS: usize>(call: &TileCall) {
    // SAFETY: the caller's promise.
    unsafe { tile::<crate::vector::x86::Avx512, CHANNELS, PIXELS>(call) }
}

/// The tiles of one number of output channels, by pixels less one.
pub(crate) type Tiles = &'static [TileFunction];

/// Lists tiles as channels: pixels.
macro_rules! tiles {
    ($function:ident: $($channels:literal: $($pixels:literal)*;)*) => {
        &[$(&[$($function::<$channels, $pixels> as TileFunction),*]),*]
    };
}

/// The tiles of an instruction set by output channels less one. Together the sums, the pixels and
/// a weight fill the registers, 32 of AVX-512 and 16 of AVX2, but never all of AVX2's: a tile of
/// 4 x 3 would, and the compiler then spills some of it, at half the speed.
pub(crate) fn tiles(isa: Isa) -> &'static [Tiles] {
    match isa {
        #[cfg(not(target_arch = "aarch64"))]
        Isa::Portable => tiles! { portable: 1: 1 2 3 4; 2: 1 2; 3: 1 2; 4: 1; },
        #[cfg(target_arch = "aarch64")]
        Isa::Portable => tiles! { portable: 1: 1 2 3 4 5 6; 2: 1 2 3 4 5; 3: 1 2 3; 4: 1 2 3; },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => tiles! { avx2: 1: 1 2 3 4 5 6 7; 2: 1 2 3 4; 3: 1 2 3; 4: 1 2; 5: 1 2; 6: 1 2; },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => tiles! { avx512:
            1: 1 2 3 4 5 6 7 8;
            2: 1 2 3 4 5 6 7 8;
            3: 1 2 3 4 5 6 7;
            4: 1 2 3 4 5 6;
            5: 1 2 3 4 5;
            6: 1 2 3 4;
            7: 1 2 3;
            8: 1 2 3;
        },
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => &[],
    }
}
