//! Settings as tables: layers, what is refused, and the way back from resolved settings.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use cgym_env::{
    BudgetUnit, DEFAULT_ID, EnvError, listed,
    settings::{EnvSettings, Layer, TABLES},
};
use serde_json::{Value, json};

fn resolve(layer: &Layer) -> EnvSettings {
    EnvSettings::resolve(layer).unwrap()
}

fn refusal(layer: &Layer) -> String {
    EnvSettings::resolve(layer).unwrap_err().to_string()
}

#[test]
fn an_id_gives_way_to_a_file_and_a_file_to_flags() {
    let id = resolve(&Layer::of_id("AMC-ResNet20-Digits-MACs30-v0"));
    assert_eq!((id.budget.share, &id.to_layer().tables["game"]["lower_bound"]), (Some(0.3), &json!(0.2)));
    let file = Layer::of_id("AMC-ResNet20-Digits-MACs30-v0")
        .with("budget", "share", 0.4)
        .with("game", "lower_bound", 0.1)
        .with("game", "scope", "all");
    let from_file = resolve(&file);
    assert_eq!(from_file.budget.share, Some(0.4));
    assert_eq!(from_file.id(), "AMC-ResNet20-Digits-MACs40-v0");
    let flags = Layer::default().with("budget", "share", 0.6).with("game", "scope", "inner");
    let both = resolve(&flags.over(file));
    assert_eq!((both.budget.share, both.budget.unit), (Some(0.6), BudgetUnit::MACS));
    let game = &both.to_layer().tables["game"];
    assert_eq!((&game["lower_bound"], &game["scope"]), (&json!(0.1), &json!("inner")));
}

#[test]
fn an_id_on_the_command_line_replaces_the_environment_of_a_file() {
    let file = Layer::of_id("N2N-Removal-ResNet8-Digits-v0")
        .with("reward", "name", "n2n-constrained")
        .with("reward", "max_macs", 5)
        .with("data", "reward_images", 30);
    let settings = resolve(&Layer::of_id(DEFAULT_ID).over(file));
    assert_eq!((settings.id().as_str(), settings.family.name()), (DEFAULT_ID, "channels"));
    assert_eq!(settings.data.reward_images, None);
}

#[test]
fn a_models_own_defaults_give_way_to_what_is_given() {
    let multiple = |layer: Layer| resolve(&layer).to_layer().tables["game"]["channel_multiple"].clone();
    assert_eq!(multiple(Layer::of_id("AMC-MobileNetV2-CIFAR10-MACs50-v0")), 8);
    assert_eq!(multiple(Layer::default().with("network", "model", "mobilenet-v1")), 8);
    let of_model = Layer::of_id(DEFAULT_ID).with("network", "model", "mobilenet-v1");
    assert_eq!(multiple(of_model.clone()), 8);
    assert_eq!(multiple(of_model.with("game", "channel-multiple", 4)), 4);
    assert_eq!(multiple(Layer::default()), 1);
}

#[test]
fn an_unknown_key_is_refused_with_its_table_and_the_nearest() {
    for (table, key, nearest) in [
        ("network", "modle", "model"),
        ("data", "reward_image", "reward_images"),
        ("game", "lower_bond", "lower_bound"),
        ("budget", "shares", "share"),
        ("reward", "nam", "name"),
        ("score", "refits", "refit"),
    ] {
        let refused = refusal(&Layer::default().with(table, key, 1));
        assert_eq!(
            refused,
            format!("setting `{table}.{key}`: no such setting here; did you mean `{nearest}`?")
        );
    }
    let refused = Layer::default().with("gmae", "scope", "all").check_tables(&TABLES).unwrap_err();
    assert_eq!(refused.to_string(), "setting `gmae`: no such table; did you mean `game`?");
    assert!(Layer::default().with("game", "scope", "all").check_tables(&TABLES).is_ok());
}

#[test]
fn an_unknown_word_is_refused_with_the_nearest() {
    for (table, key, word, nearest) in [
        ("reward", "name", "err-log-mac", "err-log-macs"),
        ("game", "scope", "iner", "inner"),
        ("game", "name", "n2n-remove", "n2n-removal"),
        ("budget", "unit", "mac", "macs"),
        ("network", "model", "resnet21", "resnet20"),
    ] {
        let refused = refusal(&Layer::default().with(table, key, word));
        assert!(refused.starts_with(&format!("setting `{table}.{key}`: unknown ")), "{refused}");
        assert!(refused.contains(&format!("did you mean `{nearest}`?")), "{refused}");
    }
}

