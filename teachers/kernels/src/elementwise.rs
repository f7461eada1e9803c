//! Element-wise kernels: sums, activations, and the affine map of a batch norm that is not folded.
#![expect(unsafe_code, reason = "vector loads and stores at checked positions of slices")]

use crate::error::check_length;
use crate::vector::{Kernel, Vector, dispatch};
use crate::{Activation, Isa, KernelError};

/// Computes `output = activation(left + right)`.
///
/// # Errors
/// [`KernelError::Length`] unless the slices are as long as `output`, a multiple of the lanes.
pub fn add(
    isa: Isa,
    left: &[f32],
    right: &[f32],
    activation: Activation,
    output: &mut [f32],
) -> Result<(), KernelError> {
    check_lanes("output", isa, output.len())?;
    check_length("left", left.len(), output.len())?;
    check_length("right", right.len(), output.len())?;
    dispatch(isa, Add { left, right, range: activation.range(), output })
}

/// Applies an activation in place.
///
/// # Errors
/// [`KernelError::Length`] unless `values` is as long as a multiple of the lanes.
pub fn activate(isa: Isa, activation: Activation, values: &mut [f32]) -> Result<(), KernelError> {
    check_lanes("values", isa, values.len())?;
    dispatch(isa, Activate { range: activation.range(), values })
}

/// Computes `output = activation(input * scale + shift)` with a `scale` and a `shift` for each
/// channel, over `[channels][height][width][lanes]`.
///
/// # Errors
/// [`KernelError::Length`] unless `output` is as long as `input`, a multiple of channels times
/// lanes, and `shift` as `scale`.
pub fn affine(
    isa: Isa,
    input: &[f32],
    scale: &[f32],
    shift: &[f32],
    activation: Activation,
    output: &mut [f32],
) -> Result<(), KernelError> {
    check_length("shift", shift.len(), scale.len())?;
    check_length("output", output.len(), input.len())?;
    let unit = scale.len() * isa.lanes();
    check_length("input", input.len(), input.len().checked_div(unit).unwrap_or(0) * unit)?;
    dispatch(isa, Affine { input, scale, shift, range: activation.range(), output })
}

fn check_lanes(slice: &'static str, isa: Isa, found: usize) -> Result<(), KernelError> {
    check_length(slice, found, found.next_multiple_of(isa.lanes()))
}

struct Add<'a> {
    left: &'a [f32],
    right: &'a [f32],
    range: [f32; 2],
    output: &'a mut [f32],
}

impl Kernel for Add<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let inputs = self.left.chunks_exact(V::LANES).zip(self.right.chunks_exact(V::LANES));
        for ((left, right), out) in inputs.zip(self.output.chunks_exact_mut(V::LANES)) {
            // SAFETY: each chunk has `LANES` elements; the caller has the instruction set.
            unsafe {
                let (low, high) = (V::splat(self.range[0]), V::splat(self.range[1]));
                let sum = V::load(left.as_ptr()).add(V::load(right.as_ptr()));
                sum.clamp(low, high).store(out.as_mut_ptr());
            }
        }
    }
}

struct Activate<'a> {
    range: [f32; 2],
    values: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for value in self.values.chunks_exact_mut(V::LANES) {
            // SAFETY: each chunk has `LANES` elements; the caller has the instruction set.
            unsafe {
                let (low, high) = (V::splat(self.range[0]), V::splat(self.range[1]));
                V::load(value.as_ptr()).clamp(low, high).store(value.as_mut_ptr());
            }
        }
    }
}

struct Affine<'a> {
    input: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    range: [f32; 2],
    output: &'a mut [f32],
}

impl Kernel for Affine<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let plane = (self.input.len() / self.scale.len().max(1)).max(1);
        let planes = self.input.chunks_exact(plane).zip(self.output.chunks_exact_mut(plane));
        for ((input, output), (scale, shift)) in planes.zip(self.scale.iter().zip(self.shift)) {
            let vectors = input.chunks_exact(V::LANES).zip(output.chunks_exact_mut(V::LANES));
            for (value, out) in vectors {
                // SAFETY: each chunk has `LANES` elements; the caller has the instruction set.
                unsafe {
                    let (low, high) = (V::splat(self.range[0]), V::splat(self.range[1]));
                    let value = V::load(value.as_ptr());
                    let mapped = value.mul_add(V::splat(*scale), V::splat(*shift));
                    mapped.clamp(low, high).store(out.as_mut_ptr());
                }
            }
        }
    }
}
