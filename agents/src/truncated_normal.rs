//! Exact sampling of the normal distribution truncated to the unit interval.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Above this deviation uniform proposals are accepted more often than normal ones.
const WIDE: f64 = 0.6;

/// Draws from the normal distribution around `mean`, clamped to [0, 1], with `deviation`, given
/// that the draw lies in [0, 1].
///
/// Rejection after Robert (1995), "Simulation of truncated normal variables": with the mean
/// inside the interval the better of the two proposals is accepted with probability over 0.4,
/// for every deviation. With a deviation of 0 it is the mean.
pub(crate) fn sample(mean: f64, deviation: f64, rng: &mut impl Rng) -> f64 {
    let mean = mean.clamp(0.0, 1.0);
    if deviation <= 0.0 {
        return mean;
    }
    loop {
        if deviation < WIDE {
            let normal: f64 = StandardNormal.sample(rng);
            let value = mean + deviation * normal;
            if (0.0..=1.0).contains(&value) {
                return value;
            }
        } else {
            let value: f64 = rng.random();
            let z = (value - mean) / deviation;
            if rng.random::<f64>() <= (-0.5 * z * z).exp() {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Mean and variance by quadrature of the density.
    fn moments(mean: f64, deviation: f64) -> (f64, f64) {
        let nodes = 20_000;
        let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
        for i in 0..nodes {
            let x = (i as f64 + 0.5) / nodes as f64;
            let density = (-0.5 * ((x - mean) / deviation).powi(2)).exp();
            mass += density;
            first += density * x;
            second += density * x * x;
        }
        (first / mass, second / mass - (first / mass).powi(2))
    }

    #[test]
    fn draws_have_the_moments_of_the_truncated_density() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for (mean, deviation) in [(0.5, 0.5), (0.0, 0.5), (1.0, 0.1), (0.3, 0.02), (0.9, 0.6), (0.2, 5.0)] {
            let count = 200_000;
            let draws: Vec<f64> = (0..count).map(|_| sample(mean, deviation, &mut rng)).collect();
            assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
            let average = draws.iter().sum::<f64>() / count as f64;
            let variance = draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / count as f64;
            let (true_mean, true_variance) = moments(mean, deviation);
            let error = (true_variance / count as f64).sqrt();
            assert!((average - true_mean).abs() < 5.0 * error, "{mean} {deviation}: {average} {true_mean}");
            assert!((variance / true_variance - 1.0).abs() < 0.02, "{mean} {deviation}: {variance}");
        }
    }

    #[test]
    fn no_deviation_gives_the_mean_and_a_mean_outside_is_pulled_in() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        assert_eq!(sample(0.25, 0.0, &mut rng), 0.25);
        assert!(sample(50.0, 1e-3, &mut rng) > 0.9);
    }
}
