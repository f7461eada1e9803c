//! PyTorch files of a small network.
#![no_main]

use std::sync::LazyLock;

use cgym_teachers::{
    graph::Graph,
    weights::WeightsFile,
    zoo::{self, ModelOptions},
};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static GRAPH: LazyLock<Graph> =
    LazyLock::new(|| serde_json::from_str(include_str!("../corpus/graph_json/small")).expect("a graph"));
static DEEPER: LazyLock<Graph> =
    LazyLock::new(|| zoo::build("resnet8", &ModelOptions::new([1, 8, 8], 10)).expect("a model"));
// The reader takes a path. In memory where the system has such a folder.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder")
});

fuzz_target!(|file: &[u8]| {
    let path = FOLDER.path().join("weights.pt");
    std::fs::write(&path, file).expect("written");
    let Ok(file) = WeightsFile::open(&path) else { return };
    assert!(file.fits(&DEEPER).is_err(), "a small file holds a whole ResNet");
    if let Ok(weights) = file.read(&GRAPH, true) {
        weights.check(&GRAPH).expect("what is read fits");
    }
});
