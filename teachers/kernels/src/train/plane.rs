//! The passes of a batch norm over a plane of a channel in one group, `[height][width][lanes]`.
#![expect(unsafe_code, reason = "vector loads and stores, also into memory not yet written")]

use super::moments::{CHUNK, SUMS, total};
use crate::vector::{Kernel, Vector};

/// Factor and summand of a channel, and the range of the activation that follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    pub scale: f32,
    pub shift: f32,
    pub range: [f32; 2],
}

impl Affine {
    /// Computes `output = clamp(input * scale + shift + residual)`.
    ///
    /// # Safety
    /// `output` has room for as many numbers as `input` has, and nothing else uses them; a residual is
    /// as long as `input`.
    pub unsafe fn apply<'a>(
        self,
        input: &'a [f32],
        residual: Option<&'a [f32]>,
        output: *mut f32,
    ) -> Apply<'a> {
        Apply { map: self, input, residual, output }
    }

    /// The part of the gradient that the activation lets through; the residual is a vector, or null.
    ///
    /// # Safety
    /// The caller has the instruction set; `MASK` is that of the range.
    #[inline(always)]
    unsafe fn masked<V: Vector, const MASK: u8>(self, gradient: V, input: V, residual: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe {
            if MASK == OPEN {
                return gradient;
            }
            let mut value = input.mul_add(V::splat(self.scale), V::splat(self.shift));
            if !residual.is_null() {
                value = value.add(V::load(residual));
            }
            let gradient = gradient.where_positive(value);
            if MASK == BELOW {
                return gradient;
            }
            gradient.where_positive(value.mul_add(V::splat(-1.0), V::splat(self.range[1])))
        }
    }

    /// Which part of the range has bounds.
    fn mask(self) -> u8 {
        match self.range {
            [f32::NEG_INFINITY, _] => OPEN,
            [_, f32::INFINITY] => BELOW,
            _ => CLOSED,
        }
    }
}

/// A range without bounds, which lets every gradient through.
const OPEN: u8 = 0;
/// A range that starts at zero.
const BELOW: u8 = 1;
/// A range from zero to another bound.
const CLOSED: u8 = 2;

/// See [`Affine::apply`].
pub(super) struct Apply<'a> {
    map: Affine,
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    output: *mut f32,
}

impl Kernel for Apply<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller has the instruction set; `apply` was promised the room.
        unsafe {
            let (scale, shift) = (V::splat(self.map.scale), V::splat(self.map.shift));
            let [low, high] = self.map.range.map(|bound| V::splat(bound));
            for (index, values) in self.input.chunks_exact(V::LANES).enumerate() {
                let start = index * V::LANES;
                let mut value = V::load(values.as_ptr()).mul_add(scale, shift);
                if let Some(residual) = self.residual {
                    value = value.add(V::load(residual.as_ptr().add(start)));
                }
                value.clamp(low, high).store(self.output.add(start));
            }
        }
    }
}

/// Adds the gradient that comes through, and its products with the differences from the mean, to
/// `sums`. With a residual, the gradient is replaced by what comes through.
pub(super) struct BackwardSums<'a> {
    pub map: Affine,
    pub mean: f32,
    pub input: &'a [f32],
    pub residual: Option<&'a [f32]>,
    /// As long as the input, and as the residual.
    pub gradient: Gradient<'a>,
    pub sums: &'a mut [f64; 2],
}

/// A gradient that is read, or replaced too.
pub(super) enum Gradient<'a> {
    Read(&'a [f32]),
    Replace(&'a mut [f32]),
}

impl BackwardSums<'_> {
    /// # Safety
    /// As [`Kernel::run`]; `MASK` is that of the map.
    #[inline(always)]
    unsafe fn run_masked<V: Vector, const MASK: u8>(self) {
        let (gradient, replaced) = match self.gradient {
            Gradient::Read(values) => (values.as_ptr(), std::ptr::null_mut()),
            Gradient::Replace(values) => {
                let start = values.as_mut_ptr();
                (start.cast_const(), start)
            }
        };
        let residual = self.residual.map_or(std::ptr::null(), <[f32]>::as_ptr);
        let len = self.input.len();
        // SAFETY: the caller has the instruction set; every offset lies in the input, and gradient
        // and residual are as long.
        unsafe {
            let shift = V::splat(-self.mean);
            for chunk in (0..len).step_by(CHUNK * V::LANES) {
                let mut sums = [[V::splat(0.0); 2]; SUMS];
                let end = len.min(chunk + CHUNK * V::LANES);
                let mut offset = chunk;
                while offset < end {
                    for [sum, product] in &mut sums {
                        // The last turn may have fewer vectors.
                        if offset < end {
                            let input = V::load(self.input.as_ptr().add(offset));
                            let residual = if residual.is_null() { residual } else { residual.add(offset) };
                            let value = V::load(gradient.add(offset));
                            let value = self.map.masked::<V, MASK>(value, input, residual);
                            if !replaced.is_null() {
                                value.store(replaced.add(offset));
                            }
                            *sum = sum.add(value);
                            *product = value.mul_add(input.add(shift), *product);
                            offset += V::LANES;
                        }
                    }
                }
                self.sums[0] += total(sums.map(|[sum, _]| sum));
                self.sums[1] += total(sums.map(|[_, product]| product));
            }
        }
    }
}

impl Kernel for BackwardSums<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.map.mask() {
                OPEN => self.run_masked::<V, OPEN>(),
                BELOW => self.run_masked::<V, BELOW>(),
                _ => self.run_masked::<V, CLOSED>(),
            }
        }
    }
}

/// Computes `target = scale * masked gradient + slope * (input - mean) + shift`.
pub(super) struct InputGradient<'a> {
    map: Affine,
    mean: f32,
    factors: [f32; 3],
    input: &'a [f32],
    gradient: &'a [f32],
    target: *mut f32,
}

impl<'a> InputGradient<'a> {
    /// With `[scale, slope, shift]`; an open range in `map` lets the whole gradient through.
    ///
    /// # Safety
    /// `target` has room for as many numbers as `input` and `gradient` have, and nothing else uses
    /// them.
    pub unsafe fn new(
        map: Affine,
        mean: f32,
        factors: [f32; 3],
        [input, gradient]: [&'a [f32]; 2],
        target: *mut f32,
    ) -> Self {
        Self { map, mean, factors, input, gradient, target }
    }

    /// # Safety
    /// As [`Kernel::run`]; `MASK` is that of the map.
    #[inline(always)]
    unsafe fn run_masked<V: Vector, const MASK: u8>(self) {
        // SAFETY: the caller has the instruction set; `new` was promised the room.
        unsafe {
            let [scale, slope, shift] = self.factors.map(|factor| V::splat(factor));
            let mean = V::splat(-self.mean);
            let vectors = self.input.chunks_exact(V::LANES).zip(self.gradient.chunks_exact(V::LANES));
            for (index, (input, gradient)) in vectors.enumerate() {
                let input = V::load(input.as_ptr());
                let gradient =
                    self.map.masked::<V, MASK>(V::load(gradient.as_ptr()), input, std::ptr::null());
                let rest = input.add(mean).mul_add(slope, shift);
                gradient.mul_add(scale, rest).store(self.target.add(index * V::LANES));
            }
        }
    }
}

impl Kernel for InputGradient<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.map.mask() {
                OPEN => self.run_masked::<V, OPEN>(),
                BELOW => self.run_masked::<V, BELOW>(),
                _ => self.run_masked::<V, CLOSED>(),
            }
        }
    }
}
