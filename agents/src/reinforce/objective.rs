//! The policy gradient of a batch of episodes with respect to a policy's outputs.

use serde::{Deserialize, Serialize};

use super::{
    ReinforceSettings,
    distribution::{Actions, softmax, wide},
};

/// One decision of an exploring episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    /// Index of its table among those of the batch.
    pub(super) table: usize,
    /// Index of the current row of that table.
    pub(super) row: usize,
    /// The policy's input beside the table.
    pub(super) input: Vec<f32>,
    /// The chosen action: an index, or unit coordinates.
    pub(super) choice: Vec<f32>,
    pub(super) reward: f64,
}

/// What one update takes from a batch of episodes.
pub(super) struct Update {
    /// Derivatives of the loss with respect to the outputs: those of step 0 of all episodes, then those
    /// of step 1, and so on.
    pub(super) gradient: Vec<f32>,
    /// Figures for a log.
    pub(super) figures: Vec<(String, f64)>,
    /// Values for histograms.
    pub(super) distributions: Vec<(String, Vec<f64>)>,
}

/// Discounted sum of the rewards from each step on.
pub(super) fn returns_to_go(episode: &[Step], discount: f64) -> Vec<f64> {
    let mut to_go = 0.0;
    let mut returns: Vec<f64> = episode
        .iter()
        .rev()
        .map(|step| {
            to_go = step.reward + discount * to_go;
            to_go
        })
        .collect();
    returns.reverse();
    returns
}

/// For each episode the mean return of the others; 0 for a single episode.
pub(super) fn leave_one_out(returns: &[f64]) -> Vec<f64> {
    let others = returns.len().saturating_sub(1).max(1) as f64;
    let sum: f64 = returns.iter().sum();
    returns.iter().map(|own| (sum - own) / others).collect()
}

/// ∇ of (1/m) Σₖ Σₜ [−Aₖₜ ln π(aₖₜ) − entropy · H + value weight · smoothL1(Vₖₜ − Rₖₜ)].
///
/// Aₖₜ is the episode's *own* return from step t on, less its entry of `baselines`, or less the
/// critic's value, which is the last output where there is a critic. `outputs` are those of step 0
/// of all episodes, then those of step 1, and so on; those after the end of an episode are unused.
pub(super) fn output_gradient(
    actions: &Actions,
    settings: &ReinforceSettings,
    episodes: &[Vec<Step>],
    baselines: &[f64],
    outputs: &[f32],
) -> Update {
    let critic = settings.critic == Some(true);
    let width = actions.outputs() + usize::from(critic);
    let mut decisions = Vec::new();
    for (episode, steps) in episodes.iter().enumerate() {
        let returns = returns_to_go(steps, settings.discount);
        for (index, (step, to_go)) in steps.iter().zip(returns).enumerate() {
            let place = (index * episodes.len() + episode) * width;
            let own = &outputs[place..place + width];
            let baseline = if critic { f64::from(own[width - 1]) } else { baselines[episode] };
            decisions.push(Decision {
                step,
                place,
                outputs: wide(&own[..actions.outputs()]),
                to_go,
                baseline,
            });
        }
    }
    let raw: Vec<f64> = decisions.iter().map(|decision| decision.to_go - decision.baseline).collect();
    let (average, deviation) = moments(&raw);
    let scaled = |advantage: f64| (advantage - average) / (deviation + 1e-8);
    let share = 1.0 / episodes.len().max(1) as f64;
    let mut gradient = vec![0.0; outputs.len()];
    let (mut policy_loss, mut value_loss, mut entropy) = (0.0, 0.0, 0.0);
    for (decision, &raw) in decisions.iter().zip(&raw) {
        let advantage = if settings.normalize_advantages { scaled(raw) } else { raw };
        let choice = &decision.step.choice;
        let [up, wider] = actions.derivatives(&decision.outputs, choice);
        let own = &mut gradient[decision.place..decision.place + width];
        for (slope, (up, wider)) in own.iter_mut().zip(up.iter().zip(&wider)) {
            *slope = (share * (-advantage * up - settings.entropy * wider)) as f32;
        }
        if critic {
            // Smooth L1 of V − R = −raw: its derivative is V − R, cut to [−1, 1].
            own[width - 1] = (share * settings.value_weight * (-raw).clamp(-1.0, 1.0)) as f32;
            value_loss += share * if raw.abs() < 1.0 { 0.5 * raw * raw } else { raw.abs() - 0.5 };
        }
        policy_loss -= share * advantage * actions.log_probability(&decision.outputs, choice);
        entropy += actions.entropy(&decision.outputs);
    }
    let count = decisions.len().max(1) as f64;
    let baseline = decisions.iter().map(|decision| decision.baseline).sum::<f64>() / count;
    let mut figures = vec![
        ("losses/policy", policy_loss),
        ("policy/entropy", entropy / count),
        ("policy/baseline", baseline),
        ("policy/advantage_std", deviation),
    ];
    if critic {
        figures.push(("losses/value", value_loss));
    }
    let figures = figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Update { gradient, figures, distributions: vec![histogram(actions, &decisions)] }
}

/// One decision with the outputs of the network for it.
struct Decision<'a> {
    step: &'a Step,
    /// Index of its first output.
    place: usize,
    /// Outputs without the critic's.
    outputs: Vec<f64>,
    to_go: f64,
    baseline: f64,
}

/// At each decision the probability of the second of two indices, or the mean action in [0, 1].
fn histogram(actions: &Actions, decisions: &[Decision<'_>]) -> (String, Vec<f64>) {
    if matches!(actions, Actions::Discrete { count: 2 }) {
        let keep = |decision: &Decision<'_>| softmax(&decision.outputs)[1];
        ("policy/keep_probability".to_owned(), decisions.iter().map(keep).collect())
    } else {
        let means = decisions.iter().flat_map(|decision| actions.means(&decision.outputs));
        ("policy/action".to_owned(), means.collect())
    }
}

/// Mean and deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let average = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - average).powi(2)).sum::<f64>() / count;
    (average, variance.sqrt())
}
