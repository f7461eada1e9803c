//! The evaluation engine against Burn running the same graph.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use cgym_kernels::Isa;
use cgym_teachers::{
    engine::{Convolution, Engine, EngineOptions, Images},
    graph::{Conv, Graph, Op},
    train::Interpreter,
    weights::Weights,
    zoo::{MODELS, ModelOptions, build},
};
use common::{distance, numbers, random_graph, random_images, random_weights, rng};

fn burn_logits(graph: &Graph, weights: &Weights, values: &[f32], count: usize) -> Vec<f32> {
    let device = Device::flex();
    let [c, h, w] = graph.input_shape();
    let images = Tensor::<4>::from_data(TensorData::new(values.to_vec(), [count, c, h, w]), &device);
    let network = Interpreter::new(graph, weights, &device).expect("fits");
    network.evaluate(images).expect("runs").into_data().iter::<f32>().collect()
}

fn agree(graph: &Graph, weights: &Weights, seed: u64) {
    let (images, values) = random_images(graph, 3, seed);
    let fused = Engine::new(graph, weights).expect("compiles").logits(&images).expect("runs");
    let reference = burn_logits(graph, weights, &values, 3);
    let scale = reference.iter().fold(1.0f32, |most, value| most.max(value.abs()));
    assert!(distance(&fused, &reference) <= 1e-4 * scale, "{}: {}", graph.name, distance(&fused, &reference));
}

#[test]
fn logits_are_burns_for_every_network_of_the_zoo() {
    for name in MODELS.iter().filter(|name| **name != "resnet110") {
        let graph = build(name, &ModelOptions::new([3, 16, 16], 10)).expect("builds");
        agree(&graph, &random_weights(&graph, 2), 2);
    }
}

#[test]
fn logits_are_burns_for_random_networks() {
    for seed in 100..140 {
        let graph = random_graph(seed);
        agree(&graph, &random_weights(&graph, seed), seed);
    }
}

#[test]
fn every_instruction_set_gives_the_same_logits_within_rounding() {
    let graph = build("mobilenet-v2", &ModelOptions::new([3, 12, 12], 10)).expect("builds");
    let weights = random_weights(&graph, 3);
    let values = numbers(5 * 3 * 144, &mut rng(3));
    let logits: Vec<Vec<f32>> = Isa::available()
        .into_iter()
        .map(|isa| {
            let images = Images::from_values(&values, 3 * 144, &[0; 5], isa).expect("fits");
            Engine::with_options(&graph, &weights, EngineOptions { isa, ..EngineOptions::default() })
                .expect("compiles")
                .logits(&images)
                .expect("runs")
        })
        .collect();
    let scale = logits[0].iter().fold(1.0f32, |most, value| most.max(value.abs()));
    assert!(logits.iter().all(|other| distance(other, &logits[0]) <= 1e-4 * scale));
}

#[test]
fn an_image_does_not_notice_its_batch_or_the_number_of_threads() {
    let graph = build("resnet8", &ModelOptions::new([3, 10, 10], 10)).expect("builds");
    let engine = Engine::new(&graph, &random_weights(&graph, 4)).expect("compiles");
    let values = numbers(70 * 300, &mut rng(4));
    let logits = |count: usize, threads: usize| {
        let labels = vec![0; count];
        let images = Images::from_values(&values[..count * 300], 300, &labels, engine.isa()).expect("fits");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
        pool.install(|| engine.logits(&images).expect("runs"))
    };
    let all = logits(70, 1);
    assert_eq!(all, logits(70, 3));
    assert_eq!(all[..10], logits(1, 1));
    assert_eq!(all[..370], logits(37, 2));
}

/// The logits of both algorithms.
fn both(graph: &Graph, weights: &Weights, images: &Images) -> [Vec<f32>; 2] {
    [Convolution::Fast, Convolution::Direct].map(|convolution| {
        let options = EngineOptions { convolution, ..EngineOptions::default() };
        let engine = Engine::with_options(graph, weights, options).expect("compiles");
        engine.logits(images).expect("runs")
    })
}

