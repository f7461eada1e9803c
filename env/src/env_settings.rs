//! Settings of an environment as tables, written once.
//!
//! `[network] [data] [game] [budget] [reward] [score]` are one struct each; the last four depend on
//! the game. A struct's field docs are the help text, and its defaults stand nowhere else. An id is
//! a short spelling of some settings; a file and flags add others in [`Layer`]s: id < file < flags.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    Budget, EnvError,
    family::{Family, Rules, Tables},
    fields::{Field, Fields, NoSettings, read, refuse, write},
    id,
    layer::{Layer, TABLES},
    nearest,
    registry::FAMILIES,
    tables::{Data, Network},
};

/// Keys that say where something is rather than what, and how strictly it is read: they are not part of
/// the hash.
const LOCATIONS: [(&str, &str); 4] =
    [("network", "weights"), ("network", "allow_extra_tensors"), ("network", "from"), ("data", "path")];

/// Keys that are part of the hash only where they have a value: hashes of earlier versions, which did
/// not have them, stay the same.
const LATER: [(&str, &str); 3] = [("data", "mean"), ("data", "std"), ("data", "scale")];

/// The resolved settings of an environment: every setting has a value and was checked.
#[derive(Clone)]
pub struct EnvSettings {
    /// The game.
    pub family: &'static dyn Family,
    /// Version of the game's dynamics and rewards.
    pub version: u32,
    /// The network.
    pub network: Network,
    /// The images.
    pub data: Data,
    /// The budget.
    pub budget: Budget,
    /// The tables that are the game's own.
    pub rules: Arc<dyn Rules>,
}

impl std::fmt::Debug for EnvSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("EnvSettings").field(&self.to_layer()).finish()
    }
}

impl PartialEq for EnvSettings {
    fn eq(&self, other: &Self) -> bool {
        self.to_layer() == other.to_layer()
    }
}

impl EnvSettings {
    /// The settings that `id` names.
    ///
    /// # Errors
    /// [`EnvError::UnknownId`] with the nearest id.
    pub fn from_id(id: &str) -> Result<Self, EnvError> {
        Self::resolve(&Layer::of_id(id))
    }

    /// The settings of `given`, with the defaults of its id, or of the default environment.
    ///
    /// A model or dataset without an id is compressed to half its MACs.
    ///
    /// # Errors
    /// [`EnvError::UnknownId`]; [`EnvError::Setting`] for an unknown key or a value outside its range.
    pub fn resolve(given: &Layer) -> Result<Self, EnvError> {
        let base = base(given)?;
        Self::of_family(family(&base, given)?, base, given)
    }

    /// The settings of `given` in a game, over what an id says.
    fn of_family(family: &'static dyn Family, mut base: Layer, given: &Layer) -> Result<Self, EnvError> {
        if base.get("game", "name").and_then(Value::as_str) != Some(family.name()) {
            base.tables.remove("game");
            base.tables.remove("budget");
            if let Some(unit) = family.units().first() {
                base = base.with("budget", "unit", unit.as_str()).with("budget", "share", 0.5);
            }
        }
        let foreign = ["model", "width", "stem", "shortcut", "weights"];
        let foreign = foreign.into_iter().find(|key| given.get("network", key).is_some());
        let model =
            |layer: &Layer| layer.get("network", "model").and_then(Value::as_str).map(ToOwned::to_owned);
        let model = model(given).or_else(|| model(&base)).unwrap_or_else(|| Network::default().model);
        // The id is in `base` already.
        let given = Layer { env: None, tables: given.tables.clone() };
        let above = given.over(Layer { env: None, ..base });
        let version = version(family, &above)?;
        let mut merged = above.over(family.defaults(&model)).over(version.layer()?);
        for key in ["name", "version"] {
            merged.tables.entry("game".to_owned()).or_default().remove(key);
        }
        if let (Some(unit), None) = (family.units().first(), merged.get("budget", "unit")) {
            merged.set("budget", "unit", unit.as_str());
        }
        let budget = match family.units() {
            [] => {
                read::<NoSettings>("budget", &merged.table("budget"))?;
                Budget { unit: crate::BudgetUnit::PARAMS, ..Budget::default() }
            }
            units => {
                let budget: Budget = read("budget", &merged.table("budget"))?;
                if !units.contains(&budget.unit) {
                    let known: Vec<&str> = units.iter().map(|unit| unit.as_str()).collect();
                    return Err(refuse(
                        "budget.unit",
                        format!(
                            "`{}` cannot count {}; known: {}",
                            family.name(),
                            budget.unit,
                            known.join(", ")
                        ),
                    ));
                }
                budget
            }
        };
        let rules = family.rules(
            &Tables {
                game: merged.table("game"),
                reward: merged.table("reward"),
                score: merged.table("score"),
            },
            &budget,
        )?;
        let network: Network = read("network", &merged.table("network"))?;
        if let (Some(_), Some(key), false) = (&network.from, foreign, rules.measures_against_model()) {
            let reason = "describes a model of the zoo, but network.from names the network; leave one out";
            return Err(refuse(&format!("network.{key}"), reason));
        }
        Ok(Self {
            family,
            version: version.number,
            network,
            data: read("data", &merged.table("data"))?,
            budget,
            rules: rules.into(),
        })
    }

