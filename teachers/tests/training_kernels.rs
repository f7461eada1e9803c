//! A training step through our kernels against Burn's own, against differences, and on any number
//! of threads.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use cgym_kernels::Isa;
use cgym_teachers::{
    graph::{ActivationKind, Conv, Graph, Op, PoolKind},
    train::{BatchStatistics, Interpreter, Learner, TrainOptions, cross_entropy},
    weights::Weights,
    zoo::{ModelOptions, build},
};
use common::{numbers, random_graph, random_weights, rng};

/// Everything that a step takes from a pass forward and back.
struct Step {
    loss: f32,
    logits: Vec<f32>,
    gradients: Vec<(String, Vec<f32>)>,
    statistics: Vec<BatchStatistics>,
}

/// A step with this project's kernels, or with Burn's where there is no instruction set.
fn step(graph: &Graph, weights: &Weights, pixels: &[f32], isa: Option<Isa>) -> Step {
    let device = Device::flex().autodiff();
    let [channels, height, width] = graph.input_shape();
    let count = pixels.len() / (channels * height * width);
    let images = TensorData::new(pixels.to_vec(), [count, channels, height, width]);
    let network = Interpreter::new(graph, weights, &device).expect("fits");
    let network = match isa {
        Some(isa) => network.with_isa(isa),
        None => network.with_stock_kernels(),
    };
    let (logits, mut statistics) =
        network.train(Tensor::from_data(images, &device), &mut rng(5)).expect("runs");
    statistics.sort_by(|a, b| a.node.cmp(&b.node));
    let labels: Vec<usize> = (0..count).map(|image| image % logits.dims()[1]).collect();
    let loss = cross_entropy(logits.clone(), &labels, &device);
    let gradients = network.gradients(&loss);
    Step {
        loss: loss.clone().into_scalar(),
        logits: logits.into_data().iter::<f32>().collect(),
        gradients: gradients.into_iter().map(|(name, values)| (name.to_owned(), values)).collect(),
        statistics,
    }
}

/// Compares to the greatest of the expected numbers: single ones may be all but nothing.
fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-2f32, |scale, value| scale.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        // Below that there is nothing but rounding: a bias before a batch-norm has no gradient.
        let most = tolerance * scale + 2e-6;
        assert!((found - expected).abs() <= most, "{what}: {found} is not {expected}");
    }
}

fn assert_as_stock(graph: &Graph, images: usize, seed: u64) {
    let weights = random_weights(graph, seed);
    let pixels = numbers(images * graph.input_shape().iter().product::<usize>(), &mut rng(seed));
    let stock = step(graph, &weights, &pixels, None);
    for isa in Isa::available() {
        let own = step(graph, &weights, &pixels, Some(isa));
        assert_alike(&own, &stock, &format!("{} on {isa}", graph.name));
    }
}

fn assert_alike(own: &Step, stock: &Step, name: &str) {
    assert_near(&own.logits, &stock.logits, 1e-4, &format!("logits of {name}"));
    assert_eq!(own.gradients.len(), stock.gradients.len(), "{name}");
    for ((found, values), (expected, reference)) in own.gradients.iter().zip(&stock.gradients) {
        assert_eq!(found, expected);
        assert_near(values, reference, 1e-4, &format!("gradient of {found} in {name}"));
    }
    assert_eq!(own.statistics.len(), stock.statistics.len(), "{name}");
    for (found, expected) in own.statistics.iter().zip(&stock.statistics) {
        assert_eq!(found.node, expected.node);
        assert_near(&found.mean, &expected.mean, 1e-5, &format!("mean of {}", found.node));
        assert_near(&found.variance, &expected.variance, 1e-5, &format!("variance of {}", found.node));
    }
}

