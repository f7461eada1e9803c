//! Fine-grained pruning, AMC's other method (He et al., ECCV 2018, section 3.2): single weights.
//!
//! A site is a convolution or a linear layer, and its amounts are numbers of weights. Of each layer
//! the weights of greatest magnitude stay; the others are zero. By default at least a fifth of a
//! convolution's weights and a fiftieth of a linear layer's stay: AMC's largest sparsities of 0.8
//! and 0.98. A budget that these bounds cannot meet (a fifth of all parameters, norms included, of a
//! network of convolutions) lowers the bound of convolutions to half of its share.
//!
//! **Costs.** Parameters are the kept weights and all biases and norms. Bytes are the exact length
//! of the file that stores the network, see [`cgym_teachers::sparse`]: it depends on how many weights
//! each layer keeps and not on which. Both add up over layers, as in the paper's Algorithm 1, which
//! the layer-wise game executes. An outcome's MACs count multiplications with kept weights only; a
//! processor that cannot skip zeros does all of them, so they are no unit of a budget here.
//!
//! **Stages.** A network that was pruned before can be pruned again. Its zeros count as weights of the
//! whole: shares are shares of the dense network in every stage, as in AMC's schedule of 0.5, 0.35,
//! 0.25 and 0.2 for ResNet-50.

use std::sync::Arc;

use cgym_teachers::{
    Error,
    cost::Cost,
    engine::Convolution,
    graph::{Class, Graph},
    sparse::{Sparsifier, coded_bytes, decode, encode_nonzero, tensor_bytes},
    weights::Weights,
};

use super::{CostFunction, FEATURES, Ladder, Method, MethodKind, Site, Surgery, features::static_features};
use crate::{
    Budget, BudgetUnit, EnvError,
    fields::{Table, refuse},
    play::Material,
    table,
};

/// The file of a candidate.
const FILE: &str = "weights.sparse";
/// Least preserve ratio of convolutions: AMC's largest sparsity of 0.8.
const CONV_LOWER_BOUND: f64 = 0.2;

table! {
    /// `[game]` of fine-grained pruning.
    pub struct WeightSettings {
        /// Least preserve ratio of convolutions, in (0, 1]; if absent 0.2, or half of the budget's
        /// share where 0.2 cannot meet the budget.
        pub conv_lower_bound: Option<f64> = None,
        /// Least preserve ratio of linear layers, in (0, 1].
        pub linear_lower_bound: f64 = 0.02,
    }
}

impl Table for WeightSettings {
    fn check(&self) -> Result<(), EnvError> {
        let conv = self.conv_lower_bound.unwrap_or(CONV_LOWER_BOUND);
        let bounds = [("conv_lower_bound", conv), ("linear_lower_bound", self.linear_lower_bound)];
        match bounds.into_iter().find(|&(_, bound)| !(bound > 0.0 && bound <= 1.0) || bound as f32 <= 0.0) {
            Some((key, bound)) => Err(refuse(key, format!("{bound} is not a preserve ratio in (0, 1]"))),
            None => Ok(()),
        }
    }
}

table! {
    /// `[score]` of fine-grained pruning.
    pub struct WeightScore {
        /// fast (fewer multiplications, by Winograd's algorithm) or direct.
        pub convolution: Convolution = Convolution::Fast,
    }
}

impl Table for WeightScore {}

/// Fine-grained pruning.
pub struct FineGrained;

impl MethodKind for FineGrained {
    type Settings = WeightSettings;
    type Score = WeightScore;

