//! Environment ids: which there are, how they are spelled, and what they play.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::HashSet;

use cgym_env::{
    BudgetUnit, DEFAULT_ID, EnvError, FAMILIES, check_env, listed,
    settings::{EnvSettings, Layer},
};
use cgym_teachers::{
    data::DatasetName,
    zoo::{self, MODELS, ModelOptions},
};
use common::{digits_network, outlined};

const REMOVAL_ID: &str = "N2N-Removal-ResNet20-Digits-v0";

#[test]
fn every_listed_id_is_its_own_settings() {
    let listed = listed();
    assert_eq!(listed[0].id, DEFAULT_ID);
    assert!(listed.iter().any(|env| env.id == REMOVAL_ID));
    let mut seen = HashSet::new();
    for env in listed {
        assert!(seen.insert(env.id) && !env.description.is_empty());
        let settings = EnvSettings::from_id(env.id).unwrap();
        assert_eq!(settings.id(), env.id);
        assert!(settings.family.listed().iter().any(|(id, _)| *id == env.id), "{}", env.id);
    }
}

#[test]
fn any_model_dataset_and_budget_makes_an_id() {
    for model in MODELS {
        for dataset in DatasetName::ALL {
            for (unit, percent) in [
                (BudgetUnit::MACS, 50),
                (BudgetUnit::PARAMS, 7),
                (BudgetUnit::BYTES, 33),
                (BudgetUnit::MACS, 100),
            ] {
                let layer = Layer::default()
                    .with("network", "model", *model)
                    .with("data", "dataset", dataset.as_str())
                    .with("budget", "unit", unit.as_str())
                    .with("budget", "share", f64::from(percent) / 100.0);
                let settings = EnvSettings::resolve(&layer).unwrap();
                assert_eq!(EnvSettings::from_id(&settings.id()).unwrap(), settings, "{}", settings.id());
            }
        }
    }
    let settings = EnvSettings::from_id("AMC-MobileNetV1-FashionMNIST-Params60-v0").unwrap();
    assert_eq!(
        (settings.network.model.as_str(), settings.data.dataset),
        ("mobilenet-v1", DatasetName::FashionMnist)
    );
    assert_eq!((settings.budget.unit, settings.budget.share), (BudgetUnit::PARAMS, Some(0.6)));
    assert_eq!(settings.to_layer().get("game", "channel_multiple"), Some(&8.into()));
}

#[test]
fn any_stage_model_and_dataset_makes_an_id() {
    for stage in ["n2n-removal", "n2n-shrinkage"] {
        for model in MODELS {
            for dataset in DatasetName::ALL {
                let layer = Layer::default()
                    .with("game", "name", stage)
                    .with("network", "model", *model)
                    .with("data", "dataset", dataset.as_str());
                let settings = EnvSettings::resolve(&layer).unwrap();
                assert_eq!(settings.family.name(), stage);
                assert_eq!(EnvSettings::from_id(&settings.id()).unwrap(), settings, "{}", settings.id());
            }
        }
    }
    assert_eq!(EnvSettings::from_id("AMC-ResNet20-Digits-MACs50-v0").unwrap().family.name(), "channels");
}

#[test]
fn an_id_without_a_budget_has_none() {
    for model in MODELS {
        for dataset in DatasetName::ALL {
            let layer = Layer::default()
                .with("network", "model", *model)
                .with("data", "dataset", dataset.as_str())
                .with("budget", "share", "none");
            let settings = EnvSettings::resolve(&layer).unwrap();
            assert_eq!(EnvSettings::from_id(&settings.id()).unwrap(), settings, "{}", settings.id());
        }
    }
    let weights = EnvSettings::from_id("AMC-FineGrained-ResNet20-Digits-v0").unwrap();
    assert_eq!((weights.budget.unit, weights.budget.share), (BudgetUnit::PARAMS, None));
    let settings = EnvSettings::from_id("AMC-ResNet20-Digits-v0").unwrap();
    assert_eq!((settings.budget.unit, settings.budget.share), (BudgetUnit::MACS, None));
    assert_eq!(settings.id(), "AMC-ResNet20-Digits-v0");
    let refused = EnvSettings::from_id("N2N-Removal-ResNet20-Digits-Params50-v0").unwrap_err();
    assert!(matches!(refused, EnvError::UnknownId { .. }), "{refused}");
}