/// A convolution, its batch-norm and a residual sum, then a classifier.
fn block(conv: Conv, input: [usize; 3], relu: bool) -> Graph {
    let mut graph = Graph::new(format!("{conv:?} of {input:?}"), input);
    let channels = conv.outputs;
    let norm = Op::BatchNorm { channels, epsilon: 1e-5 };
    let at = graph.push("conv", Op::Conv(conv), &[0]);
    let first = graph.push("norm", norm.clone(), &[at]);
    let at = graph.push("relu", Op::Activation { kind: ActivationKind::Relu }, &[first]);
    let at = graph.push("conv2", Op::Conv(Conv::square(channels, channels, 3, 1)), &[at]);
    let at = graph.push("norm2", norm, &[at]);
    let mut at = graph.push("sum", Op::Add, &[first, at]);
    if relu {
        at = graph.push("relu2", Op::Activation { kind: ActivationKind::Relu }, &[at]);
    }
    let at = graph.push("pool", Op::AdaptivePool { output: [1, 1] }, &[at]);
    let at = graph.push("flat", Op::Flatten, &[at]);
    graph.push("fc", Op::Linear { inputs: channels, outputs: 3, bias: true }, &[at]);
    graph
}

#[test]
fn a_step_of_any_block_is_that_of_the_stock_kernels() {
    let square = Conv::square;
    let convolutions = [
        square(3, 16, 3, 1),
        square(3, 5, 3, 2),
        square(3, 7, 1, 1),
        square(3, 9, 5, 1).with_bias(),
        Conv { padding: [0, 2], stride: [1, 2], kernel: [2, 4], ..square(3, 6, 3, 1) },
        Conv { dilation: [2, 1], ..square(3, 4, 3, 1) },
        Conv::depthwise(3, 3, 2),
        Conv { groups: 3, ..square(3, 12, 3, 1) },
    ];
    for (seed, conv) in convolutions.into_iter().enumerate() {
        for (images, relu) in [(3, true), (17, false), (32, true)] {
            assert_as_stock(&block(conv.clone(), [3, 9, 8], relu), images, seed as u64);
        }
    }
}

#[test]
fn a_step_of_a_random_network_is_that_of_the_stock_kernels() {
    (0..20).for_each(|seed| assert_as_stock(&random_graph(seed), [5, 16, 19][seed as usize % 3], seed));
}

#[test]
fn a_step_of_the_zoo_is_that_of_the_stock_kernels() {
    // No MobileNet: Burn's own gradients of one move by a hundredth when its pixels move by a
    // ten-millionth. Its parts are among the blocks and the random networks.
    for (model, size) in [("resnet8", 16), ("resnet20", 8), ("vgg11", 16), ("lenet5", 28)] {
        let channels = if model == "lenet5" { 1 } else { 3 };
        let graph = build(model, &ModelOptions::new([channels, size, size], 10)).expect("builds");
        // Statistics of a few pixels would make much of a rounding.
        assert_as_stock(&graph, 32, 1);
    }
}

