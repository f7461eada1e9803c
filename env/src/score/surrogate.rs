//! Accuracies by a formula, for tests, benchmarks and outlines: no images, no weights, true costs.

use std::collections::BTreeMap;

use cgym_teachers::{
    Error, architecture,
    graph::{Class, Graph},
};

use super::{Score, Scorer};
use crate::method::{Kept, Site, identity};

/// The same accuracy for every candidate.
pub struct Constant(pub f64);

impl<C> Scorer<C> for Constant {
    fn score(&self, _candidate: &C) -> Result<Score, Error> {
        Ok(Score { top1: self.0, loss: None })
    }

    fn identity(&self, _candidate: &C) -> String {
        String::new()
    }
}

/// A smooth accuracy of a layer-wise candidate.
///
/// top1 = 0.1 + 0.85 · exp(−Σ sᵢ·(1 − rᵢ)²) over the preserve ratios rᵢ of all sites. The
/// sensitivities sᵢ differ from site to site (in [0.05, 1], scattered by the golden ratio), so that
/// the best allocation of a budget is not the uniform one.
pub struct Surrogate {
    whole: Vec<u64>,
}

impl Surrogate {
    /// The surrogate of a network with these sites.
    pub fn new(sites: &[Site]) -> Self {
        Self { whole: sites.iter().map(|site| site.ladder.whole()).collect() }
    }
}

impl Scorer<Kept> for Surrogate {
    fn score(&self, kept: &Kept) -> Result<Score, Error> {
        let allowed = |(kept, whole): (&u64, &u64)| (1..=*whole).contains(kept);
        if kept.len() != self.whole.len() || !kept.iter().zip(&self.whole).all(allowed) {
            return Err(Error::Channels {
                group: "surrogate".to_owned(),
                reason: format!("{kept:?} cannot be kept of {:?}", self.whole),
            });
        }
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let sensitivity = |site: usize| 0.05 + 0.95 * ((site + 1) as f64 * golden).fract();
        let lost = kept.iter().zip(&self.whole).map(|(&kept, &whole)| 1.0 - kept as f64 / whole as f64);
        let harm: f64 = lost.enumerate().map(|(site, lost)| sensitivity(site) * lost.powi(2)).sum();
        Ok(Score { top1: 0.1 + 0.85 * (-harm).exp(), loss: None })
    }

    fn identity(&self, kept: &Kept) -> String {
        identity(kept)
    }
}

/// A smooth accuracy of a student.
///
/// The parts of a network are counted per resolution: taps of all filters (channels × window),
/// units of linear layers, norms and activations. A student has lost a share lᵢ of each amount, and
///
/// top1 = 0.1 + 0.85 · exp(−Σ sᵢ·lᵢ² − 2·Σ sᵢ·sᵢ₊₁·lᵢ·lᵢ₊₁)
///
/// The sensitivities sᵢ lie in [0.02, 0.6], scattered by the golden ratio: some layers matter far
/// more than others, and losing two neighbours costs more than losing two distant layers. The
/// accuracy depends only on the architecture, as the architecture's hash does.
pub struct SurrogateStudent {
    amounts: BTreeMap<Amount, f64>,
}

/// Kind of a layer, then height and width of what it gives.
type Amount = (std::cmp::Reverse<usize>, usize);

impl SurrogateStudent {
    /// The surrogate of the students of `parent`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn new(parent: &Graph) -> Result<Self, Error> {
        Ok(Self { amounts: amounts(parent)? })
    }
}

impl Scorer<Graph> for SurrogateStudent {
    fn score(&self, child: &Graph) -> Result<Score, Error> {
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
        Ok(Score { top1: 0.1 + 0.85 * (-harm).exp(), loss: None })
    }

    fn identity(&self, child: &Graph) -> String {
        architecture::hash(child)
    }
}

/// How much of each kind of layer `graph` has at each resolution, the greatest first.
fn amounts(graph: &Graph) -> Result<BTreeMap<Amount, f64>, Error> {
    let shapes = graph.shapes()?;
    let mut amounts = BTreeMap::new();
    for (node, shape) in graph.nodes().iter().zip(&shapes).skip(1) {
        let facts = node.op.facts();
        let (kind, amount) = match facts.class {
            Class::Convolution => (0, (shape[0] * facts.window.map_or(1, |window| window.area())) as f64),
            Class::Linear => (1, shape[0] as f64),
            Class::Norm => (2, 1.0),
            Class::Activation => (3, 1.0),
            Class::Pooling | Class::Join | Class::Shortcut | Class::Other => continue,
        };
        *amounts.entry((std::cmp::Reverse(shape[1] * shape[2]), kind)).or_insert(0.0) += amount;
    }
    Ok(amounts)
}
