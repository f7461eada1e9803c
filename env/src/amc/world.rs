//! What all episodes and forks of one environment share.

use std::sync::Arc;

use super::{
    AmcSettings, Decision, FEATURES,
    episode::{Episode, Executed},
    observation::{PREVIOUS, REDUCED},
};
use crate::{
    Action, EnvError, EnvSpec, Outcome, ResetOptions, Space,
    budget::limit,
    cost_model::{CostModel, Form},
    evaluator::{Candidate, Evaluator},
};

/// One network and the rules that it is pruned by.
pub(super) struct World {
    pub(super) spec: EnvSpec,
    pub(super) observation_space: Space,
    pub(super) action_space: Space,
    pub(super) settings: AmcSettings,
    pub(super) decisions: Vec<Decision>,
    pub(super) model: CostModel,
    pub(super) features: Vec<[f32; FEATURES]>,
    /// The teacher's cost in the budget's unit.
    pub(super) total: u64,
    /// The least reachable cost in the budget's unit.
    pub(super) least: u64,
    pub(super) evaluator: Arc<dyn Evaluator>,
}

impl World {
    pub(super) fn cost(&self) -> &Form {
        self.model.form(self.settings.budget)
    }

    pub(super) fn share(&self, cost: u64) -> f64 {
        cost as f64 / self.total as f64
    }

    /// The whole cost that an episode with `options` may reach.
    pub(super) fn limit(&self, options: &ResetOptions) -> Result<u64, EnvError> {
        let target = options.budget.unwrap_or(self.settings.target);
        let limit = limit(target, self.total)?;
        if limit < self.least {
            return Err(EnvError::Infeasible {
                share: target,
                unit: self.spec.unit.clone(),
                least: self.share(self.least),
            });
        }
        Ok(limit)
    }

    /// Works out what `action` comes to at the next decision of `episode`.
    pub(super) fn execute(&self, episode: &Episode, action: &Action) -> Result<Executed, EnvError> {
        let decision = &self.decisions[episode.taken];
        let ratio = match action {
            Action::Continuous(values) if self.action_space.contains(values) => values[0],
            _ => {
                return Err(EnvError::IllegalAction {
                    action: format!("{action:?}"),
                    decision: decision.name.clone(),
                    expected: format!(
                        "one preserve ratio in [{}, 1], as `Continuous`",
                        self.settings.lower_bound
                    ),
                });
            }
        };
        Ok(episode.execute(decision, self.cost(), ratio, self.settings.fill_budget))
    }

    /// The preserve ratio that keeps `atoms`; within the action space, so that it can be played.
    pub(super) fn preserve_ratio(&self, decision: usize, atoms: usize) -> f32 {
        let ratio = atoms as f32 / self.decisions[decision].atoms as f32;
        ratio.max(self.settings.lower_bound as f32)
    }

    pub(super) fn observe(&self, row: usize, cost: u64, previous: f32) -> Vec<f32> {
        let mut observation = self.features[row];
        observation[REDUCED] = (1.0 - self.share(cost)) as f32;
        observation[PREVIOUS] = previous;
        observation.to_vec()
    }

    pub(super) fn candidate(&self, kept: &[u64]) -> Candidate {
        self.decisions.iter().zip(kept).map(|(decision, &atoms)| (decision.group, atoms as usize)).collect()
    }

    /// Scores the finished `episode`.
    pub(super) fn outcome(&self, episode: &Episode) -> Result<Outcome, EnvError> {
        let evaluation = self.evaluator.evaluate(&self.candidate(episode.kept()))?;
        let channels = |(decision, &atoms): (&Decision, &u64)| atoms as usize * decision.channels_per_atom;
        Ok(Outcome {
            top1: evaluation.top1,
            macs: evaluation.cost.macs,
            parameters: evaluation.cost.parameters,
            bytes: evaluation.cost.weight_bytes,
            preserve_ratio: self.share(episode.cost()),
            kept: self.decisions.iter().zip(episode.kept()).map(channels).collect(),
            architecture: None,
            loss: None,
        })
    }
}
