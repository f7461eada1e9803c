//! Training a teacher.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::tensor::Device;
use cgym_teachers::{
    Error,
    data::{DataSource, DatasetName, LoadOptions, load},
    engine::Images,
    graph::Graph,
    train::{TrainOptions, Trained, Training, TrainingEvent, train},
    weights::Weights,
    zoo::{ModelOptions, build},
};

fn digits() -> DataSource {
    load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).expect("embedded")
}

fn network() -> Graph {
    build("resnet8", &ModelOptions::new([1, 8, 8], 10)).expect("builds")
}

fn options(epochs: usize) -> TrainOptions {
    TrainOptions { epochs, ..TrainOptions::for_dataset("digits") }
}

/// Trains on 600 digits; `stop_after` asks it to stop when that many epochs are reported.
fn run(epochs: usize, checkpoints: Option<PathBuf>, stop_after: usize) -> Result<Trained, Error> {
    let (source, graph) = (digits(), network());
    let indices: Vec<usize> = (0..600).collect();
    let held_out: Vec<usize> = (600..800).collect();
    let validation = Images::new(&source.train, &held_out)?;
    let stop = AtomicBool::new(false);
    let training = Training {
        task: "digits",
        dataset: &source.train,
        indices: &indices,
        validation: &validation,
        checkpoints,
        stop: &stop,
    };
    let mut report = |event: TrainingEvent<'_>| {
        if let TrainingEvent::Epoch(epoch) = event {
            stop.store(epoch.epoch >= stop_after, Ordering::Relaxed);
        }
    };
    train(&graph, Weights::initialise(&graph, 1), &training, &options(epochs), &Device::flex(), &mut report)
}

#[test]
fn a_small_network_learns_the_digits() {
    let trained = run(8, None, 99).expect("trains");
    assert!(trained.finished && trained.epochs.len() == 8);
    assert!(trained.epochs[7].top1 > 0.8, "{:?}", trained.epochs);
}

#[test]
fn a_training_stopped_and_continued_gives_the_same_bytes() {
    let unbroken = run(4, None, 99).expect("trains");
    let folder = tempfile::tempdir().expect("a folder");
    let path = Some(folder.path().join("checkpoints"));
    let stopped = run(4, path.clone(), 2).expect("stops");
    assert!(!stopped.finished && stopped.epochs.len() == 2);
    let continued = run(4, path, 99).expect("continues");
    assert_eq!(continued.weights, unbroken.weights);
    assert_eq!(continued.epochs, unbroken.epochs);
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let unbroken = run(3, None, 99).expect("trains");
    for name in ["weights.safetensors", "momentum.safetensors", "manifest.json"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("checkpoints");
        run(3, Some(path.clone()), 2).expect("stops");
        let file = path.join("epoch-000002").join(name);
        let mut bytes = std::fs::read(&file).expect("a checkpoint");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(&file, bytes).expect("written");
        let continued = run(3, Some(path), 99).expect("continues");
        assert_eq!(
            (continued.weights, continued.epochs),
            (unbroken.weights.clone(), unbroken.epochs.clone())
        );
    }
}

#[test]
fn rejects_a_checkpoint_of_other_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    run(2, Some(folder.path().to_owned()), 99).expect("trains");
    let error = run(3, Some(folder.path().to_owned()), 99).expect_err("other settings").to_string();
    assert!(error.contains("epoch-000002: belongs to a training with other settings"), "{error}");
}

#[test]
fn rejects_settings_outside_their_range() {
    let good = TrainOptions::default();
    for (key, bad) in [
        ("batch", TrainOptions { batch: 1, ..good.clone() }),
        ("epochs", TrainOptions { epochs: 0, ..good.clone() }),
        ("learning_rate", TrainOptions { learning_rate: f64::NAN, ..good.clone() }),
        ("momentum", TrainOptions { momentum: 1.0, ..good.clone() }),
        ("weight_decay", TrainOptions { weight_decay: -1.0, ..good.clone() }),
    ] {
        let (source, graph) = (digits(), network());
        let validation = Images::new(&source.train, &[0]).expect("fits");
        let training = Training {
            task: "digits",
            dataset: &source.train,
            indices: &[0, 1, 2],
            validation: &validation,
            checkpoints: None,
            stop: &AtomicBool::new(false),
        };
        let initial = Weights::initialise(&graph, 1);
        let error =
            train(&graph, initial, &training, &bad, &Device::flex(), &mut |_| ()).expect_err("refused");
        assert!(error.to_string().contains(key), "{error}");
    }
}
