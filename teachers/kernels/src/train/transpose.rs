//! Conversion between consecutive and interleaved images, one square of values at a time in registers.
#![expect(unsafe_code, reason = "vector shuffles, and pointers into memory not yet written")]

use crate::Isa;

/// Numbers in a cache line.
const LINE: usize = 16;

/// Moves up to `LANES` numbers of each image: image `i` is at `images + i * len`, position `p` of
/// all images at `lanes + p * LANES`.
trait Square {
    /// Images, and positions of each that are moved at once.
    const LANES: usize;

    /// Reads `count` images, zeros for the others, and writes `LANES` positions.
    unsafe fn interleave(images: *const f32, len: usize, count: usize, lanes: *mut f32);
    /// Reads `LANES` positions and writes `count` images.
    unsafe fn deinterleave(lanes: *const f32, len: usize, count: usize, images: *mut f32);
}

/// Interleaves `count` images `[count][len]` as `[len][lanes]`; missing images are zero.
///
/// # Safety
/// The processor has the instruction set; the pointers stand for that much memory.
pub(super) unsafe fn interleave(isa: Isa, images: *const f32, len: usize, count: usize, lanes: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::interleave_avx512(images, len, count, lanes),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::interleave_avx2(images, len, count, lanes),
            _ => interleave_all::<Plain>(images, len, count, lanes),
        }
    }
}

/// Writes the first `count` images of `[len][lanes]` as `[count][len]`.
///
/// # Safety
/// As [`interleave`]; the memory that is written need not be initialised.
pub(super) unsafe fn deinterleave(isa: Isa, lanes: *const f32, len: usize, count: usize, images: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::deinterleave_avx512(lanes, len, count, images),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::deinterleave_avx2(lanes, len, count, images),
            _ => deinterleave_all::<Plain>(lanes, len, count, images),
        }
    }
}

/// Positions before the first that starts a cache line in every image: squares that touch two
/// lines per image miss the first-level cache, whose sets images of a power of two share.
fn head(images: *const f32, len: usize) -> usize {
    if len.is_multiple_of(LINE) { (images.addr() / size_of::<f32>()).wrapping_neg() % LINE } else { 0 }
}

#[inline(always)]
unsafe fn interleave_all<S: Square>(images: *const f32, len: usize, count: usize, lanes: *mut f32) {
    let single = |position: usize| {
        for lane in 0..S::LANES {
            // SAFETY: the caller's promise.
            unsafe {
                let value = if lane < count { *images.add(lane * len + position) } else { 0.0 };
                *lanes.add(position * S::LANES + lane) = value;
            }
        }
    };
    let head = head(images, len).min(len);
    (0..head).for_each(single);
    let end = len - (len - head) % S::LANES;
    for position in (head..end).step_by(S::LANES) {
        // SAFETY: the caller's promise.
        unsafe { S::interleave(images.add(position), len, count, lanes.add(position * S::LANES)) }
    }
    (end..len).for_each(single);
}

#[inline(always)]
unsafe fn deinterleave_all<S: Square>(lanes: *const f32, len: usize, count: usize, images: *mut f32) {
    let single = |position: usize| {
        for lane in 0..count {
            // SAFETY: the caller's promise.
            unsafe { *images.add(lane * len + position) = *lanes.add(position * S::LANES + lane) }
        }
    };
    let head = head(images, len).min(len);
    (0..head).for_each(single);
    let end = len - (len - head) % S::LANES;
    for position in (head..end).step_by(S::LANES) {
        // SAFETY: the caller's promise.
        unsafe { S::deinterleave(lanes.add(position * S::LANES), len, count, images.add(position)) }
    }
    (end..len).for_each(single);
}

/// Number by number.
struct Plain;

impl Square for Plain {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn interleave(images: *const f32, len: usize, count: usize, lanes: *mut f32) {
        for (position, lane) in (0..8).flat_map(|position| (0..8).map(move |lane| (position, lane))) {
            // SAFETY: the caller's `count` images have eight readable numbers each.
            let value = if lane < count { unsafe { *images.add(lane * len + position) } } else { 0.0 };
            // SAFETY: the caller gives room for eight numbers of eight lanes.
            unsafe { *lanes.add(position * 8 + lane) = value }
        }
    }

