//! A game with its network, data and scorer.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use cgym_teachers::{
    data::{Dataset, Preprocessing, Splits},
    engine::{Convolution, Images},
    graph::Graph,
    weights::Weights,
};

use crate::{Env, EnvError, Outcome};

/// A network with its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedNetwork {
    /// Its layers.
    pub graph: Graph,
    /// Its tensors.
    pub weights: Weights,
    /// How its images become numbers, and its classes; `None` where it was saved without.
    pub preprocessing: Option<Preprocessing>,
}

/// Everything that candidates are made and scored with.
#[derive(Clone)]
pub struct Material {
    /// The network that is compressed.
    pub network: Arc<TrainedNetwork>,
    /// The original: what students learn from and are measured against. The network itself where
    /// nothing came before it.
    pub teacher: Arc<TrainedNetwork>,
    /// Share of the reward split that the teacher classifies correctly.
    pub teacher_top1: f64,
    /// The training images of the dataset.
    pub train: Arc<Dataset>,
    /// Which of them are for what.
    pub splits: Arc<Splits>,
    /// The reward split.
    pub reward: Arc<Images>,
    /// How the convolutions of candidates are computed.
    pub convolution: Convolution,
}

/// Where the time of scoring went, summed over all threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScoreTimes {
    /// Making the candidate: surgery, or a student's first weights.
    pub make: Duration,
    /// Refitting the layers that lost inputs.
    pub refit: Duration,
    /// Training a student, with its accuracy on the reward split after each epoch.
    pub train: Duration,
    /// From a network to a plan of kernels.
    pub compile: Duration,
    /// The reward split through the plan.
    pub evaluate: Duration,
}

/// How an environment's candidates are scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scoring {
    /// Once each, then from memory.
    Memoised,
    /// Every time anew.
    Always,
    /// Not at all: every candidate has this accuracy.
    Constant(f64),
}

/// A candidate as a network that can be written to files.
#[derive(Debug, Clone, PartialEq)]
pub struct Compressed {
    /// Its layers.
    pub graph: Graph,
    /// Its tensors, as the engine computes with them.
    pub weights: Weights,
    /// The coded file whose length is the candidate's bytes, and its name, where the method has a
    /// coding of its own.
    pub coded: Option<(&'static str, Vec<u8>)>,
}

/// A game with its network, data and scorer.
pub trait Play: Send + Sync {
    /// A new environment. All environments of one `Play` share the scorer and its memory.
    fn env(&self, scoring: Scoring) -> Box<dyn Env>;

    /// Fills the memory with recorded outcomes, so that they need not be scored again.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for an outcome of another game.
    fn remember(&self, outcomes: &[Outcome]) -> Result<(), EnvError>;

    /// Number of candidates that were scored, without those answered from memory.
    fn evaluations(&self) -> u64;

    /// Where the time of scoring went.
    fn times(&self) -> ScoreTimes;

    /// Ends scores that take long once `flag` is set: the step that asked for the score is refused with
    /// [`cgym_teachers::Error::Stopped`]. Only the first flag counts.
    fn stop_when(&self, flag: &'static AtomicBool);

    /// The network that an outcome stands for, to the same bytes every time.
    ///
    /// # Errors
    /// As [`Play::remember`].
    fn network(&self, outcome: &Outcome) -> Result<Compressed, EnvError>;

    /// A candidate that was trained further, with its coded file where the method has one.
    ///
    /// # Errors
    /// Weights that do not fit the graph.
    fn trained(&self, graph: Graph, weights: Weights) -> Result<Compressed, EnvError>;
}
