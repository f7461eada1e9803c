//! The environment contract: Gymnasium's semantics, in Rust.
//!
//! `reset` starts an episode, and `step` takes one action and returns observation, reward and, at the
//! end of the episode, why it ended. A [`Step`] is only constructed by [`Step::transition`],
//! [`Step::termination`] and [`Step::truncation`].
//!
//! Architecture Invariant: nothing here depends on agents, files, clap or TensorBoard.

use serde::{Deserialize, Serialize};

use crate::{EnvError, space::Space};

/// The action of an agent at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Action {
    /// An index into a [`Space::Discrete`].
    Discrete(usize),
    /// One number per element of a [`Space::Box`].
    Continuous(Vec<f32>),
}

impl Action {
    /// A one-dimensional continuous action.
    pub fn scalar(value: f32) -> Self {
        Self::Continuous(vec![value])
    }

    /// The action as floats: the index of a discrete action, the numbers of a continuous one.
    pub fn to_floats(&self) -> Vec<f32> {
        match self {
            Self::Discrete(index) => vec![*index as f32],
            Self::Continuous(values) => values.clone(),
        }
    }
}

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The decision process ended: all decisions are made.
    Terminated,
    /// An external limit ended the episode early; agents may bootstrap from its last observation.
    Truncated,
}

/// Score and cost of the candidate network at the end of an episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Top-1 accuracy on the reward split, in [0, 1].
    pub top1: f64,
    /// Multiply-accumulates of convolutions and linear layers for one image.
    pub macs: u64,
    /// Trainable parameters that are kept.
    pub parameters: u64,
    /// Bytes of the stored weights.
    pub bytes: u64,
    /// Cost of the candidate divided by the cost of the whole network, in [`EnvSpec::unit`].
    pub preserve_ratio: f64,
    /// What was kept at each decision, in order: channels in channel pruning, weights in
    /// fine-grained pruning, the index of the executed action in N2N.
    pub kept: Vec<usize>,
    /// Canonical hash of the architecture, if candidates are trained before they are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Mean training loss of the last epoch, if candidates are trained before they are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
}

/// Additional information about a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Info {
    /// The action that took effect: clipped to the budget and rounded. `None` if it is the given action.
    pub executed: Option<Action>,
    /// The result of the episode, at its last step only; `None` there too if the candidate is invalid.
    pub outcome: Option<Box<Outcome>>,
    /// Why the candidate is invalid, so that it cannot be scored; at the last step only.
    pub reason: Option<String>,
}

/// The result of one action: observation, reward, ending and additional information.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    observation: Vec<f32>,
    reward: f64,
    ending: Option<Ending>,
    info: Info,
}

impl Step {
    /// A step after which the episode continues.
    pub fn transition(observation: Vec<f32>, reward: f64, info: Info) -> Self {
        Self { observation, reward, ending: None, info }
    }

    /// A step that ends the decision process; the value of the final state is zero.
    pub fn termination(observation: Vec<f32>, reward: f64, info: Info) -> Self {
        Self { observation, reward, ending: Some(Ending::Terminated), info }
    }

    /// A step after which an external limit ends the episode.
    pub fn truncation(observation: Vec<f32>, reward: f64, info: Info) -> Self {
        Self { observation, reward, ending: Some(Ending::Truncated), info }
    }

    /// The next observation, in the layout of the observation space.
    pub fn observation(&self) -> &[f32] {
        &self.observation
    }

    /// The observation, moved out.
    pub fn into_observation(self) -> Vec<f32> {
        self.observation
    }

    /// The reward of the action.
    pub fn reward(&self) -> f64 {
        self.reward
    }

    /// Why the episode ended; `None` before its end.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Additional information.
    pub fn info(&self) -> &Info {
        &self.info
    }
}

/// Options of one episode, given to `reset` beside the seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetOptions {
    /// Budget of this episode only, as a share of the whole network's cost, in (0, 1]. The
    /// environment's own budget applies if absent; 1 lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Number of updates that the agent has made before this episode, for rewards that become
    /// stricter with training; if absent, they are at their strictest. It is part of the record, so
    /// that the episode can be replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u64>,
}

impl ResetOptions {
    /// The default options with a budget of `share`.
    pub fn with_budget(share: f64) -> Self {
        Self { budget: Some(share), ..Self::default() }
    }
}

