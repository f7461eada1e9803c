//! Weights in and out, and the published checkpoints.

mod common;

use std::path::PathBuf;

use cgym_teachers::{
    data::{DatasetName, LoadOptions, load},
    engine::{Engine, Images},
    weights::Weights,
    zoo::{ModelOptions, build},
};
use common::random_weights;

fn shared() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    std::env::var_os("CGYM_SHARED").map_or_else(|| PathBuf::from(default), PathBuf::from)
}

#[test]
fn published_checkpoints_score_what_pytorch_measured() {
    let (data, weights) = (shared().join("data/cifar-10-batches-bin"), shared().join("weights"));
    if !data.is_dir() || !weights.is_dir() {
        println!("skipped: no CIFAR-10 and checkpoints under {}", shared().display());
        return;
    }
    let options = LoadOptions { directory: Some(data), ..LoadOptions::default() };
    let source = load(DatasetName::Cifar10, &options, &mut |_, _| ()).expect("loads");
    let indices: Vec<usize> = (0..source.test.len()).collect();
    let images = Images::new(&source.test, &indices).expect("fits");
    for (model, file, right) in
        [("resnet20", "resnet20-12fca82f.th", 932), ("resnet56", "resnet56-4bfd9763.th", 943)]
    {
        let graph = build(model, &ModelOptions::new([3, 32, 32], 10)).expect("builds");
        let weights = Weights::load(&weights.join(file), &graph).expect("loads");
        let engine = Engine::new(&graph, &weights).expect("compiles");
        assert_eq!((engine.count_correct(&images).expect("runs"), images.len()), (right, 1017), "{model}");
    }
}

#[test]
fn weights_survive_a_safetensors_file_to_the_bit() {
    let graph = build("resnet8", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let weights = random_weights(&graph, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    weights.save(&path).expect("writes");
    assert_eq!(Weights::load(&path, &graph).expect("reads"), weights);
}

#[test]
fn rejects_a_file_of_another_network_by_its_first_tensor_and_both_shapes() {
    let small = build("resnet8", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    random_weights(&small, 1).save(&path).expect("writes");
    let rgb = build("resnet8", &ModelOptions::new([3, 8, 8], 10)).expect("builds");
    let error = Weights::load(&path, &rgb).expect_err("does not fit").to_string();
    assert!(
        error.contains("conv1.weight") && error.contains("[16, 3, 3, 3]") && error.contains("[16, 1, 3, 3]"),
        "{error}"
    );
    let deeper = build("resnet20", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let error = Weights::load(&path, &deeper).expect_err("does not fit").to_string();
    assert!(error.contains("layer1.1.conv1.weight") && error.contains("nothing"), "{error}");
}

#[test]
fn rejects_missing_truncated_and_foreign_files_by_name() {
    let graph = build("resnet8", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole.safetensors");
    random_weights(&graph, 1).save(&whole).expect("writes");
    let bytes = std::fs::read(&whole).expect("reads");
    let cases: [(&str, Option<&[u8]>); 5] = [
        ("missing.safetensors", None),
        ("cut.safetensors", Some(&bytes[..bytes.len() / 2])),
        ("empty.safetensors", Some(&[])),
        ("cut.th", Some(&bytes[..100])),
        ("weights.npz", Some(&bytes)),
    ];
    for (name, content) in cases {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).expect("writes");
        }
        let error = Weights::load(&path, &graph).expect_err("refused").to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn rejects_weights_that_are_not_finite() {
    let graph = build("resnet8", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let mut weights = random_weights(&graph, 1);
    weights.get_mut("layer2.0.bn1.bias").expect("there").data[3] = f32::NAN;
    let error = weights.check(&graph).expect_err("refused").to_string();
    assert!(error.contains("layer2.0.bn1.bias") && error.contains("finite"), "{error}");
}

#[test]
fn the_shipped_teacher_is_the_recorded_one() {
    let graph = build("resnet20", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let weights =
        cgym_teachers::shipped::weights("resnet20", "digits", &graph).expect("whole").expect("shipped");
    let record = cgym_teachers::shipped::record().expect("whole");
    let source = load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).expect("embedded");
    let indices: Vec<usize> = (0..source.test.len()).collect();
    let images = Images::new(&source.test, &indices).expect("fits");
    let top1 = Engine::new(&graph, &weights).expect("compiles").top1(&images).expect("runs");
    assert!(
        (top1 - record.test_top1).abs() < 1.5 / images.len() as f64,
        "{top1} against {}",
        record.test_top1
    );
    assert!(cgym_teachers::shipped::weights("resnet56", "digits", &graph).expect("whole").is_none());
}