    /// The id that these settings are, or differ from in settings that an id does not spell.
    /// A network from a folder that is no model of the zoo any more is `Own` in it.
    pub fn id(&self) -> String {
        let model = if self.is_own() { id::OWN } else { &self.network.model };
        id::spell(self.family, self.version, model, self.data.dataset, &self.budget)
    }

    /// Whether the network from a folder takes the place of the model.
    fn is_own(&self) -> bool {
        self.network.from.is_some() && !self.rules.measures_against_model()
    }

    /// All settings as a layer: [`EnvSettings::resolve`] of it gives the same again.
    pub fn to_layer(&self) -> Layer {
        let mut layer = Layer { env: Some(self.id()), ..Layer::default() };
        let Tables { mut game, reward, score } = self.rules.tables();
        game.insert("name".to_owned(), self.family.name().into());
        game.insert("version".to_owned(), self.version.into());
        let budget = if self.family.units().is_empty() { Map::new() } else { write(&self.budget) };
        let mut network = write(&self.network);
        if self.is_own() {
            network.retain(|key, _| key == "from");
        }
        let tables = [network, write(&self.data), game, budget, reward, score];
        layer.tables = TABLES.iter().map(|name| (*name).to_owned()).zip(tables).collect();
        layer
    }

    /// The hash of these settings, without the places of files.
    pub fn hash(&self) -> String {
        self.hash_with("")
    }

    /// The first 16 hexadecimal digits of the SHA-256 of these settings, without the places of
    /// files, and of `contents`, a digest of what is in the files. Two results compare when their ids
    /// and these hashes are equal.
    pub fn hash_with(&self, contents: &str) -> String {
        let text = serde_json::to_string(&without_locations(self.to_layer())).unwrap_or_default() + contents;
        Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The fields of every table in this game, by the name of the table.
    pub fn fields(&self) -> Vec<(&'static str, Vec<Field>)> {
        const NAME: Field = Field { key: "name", help: "The game; `cgym envs` lists them.", kind: "String" };
        const VERSION: Field =
            Field { key: "version", help: "Version of the game's dynamics and rewards.", kind: "u32" };
        let [game, reward, score] = self.family.fields();
        let budget = if self.family.units().is_empty() { &[] } else { Budget::FIELDS };
        vec![
            ("network", Network::FIELDS.to_vec()),
            ("data", Data::FIELDS.to_vec()),
            ("game", [&[NAME, VERSION], game].concat()),
            ("budget", budget.to_vec()),
            ("reward", reward.to_vec()),
            ("score", score.to_vec()),
        ]
    }
}

/// `layer` without the settings that say where files are, and without what earlier versions did not
/// have where it has no value.
pub fn without_locations(mut layer: Layer) -> Layer {
    for (table, key) in LOCATIONS {
        layer.tables.get_mut(table).map(|values| values.remove(key));
    }
    for (table, key) in LATER {
        if let Some(values) = layer.tables.get_mut(table) {
            values.retain(|name, value| name != key || !value.is_null());
        }
    }
    layer
}

/// What the id says, or the default one, or half the MACs of a model of the user's choice.
fn base(given: &Layer) -> Result<Layer, EnvError> {
    match &given.env {
        Some(id) => id::parse(id),
        None => {
            let chosen = [("network", "model"), ("network", "from"), ("data", "dataset")];
            let own = chosen.iter().any(|(table, key)| {
                given.get(table, key).is_some_and(|value| value.as_str() != Some("none"))
            });
            id::parse(if own { id::OWN_MODEL_ID } else { crate::DEFAULT_ID })
        }
    }
}

fn family(base: &Layer, given: &Layer) -> Result<&'static dyn Family, EnvError> {
    let name = |layer: &Layer| match layer.get("game", "name") {
        None => Ok(None),
        Some(Value::String(name)) => match FAMILIES.iter().find(|family| family.name() == name) {
            Some(family) => Ok(Some(*family)),
            None => {
                let hint = nearest(name, FAMILIES.iter().map(|family| family.name()));
                Err(refuse("game.name", format!("unknown game `{name}`{hint}")))
            }
        },
        Some(other) => Err(refuse("game.name", format!("{other} is not the name of a game"))),
    };
    match (name(given)?, name(base)?) {
        (Some(own), Some(spelled)) if given.env.is_some() && own.name() != spelled.name() => {
            Err(refuse("game.name", "the id of the environment names another game; leave one out"))
        }
        (Some(own), _) => Ok(own),
        (None, Some(spelled)) => Ok(spelled),
        (None, None) => Ok(FAMILIES[0]),
    }
}

fn version(family: &'static dyn Family, given: &Layer) -> Result<&'static crate::family::Version, EnvError> {
    let versions = family.versions();
    let Some(wanted) = given.get("game", "version") else { return Ok(&versions[versions.len() - 1]) };
    versions.iter().find(|version| wanted.as_u64() == Some(version.number.into())).ok_or_else(|| {
        let known: Vec<String> = versions.iter().map(|version| version.number.to_string()).collect();
        refuse("game.version", format!("{wanted} is unknown; `{}` has {}", family.name(), known.join(", ")))
    })
}
