//! The exploration noise of DDPG and its schedule.

use rand::{Rng, RngExt};

use super::DdpgSettings;
use crate::truncated_normal;

/// Uniform actions during warm-up, then actions from a truncated normal distribution around the
/// policy's, whose deviation decays.
pub(super) struct Exploration {
    warmup: u64,
    warmup_sigma: Option<f64>,
    sigma: f64,
    floor: f64,
    decay: f64,
}

impl Exploration {
    /// The schedule over `episodes`. The decay per episode is such that the deviation reaches its floor
    /// after the share `sigma_share` of the episodes that follow warm-up.
    pub(super) fn new(settings: &DdpgSettings, warmup: u64, episodes: u64) -> Self {
        let falling = settings.sigma_share * episodes.saturating_sub(warmup) as f64;
        let DdpgSettings { sigma, sigma_floor, .. } = *settings;
        let decay = match settings.sigma_decay {
            Some(decay) => decay,
            None if falling >= 1.0 && sigma > sigma_floor && sigma_floor > 0.0 => {
                (sigma_floor / sigma).powf(1.0 / falling)
            }
            None => 1.0,
        };
        Self { warmup, warmup_sigma: settings.warmup_sigma, sigma, floor: sigma_floor.min(sigma), decay }
    }

    /// Whether `episode`, counted from 0, belongs to the warm-up.
    pub(super) fn warming_up(&self, episode: u64) -> bool {
        episode < self.warmup
    }

    /// The deviation in `episode`, in widths of the action range.
    pub(super) fn sigma(&self, episode: u64) -> f64 {
        let age = episode.saturating_sub(self.warmup) as f64;
        (self.sigma * self.decay.powf(age)).max(self.floor)
    }

    /// The action `policy` with the noise of `episode`, in unit coordinates.
    pub(super) fn explore(&self, episode: u64, policy: &[f32], rng: &mut impl Rng) -> Vec<f32> {
        let sigma = match (self.warming_up(episode), self.warmup_sigma) {
            (true, None) => return policy.iter().map(|_| rng.random::<f32>()).collect(),
            (true, Some(sigma)) => sigma,
            (false, _) => self.sigma(episode),
        };
        policy.iter().map(|&mean| truncated_normal::sample(mean.into(), sigma, rng) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_reaches_its_floor_at_three_quarters_of_what_follows_warm_up() {
        let exploration = Exploration::new(&DdpgSettings::default(), 100, 500);
        assert!(exploration.warming_up(99) && !exploration.warming_up(100));
        assert_eq!(exploration.sigma(100), 0.5);
        assert!(exploration.sigma(395) > 0.1);
        assert!((exploration.sigma(400) - 0.1).abs() < 1e-12);
        assert_eq!(exploration.sigma(499), 0.1);
    }

    #[test]
    fn a_given_decay_and_no_floor_are_the_released_schedule() {
        let settings = DdpgSettings { sigma_decay: Some(0.95), sigma_floor: 0.0, ..Default::default() };
        let exploration = Exploration::new(&settings, 100, 800);
        assert!((exploration.sigma(150) - 0.5 * 0.95f64.powi(50)).abs() < 1e-12);
        assert!((exploration.sigma(150) - 0.038).abs() < 1e-3);
    }
}