#[test]
fn logits_that_rounding_could_order_otherwise_are_those_of_the_direct_algorithm() {
    let graph = build("resnet20", &ModelOptions::new([3, 16, 16], 4)).expect("builds");
    let mut weights = random_weights(&graph, 5);
    let (images, _) = random_images(&graph, 40, 5);
    let [fast, direct] = both(&graph, &weights, &images);
    // None of these is ambiguous.
    assert!(fast != direct);
    // Classes 1 and 2 become the same: where they are the greatest, the image is ambiguous.
    for (name, length) in [("linear.weight", 64), ("linear.bias", 1)] {
        let tensor = &mut weights.get_mut(name).expect("there").data;
        let (head, tail) = tensor.split_at_mut(2 * length);
        tail[..length].copy_from_slice(&head[length..]);
    }
    let [fast, direct] = both(&graph, &weights, &images);
    let mut ambiguous = 0;
    for (fast, direct) in fast.chunks_exact(4).zip(direct.chunks_exact(4)) {
        if direct[1] > direct[0].max(direct[3]) {
            assert_eq!(fast, direct);
            ambiguous += 1;
        }
    }
    assert!(ambiguous > 0);
}

#[test]
fn images_whose_activations_overflow_between_the_transforms_are_evaluated_directly() {
    let mut graph = Graph::new("large", [16, 8, 8]);
    let conv = graph.push("conv", Op::Conv(Conv::square(16, 16, 3, 1)), &[0]);
    let pool = graph.push("pool", Op::AdaptivePool { output: [1, 1] }, &[conv]);
    let flat = graph.push("flat", Op::Flatten, &[pool]);
    graph.push("linear", Op::Linear { inputs: 16, outputs: 4, bias: false }, &[flat]);
    let mut weights = random_weights(&graph, 7);
    weights.get_mut("conv.weight").expect("there").data.iter_mut().for_each(|weight| *weight *= 1e-3);
    // The sign alternates by column, which one of the transforms adds up.
    let values: Vec<f32> = (0..3 * 1024).map(|index| if index % 2 == 0 { 3.0e38 } else { -3.0e38 }).collect();
    let images = Images::from_values(&values, 1024, &[0; 3], cgym_kernels::Isa::best()).expect("fits");
    let [fast, direct] = both(&graph, &weights, &images);
    assert!(direct.iter().all(|logit| logit.is_finite()));
    assert_eq!(fast, direct);
}

#[test]
fn rounding_errors_of_the_fast_algorithm_stay_small_in_deep_networks() {
    for model in ["resnet20", "resnet56", "resnet110", "vgg16"] {
        let graph = build(model, &ModelOptions::new([3, 32, 32], 10)).expect("builds");
        let mut worst = 0.0f32;
        for seed in 0..3 {
            let weights = random_weights(&graph, seed);
            let (images, _) = random_images(&graph, 4, seed);
            let [fast, direct] = both(&graph, &weights, &images);
            let magnitude = direct.iter().fold(1e-30f32, |most, value| most.max(value.abs()));
            worst = worst.max(distance(&fast, &direct) / magnitude);
        }
        println!("{model}: {worst:.1e} of the greatest logit");
        assert!(worst > 0.0 && worst <= 5e-6, "{model}: {worst:e}");
    }
}

#[test]
fn observers_see_the_input_of_every_layer_with_weights_also_of_joined_ones() {
    let graph = build("mobilenet-v2", &ModelOptions::new([3, 32, 32], 10)).expect("builds");
    let engine = Engine::new(&graph, &random_weights(&graph, 6)).expect("compiles");
    let (images, _) = random_images(&graph, 2, 6);
    let shapes = graph.shapes().expect("fits");
    let mut seen = Vec::new();
    let mut observe = |node: usize, values: &[f32]| {
        let inputs = graph.nodes()[node].inputs[0];
        let length = shapes[inputs].iter().product::<usize>() * engine.isa().lanes();
        assert!(values[..length].iter().all(|value| value.is_finite()));
        seen.push(node);
    };
    engine.observe(&images, 0, &mut observe).expect("runs");
    let weighted = |node: &usize| matches!(graph.nodes()[*node].op, Op::Conv(_) | Op::Linear { .. });
    assert_eq!(seen, (0..graph.nodes().len()).filter(weighted).collect::<Vec<_>>());
}

#[test]
fn rejects_images_of_another_shape_and_logits_that_are_no_numbers() {
    let graph = build("resnet8", &ModelOptions::new([3, 10, 10], 10)).expect("builds");
    let mut weights = random_weights(&graph, 4);
    let engine = Engine::new(&graph, &weights).expect("compiles");
    let other = Images::from_values(&[0.0; 64], 64, &[0], engine.isa()).expect("fits");
    assert!(engine.logits(&other).is_err());
    weights.get_mut("linear.bias").expect("there").data[0] = f32::INFINITY;
    let error = Engine::new(&graph, &weights).err().expect("refused").to_string();
    assert!(error.contains("linear.bias"), "{error}");
}
