//! The agent contract: `begin`, `act`, `learn`, `save`, `load`; and the run loop.
//! [`run_batch`](crate::run_batch) plays several episodes at a time.
//!
//! Architecture Invariant: an agent knows spaces, observations and rewards, never which
//! environment it is playing, and no dataset.

use std::path::Path;

use cgym_env::{Action, Ending, Env, EpisodeRecord, Outcome, ResetOptions};

use crate::AgentError;

/// How an agent chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With exploration; the episode is learned from.
    Explore,
    /// The best it knows, without noise and without learning.
    Exploit,
}

/// One step as the agent lived it.
#[derive(Debug, Clone)]
pub struct Transition<'a> {
    /// What was seen.
    pub observation: &'a [f32],
    /// What the agent asked for.
    pub action: &'a Action,
    /// What the environment did instead: clipped and rounded.
    pub executed: &'a Action,
    /// What it was worth.
    pub reward: f64,
    /// What was seen next.
    pub next_observation: &'a [f32],
    /// How the episode ended, if it did.
    pub ending: Option<Ending>,
    /// The result, at the last step.
    pub outcome: Option<&'a Outcome>,
}

/// Somebody who decides.
pub trait Agent: Send {
    /// Name in the registry.
    fn name(&self) -> &str;

    /// Called before every episode; may ask for reset options.
    ///
    /// # Errors
    /// When the agent cannot plan the episode.
    fn begin(&mut self, _mode: Mode) -> Result<ResetOptions, AgentError> {
        Ok(ResetOptions::default())
    }

    /// Chooses an action.
    ///
    /// # Errors
    /// When the observation does not fit the agent.
    fn act(&mut self, observation: &[f32], mode: Mode) -> Result<Action, AgentError>;

    /// Told what the environment did with the action just chosen; called before the next `act` of
    /// the same episode, in both modes. `learn` may come much later.
    ///
    /// # Errors
    /// When the action does not fit the agent.
    fn executed(&mut self, _executed: &Action) -> Result<(), AgentError> {
        Ok(())
    }

    /// Takes in one step; called after every step of an exploring episode, in order.
    ///
    /// # Errors
    /// When learning diverged.
    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError>;

    /// Exploring episodes that the agent decides before it learns from any of them; 1 by default.
    ///
    /// Their candidates may be scored side by side. [`Agent::learn`] is then called for all their
    /// steps, one episode after the other.
    fn batch(&self) -> usize {
        1
    }

    /// Whether the agent has nothing left to try; asked between episodes.
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

    /// Restores what [`Agent::save`] wrote; the agent then goes on as if never stopped.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another agent.
    fn load(&mut self, directory: &Path) -> Result<(), AgentError>;

    /// Takes the policy over from what [`Agent::save`] wrote in a run on any network: weights of
    /// its networks, but neither memories nor schedules nor random state.
    ///
    /// # Errors
    /// When the agent has no policy that could move, or the checkpoint's does not fit this one.
    fn load_policy(&mut self, directory: &Path) -> Result<(), AgentError> {
        Err(AgentError::Checkpoint {
            path: directory.to_owned(),
            reason: format!("`{}` has no policy that could be taken over", self.name()),
        })
    }
}

/// Plays one episode.
///
/// # Errors
/// The environment's or the agent's own.
pub fn run_episode(
    env: &mut dyn Env,
    agent: &mut dyn Agent,
    seed: u64,
    mode: Mode,
) -> Result<EpisodeRecord, AgentError> {
    let options = agent.begin(mode)?;
    let mut record = EpisodeRecord::new(&env.spec().id, seed, options);
    let mut observation = env.reset(seed, &options)?;
    loop {
        let action = agent.act(&observation, mode)?;
        let step = env.step(&action)?;
        let executed = step.info().executed.clone().unwrap_or_else(|| action.clone());
        if mode == Mode::Explore {
            agent.learn(&Transition {
                observation: &observation,
                action: &action,
                executed: &executed,
                reward: step.reward(),
                next_observation: step.observation(),
                ending: step.ending(),
                outcome: step.info().outcome.as_deref(),
            })?;
        }
        let over = step.ending().is_some();
        if !over {
            agent.executed(&executed)?;
        }
        record.push(action, executed, &step);
        if over {
            return Ok(record);
        }
        observation = step.into_observation();
    }
}
