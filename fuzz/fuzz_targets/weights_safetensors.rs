//! safetensors files of a small network, from memory and from the disk.
#![no_main]

use std::sync::LazyLock;

use cgym_teachers::{
    graph::Graph,
    weights::{Weights, WeightsFile},
};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static GRAPH: LazyLock<Graph> =
    LazyLock::new(|| serde_json::from_str(include_str!("../corpus/graph_json/small")).expect("a graph"));
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder")
});

fuzz_target!(|file: &[u8]| {
    let path = FOLDER.path().join("weights.safetensors");
    std::fs::write(&path, file).expect("written");
    let in_memory = Weights::from_bytes(file, &GRAPH).ok();
    let on_disk = WeightsFile::open(&path).and_then(|file| file.read(&GRAPH, false)).ok();
    assert!(in_memory == on_disk, "the same bytes are read as different weights");
    if let Ok(file) = WeightsFile::open(&path) {
        let _ = file.read(&GRAPH, true);
    }
});