    const NAME: &'static str = "weights";
    const ID_WORD: &'static str = "AMC-FineGrained";
    const DESCRIPTION: &'static str =
        "AMC's fine-grained pruning: the share of weights that each layer keeps";
    const KEPT_UNIT: &'static str = "weights";
    const UNITS: &'static [BudgetUnit] = &[BudgetUnit::PARAMS, BudgetUnit::BYTES];
    const LISTED: &'static [(&'static str, &'static str)] = &[
        ("AMC-FineGrained-ResNet20-Digits-Params20-v0", "a fifth of the weights of ResNet-20 on 8x8 digits"),
        ("AMC-FineGrained-ResNet20-Digits-Bytes20-v0", "a fifth of its file, indices included"),
        ("AMC-FineGrained-LeNet5-MNIST-Params8-v0", "LeNet-5 at the 8 % that Deep Compression keeps"),
        ("AMC-FineGrained-ResNet56-CIFAR10-Params20-v0", "56 decisions on CIFAR-10"),
    ];

    /// The least of both bounds: one box serves all layers, and lower actions are raised to a
    /// convolution's own bound.
    fn lower_bound(settings: &WeightSettings, budget: &Budget) -> f64 {
        let half = budget.share.map_or(CONV_LOWER_BOUND, |share| share / 2.0);
        let conv = settings.conv_lower_bound.unwrap_or(CONV_LOWER_BOUND.min(half));
        conv.min(settings.linear_lower_bound)
    }

    fn method(
        graph: &Graph,
        settings: &WeightSettings,
        budget: &Budget,
    ) -> Result<Arc<dyn Method>, EnvError> {
        let method = WeightMethod::new(graph, settings)?;
        match (settings.conv_lower_bound, budget.share) {
            (None, Some(share)) if method.least_share(budget.unit)? > share => {
                let bound = Some(share / 2.0);
                let settings = WeightSettings { conv_lower_bound: bound, ..settings.clone() };
                Ok(Arc::new(WeightMethod::new(graph, &settings)?))
            }
            _ => Ok(Arc::new(method)),
        }
    }

    fn convolution(score: &WeightScore) -> Convolution {
        score.convolution
    }

    fn calibration_images(_score: &WeightScore) -> Option<usize> {
        Some(0)
    }

    fn with_calibration_images(score: &WeightScore, _images: usize) -> WeightScore {
        score.clone()
    }

    fn surgery(
        material: &Material,
        settings: &WeightSettings,
        _score: &WeightScore,
    ) -> Result<Arc<dyn Surgery>, EnvError> {
        let network = &*material.network;
        let method = WeightMethod::new(&network.graph, settings)?;
        let layers: Vec<usize> = method.sites.iter().map(|site| site.layer).collect();
        let sparsifier = Sparsifier::new(network.graph.clone(), network.weights.clone(), &layers)?;
        Ok(Arc::new(WeightSurgery { sparsifier, layers }))
    }
}

/// A cost that adds up over sites.
struct Additive {
    /// What is always there.
    constant: u64,
    /// The cost of an amount at a site.
    of: Box<dyn Fn(usize, u64) -> u64 + Send + Sync>,
}

impl CostFunction for Additive {
    fn total(&self, kept: &[u64]) -> u64 {
        self.constant + kept.iter().enumerate().map(|(site, &amount)| (self.of)(site, amount)).sum::<u64>()
    }

    fn with(&self, kept: &[u64], total: u64, site: usize, amount: u64) -> u64 {
        total - (self.of)(site, kept[site]) + (self.of)(site, amount)
    }
}

/// Fine-grained pruning of one network.
pub struct WeightMethod {
    graph: Graph,
    sites: Vec<Site>,
    /// For each site, multiply-accumulates of one weight.
    macs_per_weight: Vec<u64>,
    /// The cost of the whole network.
    whole: Cost,
    parameters: Additive,
    bytes: Additive,
}

impl WeightMethod {
    /// The convolutions and linear layers of `graph`.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for a network without any.
    pub fn new(graph: &Graph, settings: &WeightSettings) -> Result<Self, EnvError> {
        settings.check()?;
        let costs = graph.costs()?;
        let (mut sites, mut macs_per_weight, mut tensors) = (Vec::new(), Vec::new(), Vec::new());
        for (layer, node) in graph.nodes().iter().enumerate() {
            let bound = match node.op.facts().class {
                Class::Convolution => settings.conv_lower_bound.unwrap_or(CONV_LOWER_BOUND),
                Class::Linear => settings.linear_lower_bound,
                _ => continue,
            };
            let Some(weight) = node.parameters().into_iter().next() else { continue };
            let count = weight.shape.iter().product::<usize>() as u64;
            // 0.2 · 5 weights are 1 weight, whatever the last bit of the product is.
            let least = (bound * count as f64 - 1e-9).ceil() as u64;
            let ladder = Ladder::multiples(least, 1, count);
            sites.push(Site { name: node.name.clone(), layer, ladder, per_amount: 1 });
            macs_per_weight.push(costs[layer].macs / count.max(1));
            tensors.push(weight);
        }
        if sites.is_empty() {
            return Err(refuse("network.model", format!("`{}` has no layer with weights", graph.name)));
        }
        let whole = graph.cost()?;
        let weights: u64 = sites.iter().map(|site| site.ladder.whole()).sum();
        let parameters =
            Additive { constant: whole.parameters - weights, of: Box::new(|_site, amount| amount) };
        let whole_file = coded_bytes(graph, &[]);
        let of_sites: u64 =
            tensors.iter().zip(&sites).map(|(tensor, site)| tensor_bytes(tensor, site.ladder.whole())).sum();
        let of = Box::new(move |site: usize, amount| tensor_bytes(&tensors[site], amount));
        let bytes = Additive { constant: whole_file - of_sites, of };
        Ok(Self { graph: graph.clone(), sites, macs_per_weight, whole, parameters, bytes })
    }

