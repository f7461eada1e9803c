//! The environment contract: Gymnasium's semantics, in Rust.
//!
//! `reset` starts an episode, `step` takes one action; a step says what was seen, what it was
//! worth and whether the episode is over, and why. Illegal steps cannot be spelled: a [`Step`] is
//! only built by [`Step::transition`], [`Step::termination`] and [`Step::truncation`].
//!
//! Architecture Invariant: nothing here knows of agents, files, clap or TensorBoard.

use serde::{Deserialize, Serialize};

use crate::{EnvError, space::Space};

/// What an agent decides at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Action {
    /// An index into a [`Space::Discrete`].
    Discrete(usize),
    /// One number a dimension of a [`Space::Box`].
    Continuous(Vec<f32>),
}

impl Action {
    /// A one-dimensional continuous action.
    pub fn scalar(value: f32) -> Self {
        Self::Continuous(vec![value])
    }

    /// The action as floats: the index of a discrete one, the numbers of a continuous one.
    pub fn to_floats(&self) -> Vec<f32> {
        match self {
            Self::Discrete(index) => vec![*index as f32],
            Self::Continuous(values) => values.clone(),
        }
    }
}

/// Why an episode is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The decision process itself ended: every layer is decided.
    Terminated,
    /// A limit from outside cut the episode short; bootstrapping from its last state is right.
    Truncated,
}

/// The finished candidate network and what it scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Share of the reward split classified right, in [0, 1].
    pub top1: f64,
    /// Multiply-accumulates of convolutions and linear layers for one image.
    pub macs: u64,
    /// Trainable parameters.
    pub parameters: u64,
    /// Cost kept over cost of the teacher, in the budget's unit, in (0, 1].
    pub preserve_ratio: f64,
    /// What was kept at each decision, in their order: channels in AMC's game, the index of the
    /// executed action in N2N's.
    pub kept: Vec<usize>,
    /// Canonical hash of the architecture, where candidates are trained and remembered by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Mean training loss of the last epoch, where candidates are trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
}

/// What a step tells beside observation and reward.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Info {
    /// The action as it took effect: clipped to the budget and rounded. `None` after a reset.
    pub executed: Option<Action>,
    /// The result of the episode, at its last step only; `None` there when the candidate is no network.
    pub outcome: Option<Box<Outcome>>,
    /// Why the candidate is no network that can be scored, at the last step only.
    pub reason: Option<String>,
}

/// One answer of the environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    observation: Vec<f32>,
    reward: f64,
    ending: Option<Ending>,
    info: Info,
}

impl Step {
    /// The episode goes on.
    pub fn transition(observation: Vec<f32>, reward: f64, info: Info) -> Self {
        Self { observation, reward, ending: None, info }
    }

    /// The decision process is over; its value from here on is zero.
    pub fn termination(observation: Vec<f32>, reward: f64, info: Info) -> Self {
        Self { observation, reward, ending: Some(Ending::Terminated), info }
    }

    /// The episode was cut short from outside.
    pub fn truncation(observation: Vec<f32>, reward: f64, info: Info) -> Self {
        Self { observation, reward, ending: Some(Ending::Truncated), info }
    }

    /// What the agent sees next, laid out as the observation space says.
    pub fn observation(&self) -> &[f32] {
        &self.observation
    }

    /// The observation, moved out.
    pub fn into_observation(self) -> Vec<f32> {
        self.observation
    }

    /// What the action was worth.
    pub fn reward(&self) -> f64 {
        self.reward
    }

    /// How the episode ended, or `None` while it goes on.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// What else there is to know.
    pub fn info(&self) -> &Info {
        &self.info
    }
}

/// What one episode may ask of `reset` beside its seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetOptions {
    /// Budget of this episode alone, as a share of the teacher's cost, in (0, 1]; the
    /// environment's own where absent. Greedy searches and staged schedules walk it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Updates that the agent has made before this episode, for rewards that get stricter with
    /// time; where absent, they are at their strictest. It is recorded, so that episodes replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u64>,
}

impl ResetOptions {
    /// The default options with this budget.
    pub fn with_target(target: f64) -> Self {
        Self { target: Some(target), ..Self::default() }
    }
}

/// How the floats of an observation are to be read.
///
/// Policies that read a whole network as a sequence need to know where its rows are; everybody
/// else may take an observation as the flat array that it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Layout {
    /// Features of the decision at hand.
    #[default]
    Vector,
    /// A row-major table of `rows` × `columns`: a row a layer of the whole network, padded at the end.
    ///
    /// Columns `0..mask` are features of the layer and the same at every step of an episode.
    /// Column `mask` is 1 in rows of layers and 0 in padding; it too never changes. Columns
    /// `mask + 1..columns` are the cursor: zero but for the row that the decision at hand is about,
    /// where they say which of its values is decided (a one-hot).
    Table {
        /// Layers that fit.
        rows: usize,
        /// Floats of a layer.
        columns: usize,
        /// Index of the mask column.
        mask: usize,
    },
}

/// What an environment says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvSpec {
    /// Versioned id, like `AMC-ResNet56-CIFAR10-MACs50-v0`.
    pub id: String,
    /// Decisions in every episode, in their order: the layer each one is about.
    pub decisions: Vec<String>,
    /// Name of the reward.
    pub reward: String,
    /// Share of the teacher's cost that a candidate may keep, in (0, 1].
    pub target: f64,
    /// What `target` counts: `macs` or `params`.
    pub budget: String,
    /// How observations are to be read.
    #[serde(default)]
    pub layout: Layout,
}

impl EnvSpec {
    /// Steps of one episode.
    pub fn steps(&self) -> usize {
        self.decisions.len()
    }
}

/// What a whole list of actions would come to, without evaluating the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// The actions as they would take effect.
    pub executed: Vec<Action>,
    /// Whether the budget lowered any of them.
    pub clipped: bool,
    /// Cost kept over the teacher's cost, in the budget's unit.
    pub preserve_ratio: f64,
}

/// A world to compress a network in.
///
/// An action outside the action space, or a step after the end, is an error that leaves the
/// environment as it was.
pub trait Env: Send {
    /// Id, decisions, reward and budget.
    fn spec(&self) -> &EnvSpec;

    /// Shape and bounds of observations.
    fn observation_space(&self) -> &Space;

    /// Legal actions.
    fn action_space(&self) -> &Space;

    /// Starts an episode. The same seed and options give the same episode.
    ///
    /// # Errors
    /// [`EnvError::Infeasible`] when the options ask for a budget that cannot be met.
    fn reset(&mut self, seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError>;

    /// Takes one action.
    ///
    /// # Errors
    /// [`EnvError::IllegalAction`], [`EnvError::NeedsReset`], or a failed evaluation.
    fn step(&mut self, action: &Action) -> Result<Step, EnvError>;

    /// What `actions`, one a decision from the start, would execute to in an episode with these
    /// `options`. Costs no evaluation and leaves the running episode alone.
    ///
    /// # Errors
    /// [`EnvError::IllegalAction`] as in [`Env::step`]; the wrong number of actions.
    fn preview(&self, options: &ResetOptions, actions: &[Action]) -> Result<Preview, EnvError>;

    /// Whether a candidate keeps to what the environment itself demands, however loose the options of
    /// its episode were; only such a one can be a search's best. By default: whether it meets the
    /// budget.
    fn admits(&self, outcome: &Outcome) -> bool {
        outcome.preserve_ratio <= self.spec().target
    }

    /// An independent copy in the same state; evaluators and their memory are shared.
    fn fork(&self) -> Box<dyn Env>;
}
