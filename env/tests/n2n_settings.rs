//! N2N's settings.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use cgym_env::settings::{EnvSettings, Layer};
use serde_json::{Value, json};

const ID: &str = "N2N-Removal-ResNet20-Digits-v0";

fn with(values: &[(&str, Value)]) -> Result<EnvSettings, String> {
    let mut layer = Layer::of_id(ID);
    for (path, value) in values {
        layer.set_path(path, value.clone()).unwrap();
    }
    EnvSettings::resolve(&layer).map_err(|error| error.to_string())
}

#[test]
fn users_settings_of_n2n_keep_the_id_that_they_differ_from() {
    let changed = with(&[
        ("reward.name", json!("n2n-constrained")),
        ("reward.max_parameters", json!(20_000)),
        ("score.epochs", json!(2)),
        ("score.loss", json!("kd")),
        ("score.inherit", json!(true)),
    ]);
    let changed = changed.unwrap();
    assert_eq!(changed.id(), ID);
    let tables = changed.to_layer().tables;
    assert_eq!(
        (&tables["reward"]["max_parameters"], &tables["score"]["epochs"]),
        (&json!(20_000), &json!(2))
    );
    assert_eq!((&tables["score"]["loss"], &tables["score"]["inherit"]), (&json!("kd"), &json!(true)));
    assert!(changed.rules.uses_network_weights());
    assert!(changed.rules.uses_all_training_images());
    assert_eq!(EnvSettings::resolve(&changed.to_layer()).unwrap(), changed);
}

#[test]
fn unknown_keys_and_settings_outside_their_range_are_refused() {
    for (values, expected) in [
        (
            &[("score.epoch", json!(2))][..],
            "setting `score.epoch`: no such setting here; did you mean `epochs`?",
        ),
        (&[("reward.name", json!("n2n-constraint"))], "did you mean `n2n-constrained`?"),
        (&[("reward.name", json!("n2n-constrained"))], "needs max_parameters, max_macs or min_top1"),
        (&[("reward.max_macs", json!(5))], "setting `reward.name`: `n2n` has no constraints"),
        (&[("score.epochs", json!(0))], "setting `score.epochs`"),
        (&[("score.learning_rate", json!(-1.0))], "setting `score.learning_rate`"),
        (&[("score.alpha", json!(1.5))], "setting `score.alpha`"),
        (&[("score.optimiser", json!("adams"))], "setting `score.optimiser`"),
        (&[("data.reward_images", json!(0))], "setting `data.reward_images`"),
        (&[("score.training_images", json!(1))], "setting `score.training_images`"),
        (&[("game.rows", json!(1_000_000))], "setting `game.rows`: 1000000 are too many"),
    ] {
        let error = with(values).unwrap_err();
        assert!(error.contains(expected), "{values:?} gives {error}");
    }
}
