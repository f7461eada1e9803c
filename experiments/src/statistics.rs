//! Summaries over seeds: interquartile means with percentile bootstrap intervals.
//!
//! After Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
//! (NeurIPS 2021): the interquartile mean uses more of the seeds than the median and depends less on
//! outliers than the mean. With up to three seeds the interval is simply the least and the greatest
//! value: a resample repeats one value with a probability above 2.5 %.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Number of resamples of a bootstrap.
const RESAMPLINGS: usize = 2000;
/// Seed of every bootstrap: the same values give the same interval.
const SEED: u64 = 0;

/// An interquartile mean and its 95 % bootstrap interval; least and greatest value for up to three.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Interquartile mean.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Number of values.
    pub count: usize,
}

impl Estimate {
    /// The estimate from `figures`, one per seed; `None` if there are none or one is not finite.
    pub fn of(figures: &[f64]) -> Option<Self> {
        if figures.is_empty() || figures.iter().any(|figure| !figure.is_finite()) {
            return None;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut resample = || -> f64 {
            let drawn = figures.iter().map(|_| figures[rng.random_range(0..figures.len())]).collect();
            interquartile_mean(drawn)
        };
        let mut means: Vec<f64> = (0..RESAMPLINGS).map(|_| resample()).collect();
        means.sort_by(f64::total_cmp);
        let quantile = |share: f64| means[(share * (RESAMPLINGS - 1) as f64).round() as usize];
        Some(Self {
            mean: interquartile_mean(figures.to_vec()),
            low: quantile(0.025),
            high: quantile(0.975),
            count: figures.len(),
        })
    }
}

/// Mean of the middle half; values at its ends count in part. For up to two values it is the mean.
fn interquartile_mean(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let count = figures.len() as f64;
    let (from, to) = (0.25 * count, 0.75 * count);
    let weight = |index: usize| ((index as f64 + 1.0).min(to) - (index as f64).max(from)).max(0.0);
    figures.iter().enumerate().map(|(index, figure)| weight(index) * figure).sum::<f64>() / (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interquartile_mean_drops_a_quarter_at_each_end() {
        assert_eq!(interquartile_mean(vec![100.0, 2.0, 4.0, -50.0]), 3.0);
        assert_eq!(interquartile_mean(vec![1.0, 2.0]), 1.5);
        // Of three values the middle one has the weight 1 and the other two a quarter each.
        assert!(
            (interquartile_mean(vec![0.0, 3.0, 12.0]) - (0.25 * 0.0 + 3.0 + 0.25 * 12.0) / 1.5).abs() < 1e-12
        );
        let eight: Vec<f64> = (0..8).map(f64::from).collect();
        assert_eq!(interquartile_mean(eight), 3.5);
    }

    #[test]
    fn an_interval_holds_its_mean_and_narrows_with_more_seeds() {
        let few = Estimate::of(&[1.0, 2.0, 3.0]).expect("three figures");
        assert!(few.low <= few.mean && few.mean <= few.high);
        let many: Vec<f64> = (0..60).map(|i| 1.0 + f64::from(i % 3)).collect();
        let many = Estimate::of(&many).expect("sixty figures");
        assert!(many.high - many.low < few.high - few.low);
        assert_eq!(Estimate::of(&[0.5]).map(|one| (one.low, one.high)), Some((0.5, 0.5)));
    }

    #[test]
    fn nothing_is_estimated_from_nothing() {
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&[1.0, f64::NAN]), None);
    }
}
