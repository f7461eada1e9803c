//! `graph.json`: what is read as a network has shapes, costs, a coupling and removable layers, and is
//! compiled where its weights take little memory.
#![no_main]

use cgym_teachers::{coupling::Coupling, engine::Engine, graph::Graph, remove, weights::Weights};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Ok(graph) = serde_json::from_slice::<Graph>(file) else { return };
    let shapes = graph.shapes().expect("checked when it was read");
    let cost = graph.cost().expect("checked when it was read");
    let channels: usize = shapes.iter().map(|shape| shape[0]).sum();
    if channels <= 1 << 16 {
        Coupling::of(&graph).expect("checked when it was read");
        let layers = remove::removable(&graph).expect("checked when it was read");
        let removed = layers.first().map(|layer| remove::remove(&graph, &[*layer]));
        if let Some(Ok(smaller)) = removed {
            smaller.shapes().expect("checked when it was made");
        }
    }
    if channels <= 1 << 12 && cost.weight_bytes <= 1 << 20 {
        let _ = Engine::new(&graph, &Weights::initialise(&graph, 0));
    }
    let text = serde_json::to_vec(&graph).expect("a graph can be written");
    let again: Graph = serde_json::from_slice(&text).expect("what was written can be read");
    assert!(again == graph, "a graph is read as another one than was written");
});
