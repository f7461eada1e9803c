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
    /// Share of the reward split classified correctly, in [0, 1].
    pub top1: f64,
    /// Multiply-accumulates of convolutions and linear layers for one image.
    pub macs: u64,
    /// Trainable parameters that are stored.
    pub parameters: u64,
    /// Bytes of the stored weights.
    pub bytes: u64,
    /// Cost of the candidate divided by the cost of the whole network, in [`EnvSpec::unit`].
    pub preserve_ratio: f64,
    /// What was kept at each decision, in order: channels in channel pruning, weights in
    /// fine-grained pruning, the index of the executed action in N2N.
    pub kept: Vec<usize>,
    /// Canonical hash of the architecture, for candidates that are trained before they are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Mean training loss of the last epoch, for candidates that are trained before they are scored.
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
    /// Budget of this episode only, as a share of the whole network's cost, in (0, 1]. The
    /// environment's own budget applies if absent; 1 lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Number of updates that the agent has made before this episode, for rewards that become
    /// stricter with training. If absent, they are at their strictest. Records contain it, so that
    /// episodes replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u64>,
}

impl ResetOptions {
    /// The default options with this budget.
    pub fn with_budget(share: f64) -> Self {
        Self { budget: Some(share), ..Self::default() }
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
    /// Unit of costs: `macs`, `params` or `bytes`.
    pub unit: String,
    /// Share of the whole network's cost that a candidate may keep, in (0, 1]; absent without a budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// How observations are laid out.
    #[serde(default)]
    pub layout: Layout,
    /// Hash of the resolved settings: results compare when id and hash are equal.
    #[serde(default)]
    pub settings: String,
}

impl EnvSpec {
    /// Steps of one episode.
    pub fn steps(&self) -> usize {
        self.decisions.len()
    }
}

/// What a list of actions would execute to, without evaluating the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// The actions as they would take effect.
    pub executed: Vec<Action>,
    /// Whether the budget lowered any of them.
    pub clipped: bool,
    /// Cost of the candidate divided by the cost of the whole network, in [`EnvSpec::unit`].
    pub preserve_ratio: f64,
}

/// An environment: Gymnasium's `reset` and `step`.
///
/// An action outside the action space, or a step after the end, is an error that leaves the
/// environment as it was.
///
/// Planning look-ahead, [`Env::preview`] and [`Env::fork`], is a capability: the default
/// implementations say that an environment lacks it. Agents that plan refuse such an environment;
/// all others play it.
pub trait Env: Send {
    /// Id, decisions, reward and budget.
    fn spec(&self) -> &EnvSpec;

    /// Shape and bounds of observations.
    fn observation_space(&self) -> &Space;

    /// Legal actions.
    fn action_space(&self) -> &Space;

    /// Starts an episode and returns the first observation. The same seed and options give the
    /// same episode.
    ///
    /// # Errors
    /// [`EnvError::Infeasible`] when the options ask for a budget that cannot be met.
    fn reset(&mut self, seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError>;

    /// Takes one action.
    ///
    /// # Errors
    /// [`EnvError::IllegalAction`], [`EnvError::NeedsReset`], or a failed evaluation.
    fn step(&mut self, action: &Action) -> Result<Step, EnvError>;

    /// Whether a candidate meets the environment's own budget and constraints, however loose the
    /// options of its episode were. Only such a candidate can be the best of a search.
    fn admits(&self, outcome: &Outcome) -> bool {
        self.spec().budget.is_none_or(|budget| outcome.preserve_ratio <= budget)
    }

    /// What `actions`, one per decision, would execute to in an episode with these `options`. It
    /// evaluates nothing and does not change the running episode.
    ///
    /// # Errors
    /// [`EnvError::NoLookAhead`] where the environment lacks it; [`EnvError::IllegalAction`] as in
    /// [`Env::step`]; a wrong number of actions.
    fn preview(&self, _options: &ResetOptions, _actions: &[Action]) -> Result<Preview, EnvError> {
        Err(EnvError::NoLookAhead { id: self.spec().id.clone() })
    }

    /// An independent copy in the same state, which shares the scorer and its memory; `None` where
    /// the environment lacks look-ahead.
    fn fork(&self) -> Option<Box<dyn Env>> {
        None
    }
}
