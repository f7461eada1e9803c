//! Activations and sums of a batch in lanes, and their gradients.
#![expect(unsafe_code, reason = "writes to memory that is not initialised")]

use super::batch::Batch;
use super::memory::{Aligned, Output};
use crate::error::check_length;
use crate::vector::{Kernel, Vector, dispatch};
use crate::{Activation, KernelError};
use rayon::prelude::*;

/// Numbers that a thread takes together; a multiple of every number of lanes.
const RUN: usize = 1 << 16;

/// Applies an activation to each number.
///
/// # Errors
/// [`KernelError::Length`] unless the tensor holds whole groups.
pub fn activate_forward(batch: Batch, input: &[f32], activation: Activation) -> Result<Aligned, KernelError> {
    map(batch, [input, input], Operation::Clamp(activation.range()))
}

/// The gradient of an activation's input, from its output and the gradient of its output.
///
/// # Errors
/// [`KernelError::Length`] unless both tensors are as long and hold whole groups.
pub fn activate_backward(
    batch: Batch,
    output: &[f32],
    activation: Activation,
    gradient: &[f32],
) -> Result<Aligned, KernelError> {
    map(batch, [gradient, output], Operation::Mask(activation.range()))
}

/// The sum of two tensors.
///
/// # Errors
/// [`KernelError::Length`] unless both are as long and hold whole groups.
pub fn add_forward(batch: Batch, left: &[f32], right: &[f32]) -> Result<Aligned, KernelError> {
    map(batch, [left, right], Operation::Add)
}

/// Adds `values` to `target`.
///
/// # Errors
/// As [`add_forward`].
pub fn add_to(batch: Batch, target: &mut [f32], values: &[f32]) -> Result<(), KernelError> {
    check(batch, target.len(), values.len())?;
    target.par_chunks_mut(RUN).zip(values.par_chunks(RUN)).try_for_each(|(target, values)| {
        let (left, output) = (target.as_ptr(), target.as_mut_ptr());
        let inputs = [left, values.as_ptr()];
        dispatch(batch.isa(), Run { inputs, output, len: target.len(), operation: Operation::Add })
    })
}

fn check(batch: Batch, left: usize, right: usize) -> Result<(), KernelError> {
    check_length("values", right, left)?;
    let image = left.checked_div(batch.len(1)?).unwrap_or(0);
    check_length("values", left, batch.len(image)?)
}

fn map(batch: Batch, [left, right]: [&[f32]; 2], operation: Operation) -> Result<Aligned, KernelError> {
    check(batch, left.len(), right.len())?;
    let result = Output::new(left.len());
    let chunks = left.par_chunks(RUN).zip(right.par_chunks(RUN)).enumerate();
    chunks.try_for_each(|(index, (left, right))| {
        let (inputs, output) = ([left.as_ptr(), right.as_ptr()], result.at(index * RUN));
        dispatch(batch.isa(), Run { inputs, output, len: left.len(), operation })
    })?;
    // SAFETY: every chunk has been written.
    Ok(unsafe { result.finish() })
}

/// What is computed from two numbers.
#[derive(Clone, Copy)]
enum Operation {
    Add,
    /// The first, within the range.
    Clamp([f32; 2]),
    /// The first where the second lies inside the range, zero elsewhere.
    Mask([f32; 2]),
}

/// Pointers to whole vectors of `len` numbers, of which the output may be an input.
struct Run {
    inputs: [*const f32; 2],
    output: *mut f32,
    len: usize,
    operation: Operation,
}

impl Run {
    /// # Safety
    /// As [`Kernel::run`].
    #[inline(always)]
    unsafe fn each<V: Vector>(self, operation: impl Fn(V, V) -> V) {
        for start in (0..self.len).step_by(V::LANES) {
            // SAFETY: whoever made the run gave memory for `len` numbers, a multiple of the lanes.
            unsafe {
                let [left, right] = self.inputs.map(|input| V::load(input.add(start)));
                operation(left, right).store(self.output.add(start));
            }
        }
    }
}

impl Kernel for Run {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller has the instruction set.
        unsafe {
            match self.operation {
                Operation::Add => self.each::<V>(|left, right| left.add(right)),
                Operation::Clamp(range) => {
                    let [low, high] = range.map(|bound| V::splat(bound));
                    self.each::<V>(|value, _| value.clamp(low, high));
                }
                Operation::Mask([f32::NEG_INFINITY, _]) => self.each::<V>(|value, _| value),
                Operation::Mask([_, high]) => {
                    let (less, high) = (V::splat(-1.0), V::splat(high));
                    self.each::<V>(|value, output| {
                        value.where_positive(output).where_positive(output.mul_add(less, high))
                    });
                }
            }
        }
    }
}
