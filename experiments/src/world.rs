//! A configuration brought to life: teacher, data, evaluator and environment.

use std::sync::Arc;

use cgym_env::{AmcEnv, Candidate, Evaluation, Evaluator, Exact, Memoised, Outcome, Surrogate};
use cgym_teachers::{
    cost::Cost,
    coupling::Coupling,
    data::{DataSource, Dataset, SplitSizes, Splits},
    engine::{Engine, Images},
    graph::Graph,
    pruner::Pruner,
    reconstruct::Sampling,
    weights::Weights,
};
use sha2::{Digest, Sha256};

use crate::{Error, config::Config, files::hexadecimal, teacher};

/// Everything that a search plays with.
pub struct World {
    /// The configuration, sizes of the splits filled in.
    pub config: Config,
    /// The environment; its forks share the evaluator and its memory.
    pub env: AmcEnv,
    /// What was evaluated so far.
    pub evaluator: Arc<Memoised<Arc<Exact>>>,
    /// What evaluates for it.
    pub exact: Arc<Exact>,
    /// Share of the reward split that the teacher classifies right.
    pub teacher_top1: f64,
    /// The teacher's cost.
    pub teacher_cost: Cost,
    /// SHA-256 of the teacher's tensors and of the images of the reward and calibration splits.
    pub fingerprint: String,
    pruner: Arc<Pruner>,
    test: Dataset,
    splits: Splits,
}

impl World {
    /// Loads and prepares what `config` asks for; `known` outcomes need no evaluation any more.
    ///
    /// # Errors
    /// Files that are missing or do not fit, and settings that this network does not allow.
    pub fn load(mut config: Config, known: &[Outcome]) -> Result<Self, Error> {
        let environment = &mut config.environment;
        // A network that cannot be played is refused before any file is read.
        if let Some(shape) = teacher::known_shape(environment.dataset) {
            preview(environment, &teacher::build(&environment.model, config.variant, shape)?)?;
        }
        let options = config.load_options();
        let environment = &mut config.environment;
        let source = teacher::load_data(environment.dataset, &options)?;
        let images = (source.train.shape(), source.train.classes());
        let graph = teacher::build(&environment.model, config.variant, images)?;
        let env = preview(environment, &graph)?;
        let remembered = known.iter().map(|outcome| env.recall(outcome)).collect::<Result<Vec<_>, _>>()?;

        let weights = teacher::weights(
            config.weights.as_deref(),
            &environment.model,
            config.variant,
            environment.dataset,
            &graph,
        )?;
        let sizes = teacher::split_sizes(
            environment.dataset,
            &source,
            environment.calibration_size,
            environment.reward_size,
        );
        if environment.reconstruction && sizes.calibration == 0 {
            return Err(Error::Input(
                "calibration-images: nothing to refit layers on; give at least 1, or --no-reconstruction"
                    .into(),
            ));
        }
        let unseen = SplitSizes::for_dataset(environment.dataset, &source, teacher::SPLIT_SEED).reward;
        if config.weights.is_none() && sizes.reward > unseen {
            eprintln!("warning: the shipped teacher was trained on all but {unseen} of these reward images");
        }
        (environment.calibration_size, environment.reward_size) =
            (Some(sizes.calibration), Some(sizes.reward));
        let splits = Splits::new(&source, &sizes)?;
        let fingerprint = fingerprint(&weights, &source, &splits);
        let reward = Arc::new(Images::new(&source.train, &splits.reward)?);
        let teacher_top1 = Engine::new(&graph, &weights)?.top1(&reward)?;
        let teacher_cost = graph.cost()?;
        let mut pruner = Pruner::new(graph, weights)?;
        if environment.reconstruction {
            let calibration = Images::new(&source.train, &splits.calibration)?;
            let sampling = Sampling { points: config.points, seed: teacher::SPLIT_SEED };
            pruner = pruner.with_reconstruction(&calibration, sampling)?;
        }
        let pruner = Arc::new(pruner);
        let exact = Arc::new(Exact::new(pruner.clone(), reward));
        let evaluator = Arc::new(Memoised::with_known(exact.clone(), remembered));
        let env = environment.make(pruner.graph(), pruner.coupling(), evaluator.clone())?;
        Ok(Self {
            config,
            env,
            evaluator,
            exact,
            teacher_top1,
            teacher_cost,
            fingerprint,
            pruner,
            test: source.test,
            splits,
        })
    }

    /// The environment with another evaluator, one that remembers nothing for example.
    ///
    /// # Errors
    /// None that [`World::load`] has not given before.
    pub fn env_with(&self, evaluator: Arc<dyn Evaluator>) -> Result<AmcEnv, Error> {
        Ok(self.config.environment.make(self.pruner.graph(), self.pruner.coupling(), evaluator)?)
    }

    /// The network that an outcome of this environment is about.
    ///
    /// # Errors
    /// When the outcome is another environment's.
    pub fn network(&self, outcome: &Outcome) -> Result<(Graph, Weights), Error> {
        let (candidate, _): (Candidate, Evaluation) = self.env.recall(outcome)?;
        Ok(self.pruner.prune(&candidate)?)
    }

    /// Share of the test split that the teacher and each network classify right.
    ///
    /// # Errors
    /// When a network gives no number.
    pub fn test(&self, outcomes: &[&Outcome]) -> Result<(f64, Vec<f64>), Error> {
        let images = Images::new(&self.test, &self.splits.test)?;
        let teacher = Engine::new(self.pruner.graph(), self.pruner.weights())?.top1(&images)?;
        let mut scores = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let (graph, weights) = self.network(outcome)?;
            scores.push(Engine::new(&graph, &weights)?.top1(&images)?);
        }
        Ok((teacher, scores))
    }
}

/// The environment without data: everything but true accuracies.
///
/// # Errors
/// Settings that the network does not allow, a budget that cannot be met among them.
pub fn preview(environment: &cgym_env::EnvConfig, graph: &Graph) -> Result<AmcEnv, Error> {
    let coupling = Coupling::of(graph)?;
    let surrogate = Arc::new(Surrogate::new(graph, &coupling)?);
    Ok(environment.make(graph, &coupling, surrogate)?)
}

fn fingerprint(weights: &Weights, source: &DataSource, splits: &Splits) -> String {
    let mut hash = Sha256::new();
    for (name, tensor) in weights.iter() {
        hash.update(name.as_bytes());
        for value in &tensor.data {
            hash.update(value.to_le_bytes());
        }
    }
    for &image in splits.reward.iter().chain(&splits.calibration) {
        hash.update(source.train.image(image));
        hash.update(source.train.labels()[image].to_le_bytes());
    }
    hexadecimal(&hash.finalize())
}