/// Values with several readers of different kinds, one of which leads nowhere.
fn branches() -> Graph {
    let mut graph = Graph::new("branches", [4, 8, 8]);
    let relu = || Op::Activation { kind: ActivationKind::Relu };
    let norm = || Op::BatchNorm { channels: 4, epsilon: 1e-5 };
    let conv = || Op::Conv(Conv::square(4, 4, 3, 1));
    let window = |kind| Op::Pool { kind, kernel: [3, 3], stride: [1, 1], padding: [1, 1] };
    let stem = graph.push("stem", conv(), &[0]);
    let stem = graph.push("stem.norm", norm(), &[stem]);
    let stem = graph.push("stem.relu", relu(), &[stem]);
    // A layer whose residual is its own input.
    let own = graph.push("own", conv(), &[stem]);
    let own = graph.push("own.norm", norm(), &[own]);
    let own = graph.push("own.sum", Op::Add, &[own, stem]);
    let own = graph.push("own.relu", relu(), &[own]);
    graph.push("unread", relu(), &[own]);
    // A sum of two batch-norms.
    let left = graph.push("left", conv(), &[own]);
    let left = graph.push("left.norm", norm(), &[left]);
    let right = graph.push("right", Op::Conv(Conv::depthwise(4, 3, 1).with_bias()), &[own]);
    let right = graph.push("right.norm", norm(), &[right]);
    let both = graph.push("both", Op::Add, &[left, right]);
    // Sums without a batch-norm, also of a value with itself.
    let most = graph.push("most", window(PoolKind::Max), &[both]);
    let mean = graph.push("mean", window(PoolKind::Average), &[both]);
    let twice = graph.push("twice", Op::Add, &[mean, mean]);
    let three = graph.push("three", Op::Add, &[most, both, twice]);
    let clipped = graph.push("clipped", Op::Activation { kind: ActivationKind::Relu6 }, &[three]);
    // Only Burn joins channels.
    let joined = graph.push("joined", Op::Concat, &[clipped, stem, three]);
    let sources = vec![Some(3), None, Some(11), Some(3), Some(0)];
    let moved = graph.push("moved", Op::PadChannels { stride: 3, sources }, &[joined]);
    let lone = graph.push("lone", Op::BatchNorm { channels: 5, epsilon: 1e-5 }, &[moved]);
    let flat = graph.push("flat", Op::Flatten, &[lone]);
    let hidden = graph.push("fc", Op::Linear { inputs: 45, outputs: 6, bias: true }, &[flat]);
    graph.push("fc.norm", Op::BatchNorm { channels: 6, epsilon: 1e-5 }, &[hidden]);
    graph
}

#[test]
fn values_with_several_readers_get_the_sum_of_their_gradients() {
    for images in [5, 16, 24] {
        assert_as_stock(&branches(), images, 11);
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    const STEP: f32 = 1e-2;
    let graph = block(Conv::square(2, 3, 3, 2), [2, 6, 5], true);
    let mut weights = random_weights(&graph, 3);
    let pixels = numbers(4 * 60, &mut rng(3));
    let gradients = step(&graph, &weights, &pixels, Some(Isa::best())).gradients;
    assert_eq!(gradients.len(), 8);
    for (name, gradient) in gradients {
        for (index, expected) in gradient.into_iter().enumerate() {
            let mut loss = |distance: f32| {
                let value = weights.get(&name).expect("is there").data[index];
                weights.get_mut(&name).expect("is there").data[index] = value + distance;
                let loss = step(&graph, &weights, &pixels, Some(Isa::best())).loss;
                weights.get_mut(&name).expect("is there").data[index] = value;
                loss
            };
            let slope = (loss(STEP) - loss(-STEP)) / (2.0 * STEP);
            // A ReLU may switch within the step.
            assert!((slope - expected).abs() < 0.02, "{name}[{index}]: {expected}, not {slope}");
        }
    }
}

#[test]
fn training_on_any_number_of_threads_gives_the_same_bytes() {
    let graph = build("resnet8", &ModelOptions::new([3, 16, 16], 10)).expect("builds");
    let options = TrainOptions::default();
    let pixels = numbers(40 * 3 * 256, &mut rng(1));
    let labels: Vec<usize> = (0..40).map(|image| image % 10).collect();
    let train = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let initial = Weights::initialise(&graph, 1);
            let mut learner = Learner::new(&graph, initial, &options, &Device::flex()).expect("fits");
            for _ in 0..3 {
                learner.step(pixels.clone(), &labels, 0.1, &mut rng(2)).expect("learns");
            }
            learner.into_weights()
        })
    };
    let one = train(1);
    assert_eq!(train(2), one);
    assert_eq!(train(5), one);
}

#[test]
fn a_step_refuses_pixels_that_are_not_the_labelled_images() {
    let graph = build("resnet8", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let (options, initial) = (TrainOptions::default(), Weights::initialise(&graph, 1));
    let mut learner = Learner::new(&graph, initial, &options, &Device::flex()).expect("fits");
    let error = learner.step(vec![0.0; 100], &[1, 2], 0.1, &mut rng(2)).expect_err("refused");
    assert!(error.to_string().contains("100 pixels are not 2 images"), "{error}");
}
