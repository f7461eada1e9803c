//! N2N's ids and configurations.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use cgym_env::{
    Env, Family, N2nConfig, N2nOverrides, Stage, SurrogateStudent, TeacherFigures, check_env, registered,
};
use cgym_teachers::{data::DatasetName, zoo::MODELS};
use common::teacher;

const ID: &str = "N2N-Removal-ResNet20-Digits-v0";

#[test]
fn any_stage_model_and_dataset_makes_an_id() {
    for stage in [Stage::Removal, Stage::Shrinkage] {
        for model in MODELS {
            for dataset in DatasetName::ALL {
                let config = N2nConfig::new(stage, model, dataset);
                config.check().unwrap();
                assert_eq!(N2nConfig::from_id(&config.id()).unwrap(), config, "{}", config.id());
                assert_eq!(Family::from_id(&config.id()).unwrap(), Family::N2n(config));
            }
        }
    }
    assert!(matches!(Family::from_id("AMC-ResNet20-Digits-MACs50-v0").unwrap(), Family::Amc(_)));
    assert!(registered().iter().any(|env| env.id == ID));
}

#[test]
fn an_unknown_id_gets_the_nearest_one_of_its_family() {
    let refusal = |id: &str| Family::from_id(id).unwrap_err().to_string();
    let right = format!("; did you mean `{ID}`?");
    for wrong in [
        "N2N-removal-ResNet20-Digits-v0",
        "N2N-Removal-ResNet20-Digits-v1",
        "N2N-Removal-ResNet20-Digit-v0",
        "n2n-Removal-ResNet20-Digits-v0",
        "N2N-Removal-ResNet20-Digits",
    ] {
        assert_eq!(refusal(wrong), format!("unknown environment `{wrong}`{right}"));
    }
    assert!(refusal("AMC-ResNet20-Digits-MACs050-v0").contains("did you mean `AMC-"));
    assert!(refusal("x").contains("; known: AMC-ResNet20-Digits-MACs30-v0, "));
    assert!(refusal("x").contains(ID));
}

#[test]
fn configurations_are_data_that_refuses_unknown_keys_and_settings_outside_their_range() {
    let config = N2nConfig::from_id(ID).unwrap();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<N2nConfig>(&json).unwrap(), config);
    let with = |text: &str| {
        let overrides = serde_json::from_str::<N2nOverrides>(text).map_err(|error| error.to_string())?;
        config.clone().with(&overrides).map_err(|error| error.to_string())
    };
    let changed = with(
        r#"{"reward": "n2n-constrained", "max_parameters": 20000, "epochs": 2, "loss": "kd", "inherit": true}"#,
    );
    let changed = changed.unwrap();
    assert_eq!(changed.id(), ID);
    assert_eq!((changed.constraints.max_parameters, changed.student.epochs), (Some(20_000), 2));
    assert_eq!((changed.student.loss.to_string().as_str(), changed.inherit), ("kd", true));
    for (text, expected) in [
        (r#"{"epoch": 2}"#, "epoch"),
        (r#"{"reward": "n2n-constraint"}"#, "did you mean `n2n-constrained`?"),
        (r#"{"reward": "n2n-constrained"}"#, "constraints"),
        (r#"{"max_macs": 5}"#, "n2n-constrained"),
        (r#"{"epochs": 0}"#, "epochs"),
        (r#"{"learning_rate": -1.0}"#, "learning_rate"),
        (r#"{"alpha": 1.5}"#, "alpha"),
        (r#"{"reward_size": 0}"#, "reward_size"),
        (r#"{"training_size": 1}"#, "training_size"),
    ] {
        let error = with(text).unwrap_err();
        assert!(error.contains(expected), "{text} gives {error}");
    }
}

#[test]
fn a_listed_environment_can_be_made_and_keeps_the_contract() {
    for id in [ID, "N2N-Shrinkage-ResNet20-Digits-v0"] {
        let config = N2nConfig::from_id(id).unwrap();
        let (graph, _) = teacher(&config.model, [1, 8, 8], 10);
        let cost = graph.cost().unwrap();
        let figures = TeacherFigures { top1: 0.99, parameters: cost.parameters, macs: cost.macs };
        let surrogate = Arc::new(SurrogateStudent::new(&graph).unwrap());
        let env = config.make(figures, &graph, surrogate).unwrap();
        assert_eq!(env.spec().id, id);
        check_env(|| env.fork()).unwrap();
    }
}
