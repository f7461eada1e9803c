//! The passes of a batch norm over a plane of a channel.
#![expect(unsafe_code, reason = "vector loads and stores, also into memory not yet written")]

use crate::vector::{Kernel, Vector};

/// Most numbers that are summed in single precision.
pub(super) const CHUNK: usize = 4096;
/// Sums that run side by side, so that none waits for its last addition.
const SUMS: usize = 4;
/// The most lanes.
const LANES: usize = 16;

/// A vector of the first values of a slice, filled up with `fill` where the slice is shorter.
///
/// # Safety
/// The caller has the instruction set.
#[inline(always)]
unsafe fn load<V: Vector>(values: &[f32], fill: f32) -> V {
    // SAFETY: a whole vector is read, from the slice or from the array.
    unsafe {
        if values.len() >= V::LANES {
            V::load(values.as_ptr())
        } else {
            let mut padded = [fill; LANES];
            padded[..values.len()].copy_from_slice(values);
            V::load(padded.as_ptr())
        }
    }
}

/// Writes a vector, or the first `count` values of it.
///
/// # Safety
/// `to` can hold `count` numbers; the caller has the instruction set.
#[inline(always)]
unsafe fn store<V: Vector>(value: V, to: *mut f32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if count >= V::LANES {
            value.store(to);
        } else {
            let mut padded = [0.0; LANES];
            value.store(padded.as_mut_ptr());
            std::ptr::copy_nonoverlapping(padded.as_ptr(), to, count);
        }
    }
}

/// The sum of vectors.
///
/// # Safety
/// The caller has the instruction set.
#[inline(always)]
unsafe fn total<V: Vector>(sums: [V; SUMS]) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { V::sums(sums).map(f64::from).iter().sum() }
}

/// Adds a plane's differences from `pivot` and their squares.
pub(super) struct Statistics<'a> {
    pub plane: &'a [f32],
    pub pivot: f32,
    pub sums: &'a mut [f64; 2],
}

impl Kernel for Statistics<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller has the instruction set; `load` reads within the slices.
        unsafe {
            let (one, shift) = (V::splat(1.0), V::splat(-self.pivot));
            let mut sums = [[V::splat(0.0); SUMS]; 2];
            for values in self.plane.chunks(SUMS * V::LANES) {
                for (index, values) in values.chunks(V::LANES).enumerate() {
                    let difference = load::<V>(values, self.pivot).mul_add(one, shift);
                    sums[0][index] = sums[0][index].add(difference);
                    sums[1][index] = difference.mul_add(difference, sums[1][index]);
                }
            }
            self.sums[0] += total(sums[0]);
            self.sums[1] += total(sums[1]);
        }
    }
}

/// Computes `output = max(input * scale + shift + residual, low)`.
pub(super) struct Affine<'a> {
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    map: [f32; 2],
    low: f32,
    output: *mut f32,
}

impl<'a> Affine<'a> {
    /// With `[scale, shift]`; `residual` is as long as `input`.
    ///
    /// # Safety
    /// `output` has room for as many numbers as `input` has, and nothing else uses them.
    pub unsafe fn new(
        input: &'a [f32],
        residual: Option<&'a [f32]>,
        map: [f32; 2],
        low: f32,
        output: *mut f32,
    ) -> Self {
        Self { input, residual, map, low, output }
    }
}

impl Kernel for Affine<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller has the instruction set; `new` was promised the room.
        unsafe {
            let ([scale, shift], low) = (self.map.map(|value| V::splat(value)), V::splat(self.low));
            for (index, values) in self.input.chunks(V::LANES).enumerate() {
                let start = index * V::LANES;
                let mut value = load::<V>(values, 0.0).mul_add(scale, shift);
                if let Some(residual) = self.residual {
                    value = value.add(load::<V>(&residual[start..start + values.len()], 0.0));
                }
                // `low` first: a `NaN` comes through.
                store(low.max(value), self.output.wrapping_add(start), values.len());
            }
        }
    }
}

/// The arguments of the backward pass of a channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backward {
    /// Factor and summand whose result is above zero where the ReLU passes the gradient.
    pub mask: [f32; 2],
    pub mean: f32,
}

