//! The transforms of F(4x4, 3x3): of weights and of their gradients here, of inputs, sums and output
//! gradients beside it.

mod gradient;
mod input;
mod output;

use super::PATCH;
pub(super) use gradient::gradients;
pub(super) use input::{BOTTOM, InputCall, LEFT, RIGHT, TOP, inputs};
pub(super) use output::{OutputCall, outputs};

/// The points of interpolation are 0, A, -A, B, -B and infinity. With 1 and 2, the usual choice, the
/// rounding error is more than twice as large.
const A: f32 = 0.625;
const B: f32 = 1.5;
const AA: f32 = A * A;
const BB: f32 = B * B;

/// Kernels that are transformed side by side.
pub(super) const KERNELS: usize = 8;

/// The values of lines of three weights at `point` and `-point`, divided by the product of a point's
/// distances from the other finite points.
#[inline(always)]
fn kernel_pair(taps: &[[f64; KERNELS]; 3], point: f64, other: f64) -> [[f64; KERNELS]; 2] {
    let scale = 1.0 / (2.0 * point * point * (point * point - other * other));
    let mut pair = [[0.0; KERNELS]; 2];
    for kernel in 0..KERNELS {
        let even = (taps[0][kernel] + taps[2][kernel] * (point * point)) * scale;
        let odd = taps[1][kernel] * (point * scale);
        pair[0][kernel] = even + odd;
        pair[1][kernel] = even - odd;
    }
    pair
}

/// Transforms lines of three weights of some kernels.
#[inline(always)]
pub(super) fn kernel_line(taps: [[f64; KERNELS]; 3]) -> [[f64; KERNELS]; PATCH] {
    let [a, b] = [A, B].map(f64::from);
    let ([plus_a, minus_a], [plus_b, minus_b]) = (kernel_pair(&taps, a, b), kernel_pair(&taps, b, a));
    let mut zero = taps[0];
    zero.iter_mut().for_each(|tap| *tap *= 1.0 / (a * a * b * b));
    [zero, plus_a, minus_a, plus_b, minus_b, taps[2]]
}

/// The gradient of three weights of a line from those of its values at all points: the transpose of
/// [`kernel_line`].
pub(super) fn weights_of(points: [f64; PATCH]) -> [f64; 3] {
    let [a, b] = [A, B].map(f64::from);
    let [zero, plus_a, minus_a, plus_b, minus_b, infinity] = points;
    let scale = |point: f64, other: f64| 1.0 / (2.0 * point * point * (point * point - other * other));
    let (of_a, of_b) = (scale(a, b), scale(b, a));
    let (even_a, odd_a) = ((plus_a + minus_a) * of_a, (plus_a - minus_a) * of_a);
    let (even_b, odd_b) = ((plus_b + minus_b) * of_b, (plus_b - minus_b) * of_b);
    [
        zero / (a * a * b * b) + even_a + even_b,
        odd_a * a + odd_b * b,
        even_a * (a * a) + even_b * (b * b) + infinity,
    ]
}
