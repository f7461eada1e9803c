//! The register tile of the products between the transforms: some output channels of some tiles.
#![expect(unsafe_code, reason = "the innermost loop reads and writes through pointers")]

use crate::Isa;
use crate::vector::{Portable, Vector};

/// The arguments of `sums[output channel][tile] = sum over channels(inputs * weights)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProductCall {
    /// `[input channel][tile][lanes]`.
    pub inputs: *const f32,
    /// `[input channel][output channel]`.
    pub weights: *const f32,
    /// `[output channel][tile][lanes]`.
    pub sums: *mut f32,
    /// Input channels to sum over.
    pub channels: usize,
}

/// A product compiled for one instruction set and one size.
///
/// # Safety
/// The processor has the instruction set; what the call names is readable and writable.
pub(super) type ProductFunction = unsafe fn(&ProductCall);

#[inline(always)]
unsafe fn product<V: Vector, const CHANNELS: usize, const TILES: usize>(call: &ProductCall) {
    // SAFETY: the caller's promise; `wrapping_add` because the last step of a loop may leave the
    // memory, where nothing is read any more.
    unsafe {
        let mut sums = [[V::splat(0.0); TILES]; CHANNELS];
        let (mut inputs, mut weights) = (call.inputs, call.weights);
        for _ in 0..call.channels {
            accumulate(inputs, weights, &mut sums);
            inputs = inputs.wrapping_add(TILES * V::LANES);
            weights = weights.wrapping_add(CHANNELS);
        }
        for (channel, row) in sums.iter().enumerate() {
            for (tile, sum) in row.iter().enumerate() {
                sum.store(call.sums.add((channel * TILES + tile) * V::LANES));
            }
        }
    }
}

/// Adds one input channel.
#[inline(always)]
unsafe fn accumulate<V: Vector, const CHANNELS: usize, const TILES: usize>(
    inputs: *const f32,
    weights: *const f32,
    sums: &mut [[V; TILES]; CHANNELS],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut tiles = [V::splat(0.0); TILES];
        for (tile, value) in tiles.iter_mut().enumerate() {
            *value = V::load(inputs.add(tile * V::LANES));
        }
        for (channel, row) in sums.iter_mut().enumerate() {
            let weight = V::splat(*weights.add(channel));
            for (sum, tile) in row.iter_mut().zip(tiles) {
                *sum = tile.mul_add(weight, *sum);
            }
        }
    }
}

unsafe fn portable<const CHANNELS: usize, const TILES: usize>(call: &ProductCall) {
    // SAFETY: the caller's promise.
    unsafe { product::<Portable, CHANNELS, TILES>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const CHANNELS: usize, const TILES: usize>(call: &ProductCall) {
    // SAFETY: the caller's promise.
    unsafe { product::<crate::vector::x86::Avx2, CHANNELS, TILES>(call) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const CHANNELS: usize, const TILES: usize>(call: &ProductCall) {
    // SAFETY: the caller's promise.
    unsafe { product::<crate::vector::x86::Avx512, CHANNELS, TILES>(call) }
}

/// Lists products as output channels: tiles.
macro_rules! products {
    ($function:ident: $($channels:literal: $($tiles:literal)*;)*) => {
        &[$(&[$($function::<$channels, $tiles> as ProductFunction),*]),*]
    };
}

/// The products of an instruction set by output channels less one and tiles less one. The sums, the
/// tiles and a weight fill its registers.
pub(super) fn products(isa: Isa) -> &'static [&'static [ProductFunction]] {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => products! { avx512:
            1: 1 2 3 4; 2: 1 2 3 4; 3: 1 2 3 4; 4: 1 2 3 4; 5: 1 2 3 4; 6: 1 2 3 4; 7: 1 2 3; 8: 1 2 3;
        },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => products! { avx2: 1: 1 2; 2: 1 2; 3: 1 2; 4: 1 2; 5: 1 2; 6: 1 2; },
        _ => products! { portable: 1: 1 2; 2: 1 2; },
    }
}