impl Backward {
    /// Adds the masked gradient, and its products with the differences from the mean.
    pub fn sums<'a>(
        self,
        input: &'a [f32],
        gradient: &'a [f32],
        residual: Option<ResidualGradient<'a>>,
        sums: &'a mut [f64; 2],
    ) -> BackwardSums<'a> {
        BackwardSums { channel: self, input, gradient, residual, sums }
    }

    /// The masked gradient and the input; the residual counts where there is one.
    ///
    /// # Safety
    /// The caller has the instruction set.
    #[inline(always)]
    unsafe fn load<V: Vector>(self, input: &[f32], gradient: &[f32], residual: Option<&[f32]>) -> [V; 2] {
        // SAFETY: the caller's promise; `load` reads within the slices.
        unsafe {
            let input = load::<V>(input, self.mean);
            let mut mask = input.mul_add(V::splat(self.mask[0]), V::splat(self.mask[1]));
            if let Some(residual) = residual {
                mask = mask.add(load::<V>(residual, 0.0));
            }
            [load::<V>(gradient, 0.0).where_positive(mask), input]
        }
    }
}

/// A residual and where its gradient, the masked one, goes.
pub(super) struct ResidualGradient<'a> {
    residual: &'a [f32],
    target: *mut f32,
}

impl<'a> ResidualGradient<'a> {
    /// # Safety
    /// `target` has room for as many numbers as `residual` has, and nothing else uses them.
    pub unsafe fn new(residual: &'a [f32], target: *mut f32) -> Self {
        Self { residual, target }
    }
}

/// See [`Backward::sums`].
pub(super) struct BackwardSums<'a> {
    channel: Backward,
    input: &'a [f32],
    gradient: &'a [f32],
    residual: Option<ResidualGradient<'a>>,
    sums: &'a mut [f64; 2],
}

impl Kernel for BackwardSums<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller has the instruction set; `load` reads within the slices.
        unsafe {
            let (one, shift) = (V::splat(1.0), V::splat(-self.channel.mean));
            let mut sums = [[V::splat(0.0); SUMS]; 2];
            let size = SUMS * V::LANES;
            for (chunk, (inputs, gradients)) in
                self.input.chunks(size).zip(self.gradient.chunks(size)).enumerate()
            {
                let vectors = inputs.chunks(V::LANES).zip(gradients.chunks(V::LANES));
                for (index, (input, gradient)) in vectors.enumerate() {
                    let start = chunk * size + index * V::LANES;
                    let place = start..start + input.len();
                    let residual = self.residual.as_ref().map(|side| &side.residual[place]);
                    let [gradient, input] = self.channel.load::<V>(input, gradient, residual);
                    if let Some(side) = &self.residual {
                        store(gradient, side.target.wrapping_add(start), inputs.len() - index * V::LANES);
                    }
                    sums[0][index] = sums[0][index].add(gradient);
                    sums[1][index] = gradient.mul_add(input.mul_add(one, shift), sums[1][index]);
                }
            }
            self.sums[0] += total(sums[0]);
            self.sums[1] += total(sums[1]);
        }
    }
}

/// Computes `target = scale * masked gradient + slope * (input - mean) + shift`.
pub(super) struct InputGradient<'a> {
    channel: Backward,
    factors: [f32; 3],
    input: &'a [f32],
    gradient: &'a [f32],
    target: *mut f32,
}

impl<'a> InputGradient<'a> {
    /// With `[scale, slope, shift]`.
    ///
    /// # Safety
    /// `target` has room for as many numbers as `input` and `gradient` have, and nothing else uses
    /// them.
    pub unsafe fn new(
        channel: Backward,
        factors: [f32; 3],
        input: &'a [f32],
        gradient: &'a [f32],
        target: *mut f32,
    ) -> Self {
        Self { channel, factors, input, gradient, target }
    }
}

impl Kernel for InputGradient<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller has the instruction set; `new` was promised the room.
        unsafe {
            let [scale, slope, shift] = self.factors.map(|factor| V::splat(factor));
            let (one, mean) = (V::splat(1.0), V::splat(-self.channel.mean));
            let vectors = self.input.chunks(V::LANES).zip(self.gradient.chunks(V::LANES));
            for (index, (inputs, gradients)) in vectors.enumerate() {
                let [gradient, input] = self.channel.load::<V>(inputs, gradients, None);
                let rest = input.mul_add(one, mean).mul_add(slope, shift);
                let target = self.target.wrapping_add(index * V::LANES);
                store(gradient.mul_add(scale, rest), target, inputs.len());
            }
        }
    }
}
