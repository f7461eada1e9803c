//! The normalisation and the classes of a network travel with it.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Place, refused};

const OTHER: [&str; 4] = ["--mean", "0.5", "--std", "0.25"];

fn graph_file(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("graph.json")).expect("graph.json");
    serde_json::from_slice(&text).expect("JSON")
}

/// Changes the graph of a saved network, as for a folder that nobody has sealed.
fn rewrite(folder: &Path, change: impl FnOnce(&mut Value)) {
    let mut graph = graph_file(folder);
    change(&mut graph);
    std::fs::write(folder.join("graph.json"), graph.to_string()).expect("written");
    std::fs::remove_file(folder.join("manifest.json")).ok();
}

/// A LeNet-5 trained for an epoch on digits with another normalisation than the usual one.
fn trained(place: &Place) -> Value {
    let train = ["teacher", "train", "--model", "lenet5", "--epochs", "1", "--out", "mine", "--json"];
    place.run(&[&train, OTHER.as_slice()].concat()).ok().json()
}

#[test]
fn a_network_is_evaluated_with_what_it_was_trained_with() {
    let place = Place::new();
    let report = trained(&place);
    let said = json!({ "scale": 16.0, "mean": [0.5], "std": [0.25] });
    assert_eq!(report["preprocessing"], said);
    let block = json!({
        "scale": 16.0, "mean": [0.5], "std": [0.25],
        "classes": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    });
    assert_eq!(graph_file(&place.path("mine"))["preprocessing"], block);

    let evaluate = |more: &[&str]| place.run(&[&["teacher", "evaluate", "--json"], more].concat()).ok();
    let from_folder = evaluate(&["--network", "mine"]);
    assert_eq!(from_folder.json()["top1"], report["test_top1"]);
    assert_eq!((from_folder.json()["preprocessing"].clone(), &*from_folder.stderr), (said, ""));
    assert_eq!(from_folder.json()["model"], "lenet5");
    // The graph beside the weights says it too.
    let weights = ["--model", "lenet5", "--weights", "mine/weights.safetensors"];
    assert_eq!(evaluate(&weights).json()["top1"], report["test_top1"]);

    // A flag wins, and contradicts.
    let other = evaluate(&["--network", "mine", "--mean", "0"]);
    assert_eq!(other.json()["preprocessing"], json!({ "scale": 16.0, "mean": [0.0], "std": [0.25] }));
    assert!(other.stderr.contains("warning: mine was saved with mean [0.5]"), "{}", other.stderr);
    assert_ne!(other.json()["top1"], report["test_top1"]);

    // A folder of an earlier version gets the dataset's own.
    rewrite(&place.path("mine"), |graph| {
        drop(graph.as_object_mut().expect("an object").remove("preprocessing"))
    });
    let silent = evaluate(&["--network", "mine"]);
    assert_eq!((silent.json()["preprocessing"]["mean"].clone(), &*silent.stderr), (json!([0.30538613]), ""));
    let given = evaluate(&[&["--network", "mine"], OTHER.as_slice()].concat());
    assert_eq!((&given.json()["top1"], &*given.stderr), (&report["test_top1"], ""));
}

#[test]
fn a_search_an_export_and_a_training_pass_it_on() {
    let place = Place::new();
    trained(&place);
    let block = graph_file(&place.path("mine"))["preprocessing"].clone();
    let few =
        ["--agent", "uniform", "--set", "data.reward_images=40", "--set", "score.calibration_images=200"];
    let search =
        [&["search", "--network", "mine", "--no-baselines", "--out", "run"], few.as_slice()].concat();
    let found = place.run(&search).ok();
    assert!(!found.stderr.contains("warning"), "{}", found.stderr);
    place.run(&["validate", "run"]).ok();
    place.run(&["export", "run", "--out", "small"]).ok();
    place.run(&["finetune", "run", "--epochs", "1", "--out", "tuned"]).ok();
    for folder in ["run/best", "small", "tuned"] {
        assert_eq!(graph_file(&place.path(folder))["preprocessing"], block, "{folder}");
    }
    // What was used is a setting of the run.
    let config = std::fs::read_to_string(place.path("run/config.toml")).expect("a configuration");
    assert!(config.contains("mean = [0.5]") && config.contains("std = [0.25]"), "{config}");
    // The same results, however the same preprocessing is given.
    let same = [&search[..5], &["again"], few.as_slice(), OTHER.as_slice()].concat();
    place.run(&same).ok();
    assert!(place.result("run") == place.result("again"));
    // Files of a run that were changed afterwards are noticed.
    rewrite(&place.path("run/best"), |graph| graph["preprocessing"]["mean"] = json!([0.4]));
    let changed = place.run(&["validate", "run"]);
    assert_eq!(changed.code, Some(1), "{}", changed.stderr);
    assert!(changed.stdout.contains("manifest.json"), "{}", changed.stdout);
}

