//! Special functions of the continuous distributions, in `f64`.

use std::f64::consts::{PI, TAU};

/// Arguments are increased by this before the asymptotic series is evaluated.
const RAISED: usize = 8;

/// ln Γ(x) for x > 0: Stirling's series at x + 8, and the recurrence back. Exact to about 1e-12.
pub(super) fn ln_gamma(x: f64) -> f64 {
    let z = x + RAISED as f64;
    let series = 1.0 / (12.0 * z) - 1.0 / (360.0 * z.powi(3)) + 1.0 / (1260.0 * z.powi(5))
        - 1.0 / (1680.0 * z.powi(7));
    let product: f64 = (0..RAISED).map(|i| x + i as f64).product();
    (z - 0.5) * z.ln() - z + 0.5 * TAU.ln() + series - product.ln()
}

/// ψ(x), the derivative of ln Γ, for x > 0.
pub(super) fn digamma(x: f64) -> f64 {
    let z = x + RAISED as f64;
    let series =
        1.0 / (2.0 * z) + 1.0 / (12.0 * z.powi(2)) - 1.0 / (120.0 * z.powi(4)) + 1.0 / (252.0 * z.powi(6));
    let sum: f64 = (0..RAISED).map(|i| 1.0 / (x + i as f64)).sum();
    z.ln() - series - sum
}

/// Density of the standard normal distribution.
pub(super) fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / TAU.sqrt()
}

/// Probability that a standard normal draw is at most `x`: ½ + φ(x)·Σ x²ⁿ⁺¹/(1·3···(2n+1)), a
/// series of terms of one sign.
pub(super) fn normal_below(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + normal_density(x) * sum
}

/// ln(√(2πe)), the entropy of the standard normal distribution.
pub(super) fn normal_entropy() -> f64 {
    0.5 * (2.0 * PI).ln() + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_have_their_known_values() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-10, "{a} is not {b}");
        near(ln_gamma(1.0), 0.0);
        near(ln_gamma(0.5), PI.sqrt().ln());
        near(ln_gamma(11.0), 3_628_800f64.ln());
        near(digamma(1.0), -0.577_215_664_901_532_9);
        near(digamma(2.0), 1.0 - 0.577_215_664_901_532_9);
        near(normal_below(0.0), 0.5);
        near(normal_below(1.96), 0.975_002_104_851_78);
        near(normal_below(-1.0) + normal_below(1.0), 1.0);
        near(normal_below(30.0), 1.0);
        near(normal_entropy(), 1.418_938_533_204_672_7);
    }
}