    /// The least share of the whole network's cost that candidates can reach.
    fn least_share(&self, unit: BudgetUnit) -> Result<f64, EnvError> {
        let cost = self.cost(unit)?;
        let amounts = |amount: fn(&Ladder) -> u64| -> Vec<u64> {
            self.sites.iter().map(|site| amount(&site.ladder)).collect()
        };
        Ok(cost.total(&amounts(Ladder::least)) as f64 / cost.total(&amounts(Ladder::whole)) as f64)
    }
}

impl Method for WeightMethod {
    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn cost(&self, unit: BudgetUnit) -> Result<&dyn CostFunction, EnvError> {
        match unit {
            unit if unit == BudgetUnit::PARAMS => Ok(&self.parameters),
            unit if unit == BudgetUnit::BYTES => Ok(&self.bytes),
            _ => Err(refuse("budget.unit", format!("fine-grained pruning cannot count {unit}"))),
        }
    }

    fn full_cost(&self, kept: &[u64]) -> Cost {
        Cost {
            macs: self.macs_per_weight.iter().zip(kept).map(|(each, amount)| each * amount).sum(),
            parameters: self.parameters.total(kept),
            activation_bytes: self.whole.activation_bytes,
            weight_bytes: self.bytes.total(kept),
        }
    }

    fn features(&self, unit: BudgetUnit) -> Result<Vec<[f32; FEATURES]>, Error> {
        let mut touching = vec![Vec::new(); self.graph.nodes().len()];
        self.sites.iter().enumerate().for_each(|(index, site)| touching[site.layer].push(index));
        static_features(&self.graph, &self.sites, &touching, unit)
    }
}

/// Masks one network.
struct WeightSurgery {
    sparsifier: Sparsifier,
    layers: Vec<usize>,
}

impl WeightSurgery {
    fn pairs(&self, kept: &[u64]) -> Vec<(usize, u64)> {
        self.layers.iter().copied().zip(kept.iter().copied()).collect()
    }
}

impl Surgery for WeightSurgery {
    fn cut(&self, kept: &[u64]) -> Result<(Graph, Weights), Error> {
        Ok((self.sparsifier.graph().clone(), self.sparsifier.mask(&self.pairs(kept))?))
    }

    fn recoded(&self, graph: &Graph, weights: &Weights) -> Result<Option<(&'static str, Vec<u8>)>, Error> {
        checked(encode_nonzero(graph, weights)?, graph, weights)
    }

    fn coded(
        &self,
        kept: &[u64],
        graph: &Graph,
        weights: &Weights,
    ) -> Result<Option<(&'static str, Vec<u8>)>, Error> {
        checked(self.sparsifier.encode(&self.pairs(kept))?, graph, weights)
    }
}

/// The file, once it was read back to the same weights.
fn checked(
    file: Vec<u8>,
    graph: &Graph,
    weights: &Weights,
) -> Result<Option<(&'static str, Vec<u8>)>, Error> {
    let read = decode(&file, graph).map_err(|error| Error::Graph(format!("{FILE}: {error}")))?;
    if read != *weights {
        return Err(Error::Graph(format!("{FILE} does not hold the network that was scored")));
    }
    Ok(Some((FILE, file)))
}

#[cfg(test)]
mod tests;