#[test]
fn classes_in_another_order_are_refused_and_unknown_ones_are_told() {
    let place = Place::new();
    trained(&place);
    rewrite(&place.path("mine"), |graph| {
        let classes = graph["preprocessing"]["classes"].as_array_mut().expect("a list");
        classes.swap(3, 4);
    });
    let words = ["class 3", "`4`", "`3`", "another order"];
    refused(&place, &["teacher", "evaluate", "--network", "mine"], &words);
    refused(&place, &["describe", "--network", "mine"], &words);
    rewrite(&place.path("mine"), |graph| graph["preprocessing"]["classes"][4] = json!("three"));
    let told = place.run(&["describe", "--network", "mine"]).ok();
    assert!(told.stderr.contains("1 classes that") && told.stderr.contains("(3)"), "{}", told.stderr);
    rewrite(&place.path("mine"), |graph| graph["preprocessing"]["std"] = json!([0.0]));
    refused(
        &place,
        &["describe", "--network", "mine"],
        &["mine/graph.json", "std 0 is not a number above 0"],
    );
}

/// Images of one kind, four for each class of the train part.
fn write_images(place: &Place) {
    let png = include_bytes!("../../../fuzz/corpus/png_folder/rgb.png");
    for (folder, count) in [("train/cat", 4), ("train/dog", 4), ("test/cat", 1), ("test/dog", 1)] {
        let folder = place.path("pictures").join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        for i in 0..count {
            std::fs::write(folder.join(format!("{i}.png")), png).expect("written");
        }
    }
}

#[test]
fn the_class_folders_name_the_outputs() {
    let place = Place::new();
    write_images(&place);
    let data = ["--dataset", "folder", "--data", "pictures", "--set", "data.image_size=16x16"];
    let train =
        ["teacher", "train", "--model", "resnet8", "--epochs", "1", "--batch", "4", "--reward-images", "2"];
    place.run(&[&train, data.as_slice(), &["--out", "mine"]].concat()).ok();
    let block = json!({
        "scale": 255.0, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "classes": ["cat", "dog"],
    });
    assert_eq!(graph_file(&place.path("mine"))["preprocessing"], block);
    let evaluate =
        [&["teacher", "evaluate", "--network", "mine", "--reward-images", "2"], data.as_slice()].concat();
    assert_eq!(place.run(&evaluate).ok().stderr, "");
    for part in ["train", "test"] {
        let part = place.path("pictures").join(part);
        std::fs::rename(part.join("cat"), part.join("ant")).expect("renamed");
    }
    let told = place.run(&evaluate).ok().stderr;
    assert!(told.contains("folder has 1 classes that mine does not name (ant)"), "{told}");
    rewrite(&place.path("mine"), |graph| graph["preprocessing"]["classes"] = json!(["dog", "ant"]));
    refused(&place, &evaluate, &["class 0", "`dog`", "`ant`", "another order"]);
}

#[test]
fn a_graph_beside_weights_that_cannot_be_read_is_told() {
    let place = Place::new();
    trained(&place);
    place.write("mine/graph.json", "{}");
    let weights = ["teacher", "evaluate", "--model", "lenet5", "--weights", "mine/weights.safetensors"];
    let told = place.run(&weights).ok().stderr;
    assert!(told.contains("warning: the preprocessing of mine/weights.safetensors is not known"), "{told}");
}

#[test]
fn values_that_do_not_fit_the_channels_are_refused() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (&["search", "--mean", "0.4,0.5,0.6"], "data.mean: 3 values for the 1 channels of digits"),
        (&["teacher", "evaluate", "--std", "0.4,0.5"], "data.std: 2 values for the 1 channels of digits"),
        (&["search", "--std", "0"], "data.std"),
        (&["search", "--mean", "nan"], "data.mean"),
        (&["search", "--mean", "0.4,0.5", "--std", "0.4"], "1 values beside 2 of data.mean"),
        (&["search", "--set", "data.scale=-1"], "data.scale"),
        (&["search", "--mean", "a"], "--mean"),
        (&["teacher", "evaluate", "--network", "nowhere"], "holds no network"),
        (&["teacher", "evaluate", "--network", "nowhere", "--set", "network.width=0.5"], "network.width"),
    ];
    for (arguments, words) in cases {
        refused(&place, arguments, &[words]);
    }
}
