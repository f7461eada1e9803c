//! The vector operations that the kernels are written in, and the dispatch to an instruction set.
#![expect(unsafe_code, reason = "vector instructions, loads and stores through pointers")]

use crate::{Isa, KernelError};

/// A vector with one value per image.
///
/// # Safety
/// Every method may be called only where the processor has the type's instruction set, and must be
/// inlined into a function compiled for it.
pub(crate) trait Vector: Copy {
    /// Images in a vector.
    const LANES: usize;

    /// Reads `LANES` numbers, aligned or not.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes `LANES` numbers, aligned or not.
    unsafe fn store(self, to: *mut f32);
    /// The same number for every image.
    unsafe fn splat(value: f32) -> Self;
    /// `self * factor + addend`.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// `self - other`.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self * other`.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self > other ? self : other`: a `NaN` in `other` comes through.
    unsafe fn max(self, other: Self) -> Self;
    /// `self < other ? self : other`: a `NaN` in `other` comes through.
    unsafe fn min(self, other: Self) -> Self;

    /// `self` where `mask` is above zero or `NaN`, zero elsewhere.
    unsafe fn where_positive(self, mask: Self) -> Self;
    /// The sum of all images' numbers in each vector, whichever of the four it is.
    unsafe fn sums(vectors: [Self; 4]) -> [f32; 4];

    /// Limits the value to `low..=high`; a `NaN` comes through.
    #[inline(always)]
    unsafe fn clamp(self, low: Self, high: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { high.min(low.max(self)) }
    }
}

/// Eight lanes that the compiler maps onto the vectors of its target.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; 8]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, operation: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| operation(self.0[lane], other.0[lane])))
    }
}