#[test]
fn keys_and_words_of_another_game_are_refused() {
    let removal = || Layer::of_id("N2N-Removal-ResNet8-Digits-v0");
    for (layer, path) in [
        (Layer::default().with("game", "rows", 64), "game.rows"),
        (Layer::default().with("reward", "max_macs", 5), "reward.max_macs"),
        (Layer::default().with("reward", "name", "n2n"), "reward.name"),
        (Layer::default().with("score", "epochs", 2), "score.epochs"),
        (removal().with("game", "lower_bound", 0.1), "game.lower_bound"),
        (removal().with("reward", "name", "err"), "reward.name"),
        (removal().with("score", "refit", true), "score.refit"),
    ] {
        match EnvSettings::resolve(&layer) {
            Err(EnvError::Setting { key, .. }) => assert_eq!(key, path),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(
        refusal(&removal().with("budget", "share", 0.5)),
        "setting `budget.share`: this table has no settings here; leave it out"
    );
    let two_games = Layer::of_id(DEFAULT_ID).with("game", "name", "n2n-removal");
    assert!(refusal(&two_games).contains("the id of the environment names another game"));
    assert!(
        refusal(&Layer::of_id(DEFAULT_ID).with("game", "version", 7)).starts_with("setting `game.version`")
    );
}

#[test]
fn a_unit_or_a_flag_without_its_budget_is_refused() {
    let refused = refusal(&Layer::of_id("AMC-ResNet20-Digits-v0").with("budget", "exhaust", true));
    assert_eq!(refused, "setting `budget.exhaust`: there is no budget to use up; set budget.share");
    let refused = refusal(&Layer::default().with("budget", "unit", "latency"));
    assert!(refused.starts_with("setting `budget.unit`: unknown name `latency`"), "{refused}");
}

#[test]
fn none_empties_a_budget() {
    for none in [json!("none"), Value::Null] {
        let settings = resolve(&Layer::of_id(DEFAULT_ID).with("budget", "share", none));
        assert_eq!(settings.budget.share, None);
        assert_eq!(settings.id(), "AMC-ResNet20-Digits-v0");
        assert_eq!(settings, resolve(&Layer::of_id("AMC-ResNet20-Digits-v0")));
    }
}

#[test]
fn hyphens_and_underscores_mean_the_same() {
    let with = |key: &str| resolve(&Layer::default().with("game", key, 0.3));
    assert_eq!(with("lower-bound"), with("lower_bound"));
    let mut by_path = Layer::default();
    by_path.set_path("game.lower-bound", json!(0.3)).unwrap();
    assert_eq!(by_path.get("game", "lower_bound"), Some(&json!(0.3)));
    for wrong in ["lower_bound", "game.", ".scope", ""] {
        assert!(by_path.set_path(wrong, json!(1)).is_err(), "{wrong}");
    }
    by_path.set_path("env", json!(DEFAULT_ID)).unwrap();
    assert_eq!(by_path.env.as_deref(), Some(DEFAULT_ID));
    assert!(by_path.set_path("env", json!(3)).is_err());
}

#[test]
fn resolved_settings_are_a_layer_that_resolves_to_them() {
    for env in listed() {
        let settings = resolve(&Layer::of_id(env.id));
        let layer = settings.to_layer();
        assert_eq!(layer.env.as_deref(), Some(env.id));
        layer.check_tables(&TABLES).unwrap();
        let again = resolve(&layer);
        assert_eq!((&again, again.hash()), (&settings, settings.hash()), "{}", env.id);
        let text = serde_json::to_string(&layer).unwrap();
        assert_eq!(serde_json::from_str::<Layer>(&text).unwrap(), layer);
        for (table, fields) in settings.fields() {
            let keys: Vec<&str> = layer.tables[table].keys().map(String::as_str).collect();
            let mut known: Vec<&str> = fields.iter().map(|field| field.key).collect();
            known.sort_unstable();
            let mut keys = keys;
            keys.sort_unstable();
            assert_eq!(keys, known, "{} [{table}]", env.id);
            assert!(fields.iter().all(|field| !field.help_line().is_empty()), "{} [{table}]", env.id);
        }
    }
    let changed = Layer::of_id(DEFAULT_ID)
        .with("budget", "share", 0.305)
        .with("budget", "exhaust", true)
        .with("score", "refit", false)
        .with("network", "from", "somewhere")
        .with("data", "image_size", "64x48");
    let settings = resolve(&changed);
    assert_eq!(resolve(&settings.to_layer()), settings);
    assert_eq!(settings.to_layer().get("data", "image_size"), Some(&json!("64x48")));
}

#[test]
fn users_settings_keep_the_id_that_they_differ_from() {
    let layer = Layer::of_id(DEFAULT_ID)
        .with("reward", "name", "err-log-params")
        .with("game", "scope", "all")
        .with("game", "lower_bound", 0.1);
    let settings = resolve(&layer);
    assert_eq!(settings.id(), DEFAULT_ID);
    assert_ne!(settings.hash(), resolve(&Layer::of_id(DEFAULT_ID)).hash());
    let tables = settings.to_layer().tables;
    assert_eq!(tables["reward"]["name"], "err-log-params");
    assert_eq!((&tables["game"]["scope"], &tables["game"]["lower_bound"]), (&json!("all"), &json!(0.1)));
    assert_eq!(resolve(&layer.clone().with("budget", "share", 0.3)).id(), "AMC-ResNet20-Digits-MACs30-v0");
    assert_eq!(
        refusal(&layer.with("data", "reward_images", 0)),
        "setting `data.reward_images`: 0 images measure nothing"
    );
}
