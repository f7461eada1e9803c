//! The coded file has the length that is computed, and is read back to the same bits.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{
    graph::{Conv, Op},
    zoo::{self, ModelOptions},
};

/// LeNet-5 for 28×28 images: tensors of 10 to 400,000 elements.
fn lenet() -> (Graph, Weights, Vec<NodeIndex>) {
    let graph = zoo::build("lenet5", &ModelOptions::new([1, 28, 28], 10)).expect("a model");
    let weights = Weights::initialise(&graph, 3);
    let layers = layers_of(&graph);
    (graph, weights, layers)
}

fn layers_of(graph: &Graph) -> Vec<NodeIndex> {
    let weighted = |op: &Op| matches!(op, Op::Conv(_) | Op::Linear { .. });
    (0..graph.nodes().len()).filter(|&node| weighted(&graph.nodes()[node].op)).collect()
}

fn sizes(graph: &Graph, layers: &[NodeIndex]) -> Vec<u64> {
    let size =
        |layer: &NodeIndex| graph.nodes()[*layer].parameters()[0].shape.iter().product::<usize>() as u64;
    layers.iter().map(size).collect()
}

#[test]
fn a_coded_network_has_the_computed_length_and_is_read_back_to_the_same_bits() {
    let (graph, weights, layers) = lenet();
    let sparsifier = Sparsifier::new(graph.clone(), weights, &layers).expect("weights that fit");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let wholes = sizes(&graph, &layers);
    for round in 0..40 {
        let kept: Vec<(NodeIndex, u64)> = layers
            .iter()
            .zip(&wholes)
            .map(|(&layer, &whole)| {
                let most = if round % 2 == 0 { whole } else { whole / 20 + 1 };
                (layer, rng.random_range(1..=most))
            })
            .collect();
        let file = sparsifier.encode(&kept).expect("a file");
        assert_eq!(file.len() as u64, coded_bytes(&graph, &kept));
        let masked = sparsifier.mask(&kept).expect("a network");
        assert_eq!(decode(&file, &graph).expect("a sound file"), masked);
        for (&(layer, count), &whole) in kept.iter().zip(&wholes) {
            let weight = masked.of(&graph.nodes()[layer].name, "weight").expect("a weight");
            let zeros = weight.data.iter().filter(|value| **value == 0.0).count() as u64;
            assert_eq!(zeros, whole - count);
        }
    }
}

#[test]
fn the_weights_of_greatest_magnitude_are_kept_and_ties_keep_the_earlier() {
    let mut graph = Graph::new("one", [1, 1, 1]);
    graph.push("layer", Op::Conv(Conv::square(1, 6, 1, 1)), &[0]);
    let mut weights = Weights::default();
    let data = vec![0.5, -2.0, 0.5, 1.0, -0.5, 0.0];
    weights.insert("layer.weight", Tensor { shape: vec![6, 1, 1, 1], data });
    let sparsifier = Sparsifier::new(graph, weights, &[1]).expect("weights that fit");
    let of = |count| {
        sparsifier.mask(&[(1, count)]).expect("a network").get("layer.weight").expect("it").data.clone()
    };
    assert_eq!(of(3), [0.5, -2.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(of(4), [0.5, -2.0, 0.5, 1.0, 0.0, 0.0]);
    assert_eq!(of(6), [0.5, -2.0, 0.5, 1.0, -0.5, 0.0]);
    assert!(sparsifier.mask(&[(1, 7)]).is_err() && sparsifier.mask(&[(0, 1)]).is_err());
}

#[test]
fn the_length_never_falls_when_more_is_kept() {
    for elements in [1_u64, 7, 255, 256, 257, 65_536, 65_537, 400_000] {
        let mut before = 0;
        for step in 0..=500 {
            let (_, bytes) = coding(elements, elements * step / 500);
            assert!(bytes >= before && bytes <= 4 * elements, "{elements} {step}");
            before = bytes;
        }
        assert_eq!(before, 4 * elements);
    }
}

#[test]
fn every_coding_is_used() {
    assert_eq!([coding(1000, 1000).0, coding(1000, 500).0, coding(1000, 10).0], [DENSE, BITMAP, INDICES]);
}

#[test]
fn a_hostile_file_is_refused_and_never_panics() {
    let (graph, weights, layers) = lenet();
    let kept: Vec<(NodeIndex, u64)> = layers.iter().map(|&layer| (layer, 9)).collect();
    let file =
        Sparsifier::new(graph.clone(), weights, &layers).expect("weights").encode(&kept).expect("a file");
    for length in 0..file.len() {
        assert!(decode(&file[..length], &graph).is_err(), "cut off at {length}");
    }
    let mut longer = file.clone();
    longer.push(0);
    assert!(decode(&longer, &graph).is_err());
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..3000 {
        let mut damaged = file.clone();
        let (place, bit) = (rng.random_range(0..file.len()), rng.random_range(0..8));
        damaged[place] ^= 1 << bit;
        // Values may change; shapes and places stay within the graph.
        if let Ok(read) = decode(&damaged, &graph) {
            let expected: usize = graph.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
            assert_eq!(read.iter().map(|(_, tensor)| tensor.data.len()).sum::<usize>(), expected);
        }
    }
    let other = zoo::build("resnet8", &ModelOptions::new([1, 8, 8], 10)).expect("a model");
    assert!(decode(&file, &other).expect_err("another graph").to_string().contains("tensors"));
    assert!(decode(b"not a file", &graph).is_err());
}
