//! Fine-grained pruning, AMC's other method (He et al., ECCV 2018, section 3.2): single weights.
//!
//! A site is a convolution or a linear layer, and its amounts are numbers of weights. Of each layer
//! the weights of greatest magnitude stay; the others are zero. By default at least a fifth of a
//! convolution's weights and a fiftieth of a linear layer's stay: AMC's largest sparsities of 0.8
//! and 0.98.
//!
//! **Costs.** Parameters are the kept weights and all biases and norms. Bytes are the exact length
//! of the file that stores the network, see [`cgym_teachers::sparse`]: it depends on how many weights
//! each layer keeps and not on which. Both add up over layers, as in the paper's Algorithm 1, which
//! the layer-wise game executes. An outcome's MACs count multiplications with kept weights only; a
//! processor that cannot skip zeros does all of them, so they are no unit of a budget here.

use std::sync::Arc;

use cgym_teachers::{
    Error,
    cost::Cost,
    graph::{Graph, Op},
    sparse::{Sparsifier, coded_bytes, decode, tensor_bytes},
    weights::Weights,
};

use super::{CostFunction, Ladder, Method, MethodKind, Site, Surgery};
use crate::{
    Budget, BudgetUnit, EnvError,
    family::Material,
    layerwise::{FEATURES, static_features},
    settings::{NoSettings, Table, refuse},
    table,
};

/// The file of a candidate.
const FILE: &str = "weights.sparse";

table! {
    /// `[game]` of fine-grained pruning.
    pub struct WeightSettings {
        /// Least preserve ratio of convolutions, in (0, 1].
        pub conv_lower_bound: f64 = 0.2,
        /// Least preserve ratio of linear layers, in (0, 1].
        pub linear_lower_bound: f64 = 0.02,
    }
}

impl Table for WeightSettings {
    fn check(&self) -> Result<(), EnvError> {
        let bounds =
            [("conv_lower_bound", self.conv_lower_bound), ("linear_lower_bound", self.linear_lower_bound)];
        match bounds.into_iter().find(|&(_, bound)| !(bound > 0.0 && bound <= 1.0) || bound as f32 <= 0.0) {
            Some((key, bound)) => Err(refuse(key, format!("{bound} is not a preserve ratio in (0, 1]"))),
            None => Ok(()),
        }
    }
}

/// Fine-grained pruning.
pub struct FineGrained;

impl MethodKind for FineGrained {
    type Settings = WeightSettings;
    type Score = NoSettings;

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
    fn lower_bound(settings: &WeightSettings) -> f64 {
        settings.conv_lower_bound.min(settings.linear_lower_bound)
    }

    fn method(
        graph: &Graph,
        settings: &WeightSettings,
        _budget: &Budget,
    ) -> Result<Arc<dyn Method>, EnvError> {
        Ok(Arc::new(WeightMethod::new(graph, settings)?))
    }

    fn calibration_images(_score: &NoSettings) -> Option<usize> {
        Some(0)
    }

    fn with_calibration_images(score: &NoSettings, _images: usize) -> NoSettings {
        score.clone()
    }

    fn surgery(
        material: &Material,
        settings: &WeightSettings,
        _score: &NoSettings,
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
            let bound = match node.op {
                Op::Conv(_) => settings.conv_lower_bound,
                Op::Linear { .. } => settings.linear_lower_bound,
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
    fn apply(&self, kept: &[u64]) -> Result<(Graph, Weights), Error> {
        Ok((self.sparsifier.graph().clone(), self.sparsifier.mask(&self.pairs(kept))?))
    }

    /// The file is read back before it is handed out.
    fn coded(
        &self,
        kept: &[u64],
        graph: &Graph,
        weights: &Weights,
    ) -> Result<Option<(&'static str, Vec<u8>)>, Error> {
        let file = self.sparsifier.encode(&self.pairs(kept))?;
        let read = decode(&file, graph).map_err(|error| Error::Graph(format!("{FILE}: {error}")))?;
        if read != *weights {
            return Err(Error::Graph(format!("{FILE} does not hold the network that was scored")));
        }
        Ok(Some((FILE, file)))
    }
}

#[cfg(test)]
mod tests {
    use cgym_teachers::zoo::{self, ModelOptions};

    use super::*;
    use crate::{
        Action, Env, Header, Layerwise, LayerwiseEnv, ResetOptions, Reward, check_env, method::check_method,
        settings::EnvSettings,
    };

    fn method(model: &str, shape: [usize; 3]) -> WeightMethod {
        let graph = zoo::build(model, &ModelOptions::new(shape, 10)).expect("a model");
        WeightMethod::new(&graph, &WeightSettings::default()).expect("layers with weights")
    }

    fn env(share: f64, unit: BudgetUnit) -> LayerwiseEnv {
        let method = Arc::new(method("lenet5", [1, 28, 28]));
        let budget = Budget { unit, share: Some(share), ..Budget::default() };
        let header = Header { id: "test".to_owned(), settings: String::new(), budget };
        LayerwiseEnv::surrogate(Layerwise::new(&header, method, Reward::Error, 0.02).expect("feasible"))
    }

    #[test]
    fn it_is_a_method_of_every_model() {
        for model in zoo::MODELS {
            check_method(&method(model, [3, 32, 32]), FineGrained::UNITS).expect(model);
        }
    }

    #[test]
    fn its_environments_keep_the_contract() {
        check_env(|| Box::new(env(0.1, BudgetUnit::PARAMS))).expect("the contract");
        check_env(|| Box::new(env(0.3, BudgetUnit::BYTES))).expect("the contract");
    }

    #[test]
    fn the_bounds_are_amc_s_largest_sparsities() {
        let method = method("lenet5", [1, 28, 28]);
        let least: Vec<(u64, u64)> =
            method.sites().iter().map(|site| (site.ladder.least(), site.ladder.whole())).collect();
        assert_eq!(least, [(30, 150), (480, 2_400), (960, 48_000), (202, 10_080), (17, 840)]);
    }

    #[test]
    fn eight_percent_of_the_parameters_are_not_exceeded_by_one() {
        let mut env = env(0.08, BudgetUnit::PARAMS);
        env.reset(0, &ResetOptions::default()).expect("an episode");
        let mut last = None;
        for _ in 0..5 {
            last = Some(env.step(&Action::scalar(1.0)).expect("a step"));
        }
        let outcome = last.and_then(|step| step.info().outcome.clone()).expect("an outcome");
        // 8 % of 61,706 parameters, 236 of them biases. The first layers keep what they ask for.
        assert_eq!(outcome.parameters, 4_936);
        assert_eq!(outcome.kept, [150, 2_400, 1_931, 202, 17]);
    }

    #[test]
    fn every_listed_id_names_it() {
        for (id, _) in FineGrained::LISTED {
            let settings = EnvSettings::from_id(id).expect(id);
            assert_eq!((settings.family.name(), settings.id().as_str()), ("weights", *id));
        }
    }
}