    #[inline(always)]
    unsafe fn deinterleave(lanes: *const f32, len: usize, count: usize, images: *mut f32) {
        for (lane, position) in (0..count).flat_map(|lane| (0..8).map(move |position| (lane, position))) {
            // SAFETY: the caller gives eight numbers of eight lanes, and room for eight numbers in each
            // of `count` images.
            unsafe { *images.add(lane * len + position) = *lanes.add(position * 8 + lane) }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Square, deinterleave_all, interleave_all};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f")]
    pub unsafe fn interleave_avx512(images: *const f32, len: usize, count: usize, lanes: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { interleave_all::<Wide>(images, len, count, lanes) }
    }

    #[target_feature(enable = "avx512f")]
    pub unsafe fn deinterleave_avx512(lanes: *const f32, len: usize, count: usize, images: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { deinterleave_all::<Wide>(lanes, len, count, images) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn interleave_avx2(images: *const f32, len: usize, count: usize, lanes: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { interleave_all::<Narrow>(images, len, count, lanes) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn deinterleave_avx2(lanes: *const f32, len: usize, count: usize, images: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { deinterleave_all::<Narrow>(lanes, len, count, images) }
    }

    /// Sixteen by sixteen.
    struct Wide;
    /// Eight by eight.
    struct Narrow;

    impl Square for Wide {
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn interleave(images: *const f32, len: usize, count: usize, lanes: *mut f32) {
            // SAFETY: the caller has the instruction set; its `count` images have sixteen readable numbers
            // each, and `lanes` has room for sixteen times as many. No alignment is asked for.
            unsafe {
                let mut rows = [_mm512_setzero_ps(); 16];
                for (lane, row) in rows.iter_mut().enumerate() {
                    if lane < count {
                        *row = _mm512_loadu_ps(images.add(lane * len));
                    }
                }
                for (position, row) in transpose16(rows).into_iter().enumerate() {
                    _mm512_storeu_ps(lanes.add(position * 16), row);
                }
            }
        }

        #[inline(always)]
        unsafe fn deinterleave(lanes: *const f32, len: usize, count: usize, images: *mut f32) {
            // SAFETY: the caller has the instruction set; `lanes` has sixteen numbers of sixteen lanes, and
            // the `count` images have room for sixteen numbers each. No alignment is asked for.
            unsafe {
                let mut rows = [_mm512_setzero_ps(); 16];
                for (position, row) in rows.iter_mut().enumerate() {
                    *row = _mm512_loadu_ps(lanes.add(position * 16));
                }
                for (lane, row) in transpose16(rows).into_iter().enumerate() {
                    if lane < count {
                        _mm512_storeu_ps(images.add(lane * len), row);
                    }
                }
            }
        }
    }

    impl Square for Narrow {
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn interleave(images: *const f32, len: usize, count: usize, lanes: *mut f32) {
            // SAFETY: the caller has the instruction set; its `count` images have eight readable numbers
            // each, and `lanes` has room for eight times as many. No alignment is asked for.
            unsafe {
                let mut rows = [_mm256_setzero_ps(); 8];
                for (lane, row) in rows.iter_mut().enumerate() {
                    if lane < count {
                        *row = _mm256_loadu_ps(images.add(lane * len));
                    }
                }
                for (position, row) in transpose8(rows).into_iter().enumerate() {
                    _mm256_storeu_ps(lanes.add(position * 8), row);
                }
            }
        }

        #[inline(always)]
        unsafe fn deinterleave(lanes: *const f32, len: usize, count: usize, images: *mut f32) {
            // SAFETY: the caller has the instruction set; `lanes` has eight numbers of eight lanes, and
            // the `count` images have room for eight numbers each. No alignment is asked for.
            unsafe {
                let mut rows = [_mm256_setzero_ps(); 8];
                for (position, row) in rows.iter_mut().enumerate() {
                    *row = _mm256_loadu_ps(lanes.add(position * 8));
                }
                for (lane, row) in transpose8(rows).into_iter().enumerate() {
                    if lane < count {
                        _mm256_storeu_ps(images.add(lane * len), row);
                    }
                }
            }
        }
    }

    /// First within quarters of 4 x 4, then the quarters.
    #[inline(always)]
    unsafe fn transpose16(rows: [__m512; 16]) -> [__m512; 16] {
        // SAFETY: the caller has the instruction set; registers alone are used.
        unsafe {
            let mut quads = rows;
            for index in (0..16).step_by(4) {
                let [a, b, c, d] = [rows[index], rows[index + 1], rows[index + 2], rows[index + 3]];
                let (low, high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
                let (next_low, next_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
                quads[index] = _mm512_shuffle_ps::<0x44>(low, next_low);
                quads[index + 1] = _mm512_shuffle_ps::<0xee>(low, next_low);
                quads[index + 2] = _mm512_shuffle_ps::<0x44>(high, next_high);
                quads[index + 3] = _mm512_shuffle_ps::<0xee>(high, next_high);
            }
            let mut columns = rows;
            for index in 0..4 {
                let [a, b, c, d] = [quads[index], quads[index + 4], quads[index + 8], quads[index + 12]];
                let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                let (next_even, next_odd) =
                    (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
                columns[index] = _mm512_shuffle_f32x4::<0x88>(even, next_even);
                columns[index + 4] = _mm512_shuffle_f32x4::<0x88>(odd, next_odd);
                columns[index + 8] = _mm512_shuffle_f32x4::<0xdd>(even, next_even);
                columns[index + 12] = _mm512_shuffle_f32x4::<0xdd>(odd, next_odd);
            }
            columns
        }
    }

    #[inline(always)]
    unsafe fn transpose8(rows: [__m256; 8]) -> [__m256; 8] {
        // SAFETY: the caller has the instruction set; registers alone are used.
        unsafe {
            let mut quads = rows;
            for index in [0, 4] {
                let [a, b, c, d] = [rows[index], rows[index + 1], rows[index + 2], rows[index + 3]];
                let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                let (next_low, next_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
                quads[index] = _mm256_shuffle_ps::<0x44>(low, next_low);
                quads[index + 1] = _mm256_shuffle_ps::<0xee>(low, next_low);
                quads[index + 2] = _mm256_shuffle_ps::<0x44>(high, next_high);
                quads[index + 3] = _mm256_shuffle_ps::<0xee>(high, next_high);
            }
            let mut columns = rows;
            for index in 0..4 {
                let (low, high) = (quads[index], quads[index + 4]);
                columns[index] = _mm256_permute2f128_ps::<0x20>(low, high);
                columns[index + 4] = _mm256_permute2f128_ps::<0x31>(low, high);
            }
            columns
        }
    }
}
