//! Settings as they are given, before defaults: one layer per source, merged key by key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EnvError, fields::refuse, nearest};

/// Names of an environment's tables.
pub const TABLES: [&str; 6] = ["network", "data", "game", "budget", "reward", "score"];

/// Keys and values of some tables, nothing checked against anything else.
///
/// Layers are merged in the order id < file < flags: [`Layer::over`]. Keys are spelled with
/// underscores; hyphens are accepted and mean the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Id of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Values by key, by the name of their table.
    #[serde(flatten)]
    pub tables: BTreeMap<String, Map<String, Value>>,
}

impl Layer {
    /// A layer that only names an environment.
    pub fn of_id(id: &str) -> Self {
        Self { env: Some(id.to_owned()), ..Self::default() }
    }

    /// Sets `key` of `table`.
    pub fn set(&mut self, table: &str, key: &str, value: impl Into<Value>) {
        self.tables.entry(table.to_owned()).or_default().insert(key.replace('-', "_"), value.into());
    }

    /// The same layer with `key` of `table` set.
    #[must_use]
    pub fn with(mut self, table: &str, key: &str, value: impl Into<Value>) -> Self {
        self.set(table, key, value);
        self
    }

    /// Sets a value by its path, like `game.lower_bound`.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for a path that is not `table.key`.
    pub fn set_path(&mut self, path: &str, value: Value) -> Result<(), EnvError> {
        match path.split_once('.') {
            Some((table, key)) if !table.is_empty() && !key.is_empty() => self.set(table, key, value),
            _ if path == "env" => match value {
                Value::String(id) => self.env = Some(id),
                other => return Err(refuse("env", format!("{other} is not the id of an environment"))),
            },
            _ => return Err(refuse(path, "not a path to a setting; write table.key, like game.lower_bound")),
        }
        Ok(())
    }

    /// The value of `key` in `table`.
    pub fn get(&self, table: &str, key: &str) -> Option<&Value> {
        self.tables.get(table)?.get(key)
    }

    /// The values of `table`.
    pub fn table(&self, table: &str) -> Map<String, Value> {
        self.tables.get(table).cloned().unwrap_or_default()
    }

    /// This layer where it has a value, `base` elsewhere.
    ///
    /// Different ids in both layers are two environments: all that `base` says about its own one
    /// (every table but `[agent]` and `[run]`) is dropped. A `base` without an id is a set of changes
    /// to any id, and keeps them. Another dataset drops `[data]`.
    #[must_use]
    pub fn over(self, mut base: Self) -> Self {
        if let (Some(own), Some(other)) = (&self.env, &base.env)
            && own != other
        {
            for table in TABLES {
                base.tables.remove(table);
            }
        }
        if let (Some(own), Some(other)) = (self.get("data", "dataset"), base.get("data", "dataset"))
            && own != other
        {
            base.tables.remove("data");
        }
        // The settings of another game, reward or agent mean nothing here.
        for table in ["game", "reward", "agent"] {
            let renamed = matches!(
                (self.get(table, "name"), base.get(table, "name")),
                (Some(own), Some(other)) if own != other
            );
            if renamed {
                base.tables.remove(table);
            }
        }
        for (table, values) in self.tables {
            base.tables.entry(table).or_default().extend(values);
        }
        Self { env: self.env.or(base.env), tables: base.tables }
    }

    /// Refuses a table that nobody reads.
    ///
    /// # Errors
    /// [`EnvError::Setting`] with the nearest known name.
    pub fn check_tables(&self, known: &[&str]) -> Result<(), EnvError> {
        match self.tables.keys().find(|table| !known.contains(&table.as_str())) {
            Some(table) => {
                Err(refuse(table, format!("no such table{}", nearest(table, known.iter().copied()))))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upper_layer_wins_key_by_key() {
        let file = Layer::default().with("game", "lower_bound", 0.1).with("run", "seed", 3);
        let flags = Layer::default().with("game", "lower-bound", 0.3);
        let merged = flags.over(file);
        assert_eq!(merged.get("game", "lower_bound"), Some(&Value::from(0.3)));
        assert_eq!(merged.get("run", "seed"), Some(&Value::from(3)));
    }

    #[test]
    fn an_id_above_replaces_another_environment() {
        let (amc, other) = ("AMC-ResNet20-Digits-MACs30-v0", "AMC-ResNet20-Digits-MACs50-v0");
        let file = Layer::of_id(amc)
            .with("network", "model", "lenet5")
            .with("data", "reward_images", 30)
            .with("budget", "share", 0.5)
            .with("score", "points", 3);
        let merged = Layer::of_id(other).over(file.clone());
        assert_eq!((merged.env.as_deref(), merged.get("network", "model")), (Some(other), None));
        assert_eq!(merged.get("budget", "share"), None);
        assert_eq!(merged.get("data", "reward_images"), None);
        assert_eq!(merged.get("score", "points"), None);
        let cifar = Layer::default().with("data", "dataset", "cifar10");
        let digits = Layer::default().with("data", "dataset", "digits").with("data", "reward_images", 30);
        assert_eq!(cifar.clone().over(digits), cifar);
        assert_eq!(Layer::of_id(amc).over(file.clone()), file);
    }

    #[test]
    fn a_file_without_an_id_changes_the_id_above() {
        let file = Layer::default().with("game", "lower_bound", 0.1).with("reward", "name", "err-log-macs");
        let merged = Layer::of_id("AMC-ResNet20-Digits-MACs50-v0").over(file.clone());
        assert_eq!(merged.tables, file.tables);
    }

    #[test]
    fn hyper_parameters_of_another_agent_are_dropped() {
        let file = Layer::default().with("agent", "name", "ddpg").with("agent", "warmup", 5);
        let other = Layer::default().with("agent", "name", "cem").over(file.clone());
        assert_eq!(other.table("agent").len(), 1);
        let same = Layer::default().with("agent", "name", "ddpg").over(file);
        assert_eq!(same.get("agent", "warmup"), Some(&Value::from(5)));
    }
}
