//! Random networks and weights for tests.
#![allow(dead_code, reason = "each test file uses its own part")]

use cgym_teachers::{
    engine::Images,
    graph::{ActivationKind, Conv, Graph, NodeIndex, Op, PoolKind},
    weights::{Tensor, Weights},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A seeded generator.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Numbers in [-1, 1).
pub fn numbers(count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect()
}

/// Weights with biases and running statistics that are not the trivial ones.
pub fn random_weights(graph: &Graph, seed: u64) -> Weights {
    let mut rng = rng(seed);
    let mut weights = Weights::initialise(graph, seed);
    for parameter in graph.parameters() {
        if parameter.shape.len() == 1 {
            let count = parameter.shape[0];
            let around =
                if parameter.name.ends_with("weight") || parameter.name.ends_with("var") { 1.0 } else { 0.0 };
            let data = numbers(count, &mut rng).into_iter().map(|value| around + 0.3 * value).collect();
            weights.insert(parameter.name, Tensor { shape: parameter.shape, data });
        }
    }
    weights
}

/// Random images for `graph`, as engine blocks and as plain values.
pub fn random_images(graph: &Graph, count: usize, seed: u64) -> (Images, Vec<f32>) {
    let length: usize = graph.input_shape().iter().product();
    let values = numbers(count * length, &mut rng(seed));
    let labels = vec![0; count];
    let images = Images::from_values(&values, length, &labels, cgym_kernels::Isa::best()).expect("fits");
    (images, values)
}

/// A small random network: convolutions of all kinds, sums, concatenations, poolings.
pub fn random_graph(seed: u64) -> Graph {
    let mut rng = rng(seed);
    let channels = rng.random_range(1..4);
    let mut graph = Graph::new(format!("random{seed}"), [channels, 9, 7]);
    let mut open: Vec<NodeIndex> = vec![0];
    for step in 0..rng.random_range(6..14) {
        let shapes = graph.shapes().expect("fits");
        let from = open[rng.random_range(0..open.len())];
        let [channels, height, width] = shapes[from];
        let name = format!("n{step}");
        let same: Vec<NodeIndex> =
            open.iter().copied().filter(|&o| o != from && shapes[o] == shapes[from]).collect();
        let near: Vec<NodeIndex> =
            open.iter().copied().filter(|&o| o != from && shapes[o][1..] == shapes[from][1..]).collect();
        let node = match rng.random_range(0..9) {
            0 if !same.is_empty() => {
                graph.push(name, Op::Add, &[from, same[rng.random_range(0..same.len())]])
            }
            1 if !near.is_empty() => {
                graph.push(name, Op::Concat, &[from, near[rng.random_range(0..near.len())]])
            }
            2 if channels > 1 => {
                let conv =
                    graph.push(format!("{name}.dw"), Op::Conv(Conv::depthwise(channels, 3, 1)), &[from]);
                graph.push(name, Op::BatchNorm { channels, epsilon: 1e-5 }, &[conv])
            }
            3 if channels % 2 == 0 => {
                let conv = Conv { groups: 2, ..Conv::square(channels, 2 * rng.random_range(1..5), 3, 1) };
                graph.push(name, Op::Conv(conv), &[from])
            }
            4 => graph.push(name, Op::Activation { kind: ActivationKind::Relu }, &[from]),
            5 if height > 3 && width > 3 => {
                let kind = if rng.random() { PoolKind::Max } else { PoolKind::Average };
                graph.push(name, Op::Pool { kind, kernel: [2; 2], stride: [2; 2], padding: [0; 2] }, &[from])
            }
            6 => {
                let before = rng.random_range(0..3);
                let sources = (0..channels + 2 * before)
                    .map(|c: usize| c.checked_sub(before).filter(|&source| source < channels))
                    .collect();
                graph.push(name, Op::PadChannels { stride: 1, sources }, &[from])
            }
            _ => {
                let outputs = [4, 6, 6, 8][rng.random_range(0..4)];
                let stride = if height > 4 && rng.random_range(0..4) == 0 { 2 } else { 1 };
                let kernel = [1, 3, 3, 5][rng.random_range(0..4)];
                let mut conv = Conv::square(channels, outputs, kernel, stride);
                conv.bias = rng.random();
                let at = graph.push(format!("{name}.conv"), Op::Conv(conv), &[from]);
                let at = graph.push(
                    format!("{name}.bn"),
                    Op::BatchNorm { channels: outputs, epsilon: 1e-5 },
                    &[at],
                );
                graph.push(name, Op::Activation { kind: ActivationKind::Relu6 }, &[at])
            }
        };
        open.push(node);
    }
    // Every branch reaches the classifier, through its own pooling.
    let shapes = graph.shapes().expect("fits");
    let users = graph.users();
    let ends: Vec<NodeIndex> = (0..users.len()).filter(|&node| users[node].is_empty()).collect();
    let mut pooled = Vec::new();
    for end in ends {
        pooled.push(graph.push(format!("pool{end}"), Op::AdaptivePool { output: [2, 1] }, &[end]));
    }
    let joined = if pooled.len() > 1 { graph.push("join", Op::Concat, &pooled) } else { pooled[0] };
    let _ = shapes;
    let features: usize = graph.shapes().expect("fits")[joined].iter().product();
    let flat = graph.push("flat", Op::Flatten, &[joined]);
    let hidden = graph.push("fc1", Op::Linear { inputs: features, outputs: 9, bias: true }, &[flat]);
    let relu = graph.push("fc1.relu", Op::Activation { kind: ActivationKind::Relu }, &[hidden]);
    graph.push("fc2", Op::Linear { inputs: 9, outputs: 5, bias: rng.random() }, &[relu]);
    Graph::from_nodes(graph.name.clone(), graph.nodes().to_vec()).expect("fits")
}

/// Greatest difference between two lists.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
