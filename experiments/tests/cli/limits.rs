//! Numbers far from what a setting means are refused with its name, before anything is allocated by them.

use cgym::{Error, config::Config, config::RunSettings, loading::blueprint};
use cgym_env::settings::{Field, Fields, Layer};
use serde_json::{Value, json};

const PLAYED: [(&str, &str); 5] = [
    ("AMC-ResNet20-Digits-MACs50-v0", "ddpg"),
    ("AMC-ResNet20-Digits-MACs50-v0", "greedy"),
    ("AMC-FineGrained-LeNet5-MNIST-Params20-v0", "cem"),
    ("N2N-Removal-ResNet8-Digits-v0", "reinforce"),
    ("N2N-Shrinkage-ResNet8-Digits-v0", "actor-critic"),
];

/// Settings that decide how much memory is taken.
const SIZES: [&str; 11] = [
    "game.rows",
    "score.batch",
    "score.epochs",
    "agent.hidden",
    "agent.batch",
    "agent.replay",
    "agent.updates_per_step",
    "agent.population",
    "agent.layers",
    "agent.rollouts",
    "agent.baseline",
];

/// Everything that a search does before it loads weights and images.
fn prepare(id: &str, agent: &str, path: &str, value: &Value) -> Result<(), Error> {
    let mut layer = Layer::of_id(id).with("agent", "name", agent);
    layer.set_path(path, value.clone())?;
    let config = Config::from_layer(layer)?;
    let blueprint = blueprint(&config)?;
    config.agent(&*blueprint.outline().env)?;
    config.to_toml().map(|_| ())
}

/// Every setting of an environment and an agent by its path.
fn settings(id: &str, agent: &str) -> Vec<(String, Field)> {
    let env = Config::from_layer(Layer::of_id(id)).expect("an environment").env;
    let mut tables = env.fields();
    tables.push(("agent", cgym_agents::fields(agent).expect("an agent").to_vec()));
    tables.push(("run", RunSettings::FIELDS.to_vec()));
    let fields = tables.into_iter().flat_map(|(table, fields)| {
        fields.into_iter().map(move |field| (format!("{table}.{}", field.key), field))
    });
    fields.collect()
}

#[test]
fn no_number_makes_a_setting_panic_or_allocate() {
    let numbers =
        [json!(0), json!(1), json!(-1), json!(1_u64 << 31), json!(1_u64 << 63), json!(1e300), json!("nan")];
    let mut limited: Vec<String> = Vec::new();
    for (id, agent) in PLAYED {
        for (path, field) in settings(id, agent) {
            if field.kind.contains("PathBuf") {
                continue;
            }
            for number in &numbers {
                let value =
                    if field.kind.starts_with('[') { json!([number, number]) } else { number.clone() };
                let prepared = prepare(id, agent, &path, &value);
                if let Err(error) = &prepared {
                    // A constraint can be refused by the name of its reward, a bound by its budget.
                    let (text, table) = (error.to_string(), path.split_once('.').expect("a table").0);
                    let named = [field.key, &format!("{table}."), "budget"];
                    assert!(named.iter().any(|name| text.contains(name)), "{path} = {value}: {text}");
                }
                if SIZES.contains(&path.as_str()) && *number == json!(1_u64 << 31) {
                    assert!(prepared.is_err(), "{path} = {value} is accepted");
                    limited.push(path.clone());
                }
            }
        }
    }
    assert!(SIZES.iter().all(|size| limited.iter().any(|path| path == size)), "{limited:?}");
}

#[test]
fn images_of_any_size_are_not_asked_for() {
    let place = crate::common::Place::new();
    let set = ["describe", "AMC-MobileNetV1-Folder-MACs50-v0", "--set", "data.image_size=100000x100000"];
    crate::common::refused(&place, &set, &["`data.image_size`: 100000x100000 is over 4096x4096"]);
    let train = ["teacher", "train", "--out", "net", "--batch", "1000000"];
    crate::common::refused(&place, &train, &["`batch`: 1000000 images are too many"]);
    let train = ["teacher", "train", "--out", "net", "--epochs", "9223372036854775807"];
    crate::common::refused(&place, &train, &["`epochs`: from 1 to a million"]);
    let network =
        ["bench", "network", "--model", "resnet20", "--training", "--input", "1x8x8", "--batch", "100000"];
    crate::common::refused(&place, &network, &["batch: 100000 images are too many"]);
}