#[test]
fn a_model_or_dataset_of_the_users_choice_is_compressed_to_half_its_macs() {
    let id = |layer: Layer| EnvSettings::resolve(&layer).unwrap().id();
    assert_eq!(id(Layer::default()), DEFAULT_ID);
    assert_eq!(id(Layer::default().with("network", "model", "vgg16")), "AMC-VGG16-Digits-MACs50-v0");
    assert_eq!(id(Layer::default().with("data", "dataset", "cifar10")), "AMC-ResNet20-CIFAR10-MACs50-v0");
    let own = Layer::default().with("network", "from", "mine");
    assert_eq!(id(own.clone()), "AMC-Own-Digits-MACs50-v0");
    let both = EnvSettings::resolve(&own.with("network", "model", "vgg16")).unwrap_err().to_string();
    assert!(both.contains("network.model"), "{both}");
    assert_eq!(id(Layer::default().with("network", "from", "none")), DEFAULT_ID);
    assert!(EnvSettings::from_id("AMC-Own-Digits-MACs50-v0").is_err(), "there is no network without a file");
}

#[test]
fn an_unknown_id_gets_the_nearest_one() {
    let refusal = |id: &str| EnvSettings::from_id(id).unwrap_err().to_string();
    let right = "; did you mean `AMC-ResNet20-CIFAR10-MACs30-v0`?";
    for wrong in [
        "AMC-ResNet20-CIFAR-10-MACs30-v0",
        "AMC-Resnet20-CIFAR10-MACs30-v0",
        "AMC-ResNet20-CIFAR10-MACs30-v1",
        "AMC-ResNet20-CIFAR10-MACs30",
        "AMC-ResNet20-CIFAR10-MACs30-v00",
        "AMC-ResNet20-CIFAR10-MACs30-v+0",
    ] {
        assert_eq!(refusal(wrong), format!("unknown environment `{wrong}`{right}"));
    }
    assert!(refusal("AMC-ResNet20-Digits-MACs050-v0").contains("did you mean `AMC-"));
    assert!(refusal("AMC-ResNet20-Digits-MACs0-v0").contains("did you mean"));
    assert!(refusal("AMC-ResNet20-Digits-MACs101-v0").contains("did you mean"));
    assert!(refusal("AMC-ResNet20-Digits-Macs30-v0").contains("did you mean `AMC-"));
    assert!(refusal("AMC-ResNet20-Digit-v0").contains("did you mean `AMC-ResNet20-Digits-v0`?"));
    assert!(refusal("x").contains("; known: AMC-ResNet20-Digits-MACs30-v0, "));
    assert!(refusal("x").contains(REMOVAL_ID));
    assert!(refusal("").contains("; known: "));
}

#[test]
fn an_unknown_id_gets_the_nearest_one_of_its_family() {
    let refusal = |id: &str| EnvSettings::from_id(id).unwrap_err().to_string();
    let right = format!("; did you mean `{REMOVAL_ID}`?");
    for wrong in [
        "N2N-removal-ResNet20-Digits-v0",
        "N2N-Removal-ResNet20-Digits-v1",
        "N2N-Removal-ResNet20-Digit-v0",
        "n2n-Removal-ResNet20-Digits-v0",
        "N2N-Removal-ResNet20-Digits",
    ] {
        assert_eq!(refusal(wrong), format!("unknown environment `{wrong}`{right}"));
    }
}

#[test]
fn families_have_names_and_id_words_of_their_own() {
    let names: HashSet<&str> = FAMILIES.iter().map(|family| family.name()).collect();
    let words: HashSet<&str> = FAMILIES.iter().map(|family| family.id_word()).collect();
    assert_eq!((names.len(), words.len()), (FAMILIES.len(), FAMILIES.len()));
    for family in FAMILIES {
        assert!(!family.description().is_empty() && !family.listed().is_empty(), "{}", family.name());
        let numbers: Vec<u32> = family.versions().iter().map(|version| version.number).collect();
        assert!(!numbers.is_empty() && numbers.is_sorted_by(|a, b| a < b), "{}: {numbers:?}", family.name());
        assert!(family.versions().iter().all(|version| version.layer().is_ok()), "{}", family.name());
    }
}

#[test]
fn a_listed_environment_can_be_made_and_keeps_the_contract() {
    for (id, steps) in [
        (DEFAULT_ID, Some(9)),
        ("AMC-ResNet20-Digits-v0", Some(9)),
        ("AMC-ResNet8-Digits-MACs50-v0", Some(3)),
        (REMOVAL_ID, None),
        ("N2N-Shrinkage-ResNet20-Digits-v0", None),
    ] {
        let settings = EnvSettings::from_id(id).unwrap();
        let env = outlined(&settings, &digits_network(&settings.network.model)).unwrap();
        assert_eq!((env.spec().id.as_str(), &env.spec().settings), (id, &settings.hash()));
        assert!(steps.is_none_or(|steps| env.spec().steps() == steps), "{id}");
        check_env(|| env.fork().unwrap()).unwrap();
    }
}

#[test]
fn every_model_fits_the_images_of_every_dataset() {
    for model in MODELS {
        for (input, classes) in [([1, 8, 8], 10), ([1, 28, 28], 10), ([3, 32, 32], 100)] {
            zoo::build(model, &ModelOptions::new(input, classes)).unwrap();
        }
    }
}
