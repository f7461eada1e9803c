//! Learning curves over several seeds, computed from recorded episodes.

use cgym_env::EpisodeRecord;
use serde::{Deserialize, Serialize};

use crate::statistics::Estimate;

/// Curves of one run: per iteration, the mean over the episodes that were played between two updates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Episodic return, including episodes without a valid network.
    pub reward: Vec<Option<f64>>,
    /// 1 − preserve ratio of the cost, over the episodes with a valid network.
    pub compression: Vec<Option<f64>>,
    /// Top-1 accuracy on the reward split, over the episodes with a valid network.
    pub accuracy: Vec<Option<f64>>,
}

impl Series {
    /// The series of `records` with `batch` episodes per iteration, without an incomplete last iteration.
    pub fn of(records: &[EpisodeRecord], batch: usize) -> Self {
        let mut series = Self::default();
        for episodes in records.chunks_exact(batch.max(1)) {
            let outcomes = || episodes.iter().filter_map(|record| record.outcome.as_ref());
            series.reward.push(mean(episodes.iter().map(|record| record.episodic_return)));
            series.compression.push(mean(outcomes().map(|outcome| 1.0 - outcome.preserve_ratio)));
            series.accuracy.push(mean(outcomes().map(|outcome| outcome.top1)));
        }
        series
    }

    /// Means of reward, compression and accuracy over the first `iterations`.
    pub fn first(&self, iterations: usize) -> [Option<f64>; 3] {
        [&self.reward, &self.compression, &self.accuracy]
            .map(|figures| mean(figures.iter().take(iterations).flatten().copied()))
    }
}

/// Curves over several runs of one kind: an estimate per iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in `Series`")]
pub struct Curves {
    pub reward: Vec<Option<Estimate>>,
    pub compression: Vec<Option<Estimate>>,
    pub accuracy: Vec<Option<Estimate>>,
}

impl Curves {
    /// The curves of `runs`, up to the length of the shortest.
    pub fn of(runs: &[Series]) -> Self {
        let length = runs.iter().map(|run| run.reward.len()).min().unwrap_or(0);
        let over = |figures: &dyn Fn(&Series) -> &Vec<Option<f64>>| -> Vec<Option<Estimate>> {
            let at = |index: usize| runs.iter().filter_map(|run| figures(run)[index]).collect::<Vec<f64>>();
            (0..length).map(|index| Estimate::of(&at(index))).collect()
        };
        Self {
            reward: over(&|run| &run.reward),
            compression: over(&|run| &run.compression),
            accuracy: over(&|run| &run.accuracy),
        }
    }
}

fn mean(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = figures.fold((0.0, 0), |(sum, count), figure| (sum + figure, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgym_env::{EnvSpec, Layout, Outcome, ResetOptions};

    fn record(episodic_return: f64, outcome: Option<(f64, f64)>) -> EpisodeRecord {
        let spec = EnvSpec {
            id: "env".to_owned(),
            decisions: Vec::new(),
            reward: "n2n".to_owned(),
            unit: "params".to_owned(),
            budget: None,
            layout: Layout::Vector,
            settings: String::new(),
        };
        let mut record = EpisodeRecord::new(&spec, 1, ResetOptions::default());
        record.episodic_return = episodic_return;
        record.outcome = outcome.map(|(top1, preserve_ratio)| Outcome {
            top1,
            macs: 1,
            parameters: 1,
            bytes: 4,
            preserve_ratio,
            kept: Vec::new(),
            architecture: None,
            loss: None,
        });
        record
    }

    #[test]
    fn refused_candidates_count_for_the_reward_alone() {
        let records = [record(-1.0, None), record(0.5, Some((0.9, 0.25))), record(0.7, Some((0.8, 0.5)))];
        let series = Series::of(&records, 2);
        assert_eq!(series.reward, [Some(-0.25)]);
        assert_eq!((series.compression[0], series.accuracy[0]), (Some(0.75), Some(0.9)));
        let all_refused = Series::of(&records[..1], 1);
        assert_eq!(all_refused.first(10), [Some(-1.0), None, None]);
    }

    #[test]
    fn curves_end_with_the_shortest_run() {
        let run = |rewards: &[f64]| Series {
            reward: rewards.iter().copied().map(Some).collect(),
            compression: vec![None; rewards.len()],
            accuracy: vec![Some(0.5); rewards.len()],
        };
        let curves = Curves::of(&[run(&[0.0, 1.0, 2.0]), run(&[1.0, 1.0])]);
        assert_eq!(curves.reward.len(), 2);
        assert_eq!(curves.reward[0].map(|estimate| estimate.mean), Some(0.5));
        assert_eq!(curves.compression[1], None);
    }
}