impl Vector for Portable {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller gives eight readable numbers; an array's alignment is that of f32.
        Self(unsafe { from.cast::<[f32; 8]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller gives room for eight numbers.
        unsafe { to.cast::<[f32; 8]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 8])
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // Without the instruction, `f32::mul_add` is a slow library call.
        const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
        Self(std::array::from_fn(|lane| {
            let (value, factor, addend) = (self.0[lane], factor.0[lane], addend.0[lane]);
            if FUSED { value.mul_add(factor, addend) } else { value * factor + addend }
        }))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |left, right| left + right)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |left, right| left - right)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |left, right| left * right)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |left, right| if left > right { left } else { right })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |left, right| if left < right { left } else { right })
    }
    #[inline(always)]
    unsafe fn where_positive(self, mask: Self) -> Self {
        self.zip(mask, |value, mask| if mask <= 0.0 { 0.0 } else { value })
    }
    #[inline(always)]
    unsafe fn sums(vectors: [Self; 4]) -> [f32; 4] {
        vectors.map(|Self([a, b, c, d, e, f, g, h])| ((a + e) + (c + g)) + ((b + f) + (d + h)))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    //! AVX2 and AVX-512. `max` and `min` return their second operand when one is `NaN`.
    use super::Vector;
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256);

    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    #[inline(always)]
    unsafe fn where_positive8(value: __m256, mask: __m256) -> __m256 {
        // SAFETY: the caller has AVX; the instructions work on registers alone.
        unsafe { _mm256_and_ps(value, _mm256_cmp_ps::<_CMP_NLE_UQ>(mask, _mm256_setzero_ps())) }
    }
    #[inline(always)]
    unsafe fn where_positive16(value: __m512, mask: __m512) -> __m512 {
        // SAFETY: the caller has AVX-512 Foundation; the instructions work on registers alone.
        unsafe {
            let mask = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(mask, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(mask, value)
        }
    }
    // Wide instructions to the end: narrow ones reach only half of the registers, and the compiler
    // would keep sums out of the others all along.
    #[inline(always)]
    unsafe fn sums8([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
        // SAFETY: the caller has AVX; the one store fills `sums`, which has room for four numbers.
        unsafe {
            let left = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let right = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            let (even, odd) =
                (_mm256_shuffle_ps::<0x44>(left, right), _mm256_shuffle_ps::<0xee>(left, right));
            let quarters = _mm256_add_ps(even, odd);
            let all = _mm256_add_ps(quarters, _mm256_permute2f128_ps::<0x01>(quarters, quarters));
            let mut sums = [0.0; 4];
            _mm_storeu_ps(sums.as_mut_ptr(), _mm256_castps256_ps128(all));
            sums
        }
    }
    #[inline(always)]
    unsafe fn sums16([a, b, c, d]: [__m512; 4]) -> [f32; 4] {
        // SAFETY: the caller has AVX-512 Foundation; the one store fills `sums`, which has room for
        // four numbers.
        unsafe {
            let left = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let right = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let (even, odd) =
                (_mm512_shuffle_ps::<0x44>(left, right), _mm512_shuffle_ps::<0xee>(left, right));
            let quarters = _mm512_add_ps(even, odd);
            let halves = _mm512_add_ps(quarters, _mm512_shuffle_f32x4::<0x4e>(quarters, quarters));
            let all = _mm512_add_ps(halves, _mm512_shuffle_f32x4::<0xb1>(halves, halves));
            let mut sums = [0.0; 4];
            _mm_storeu_ps(sums.as_mut_ptr(), _mm512_castps512_ps128(all));
            sums
        }
    }

    macro_rules! vector {
        ($name:ident, $lanes:literal, $load:ident, $store:ident, $splat:ident, $mul_add:ident,
         $add:ident, $sub:ident, $mul:ident, $max:ident, $min:ident, $where_positive:ident, $sums:ident) => {
            impl Vector for $name {
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: the caller has the instruction set and gives `LANES` readable numbers of
                    // any alignment.
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: the caller has the instruction set and gives room for `LANES` numbers of
                    // any alignment.
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn splat(value: f32) -> Self {
                    // SAFETY: the caller has the instruction set; registers alone are used.
                    Self(unsafe { $splat(value) })
                }
                #[inline(always)]
                unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
                    // SAFETY: the caller has the instruction set; registers alone are used.
                    Self(unsafe { $mul_add(self.0, factor.0, addend.0) })
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: the caller has the instruction set; registers alone are used.
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    // SAFETY: the caller has the instruction set; registers alone are used.
                    Self(unsafe { $sub(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    // SAFETY: the caller has the instruction set; registers alone are used.
                    Self(unsafe { $mul(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn max(self, other: Self) -> Self {
                    // SAFETY: the caller has the instruction set; registers alone are used.
                    Self(unsafe { $max(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn min(self, other: Self) -> Self {
                    // SAFETY: the caller has the instruction set; registers alone are used.
                    Self(unsafe { $min(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn where_positive(self, mask: Self) -> Self {
                    // SAFETY: the caller has the instruction set; registers alone are used.
                    Self(unsafe { $where_positive(self.0, mask.0) })
                }
                #[inline(always)]
                unsafe fn sums(vectors: [Self; 4]) -> [f32; 4] {
                    // SAFETY: as the function itself asks: the caller has the instruction set.
                    unsafe { $sums(vectors.map(|vector| vector.0)) }
                }
            }
        };
    }

    vector!(
        Avx2,
        8,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_max_ps,
        _mm256_min_ps,
        where_positive8,
        sums8
    );
    vector!(
        Avx512,
        16,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_max_ps,
        _mm512_min_ps,
        where_positive16,
        sums16
    );
}

/// A computation written once for every vector type.
pub(crate) trait Kernel {
    /// Computes; must be `#[inline(always)]`.
    ///
    /// # Safety
    /// The processor has the instruction set of `V`.
    unsafe fn run<V: Vector>(self);
}

/// Runs a kernel compiled for the instruction set, or returns an error if the processor lacks it.
pub(crate) fn dispatch(isa: Isa, kernel: impl Kernel) -> Result<(), KernelError> {
    isa.require()?;
    match isa {
        // SAFETY: the portable vector needs no more than the target has.
        Isa::Portable => unsafe { kernel.run::<Portable>() },
        // SAFETY: `require` has found the instruction set.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { on_avx2(kernel) },
        // SAFETY: `require` has found the instruction set.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { on_avx512(kernel) },
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => return Err(KernelError::Unavailable(isa)),
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn on_avx2(kernel: impl Kernel) {
    // SAFETY: this function is entered only where the processor has AVX2 and FMA.
    unsafe { kernel.run::<x86::Avx2>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn on_avx512(kernel: impl Kernel) {
    // SAFETY: this function is entered only where the processor has AVX-512 Foundation.
    unsafe { kernel.run::<x86::Avx512>() }
}
