//! Files with random damage are read or refused, and never stop the program. The seeds are those of
//! the fuzz targets; `CGYM_DAMAGES` sets how many damaged files are made of each.

use std::path::Path;

use cgym_teachers::{
    coupling::Coupling,
    engine::Engine,
    graph::Graph,
    remove,
    weights::{Weights, WeightsFile},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const NUMBERS: [&str; 6] = ["0", "1", "65536", "1099511627776", "9223372036854775808", "-1"];

/// The seeds of a fuzz target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).expect("a folder of seeds");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect();
    assert!(seeds.len() >= 2, "{}", folder.display());
    seeds
}

fn damages() -> usize {
    std::env::var("CGYM_DAMAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

/// `file` after one to four damages.
fn damage(file: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..random.random_range(1..5) {
        if file.is_empty() {
            return file;
        }
        let at = random.random_range(0..file.len());
        let end = (at + random.random_range(1..40)).min(file.len());
        match random.random_range(0..7) {
            0 => file[at] ^= 1 << random.random_range(0..8),
            1 => file[at] = [0, 1, 0x7f, 0x80, 0xff, b'}'][random.random_range(0..6)],
            2 => file.truncate(at),
            3 => drop(file.drain(at..end)),
            4 => {
                let part = file[at..end].to_vec();
                let place = random.random_range(0..file.len());
                file.splice(place..place, part);
            }
            5 => {
                let part = file[at..end].to_vec();
                let place = random.random_range(0..=file.len() - part.len());
                file[place..place + part.len()].copy_from_slice(&part);
            }
            _ => {
                // A number of a text.
                let Some(first) = (at..file.len()).find(|&place| file[place].is_ascii_digit()) else {
                    continue;
                };
                let length = file[first..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number = NUMBERS[random.random_range(0..NUMBERS.len())];
                file.splice(first..first + length, number.bytes());
            }
        }
    }
    file
}

fn small() -> Graph {
    let seeds = seeds("graph_json");
    serde_json::from_slice(seeds.last().expect("a seed")).expect("a graph")
}

#[test]
fn damaged_graphs_are_refused_or_can_be_used() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for seed in seeds("graph_json") {
        serde_json::from_slice::<Graph>(&seed).expect("a seed is whole");
        for _ in 0..damages() {
            let Ok(graph) = serde_json::from_slice::<Graph>(&damage(&seed, &mut random)) else { continue };
            let cost = graph.cost().expect("checked when it was read");
            Coupling::of(&graph).expect("checked when it was read");
            for layer in remove::removable(&graph).expect("checked when it was read") {
                remove::remove(&graph, &[layer]).ok();
            }
            if cost.weight_bytes < 1 << 20 {
                Engine::new(&graph, &Weights::initialise(&graph, 0)).ok();
            }
        }
    }
}

#[test]
fn damaged_weights_are_refused_or_fit() {
    let graph = small();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let folder = tempfile::tempdir().expect("a folder");
    for (target, file) in [("weights_pytorch", "w.pt"), ("weights_safetensors", "w.safetensors")] {
        let path = folder.path().join(file);
        for seed in seeds(target) {
            std::fs::write(&path, &seed).expect("writes");
            WeightsFile::open(&path).expect("a seed is whole").read(&graph, true).expect("a seed fits");
            for _ in 0..damages() {
                let damaged = damage(&seed, &mut random);
                std::fs::write(&path, &damaged).expect("writes");
                let on_disk = WeightsFile::open(&path).and_then(|file| file.read(&graph, false)).ok();
                if let Some(weights) = &on_disk {
                    weights.check(&graph).expect("what is read fits");
                }
                if target == "weights_safetensors" {
                    assert_eq!(Weights::from_bytes(&damaged, &graph).ok(), on_disk);
                }
            }
        }
    }
}