/// How the elements of an observation are arranged.
///
/// Policies that process the layers of a network as a sequence need the layout; all others may use
/// the observation as a flat vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Layout {
    /// Features of the current decision.
    #[default]
    Vector,
    /// A row-major table of `rows` × `columns` with one row per layer of the network, padded at the end.
    ///
    /// Columns `0..mask` are features of the layer and are the same at every step of an episode.
    /// Column `mask` is 1 in rows of layers and 0 in padding; it is the same at every step too. Columns
    /// `mask + 1..columns` are the cursor: zero, except in the row of the current decision, where they
    /// are the one-hot index of the value that is decided.
    Table {
        /// Number of rows: the most layers that a network may have.
        rows: usize,
        /// Number of elements per row.
        columns: usize,
        /// Index of the mask column.
        mask: usize,
    },
}

/// The specification of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvSpec {
    /// Versioned id, like `AMC-ResNet56-CIFAR10-MACs50-v0`.
    pub id: String,
    /// Names of the decisions of every episode, in order: one per layer, group or value that is decided.
    pub decisions: Vec<String>,
    /// Name of the reward.
    pub reward: String,
    /// Unit of costs: `macs`, `params` or `bytes`.
    pub unit: String,
    /// Share of the whole network's cost that a candidate may keep, in (0, 1]; absent without a budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Layout of observations.
    #[serde(default)]
    pub layout: Layout,
    /// Hash of the resolved settings. Results are comparable if id and hash are equal.
    #[serde(default)]
    pub settings: String,
}

impl EnvSpec {
    /// Number of steps of an episode.
    pub fn steps(&self) -> usize {
        self.decisions.len()
    }
}

/// The effect of a list of actions, computed without evaluating the candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// The actions that would take effect.
    pub executed: Vec<Action>,
    /// Whether the budget lowered any of them.
    pub clipped: bool,
    /// Cost of the candidate divided by the cost of the whole network, in [`EnvSpec::unit`].
    pub preserve_ratio: f64,
}

/// An environment with Gymnasium's `reset` and `step`.
///
/// An action outside the action space and a step after the end are errors that do not change the
/// environment.
///
/// Planning look-ahead, [`Env::preview`] and [`Env::fork`], is an optional capability; by default an
/// environment lacks it. Agents that plan refuse such an environment.
pub trait Env: Send {
    /// The specification: id, decisions, reward and budget among others.
    fn spec(&self) -> &EnvSpec;

    /// Shape and bounds of observations.
    fn observation_space(&self) -> &Space;

    /// Shape and bounds, or number, of legal actions.
    fn action_space(&self) -> &Space;

    /// Starts an episode and returns the first observation. The same seed and options give the
    /// same episode.
    ///
    /// # Errors
    /// [`EnvError::Infeasible`] if the budget in the options cannot be met; [`EnvError::Setting`] if it is
    /// outside (0, 1].
    fn reset(&mut self, seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError>;

    /// Takes one action.
    ///
    /// # Errors
    /// [`EnvError::IllegalAction`], [`EnvError::NeedsReset`], or the error of a failed evaluation.
    fn step(&mut self, action: &Action) -> Result<Step, EnvError>;

    /// Whether a candidate meets the environment's own budget and constraints, which the options of its
    /// episode may have relaxed. Only such a candidate can be the best of a search.
    fn admits(&self, outcome: &Outcome) -> bool {
        self.spec().budget.is_none_or(|budget| outcome.preserve_ratio <= budget)
    }

    /// The effect of `actions`, one per decision, in an episode with these `options`. Nothing is
    /// evaluated, and the current episode does not change.
    ///
    /// # Errors
    /// [`EnvError::NoLookAhead`] if the environment lacks look-ahead; [`EnvError::IllegalAction`] as in
    /// [`Env::step`]; an error for a wrong number of actions.
    fn preview(&self, _options: &ResetOptions, _actions: &[Action]) -> Result<Preview, EnvError> {
        Err(EnvError::NoLookAhead { id: self.spec().id.clone() })
    }

    /// An independent copy in the same state, which shares the scorer and its memory; `None` if the
    /// environment lacks look-ahead.
    fn fork(&self) -> Option<Box<dyn Env>> {
        None
    }
}
