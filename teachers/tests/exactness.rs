//! On every image of real datasets the evaluation engine says what Burn says.

mod common;

use std::path::PathBuf;

use burn::tensor::{Device, Tensor, TensorData};
use cgym_teachers::{
    data::{DataSource, Dataset, DatasetName, LoadOptions, load},
    engine::{Engine, Images},
    graph::Graph,
    pruner::Pruner,
    shipped,
    train::Interpreter,
    weights::Weights,
    zoo::{ModelOptions, build},
};
use common::distance;

/// Images that Burn runs at once.
const BATCH: usize = 128;

fn burn_logits(graph: &Graph, weights: &Weights, dataset: &Dataset) -> Vec<f32> {
    let device = Device::flex();
    let [channels, height, width] = dataset.shape();
    let network = Interpreter::new(graph, weights, &device).expect("fits");
    let indices: Vec<usize> = (0..dataset.len()).collect();
    let of_batch = |batch: &[usize]| -> Vec<f32> {
        let data = TensorData::new(dataset.normalized(batch), [batch.len(), channels, height, width]);
        let logits = network.evaluate(Tensor::from_data(data, &device)).expect("runs");
        logits.into_data().iter().collect()
    };
    indices.chunks(BATCH).flat_map(of_batch).collect()
}

fn greatest(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

fn assert_exact(graph: &Graph, weights: &Weights, dataset: &Dataset) {
    let indices: Vec<usize> = (0..dataset.len()).collect();
    let images = Images::new(dataset, &indices).expect("fits");
    let engine = Engine::new(graph, weights).expect("compiles");
    let (found, expected) = (engine.logits(&images).expect("runs"), burn_logits(graph, weights, dataset));
    assert!(distance(&found, &expected) <= 1e-4, "{}: {}", graph.name, distance(&found, &expected));
    println!(
        "{} on {} images of {}: logits differ by {:.1e}",
        graph.name,
        dataset.len(),
        dataset.name(),
        distance(&found, &expected)
    );
    let predicted = engine.predict(&images).expect("finite");
    for (image, (class, row)) in predicted.iter().zip(expected.chunks_exact(dataset.classes())).enumerate() {
        assert_eq!(usize::from(*class), greatest(row), "{}: image {image} of {}", graph.name, dataset.name());
    }
}

/// Half of the channels of every group that one layer alone produces.
fn halved(graph: Graph, weights: Weights) -> (Graph, Weights) {
    let pruner = Pruner::new(graph, weights).expect("fits");
    let groups =
        pruner.coupling().groups.iter().enumerate().filter(|(_, group)| group.removable && group.is_inner());
    let kept: Vec<(usize, usize)> = groups.map(|(index, group)| (index, group.atoms.len() / 2)).collect();
    assert!(!kept.is_empty());
    pruner.prune(&kept).expect("can be pruned")
}

#[test]
fn every_digit_is_classified_as_burn_does_by_the_shipped_teacher_whole_and_pruned() {
    let DataSource { train, test } =
        load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).expect("embedded");
    let graph = build("resnet20", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let weights = shipped::weights("resnet20", "digits", &graph).expect("sound").expect("ships");
    let (small, small_weights) = halved(graph.clone(), weights.clone());
    for dataset in [&train, &test] {
        assert_exact(&graph, &weights, dataset);
        assert_exact(&small, &small_weights, dataset);
    }
}

#[test]
fn every_cifar_test_image_is_classified_as_burn_does_by_the_published_networks() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let shared = std::env::var_os("CGYM_SHARED").map_or_else(|| PathBuf::from(default), PathBuf::from);
    let (data, weights) = (shared.join("data/cifar-10-batches-bin"), shared.join("weights"));
    if !data.is_dir() || !weights.is_dir() {
        println!("skipped: no CIFAR-10 and checkpoints under {}", shared.display());
        return;
    }
    let options = LoadOptions { directory: Some(data), ..LoadOptions::default() };
    let source = load(DatasetName::Cifar10, &options, &mut |_, _| ()).expect("loads");
    for (model, file) in [("resnet20", "resnet20-12fca82f.th"), ("resnet56", "resnet56-4bfd9763.th")] {
        let graph = build(model, &ModelOptions::new([3, 32, 32], 10)).expect("builds");
        let weights = Weights::load(&weights.join(file), &graph).expect("loads");
        assert_exact(&graph, &weights, &source.test);
    }
}
