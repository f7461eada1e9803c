//! Summaries over seeds: interquartile means, with the range of few values and an interval of many.
//!
//! After Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
//! (NeurIPS 2021): the interquartile mean uses more of the seeds than the median and depends less on
//! outliers than the mean. A bootstrap of a few values only repeats their extremes and covers far less
//! than it says. So the least and the greatest value are given for fewer than [`ENOUGH`] values, and are
//! called what they are.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The least number of values that a bootstrap interval is computed from.
pub const ENOUGH: usize = 8;
/// Number of resamples of a bootstrap.
const RESAMPLINGS: usize = 2000;
/// Seed of every bootstrap: the same values give the same interval.
const SEED: u64 = 0;

/// What the two ends of an [`Estimate`] are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// The least and the greatest value.
    Range,
    /// A 95 % percentile bootstrap interval of the interquartile mean. Files without a kind, as they
    /// were written before there were two, have it at any number of values.
    #[default]
    Interval,
}

/// An interquartile mean, and how far the values, or the mean itself, may lie from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Interquartile mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Number of values.
    pub count: usize,
    /// What the ends are.
    #[serde(default)]
    pub kind: Spread,
}

impl Estimate {
    /// The estimate from `figures`, one per seed; `None` if there are none or one is not finite.
    pub fn of(figures: &[f64]) -> Option<Self> {
        if figures.is_empty() || figures.iter().any(|figure| !figure.is_finite()) {
            return None;
        }
        let (mean, count) = (interquartile_mean(figures.to_vec()), figures.len());
        if count < ENOUGH {
            let low = figures.iter().copied().fold(f64::INFINITY, f64::min);
            let high = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            return Some(Self { mean, low, high, count, kind: Spread::Range });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut resample = || -> f64 {
            let drawn = figures.iter().map(|_| figures[rng.random_range(0..count)]).collect();
            interquartile_mean(drawn)
        };
        let mut means: Vec<f64> = (0..RESAMPLINGS).map(|_| resample()).collect();
        means.sort_by(f64::total_cmp);
        let quantile = |share: f64| means[(share * (RESAMPLINGS - 1) as f64).round() as usize];
        Some(Self { mean, low: quantile(0.025), high: quantile(0.975), count, kind: Spread::Interval })
    }

    /// What the ends are, in words: `range of 3 seeds`.
    pub fn spread(&self) -> String {
        spread(self.kind, self.count)
    }
}

/// What the ends of estimates over `count` seeds are, in words.
pub fn spread(kind: Spread, count: usize) -> String {
    match (kind, count) {
        (_, 1) => "one seed".to_owned(),
        (Spread::Range, _) => format!("range of {count} seeds"),
        (Spread::Interval, _) => format!("95 % bootstrap interval of {count} seeds"),
    }
}

/// What [`Estimate::of`] gives for `count` values, in words.
pub fn spread_of(count: usize) -> String {
    spread(if count < ENOUGH { Spread::Range } else { Spread::Interval }, count)
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
    fn up_to_seven_values_have_a_range_and_no_interval() {
        for count in 1..8_u32 {
            let figures: Vec<f64> = (0..count).map(|index| f64::from((index * 5) % 7)).collect();
            let estimate = Estimate::of(&figures).expect("figures");
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!((estimate.kind, estimate.low, estimate.high), (Spread::Range, least, greatest));
            assert_eq!(estimate.spread(), spread_of(figures.len()));
        }
        assert_eq!(spread_of(3), "range of 3 seeds");
    }

    #[test]
    fn eight_values_have_an_interval_that_holds_the_mean_and_narrows_with_more() {
        let figures = |count: i32| (0..count).map(|i| 1.0 + f64::from(i % 4)).collect::<Vec<f64>>();
        let few = Estimate::of(&figures(8)).expect("eight figures");
        assert_eq!(
            (few.kind, few.spread().as_str()),
            (Spread::Interval, "95 % bootstrap interval of 8 seeds")
        );
        assert!(1.0 < few.low && few.low <= few.mean && few.mean <= few.high && few.high < 4.0, "{few:?}");
        let many = Estimate::of(&figures(60)).expect("sixty figures");
        assert!(many.high - many.low < few.high - few.low);
    }

    #[test]
    fn nothing_is_estimated_from_nothing() {
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn an_estimate_of_an_older_file_is_an_interval() {
        let text = r#"{"mean": 1.0, "low": 0.5, "high": 1.5, "count": 3}"#;
        let old: Estimate = serde_json::from_str(text).expect("an estimate");
        assert_eq!(old.kind, Spread::Interval);
        assert!(serde_json::to_string(&old).expect("JSON").contains("\"kind\":\"interval\""));
    }
}
