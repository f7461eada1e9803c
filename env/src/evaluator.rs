//! What turns a finished candidate into an accuracy.
//!
//! A candidate is a list of coupling groups with the number of atoms kept of each; groups that are
//! not listed stay whole. Agents cannot tell which evaluator they play against, except by speed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cgym_teachers::{
    Error,
    cost::Cost,
    coupling::Coupling,
    engine::{Engine, Images},
    graph::Graph,
    pruner::Pruner,
};
use serde::{Deserialize, Serialize};

use crate::{
    cost_model::{CostModel, uniform_groups},
    memory::Memory,
};

/// What a candidate scored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Share of the reward split classified right, in [0, 1].
    pub top1: f64,
    /// Cost of the pruned network.
    pub cost: Cost,
    /// Mean loss of the last epoch, where it was trained before it was scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
}

/// Scores candidates; the same candidate always gets the same answer.
pub trait Evaluator: Send + Sync {
    /// Scores the network with `kept` atoms of each listed coupling group.
    ///
    /// # Errors
    /// A group or count that the network does not allow; a network that gives no number.
    fn evaluate(&self, kept: &[(usize, usize)]) -> Result<Evaluation, Error>;
}

impl<E: Evaluator + ?Sized> Evaluator for Arc<E> {
    fn evaluate(&self, kept: &[(usize, usize)]) -> Result<Evaluation, Error> {
        (**self).evaluate(kept)
    }
}

/// Where the time of evaluations went, summed over all threads that asked for one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EvaluationTimes {
    /// Surgery, and the refit of layers that lost inputs.
    pub prune: Duration,
    /// From the pruned network to a plan of kernels.
    pub compile: Duration,
    /// The reward split through the plan.
    pub evaluate: Duration,
}

/// Prunes the network physically and runs it on the whole reward split.
pub struct Exact {
    pruner: Arc<Pruner>,
    images: Arc<Images>,
    /// Nanoseconds spent pruning, compiling and evaluating.
    spent: [AtomicU64; 3],
}

impl Exact {
    /// Scores what `pruner` leaves on `images`, the reward split.
    pub fn new(pruner: Arc<Pruner>, images: Arc<Images>) -> Self {
        Self { pruner, images, spent: Default::default() }
    }

    /// Where the time of all evaluations since [`Exact::new`] went; refused ones count up to their
    /// refusal.
    pub fn times(&self) -> EvaluationTimes {
        let [prune, compile, evaluate] =
            [0, 1, 2].map(|part| Duration::from_nanos(self.spent[part].load(Ordering::Relaxed)));
        EvaluationTimes { prune, compile, evaluate }
    }

    /// Does one part of an evaluation and adds its time to the part's sum.
    fn timed<T>(&self, part: usize, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        self.spent[part].fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }
}

impl Evaluator for Exact {
    fn evaluate(&self, kept: &[(usize, usize)]) -> Result<Evaluation, Error> {
        let (graph, weights) = self.timed(0, || self.pruner.prune(kept))?;
        let engine = self.timed(1, || Engine::new(&graph, &weights))?;
        let top1 = self.timed(2, || engine.top1(&self.images))?;
        Ok(Evaluation { top1, cost: graph.cost()?, loss: None })
    }
}

/// A candidate: coupling groups and the atoms kept of each.
pub type Candidate = Vec<(usize, usize)>;

/// Remembers every answer, so that no candidate is evaluated twice, by any number of threads.
/// Refusals are not remembered.
pub struct Memoised<E> {
    inner: E,
    memory: Memory<Candidate>,
}

impl<E: Evaluator> Memoised<E> {
    /// An empty memory in front of `inner`.
    pub fn new(inner: E) -> Self {
        Self::with_known(inner, [])
    }

    /// A memory that already holds `known`, as [`Memoised::known`] gave it in an earlier run.
    pub fn with_known(inner: E, known: impl IntoIterator<Item = (Candidate, Evaluation)>) -> Self {
        Self { inner, memory: Memory::with_known(known) }
    }

    /// Answers given from memory.
    pub fn hits(&self) -> u64 {
        self.memory.hits()
    }

    /// Answers that had to be computed.
    pub fn evaluations(&self) -> u64 {
        self.memory.evaluations()
    }

    /// Every candidate known, sorted.
    pub fn known(&self) -> Vec<(Candidate, Evaluation)> {
        self.memory.known()
    }
}

impl<E: Evaluator> Evaluator for Memoised<E> {
    fn evaluate(&self, kept: &[(usize, usize)]) -> Result<Evaluation, Error> {
        self.memory.answer(kept.to_vec(), || self.inner.evaluate(kept))
    }
}

/// A smooth made-up accuracy, for tests and benchmarks: no images, no weights, true costs.
///
/// top1 = 0.1 + 0.85 · exp(−Σ sᵢ·(1 − rᵢ)²) over the preserve ratios rᵢ of all removable groups.
/// The sensitivities sᵢ differ from group to group (in [0.05, 1], scattered by the golden ratio),
/// so that the best allocation of a budget is not the uniform one.
pub struct Surrogate {
    model: CostModel,
    sensitivities: Vec<f64>,
    variable_of: Vec<Option<usize>>,
}

impl Surrogate {
    /// The surrogate of `graph`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn new(graph: &Graph, coupling: &Coupling) -> Result<Self, Error> {
        let uniform = uniform_groups(coupling);
        let groups: Vec<usize> =
            (0..coupling.groups.len()).filter(|&g| coupling.groups[g].removable && uniform[g]).collect();
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let sensitivities = (1..=groups.len()).map(|i| 0.05 + 0.95 * (i as f64 * golden).fract()).collect();
        let mut variable_of = vec![None; coupling.groups.len()];
        groups.iter().enumerate().for_each(|(variable, &group)| variable_of[group] = Some(variable));
        Ok(Self { model: CostModel::new(graph, coupling, &groups)?, sensitivities, variable_of })
    }
}

impl Evaluator for Surrogate {
    fn evaluate(&self, kept: &[(usize, usize)]) -> Result<Evaluation, Error> {
        let mut counts = self.model.atoms().to_vec();
        for &(group, atoms) in kept {
            let variable = self.variable_of.get(group).copied().flatten();
            match variable.filter(|&v| (1..=self.model.atoms()[v]).contains(&(atoms as u64))) {
                Some(variable) => counts[variable] = atoms as u64,
                None => {
                    return Err(Error::Channels {
                        group: format!("#{group}"),
                        reason: format!("{atoms} atoms of it cannot be kept"),
                    });
                }
            }
        }
        let harm: f64 = (counts.iter().zip(self.model.atoms()).zip(&self.sensitivities))
            .map(|((&count, &all), s)| s * (1.0 - count as f64 / all as f64).powi(2))
            .sum();
        Ok(Evaluation { top1: 0.1 + 0.85 * (-harm).exp(), cost: self.model.cost(&counts), loss: None })
    }
}
