//! The agent contract: [`Agent`].
//!
//! Five methods have no default: `name`, `act`, `learn`, `save` and `load`. The other eight have
//! one that suits an agent without the feature: `settings`, `begin`, `executed`, `batch`,
//! `finished`, `diagnostics`, `distributions` and `load_policy`. [`rollout`](crate::rollout) calls
//! them in their order.
//!
//! Architecture Invariant: an agent knows spaces, observations and rewards, never which
//! environment it is playing, and no dataset.

use std::path::Path;

use cgym_env::{Action, Ending, Outcome, ResetOptions};
use serde_json::Value;

use crate::AgentError;

/// How an agent chooses actions in an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With exploration; the agent learns from the episode.
    Explore,
    /// The best known actions, without exploration and without learning.
    Exploit,
}

/// One step of an episode, as [`Agent::learn`] receives it.
#[derive(Debug, Clone)]
pub struct Transition<'a> {
    /// The observation that the action was chosen for.
    pub observation: &'a [f32],
    /// The action that the agent chose.
    pub action: &'a Action,
    /// The action as it took effect: clipped to the budget and rounded.
    pub executed: &'a Action,
    /// The reward of the step.
    pub reward: f64,
    /// The observation after the step.
    pub next_observation: &'a [f32],
    /// How the episode ended; `None` before its last step.
    pub ending: Option<Ending>,
    /// The candidate and its scores, at the last step only.
    pub outcome: Option<&'a Outcome>,
}

/// Chooses actions and learns from their rewards.
pub trait Agent: Send {
    /// Name of the algorithm: of a built-in agent, its name in the registry.
    fn name(&self) -> &str;

    /// The hyper-parameters in effect, defaults filled in, as a JSON object; null for an agent
    /// that has none. A run records them.
    fn settings(&self) -> Value {
        Value::Null
    }

    /// Called before every episode; returns the options of its reset.
    ///
    /// # Errors
    /// When the agent cannot plan the episode.
    fn begin(&mut self, _mode: Mode) -> Result<ResetOptions, AgentError> {
        Ok(ResetOptions::default())
    }

    /// Chooses the action for `observation`.
    ///
    /// # Errors
    /// When the observation does not fit the agent.
    fn act(&mut self, observation: &[f32], mode: Mode) -> Result<Action, AgentError>;

    /// Receives the action that took effect in place of the one that [`Agent::act`] returned last.
    /// Called before the next `act` of the same episode, in both modes.
    ///
    /// # Errors
    /// When the action does not fit the agent.
    fn executed(&mut self, _executed: &Action) -> Result<(), AgentError> {
        Ok(())
    }

    /// Learns from one step. Called for every step of an exploring episode, in order: right after
    /// the step where an episode is played alone, and after all episodes are played in a batch.
    ///
    /// # Errors
    /// When learning diverged.
    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError>;

    /// Number of exploring episodes that the agent plays before it learns from any of them; 1 by
    /// default.
    ///
    /// Their candidates may be scored in parallel. [`Agent::learn`] is then called for all their
    /// steps, one episode after the other.
    fn batch(&self) -> usize {
        1
    }

    /// Whether the agent has no episode left to play; asked between episodes. False by default.
    fn finished(&self) -> bool {
        false
    }

    /// Figures of the last update for a log, like `("losses/critic", 0.01)`.
    fn diagnostics(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Named sets of values of the last update for histograms, like
    /// `("policy/keep_probability", [0.4, 0.9, …])`.
    fn distributions(&self) -> Vec<(String, Vec<f64>)> {
        Vec::new()
    }

    /// Writes everything that the next decision depends on, random state included, into `directory`.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn save(&self, directory: &Path) -> Result<(), AgentError>;

    /// Restores the state that [`Agent::save`] wrote between two episodes, so that the agent
    /// continues exactly as the saved one.
    ///
    /// A failed `load` may leave the agent in any state, as long as a later successful `load`
    /// restores all of it: a run then falls back to an earlier checkpoint, down to the one of
    /// episode 0.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another agent.
    fn load(&mut self, directory: &Path) -> Result<(), AgentError>;

    /// Takes only the policy from what [`Agent::save`] wrote in a run on any network: the weights
    /// of the agent's own networks, without replay memory, schedules or random state. By default
    /// the agent refuses.
    ///
    /// # Errors
    /// When the agent has no such policy, or the saved one does not fit this agent.
    fn load_policy(&mut self, directory: &Path) -> Result<(), AgentError> {
        Err(AgentError::Checkpoint {
            path: directory.to_owned(),
            reason: format!("`{}` has no policy that could be taken over", self.name()),
        })
    }
}
