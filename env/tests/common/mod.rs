//! Networks and environments that several tests play with.
#![allow(dead_code, reason = "no test file uses all of them")]

pub mod n2n;
pub mod toy;

use std::sync::Arc;

use cgym_env::{
    Action, Budget, Env, EnvError, Header, Layerwise, LayerwiseEnv, Material, Outcome, ResetOptions, Reward,
    Step, TrainedNetwork,
    method::channels::{ChannelMethod, ChannelSettings},
    settings::EnvSettings,
};
use cgym_teachers::{
    data::{self, DatasetName, LoadOptions, SplitSizes, Splits},
    engine::{Convolution, Images},
    graph::{Conv, Graph, Op, Shape},
    weights::{Tensor, Weights},
    zoo::{self, ModelOptions},
};
use rand_chacha::ChaCha8Rng;

/// Neither a budget nor a progress of the episode's own.
pub const NO_OPTIONS: ResetOptions = ResetOptions { budget: None, progress: None };

/// Settings of channel pruning: by default AMC's, at half the MACs.
#[derive(Debug, Clone)]
pub struct Setup {
    pub channels: ChannelSettings,
    pub budget: Budget,
    pub reward: Reward,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            channels: ChannelSettings::default(),
            budget: Budget { share: Some(0.5), ..Budget::default() },
            reward: Reward::Error,
        }
    }
}

impl Setup {
    /// The defaults with another budget.
    pub fn with_share(share: Option<f64>) -> Self {
        Self { budget: Budget { share, ..Budget::default() }, ..Self::default() }
    }

    /// The defaults with other settings of the method.
    pub fn with_channels(channels: ChannelSettings) -> Self {
        Self { channels, ..Self::default() }
    }
}

/// A model of the zoo for `classes` classes of `input` images.
pub fn network(model: &str, input: Shape, classes: usize) -> Graph {
    zoo::build(model, &ModelOptions::new(input, classes)).unwrap()
}

/// A model of the zoo for 1x8x8 digits.
pub fn digits_network(model: &str) -> Graph {
    network(model, [1, 8, 8], 10)
}

/// Names and limits of a test's environment.
pub fn header(budget: &Budget) -> Header {
    Header { id: "AMC-Test-v0".to_owned(), settings: "test".to_owned(), budget: budget.clone() }
}

/// Names and limits of the environment that `settings` describe.
pub fn header_of(settings: &EnvSettings) -> Header {
    Header { id: settings.id(), settings: settings.hash(), budget: settings.budget.clone() }
}

/// Channel pruning of `graph`.
pub fn game(graph: &Graph, setup: &Setup) -> Result<Layerwise, EnvError> {
    let method = Arc::new(ChannelMethod::new(graph, &setup.channels)?);
    Layerwise::new(&header(&setup.budget), method, setup.reward, setup.channels.lower_bound)
}

/// An environment whose accuracies are computed by a formula.
pub fn surrogate_env(graph: &Graph, setup: &Setup) -> Result<LayerwiseEnv, EnvError> {
    Ok(LayerwiseEnv::surrogate(game(graph, setup)?))
}

/// The same for a model of the zoo on 1x8x8 digits.
pub fn digits_env(model: &str, setup: &Setup) -> LayerwiseEnv {
    surrogate_env(&digits_network(model), setup).unwrap()
}

/// The environment that `settings` describe on `graph`, its accuracies computed by a formula.
pub fn outlined(settings: &EnvSettings, graph: &Graph) -> Result<Box<dyn Env>, EnvError> {
    Ok(settings.rules.outline(&header_of(settings), graph, graph)?.env)
}

/// Weights of zeros: enough where only shapes count.
pub fn empty_weights(graph: &Graph) -> Weights {
    let mut weights = Weights::default();
    for parameter in graph.parameters() {
        weights.insert(parameter.name, Tensor::full(parameter.shape, 0.0));
    }
    weights
}

/// An untrained network with the first 200 digits as its reward split.
pub fn untrained(model: &str) -> Material {
    let graph = digits_network(model);
    let network =
        Arc::new(TrainedNetwork { weights: Weights::initialise(&graph, 1), graph, preprocessing: None });
    let digits = data::load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).unwrap();
    let splits = Splits::new(&digits, &SplitSizes { calibration: 20, reward: 100, seed: 0 }).unwrap();
    let reward = Images::new(&digits.train, &(0..200).collect::<Vec<_>>()).unwrap();
    Material {
        teacher: network.clone(),
        network,
        teacher_top1: 0.1,
        train: Arc::new(digits.train),
        splits: Arc::new(splits),
        reward: Arc::new(reward),
        convolution: Convolution::Fast,
    }
}

/// Plays an episode and gives all its steps.
pub fn play(env: &mut dyn Env, options: &ResetOptions, mut act: impl FnMut() -> Action) -> Vec<Step> {
    env.reset(0, options).unwrap();
    let mut steps = Vec::new();
    while steps.last().is_none_or(|step: &Step| step.ending().is_none()) {
        steps.push(env.step(&act()).unwrap());
    }
    steps
}

/// The outcome of an episode that leads to one.
pub fn outcome(steps: &[Step]) -> Outcome {
    *steps.last().unwrap().info().outcome.clone().unwrap()
}

/// Plays an episode of equal actions without options and gives its outcome.
pub fn outcome_of(env: &mut dyn Env, preserve_ratio: f32) -> Outcome {
    outcome(&play(env, &NO_OPTIONS, || Action::scalar(preserve_ratio)))
}

/// A uniformly random action of `env`.
pub fn random_action(env: &dyn Env, rng: &mut ChaCha8Rng) -> Action {
    env.action_space().sample(rng)
}

/// What no model of the zoo has: a concatenation, a grouped convolution, flattened features and a
/// sum whose channels are not alike.
pub fn strange_graph() -> Graph {
    let mut graph = Graph::new("strange", [3, 8, 8]);
    let left = graph.push("left", Op::Conv(Conv::square(3, 8, 3, 1)), &[0]);
    let right = graph.push("right", Op::Conv(Conv::square(3, 12, 1, 1).with_bias()), &[0]);
    let both = graph.push("both", Op::Concat, &[left, right]);
    let norm = graph.push("norm", Op::BatchNorm { channels: 20, epsilon: 1e-5 }, &[both]);
    let mixed = graph.push("mixed", Op::Conv(Conv::square(20, 24, 3, 2)), &[norm]);
    let grouped = Conv { groups: 6, bias: true, ..Conv::square(24, 12, 3, 1) };
    let grouped = graph.push("grouped", Op::Conv(grouped), &[mixed]);
    let narrow = graph.push("narrow", Op::Conv(Conv::square(12, 10, 1, 1)), &[grouped]);
    let a = graph.push("a", Op::Conv(Conv::square(10, 4, 1, 1)), &[narrow]);
    let b = graph.push("b", Op::Conv(Conv::square(10, 6, 1, 1)), &[narrow]);
    let joined = graph.push("joined", Op::Concat, &[a, b]);
    let sum = graph.push("sum", Op::Add, &[joined, narrow]);
    let last = graph.push("last", Op::Conv(Conv::square(10, 9, 3, 1)), &[sum]);
    let flat = graph.push("flat", Op::Flatten, &[last]);
    let hidden = graph.push("hidden", Op::Linear { inputs: 144, outputs: 7, bias: true }, &[flat]);
    graph.push("classes", Op::Linear { inputs: 7, outputs: 5, bias: false }, &[hidden]);
    Graph::from_nodes("strange", graph.nodes().to_vec()).unwrap()
}
