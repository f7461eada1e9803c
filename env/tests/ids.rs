//! Environment ids and their configurations.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{collections::HashSet, sync::Arc};

use cgym_env::{
    BudgetUnit, DEFAULT_ID, Env, EnvConfig, EnvOverrides, Family, Reward, Scope, Surrogate, check_env,
    registered,
};
use cgym_teachers::{
    data::DatasetName,
    zoo::{self, MODELS, ModelOptions},
};
use common::teacher;

#[test]
fn every_listed_id_is_its_own_configuration() {
    assert_eq!(registered()[0].id, DEFAULT_ID);
    let mut seen = HashSet::new();
    for env in registered() {
        assert!(seen.insert(env.id) && !env.description.is_empty());
        let config = Family::from_id(env.id).unwrap();
        match &config {
            Family::Amc(config) => config.check().unwrap(),
            Family::N2n(config) => config.check().unwrap(),
        }
        assert_eq!(config.id(), env.id);
    }
}

#[test]
fn any_model_dataset_and_budget_makes_an_id() {
    for model in MODELS {
        for dataset in DatasetName::ALL {
            for (budget, percent) in
                [(BudgetUnit::Macs, 50), (BudgetUnit::Params, 7), (BudgetUnit::Macs, 100)]
            {
                let config = EnvConfig::new(model, dataset, budget, f64::from(percent) / 100.0);
                assert_eq!(EnvConfig::from_id(&config.id()).unwrap(), config, "{}", config.id());
            }
        }
    }
    let config = EnvConfig::from_id("AMC-MobileNetV1-FashionMNIST-Params60-v0").unwrap();
    assert_eq!((config.model.as_str(), config.dataset), ("mobilenet-v1", DatasetName::FashionMnist));
    assert_eq!((config.budget, config.target, config.channel_multiple), (BudgetUnit::Params, 0.6, 8));
}

#[test]
fn an_unknown_id_gets_the_nearest_one() {
    let refusal = |id: &str| EnvConfig::from_id(id).unwrap_err().to_string();
    let right = "; did you mean `AMC-ResNet20-CIFAR10-MACs30-v0`?";
    for wrong in [
        "AMC-ResNet20-CIFAR-10-MACs30-v0",
        "AMC-Resnet20-CIFAR10-MACs30-v0",
        "AMC-ResNet20-CIFAR10-MACs30-v1",
        "AMC-ResNet20-CIFAR10-MACs30",
    ] {
        assert_eq!(refusal(wrong), format!("unknown environment `{wrong}`{right}"));
    }
    assert!(refusal("AMC-ResNet20-Digits-MACs050-v0").contains("did you mean"));
    assert!(refusal("AMC-ResNet20-Digits-MACs0-v0").contains("did you mean"));
    assert!(refusal("AMC-ResNet20-Digits-MACs101-v0").contains("did you mean"));
    assert!(refusal("x").contains("; known: AMC-ResNet20-Digits-MACs30-v0, "));
}

#[test]
fn configurations_are_data_that_refuses_unknown_keys_and_names() {
    let config = EnvConfig::from_id(DEFAULT_ID).unwrap();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<EnvConfig>(&json).unwrap(), config);
    let read = |text: &str| serde_json::from_str::<EnvOverrides>(text).map_err(|error| error.to_string());
    assert!(read(r#"{"lower_bond": 0.1}"#).unwrap_err().contains("lower_bond"));
    assert!(read(r#"{"reward": "err-log-mac"}"#).unwrap_err().contains("did you mean `err-log-macs`?"));
    assert!(read(r#"{"scope": "iner"}"#).unwrap_err().contains("did you mean `inner`?"));
}

#[test]
fn users_settings_keep_the_id_that_they_differ_from() {
    let overrides: EnvOverrides =
        serde_json::from_str(r#"{"reward": "err-log-params", "scope": "all", "lower_bound": 0.1}"#).unwrap();
    let config = EnvConfig::from_id(DEFAULT_ID).unwrap().with(&overrides).unwrap();
    assert_eq!(config.id(), DEFAULT_ID);
    assert_eq!((config.reward, config.scope, config.lower_bound), (Reward::ErrorLogParams, Scope::All, 0.1));
    let other = EnvOverrides { target: Some(0.3), ..EnvOverrides::default() };
    assert_eq!(config.clone().with(&other).unwrap().id(), "AMC-ResNet20-Digits-MACs30-v0");
    let wrong = EnvOverrides { reward_size: Some(0), ..EnvOverrides::default() };
    assert_eq!(
        config.with(&wrong).unwrap_err().to_string(),
        "setting `reward_size`: 0 images measure nothing"
    );
}

#[test]
fn the_default_environment_can_be_made_and_keeps_the_contract() {
    let config = EnvConfig::from_id(DEFAULT_ID).unwrap();
    let (graph, coupling) = teacher(&config.model, [1, 8, 8], 10);
    let surrogate = Arc::new(Surrogate::new(&graph, &coupling).unwrap());
    let env = config.make(&graph, &coupling, surrogate).unwrap();
    assert_eq!(env.spec().id, DEFAULT_ID);
    assert_eq!(env.spec().steps(), 9);
    check_env(|| env.fork()).unwrap();
}

#[test]
fn every_model_fits_the_images_of_every_dataset() {
    for model in MODELS {
        for (input, classes) in [([1, 8, 8], 10), ([1, 28, 28], 10), ([3, 32, 32], 100)] {
            zoo::build(model, &ModelOptions::new(input, classes)).unwrap();
        }
    }
}
