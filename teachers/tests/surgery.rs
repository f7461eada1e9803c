//! Surgery: what is cut away is exactly what was masked.

mod common;

use cgym_teachers::{
    coupling::Coupling,
    engine::Engine,
    graph::Graph,
    surgery::{Keep, mask, slice},
    weights::Weights,
    zoo::{MODELS, ModelOptions, Shortcut, build},
};
use common::{distance, random_graph, random_images, random_weights, rng};
use rand::{RngExt, seq::SliceRandom};

/// Keeps a random share of the atoms of every removable group.
fn random_keep(graph: &Graph, coupling: &Coupling, seed: u64) -> Keep {
    let mut rng = rng(seed);
    let mut keep = Keep::all(coupling);
    for (index, group) in coupling.groups.iter().enumerate().filter(|(_, group)| group.removable) {
        let mut atoms = group.atoms.clone();
        atoms.shuffle(&mut rng);
        atoms.truncate(rng.random_range(1..=atoms.len()));
        keep.set(graph, coupling, index, &atoms).expect("removable");
    }
    keep
}

fn check(graph: &Graph, weights: &Weights, seed: u64) {
    let coupling = Coupling::of(graph).expect("walks");
    let keep = random_keep(graph, &coupling, seed);
    let (small, small_weights) = slice(graph, weights, &coupling, &keep).expect("slices");
    let (whole, masked) = mask(graph, weights, &coupling, &keep).expect("masks");
    let (images, _) = random_images(graph, 3, seed);
    let sliced = Engine::new(&small, &small_weights).expect("compiles").logits(&images).expect("runs");
    let full = Engine::new(&whole, &masked).expect("compiles").logits(&images).expect("runs");
    let scale = full.iter().fold(1.0f32, |most, value| most.max(value.abs()));
    assert!(
        distance(&sliced, &full) <= 1e-5 * scale,
        "{} seed {seed}: {}",
        graph.name,
        distance(&sliced, &full)
    );
    let (before, after) = (graph.cost().expect("counts"), small.cost().expect("counts"));
    assert!(after.macs <= before.macs && after.parameters <= before.parameters);
}

#[test]
fn sliced_equals_masked_for_every_network_of_the_zoo() {
    for name in MODELS {
        let graph = build(name, &ModelOptions::new([3, 16, 16], 10)).expect("builds");
        let seeds = if graph.nodes().len() > 200 { 1 } else { 2 };
        let weights = random_weights(&graph, 1);
        (0..seeds).for_each(|seed| check(&graph, &weights, seed));
    }
    let projected = ModelOptions { shortcut: Shortcut::B, ..ModelOptions::new([3, 16, 16], 10) };
    let graph = build("resnet20", &projected).expect("builds");
    check(&graph, &random_weights(&graph, 1), 1);
}

#[test]
fn sliced_equals_masked_for_random_networks() {
    for seed in 0..60 {
        let graph = random_graph(seed);
        check(&graph, &random_weights(&graph, seed), seed);
    }
}

#[test]
fn residual_streams_are_one_group_a_stage_and_inner_channels_one_a_block() {
    let graph = build("resnet20", &ModelOptions::new([3, 32, 32], 10)).expect("builds");
    let coupling = Coupling::of(&graph).expect("walks");
    let removable: Vec<_> = coupling.groups.iter().filter(|group| group.removable).collect();
    let inner: Vec<usize> =
        removable.iter().filter(|group| group.is_inner()).map(|group| group.atoms.len()).collect();
    assert_eq!(inner, [16, 16, 16, 32, 32, 32, 64, 64, 64]);
    let streams: Vec<usize> =
        removable.iter().filter(|group| !group.is_inner()).map(|group| group.atoms.len()).collect();
    assert_eq!(streams, [16, 32, 64]);
}

#[test]
fn depthwise_convolutions_pass_their_channels_on() {
    let graph = build("mobilenet-v1", &ModelOptions::new([3, 32, 32], 10)).expect("builds");
    let coupling = Coupling::of(&graph).expect("walks");
    let sizes: Vec<usize> = coupling.groups.iter().filter(|g| g.removable).map(|g| g.atoms.len()).collect();
    assert_eq!(sizes, [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]);
}

#[test]
fn rejects_choices_that_the_graph_does_not_allow() {
    let graph = build("lenet5", &ModelOptions::new([1, 28, 28], 10)).expect("builds");
    let coupling = Coupling::of(&graph).expect("walks");
    let mut keep = Keep::all(&coupling);
    let removable = coupling.groups.iter().position(|group| group.removable).expect("some");
    let classes = coupling.groups.iter().rposition(|group| !group.removable).expect("some");
    let own = coupling.groups[removable].atoms.clone();
    assert!(keep.set(&graph, &coupling, removable, &[]).is_err(), "nothing left");
    assert!(
        keep.set(&graph, &coupling, classes, &coupling.groups[classes].atoms[1..]).is_err(),
        "a class less"
    );
    assert!(keep.set(&graph, &coupling, classes, &own).is_err(), "another group's atoms");
    assert!(keep.set(&graph, &coupling, 999, &own).is_err(), "no such group");
    assert_eq!(keep, Keep::all(&coupling), "a refusal changes nothing");
}
