//! What turns a student's architecture into an accuracy.

use std::{collections::BTreeMap, sync::Arc};

use cgym_teachers::{
    Error, architecture,
    graph::{Graph, Op},
};

use crate::{Evaluation, memory::Memory};

/// Trains and scores students; the same student always gets the same answer.
pub trait StudentEvaluator: Send + Sync {
    /// Scores the network `child`.
    ///
    /// # Errors
    /// A network that gives no finite number; one that cannot be trained.
    fn evaluate(&self, child: &Graph) -> Result<Evaluation, Error>;

    /// What the answer depends on: students of the same identity score the same. The hash of the
    /// architecture, unless more than that counts.
    fn identity(&self, child: &Graph) -> String {
        architecture::hash(child)
    }
}

impl<E: StudentEvaluator + ?Sized> StudentEvaluator for Arc<E> {
    fn evaluate(&self, child: &Graph) -> Result<Evaluation, Error> {
        (**self).evaluate(child)
    }

    fn identity(&self, child: &Graph) -> String {
        (**self).identity(child)
    }
}

/// Remembers every answer by the student's identity, so that none is trained twice, by any number
/// of threads. Refusals are not remembered.
///
/// A thread that asks for a student in training waits for it: ask from threads of your own and not
/// from tasks of rayon, which could be handed the second question by the training they wait for.
pub struct MemoisedStudents<E> {
    inner: E,
    memory: Memory<String>,
}

impl<E: StudentEvaluator> MemoisedStudents<E> {
    /// An empty memory in front of `inner`.
    pub fn new(inner: E) -> Self {
        Self::with_known(inner, [])
    }

    /// A memory that already holds `known`, as [`MemoisedStudents::known`] or
    /// [`N2nEnv::recall`](super::N2nEnv::recall) gave it.
    pub fn with_known(inner: E, known: impl IntoIterator<Item = (String, Evaluation)>) -> Self {
        Self { inner, memory: Memory::with_known(known) }
    }

    /// What answers what is not remembered.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// Answers given from memory.
    pub fn hits(&self) -> u64 {
        self.memory.hits()
    }

    /// Answers that had to be computed.
    pub fn evaluations(&self) -> u64 {
        self.memory.evaluations()
    }

    /// Every student known, sorted by identity.
    pub fn known(&self) -> Vec<(String, Evaluation)> {
        self.memory.known()
    }
}

impl<E: StudentEvaluator> StudentEvaluator for MemoisedStudents<E> {
    fn evaluate(&self, child: &Graph) -> Result<Evaluation, Error> {
        self.memory.answer(self.identity(child), || self.inner.evaluate(child))
    }

    fn identity(&self, child: &Graph) -> String {
        self.inner.identity(child)
    }
}

/// A made-up accuracy, for tests and benchmarks: no images, no weights, true costs.
///
/// What a network has is counted by resolution: taps of all filters (channels × window), units of
/// linear layers, norms and activations. Of each amount a student has lost a share lᵢ, and
///
/// top1 = 0.1 + 0.85 · exp(−Σ sᵢ·lᵢ² − 2·Σ sᵢ·sᵢ₊₁·lᵢ·lᵢ₊₁)
///
/// The sensitivities sᵢ lie in [0.02, 0.6], scattered by the golden ratio, so that some layers are
/// worth far more than others, and neighbours are missed most when both have gone. It depends on
/// the architecture alone, as its hash does.
pub struct SurrogateStudent {
    amounts: BTreeMap<Amount, f64>,
}

/// Kind of a layer, then height and width of what it gives.
type Amount = (std::cmp::Reverse<usize>, usize);

impl SurrogateStudent {
    /// The surrogate of what becomes of `parent`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn new(parent: &Graph) -> Result<Self, Error> {
        Ok(Self { amounts: amounts(parent)? })
    }
}

impl StudentEvaluator for SurrogateStudent {
    fn evaluate(&self, child: &Graph) -> Result<Evaluation, Error> {
        let left = amounts(child)?;
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut harm, mut before) = (0.0, 0.0);
        for (place, (amount, whole)) in self.amounts.iter().enumerate() {
            let share = left.get(amount).copied().unwrap_or(0.0) / whole;
            let sensitivity = 0.02 + 0.58 * ((place + 1) as f64 * golden).fract();
            let lost = (1.0 - share).max(0.0);
            harm += sensitivity * lost * lost + 2.0 * before * sensitivity * lost;
            before = sensitivity * lost;
        }
        Ok(Evaluation { top1: 0.1 + 0.85 * (-harm).exp(), cost: child.cost()?, loss: None })
    }
}

/// How much of each kind of layer `graph` has at each resolution, the greatest first.
fn amounts(graph: &Graph) -> Result<BTreeMap<Amount, f64>, Error> {
    let shapes = graph.shapes()?;
    let mut amounts = BTreeMap::new();
    for (node, shape) in graph.nodes().iter().zip(&shapes).skip(1) {
        let (kind, amount) = match &node.op {
            Op::Conv(conv) => (0, (conv.outputs * conv.kernel[0] * conv.kernel[1]) as f64),
            Op::Linear { outputs, .. } => (1, *outputs as f64),
            Op::BatchNorm { .. } => (2, 1.0),
            Op::Activation { .. } => (3, 1.0),
            _ => continue,
        };
        *amounts.entry((std::cmp::Reverse(shape[1] * shape[2]), kind)).or_insert(0.0) += amount;
    }
    Ok(amounts)
}
