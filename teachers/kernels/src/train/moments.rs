//! Mean and variance of a plane of a channel in one group, `[height][width][lanes]`.
#![expect(unsafe_code, reason = "vector loads")]

use crate::vector::{Kernel, Vector};

/// Vectors that are summed in single precision.
pub(super) const CHUNK: usize = 256;
/// Sums that run side by side, so that none waits for its last addition.
pub(super) const SUMS: usize = 4;
/// Vectors of a plane from which its mean is guessed.
const SAMPLE: usize = 16;
/// The most lanes.
const LANES: usize = 16;

/// The sum of vectors.
///
/// # Safety
/// The caller has the instruction set.
#[inline(always)]
pub(super) unsafe fn total<V: Vector>(sums: [V; SUMS]) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { V::sums(sums).map(f64::from).iter().sum() }
}

/// Number, mean and sum of squared differences from the mean, of numbers that are added in parts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    pub count: f64,
    pub mean: f64,
    pub squares: f64,
}

impl Moments {
    /// Those of both parts together (Chan et al. 1979).
    pub fn with(self, other: Self) -> Self {
        let count = self.count + other.count;
        let share = other.count / count;
        let difference = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + difference * share,
            squares: self.squares + other.squares + difference * difference * self.count * share,
        }
    }
}

/// Finds the moments of the first `images` lanes of a plane; the others are zero.
pub(super) struct Statistics<'a> {
    pub plane: &'a [f32],
    pub images: usize,
    pub found: &'a mut Moments,
}

impl Kernel for Statistics<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let vectors = self.plane.len() / V::LANES;
        // SAFETY: the caller has the instruction set; each chunk has a whole vector.
        unsafe {
            let mut guess = [V::splat(0.0); SUMS];
            let sample = vectors.min(SAMPLE);
            for (index, vector) in self.plane.chunks_exact(V::LANES).take(sample).enumerate() {
                guess[index % SUMS] = guess[index % SUMS].add(V::load(vector.as_ptr()));
            }
            // Differences from a number near the mean: a mean far from zero costs no digits.
            let pivot = (total(guess) / (sample * self.images) as f64) as f32;
            let mut shift = [0.0; LANES];
            shift[..self.images].fill(-pivot);
            let shift = V::load(shift.as_ptr());
            let (mut differences, mut squares) = (0.0f64, 0.0f64);
            for chunk in self.plane.chunks(CHUNK * V::LANES) {
                let mut sums = [[V::splat(0.0); 2]; SUMS];
                let quads = chunk.chunks_exact(SUMS * V::LANES);
                let rest = quads.remainder();
                for (vector, [sum, square]) in rest.chunks_exact(V::LANES).zip(&mut sums) {
                    let difference = V::load(vector.as_ptr()).add(shift);
                    *sum = sum.add(difference);
                    *square = difference.mul_add(difference, *square);
                }
                for quad in quads {
                    for (vector, [sum, square]) in quad.chunks_exact(V::LANES).zip(&mut sums) {
                        let difference = V::load(vector.as_ptr()).add(shift);
                        *sum = sum.add(difference);
                        *square = difference.mul_add(difference, *square);
                    }
                }
                differences += total(sums.map(|[sum, _]| sum));
                squares += total(sums.map(|[_, square]| square));
            }
            let count = (vectors * self.images) as f64;
            let mean = differences / count;
            *self.found =
                Moments { count, mean: f64::from(pivot) + mean, squares: squares - differences * mean };
        }
    }
}
