//! The best candidate so far in a few words, for lines of progress.

use cgym_env::{EnvSpec, EpisodeRecord, Reward};

use crate::report::unit_title;

/// Accuracy, cost and episode of the best candidate, and its return where that is not minus its error.
/// The words are the same for agents and baselines.
pub(super) fn remark(best: Option<(usize, &EpisodeRecord)>, spec: &EnvSpec) -> String {
    let Some((episode, record, outcome)) =
        best.and_then(|(episode, record)| Some((episode, record, record.outcome.as_ref()?)))
    else {
        return "no admissible candidate yet".to_owned();
    };
    let mut text = format!(
        "best {:.2} % at {:.1} % of the {}",
        100.0 * outcome.top1,
        100.0 * outcome.preserve_ratio,
        unit_title(&spec.unit)
    );
    if spec.reward != Reward::Error.as_str() {
        text += &format!(", return {:.4}", record.episodic_return);
    }
    text + &format!(" (episode {episode})")
}

#[cfg(test)]
mod tests {
    use cgym_env::{Layout, Outcome, ResetOptions};

    use super::*;

    #[test]
    fn the_best_is_told_in_per_cent_and_its_return_where_that_is_another_figure() {
        let mut spec = EnvSpec {
            id: "env".to_owned(),
            decisions: Vec::new(),
            reward: "err".to_owned(),
            unit: "macs".to_owned(),
            budget: None,
            layout: Layout::Vector,
            settings: String::new(),
        };
        assert_eq!(remark(None, &spec), "no admissible candidate yet");
        let mut record = EpisodeRecord::new(&spec, 1, ResetOptions::default());
        record.episodic_return = -1.25;
        assert_eq!(remark(Some((3, &record)), &spec), "no admissible candidate yet");
        record.outcome = Some(Outcome {
            top1: 0.91666,
            macs: 1,
            parameters: 1,
            bytes: 4,
            preserve_ratio: 0.2951,
            kept: Vec::new(),
            architecture: None,
            loss: None,
        });
        let told = remark(Some((3, &record)), &spec);
        assert_eq!(told, "best 91.67 % at 29.5 % of the MACs (episode 3)");
        spec.reward = "err-log-macs".to_owned();
        let told = remark(Some((3, &record)), &spec);
        assert_eq!(told, "best 91.67 % at 29.5 % of the MACs, return -1.2500 (episode 3)");
    }
}
