//! Two versions of one game side by side.

use std::sync::Arc;

use cgym_teachers::{engine::Convolution, graph::Graph};
use serde_json::{Value, json};

use super::*;
use crate::{
    BudgetUnit, Material, Version,
    layerwise::LayerwiseFamily,
    method::{
        Method, MethodKind, Surgery,
        channels::{ChannelScore, ChannelSettings, Channels},
    },
};

/// Channel pruning whose second version has other defaults.
struct TwoVersions;

impl MethodKind for TwoVersions {
    type Settings = ChannelSettings;
    type Score = ChannelScore;

    const NAME: &'static str = "two-versions";
    const ID_WORD: &'static str = "AMC-Two";
    const DESCRIPTION: &'static str = "channel pruning to test with";
    const KEPT_UNIT: &'static str = Channels::KEPT_UNIT;
    const UNITS: &'static [BudgetUnit] = Channels::UNITS;
    const LISTED: &'static [(&'static str, &'static str)] = &[];
    const VERSIONS: &'static [Version] = &[
        Version { number: 0, settings: &[] },
        Version {
            number: 1,
            settings: &[
                ("game.lower-bound", "0.3"),
                ("game.channel_multiple", "2"),
                ("reward.name", "\"err-log-macs\""),
                ("score.points", "5"),
            ],
        },
    ];

    fn defaults(model: &str) -> Layer {
        Channels::defaults(model)
    }

    fn lower_bound(settings: &ChannelSettings, budget: &Budget) -> f64 {
        Channels::lower_bound(settings, budget)
    }

    fn method(
        graph: &Graph,
        settings: &ChannelSettings,
        budget: &Budget,
    ) -> Result<Arc<dyn Method>, EnvError> {
        Channels::method(graph, settings, budget)
    }

    fn convolution(score: &ChannelScore) -> Convolution {
        score.convolution
    }

    fn calibration_images(score: &ChannelScore) -> Option<usize> {
        Channels::calibration_images(score)
    }

    fn with_calibration_images(score: &ChannelScore, images: usize) -> ChannelScore {
        Channels::with_calibration_images(score, images)
    }

    fn surgery(
        material: &Material,
        settings: &ChannelSettings,
        score: &ChannelScore,
    ) -> Result<Arc<dyn Surgery>, EnvError> {
        Channels::surgery(material, settings, score)
    }
}

static TWO: LayerwiseFamily<TwoVersions> = LayerwiseFamily::ROW;

/// The settings that `id` names, with others over them.
fn settings(id: &str, given: &Layer) -> EnvSettings {
    let base = id::parse_as(&TWO, id).expect("an id of the family");
    EnvSettings::of_family(&TWO, base, given).expect("settings in range")
}

fn values(settings: &EnvSettings) -> [Value; 4] {
    let layer = settings.to_layer();
    let of = |table, key| layer.get(table, key).cloned().unwrap_or_default();
    [of("game", "lower_bound"), of("game", "channel_multiple"), of("reward", "name"), of("score", "points")]
}

#[test]
fn versions_resolve_side_by_side_with_defaults_of_their_own() {
    let [old, new] = [0, 1].map(|version| {
        let id = format!("AMC-Two-ResNet20-Digits-MACs50-v{version}");
        let settings = settings(&id, &Layer::default());
        assert_eq!((settings.id(), settings.version), (id, version));
        assert_eq!(settings.budget.share, Some(0.5));
        settings
    });
    assert_eq!(values(&old), [json!(0.2), json!(1), json!("err"), json!(10)]);
    assert_eq!(values(&new), [json!(0.3), json!(2), json!("err-log-macs"), json!(5)]);
    assert_ne!(old.hash(), new.hash());
    assert!(id::parse_as(&TWO, "AMC-Two-ResNet20-Digits-MACs50-v2").is_none());
}

#[test]
fn equal_settings_of_two_versions_still_have_different_hashes() {
    let old = settings("AMC-Two-ResNet20-Digits-MACs50-v0", &Layer::default());
    let mut given = old.to_layer();
    given.env = None;
    given.tables.get_mut("game").map(|game| game.remove("version"));
    let new = settings("AMC-Two-ResNet20-Digits-MACs50-v1", &given);
    assert_eq!(values(&new), values(&old));
    assert_ne!(new.hash(), old.hash());
}

#[test]
fn a_versions_defaults_give_way_to_the_models_and_both_to_what_is_given() {
    let id = "AMC-Two-MobileNetV1-CIFAR10-v1";
    assert_eq!(values(&settings(id, &Layer::default()))[..2], [json!(0.3), json!(8)]);
    let given = Layer::default().with("game", "channel_multiple", 4).with("reward", "name", "err");
    assert_eq!(values(&settings(id, &given)), [json!(0.3), json!(4), json!("err"), json!(5)]);
}

#[test]
fn settings_of_a_version_resolve_to_themselves() {
    for id in ["AMC-Two-ResNet20-Digits-v0", "AMC-Two-ResNet20-Digits-v1"] {
        let settings = settings(id, &Layer::default());
        let base = id::parse_as(&TWO, id).expect("an id of the family");
        let again = EnvSettings::of_family(&TWO, base, &settings.to_layer()).expect("settings in range");
        assert_eq!((again.hash(), again), (settings.hash(), settings));
    }
}

#[test]
fn the_newest_version_is_played_where_none_is_given() {
    let of = |given: &Layer| EnvSettings::of_family(&TWO, Layer::default(), given);
    assert_eq!(of(&Layer::default()).expect("settings in range").version, 1);
    assert_eq!(of(&Layer::default().with("game", "version", 0)).expect("settings in range").version, 0);
    let refused = of(&Layer::default().with("game", "version", 2)).expect_err("refused").to_string();
    assert_eq!(refused, "setting `game.version`: 2 is unknown; `two-versions` has 0, 1");
}

#[test]
fn a_row_of_a_version_that_is_no_setting_is_refused() {
    for (path, value) in [("lower_bound", "0.3"), ("game.lower_bound", "err")] {
        let version = Version { number: 2, settings: Box::leak(Box::new([(path, value)])) };
        assert!(matches!(version.layer(), Err(EnvError::Setting { key, .. }) if key == path));
    }
}
