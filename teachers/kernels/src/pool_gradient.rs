//! The gradient of a pooling.
#![expect(unsafe_code, reason = "kernels are unsafe to run where the instruction set is missing")]

use crate::error::check_length;
use crate::vector::{Kernel, Vector, dispatch};
use crate::{KernelError, Pool, PoolKind};

/// The most lanes of an instruction set.
const MOST_LANES: usize = 16;

impl Pool {
    /// Adds the gradient of the output to that of the input; of equal maxima, the first of a window
    /// gets it.
    ///
    /// # Errors
    /// [`KernelError::Length`] when a slice has another length.
    pub(crate) fn add_gradient(
        &self,
        input: &[f32],
        gradient: &[f32],
        target: &mut [f32],
    ) -> Result<(), KernelError> {
        check_length("input", input.len(), self.input_len())?;
        check_length("gradient", gradient.len(), self.output_len())?;
        check_length("target", target.len(), self.input_len())?;
        dispatch(self.isa, AddGradient { pool: self, input, gradient, target })
    }
}

struct AddGradient<'a> {
    pool: &'a Pool,
    input: &'a [f32],
    gradient: &'a [f32],
    target: &'a mut [f32],
}

impl Kernel for AddGradient<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let pool = self.pool;
        let width = pool.input[1];
        let plane = pool.input[0] * width * V::LANES;
        let mut gradients = self.gradient.chunks_exact(V::LANES);
        for (channel, target) in self.input.chunks_exact(plane).zip(self.target.chunks_exact_mut(plane)) {
            for rows in &pool.rows {
                for (columns, gradient) in pool.columns.iter().zip(&mut gradients) {
                    let pixels = || {
                        let row = move |row: usize| columns.pixels.clone().map(move |x| row * width + x);
                        rows.pixels.clone().flat_map(row).map(|pixel| pixel * V::LANES)
                    };
                    if pool.kind == PoolKind::Max {
                        // Loops over arrays of lanes, which the compiler maps onto vectors.
                        let mut best = [f32::NEG_INFINITY; MOST_LANES];
                        let mut place = [u32::MAX; MOST_LANES];
                        for (index, start) in pixels().enumerate() {
                            let values = &channel[start..start + V::LANES];
                            for lane in 0..V::LANES {
                                let better = values[lane] > best[lane] || index == 0;
                                best[lane] = if better { values[lane] } else { best[lane] };
                                place[lane] = if better { index as u32 } else { place[lane] };
                            }
                        }
                        for (index, start) in pixels().enumerate() {
                            let target = &mut target[start..start + V::LANES];
                            for lane in 0..V::LANES {
                                target[lane] +=
                                    if place[lane] == index as u32 { gradient[lane] } else { 0.0 };
                            }
                        }
                    } else {
                        let share = ((rows.divisor * columns.divisor) as f32).recip();
                        for start in pixels() {
                            let target = &mut target[start..start + V::LANES];
                            for lane in 0..V::LANES {
                                target[lane] += gradient[lane] * share;
                            }
                        }
                    }
                }
            }
        }
    }
}
