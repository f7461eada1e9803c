//! Episode records: actions, return and outcome of an episode, and its replay.

use serde::{Deserialize, Serialize};

use crate::{Action, Ending, Env, EnvError, EnvSpec, Outcome, ResetOptions, Step};

/// The data to replay an episode, and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpisodeRecord {
    /// Environment id.
    pub env: String,
    /// Hash of the environment's resolved settings.
    #[serde(default)]
    pub settings: String,
    /// Digest of all settings of the run that recorded the episode; empty outside of runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// Seed of the reset.
    pub seed: u64,
    /// Options of the reset.
    #[serde(default)]
    pub options: ResetOptions,
    /// Actions of the agent, one per step.
    pub actions: Vec<Action>,
    /// Actions that took effect, one per step.
    pub executed: Vec<Action>,
    /// Sum of the rewards.
    pub episodic_return: f64,
    /// Why the episode ended; absent before its end.
    pub ending: Option<Ending>,
    /// Score and cost of the candidate.
    pub outcome: Option<Outcome>,
    /// Why the candidate is invalid, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl EpisodeRecord {
    /// The record of an episode that has just been reset.
    pub fn new(spec: &EnvSpec, seed: u64, options: ResetOptions) -> Self {
        Self {
            env: spec.id.clone(),
            settings: spec.settings.clone(),
            run: String::new(),
            seed,
            options,
            actions: Vec::new(),
            executed: Vec::new(),
            episodic_return: 0.0,
            ending: None,
            outcome: None,
            reason: None,
        }
    }

    /// Appends one step.
    pub fn push(&mut self, action: Action, executed: Action, step: &Step) {
        self.actions.push(action);
        self.executed.push(executed);
        self.episodic_return += step.reward();
        self.ending = step.ending();
        self.outcome = step.info().outcome.as_deref().cloned();
        self.reason.clone_from(&step.info().reason);
    }

    /// Replays the recorded actions and lists every difference from the record; empty if there is none.
    ///
    /// # Errors
    /// If the environment refuses the reset or an action.
    pub fn validate(&self, env: &mut dyn Env) -> Result<Vec<String>, EnvError> {
        let mut differences = Vec::new();
        if env.spec().id != self.env {
            differences.push(format!("environment `{}`, recorded `{}`", env.spec().id, self.env));
        }
        if env.spec().settings != self.settings {
            differences.push(format!("settings hash {}, recorded {}", env.spec().settings, self.settings));
        }
        let mut replayed = Self::new(env.spec(), self.seed, self.options);
        env.reset(self.seed, &self.options)?;
        for action in &self.actions {
            if replayed.ending.is_some() {
                break;
            }
            let step = env.step(action)?;
            let executed = step.info().executed.clone().unwrap_or_else(|| action.clone());
            replayed.push(action.clone(), executed, &step);
        }
        let mut compare = |what: &str, same: bool, now: String, then: String| {
            if !same {
                differences.push(format!("{what} {now}, recorded {then}"));
            }
        };
        let show = |value: &dyn std::fmt::Debug| format!("{value:?}");
        compare(
            "steps",
            replayed.actions.len() == self.actions.len(),
            replayed.actions.len().to_string(),
            self.actions.len().to_string(),
        );
        compare(
            "executed",
            replayed.executed == self.executed,
            show(&replayed.executed),
            show(&self.executed),
        );
        compare(
            "return",
            replayed.episodic_return == self.episodic_return,
            replayed.episodic_return.to_string(),
            self.episodic_return.to_string(),
        );
        compare("ending", replayed.ending == self.ending, show(&replayed.ending), show(&self.ending));
        compare("outcome", replayed.outcome == self.outcome, show(&replayed.outcome), show(&self.outcome));
        compare("reason", replayed.reason == self.reason, show(&replayed.reason), show(&self.reason));
        Ok(differences)
    }
}
