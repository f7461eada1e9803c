//! The hash of resolved settings.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use cgym_env::settings::{EnvSettings, Layer};
use serde_json::{Value, json};

const CHANNELS: &str = "AMC-ResNet20-Digits-MACs30-v0";
const REMOVAL: &str = "N2N-Removal-ResNet20-Digits-v0";

fn resolve(layer: &Layer) -> EnvSettings {
    EnvSettings::resolve(layer).unwrap()
}

/// Constrained N2N, so that constraints can be changed one by one.
fn constrained() -> Layer {
    let layer = Layer::of_id(REMOVAL).with("reward", "name", "n2n-constrained");
    layer.with("reward", "max_macs", 5).with("reward", "max_parameters", 5)
}

/// One other value of every setting but the version, with the layer that it is changed in.
fn changes() -> Vec<(Layer, &'static str, Value)> {
    let channels = || Layer::of_id(CHANNELS);
    let removal = || Layer::of_id(REMOVAL);
    vec![
        (channels(), "network.model", json!("resnet8")),
        (channels(), "network.width", json!(0.5)),
        (Layer::of_id("AMC-VGG16-CIFAR10-MACs50-v0"), "network.stem", json!("imagenet")),
        (channels(), "network.shortcut", json!("b")),
        (channels(), "data.dataset", json!("mnist")),
        (channels(), "data.image_size", json!("16x16")),
        (channels(), "data.mean", json!([0.25])),
        (channels(), "data.std", json!([0.25])),
        (channels(), "data.scale", json!(255)),
        (channels(), "data.reward_images", json!(30)),
        (Layer::default(), "game.name", json!("n2n-removal")),
        (channels(), "game.scope", json!("all")),
        (channels(), "game.lower_bound", json!(0.3)),
        (channels(), "game.channel_multiple", json!(4)),
        (channels(), "budget.unit", json!("params")),
        (channels(), "budget.share", json!(0.301)),
        (channels(), "budget.exhaust", json!(true)),
        (channels(), "reward.name", json!("err-log-macs")),
        (channels(), "score.refit", json!(false)),
        (channels(), "score.calibration_images", json!(5)),
        (channels(), "score.points", json!(3)),
        (channels(), "score.convolution", json!("direct")),
        (removal(), "game.rows", json!(96)),
        (constrained(), "reward.max_parameters", json!(6)),
        (constrained(), "reward.max_macs", json!(6)),
        (constrained(), "reward.min_top1", json!(0.5)),
        (removal(), "score.epochs", json!(9)),
        (removal(), "score.batch", json!(9)),
        (removal(), "score.learning_rate", json!(0.009)),
        (removal(), "score.weight_decay", json!(0.009)),
        (removal(), "score.optimiser", json!("sgd")),
        (removal(), "score.loss", json!("kd")),
        (removal(), "score.temperature", json!(9.0)),
        (removal(), "score.alpha", json!(0.09)),
        (removal(), "score.lambda", json!(0.09)),
        (removal(), "score.seed", json!(9)),
        (removal(), "score.inherit", json!(true)),
        (removal(), "score.training_images", json!(9)),
        (removal(), "score.convolution", json!("direct")),
    ]
}

const LOCATIONS: [(&str, &str); 3] =
    [("network.weights", "w.pth"), ("network.from", "run"), ("data.path", "folder")];
/// How strictly files are read: what is read in the end is the same.
const STRICTNESS: &str = "network.allow_extra_tensors";

#[test]
fn every_setting_but_a_location_changes_the_hash() {
    let mut hashes: BTreeMap<String, String> = BTreeMap::new();
    for (base, path, value) in changes() {
        let before = resolve(&base).hash();
        let mut changed = base;
        changed.set_path(path, value).unwrap();
        let after = resolve(&changed).hash();
        assert_ne!(before, after, "{path}");
        assert_eq!((after.len(), after.chars().all(|digit| digit.is_ascii_hexdigit())), (16, true));
        let of_other = hashes.insert(after, path.to_owned());
        assert_eq!(of_other, None, "{path} has the hash of another setting");
    }
}

#[test]
fn locations_do_not_change_the_hash() {
    for id in [CHANNELS, REMOVAL] {
        let before = resolve(&Layer::of_id(id));
        for (path, value) in LOCATIONS {
            let mut layer = Layer::of_id(id);
            layer.set_path(path, json!(value)).unwrap();
            let settings = resolve(&layer);
            // Another network in place of the model; a world hashes what is in its folder.
            if (id, path) == (CHANNELS, "network.from") {
                assert_ne!(settings.hash(), before.hash());
                continue;
            }
            assert_eq!(settings.hash(), before.hash(), "{path}");
            assert_ne!(settings, before, "{path}");
        }
    }
}

/// Keys that were added later change the hash only where they have a value, so that results of
/// earlier versions compare.
#[test]
fn the_hash_is_the_one_that_it_has_always_been() {
    assert_eq!(resolve(&Layer::of_id(CHANNELS)).hash(), "338ea08e3c80ae99");
}

#[test]
fn strictness_does_not_change_the_hash() {
    let mut layer = Layer::of_id(CHANNELS);
    layer.set_path(STRICTNESS, json!(true)).unwrap();
    assert!(resolve(&layer).network.allow_extra_tensors);
    assert_eq!(resolve(&layer).hash(), resolve(&Layer::of_id(CHANNELS)).hash());
}

#[test]
fn the_lists_above_are_of_all_settings() {
    let mut listed: BTreeSet<String> = changes().iter().map(|(_, path, _)| (*path).to_owned()).collect();
    listed.extend(LOCATIONS.iter().map(|(path, _)| (*path).to_owned()));
    listed.insert(STRICTNESS.to_owned());
    // Versions are tested where a family has two.
    listed.insert("game.version".to_owned());
    let mut known = BTreeSet::new();
    for id in [CHANNELS, REMOVAL] {
        for (table, fields) in resolve(&Layer::of_id(id)).fields() {
            known.extend(fields.iter().map(|field| format!("{table}.{}", field.key)));
        }
    }
    assert_eq!(listed, known);
}

#[test]
fn equal_settings_have_equal_hashes_however_they_are_given() {
    let short = resolve(&Layer::of_id(CHANNELS)).hash();
    let long = Layer::default()
        .with("budget", "share", 0.3)
        .with("budget", "unit", "macs")
        .with("game", "lower-bound", 0.2)
        .with("game", "scope", "inner")
        .with("network", "model", "resnet20")
        .with("data", "dataset", "digits");
    assert_eq!(resolve(&long).hash(), short);
    assert_eq!(resolve(&resolve(&long).to_layer()).hash(), short);

    let settings = [
        ("game.lower_bound", json!(0.1)),
        ("game.scope", json!("all")),
        ("score.points", json!(5)),
        ("budget.exhaust", json!(true)),
        ("budget.share", json!(0.7)),
        ("reward.name", json!("err-log-macs")),
    ];
    let in_order = |order: &mut dyn Iterator<Item = &(&str, Value)>| {
        let mut layer = Layer::of_id(CHANNELS);
        order.for_each(|(path, value)| layer.set_path(path, value.clone()).unwrap());
        resolve(&layer).hash()
    };
    let first = in_order(&mut settings.iter());
    assert_ne!(first, short);
    assert_eq!(in_order(&mut settings.iter().rev()), first);
    for start in 1..settings.len() {
        assert_eq!(in_order(&mut settings.iter().cycle().skip(start).take(settings.len())), first);
    }
}
