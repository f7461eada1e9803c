//! Networks and environments that several tests play with.
#![allow(dead_code, reason = "no test file uses all of them")]

use std::sync::Arc;

use cgym_env::{Action, AmcEnv, AmcSettings, Env, EnvError, Evaluator, ResetOptions, Step, Surrogate};
use cgym_teachers::{
    coupling::Coupling,
    graph::{Conv, Graph, Op, Shape},
    weights::{Tensor, Weights},
    zoo::{self, ModelOptions},
};
use rand_chacha::ChaCha8Rng;

/// A model of the zoo for `classes` classes of `input` images.
pub fn teacher(model: &str, input: Shape, classes: usize) -> (Graph, Coupling) {
    let graph = zoo::build(model, &ModelOptions::new(input, classes)).unwrap();
    let coupling = Coupling::of(&graph).unwrap();
    (graph, coupling)
}

/// An environment with a made-up accuracy.
pub fn surrogate_env(graph: &Graph, coupling: &Coupling, settings: &AmcSettings) -> Result<AmcEnv, EnvError> {
    let evaluator: Arc<dyn Evaluator> = Arc::new(Surrogate::new(graph, coupling).unwrap());
    AmcEnv::new("AMC-Test-v0", graph, coupling, settings, evaluator)
}

/// The same for a model of the zoo on 1x8x8 digits.
pub fn digits_env(model: &str, settings: &AmcSettings) -> AmcEnv {
    let (graph, coupling) = teacher(model, [1, 8, 8], 10);
    surrogate_env(&graph, &coupling, settings).unwrap()
}

/// Weights of zeros: enough where only shapes count.
pub fn empty_weights(graph: &Graph) -> Weights {
    let mut weights = Weights::default();
    for parameter in graph.parameters() {
        weights.insert(parameter.name, Tensor::full(parameter.shape, 0.0));
    }
    weights
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
