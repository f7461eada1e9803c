//! Settings as flags: a path and a value, and short forms of the common ones.

use std::path::PathBuf;

use cgym_env::{parse_budget, settings::Layer};
use cgym_worlds::{SettingsFile, parse_value};
use serde_json::Value;

use crate::{
    Error,
    config::{Config, tables},
};

/// Flags that settings are given with; they win over the file, the file over the id.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SettingFlags {
    /// Id of the environment, as `cgym envs` lists them
    #[arg(long, value_name = "ID")]
    pub env: Option<String>,
    /// TOML file with settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Any setting; `cgym describe ID --settings` lists them; may be given many times
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE", value_parser = parse_setting)]
    pub sets: Vec<(String, Value)>,
    /// Model of the zoo
    #[arg(long, help_heading = "Network", value_name = "NAME")]
    pub model: Option<String>,
    /// Weights of the model: .th, .pt, .pth or .safetensors [default: the shipped ones]
    #[arg(long, help_heading = "Network", value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Ignore tensors of the weights that the network does not have
    #[arg(long, help_heading = "Network")]
    pub allow_extra_tensors: bool,
    /// Run, or folder with graph.json and weights.safetensors, whose network is compressed
    #[arg(long, help_heading = "Network", value_name = "DIR")]
    pub network: Option<PathBuf>,
    /// Name of the dataset, like digits, cifar10 or folder
    #[arg(long, help_heading = "Data", value_name = "NAME")]
    pub dataset: Option<String>,
    /// Folder with the files of the dataset [default: downloaded once]
    #[arg(long, help_heading = "Data", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Mean of each channel subtracted from pixels in [0, 1] [default: the network's, else the dataset's]
    #[arg(long, help_heading = "Data", value_name = "M,M,M", value_delimiter = ',')]
    pub mean: Option<Vec<f64>>,
    /// Deviation of each channel that pixels are divided by afterwards [default: like --mean]
    #[arg(long, help_heading = "Data", value_name = "S,S,S", value_delimiter = ',')]
    pub std: Option<Vec<f64>>,
    /// Game, if no id names it: channels, weights, n2n-removal or n2n-shrinkage
    #[arg(long, help_heading = "Game", value_name = "NAME")]
    pub game: Option<String>,
    /// Share of the cost that may be kept: macs=0.5, params=0.6, bytes=0.1 or none
    #[arg(long, help_heading = "Game", value_name = "UNIT=SHARE", value_parser = parse_budget_flag)]
    pub budget: Option<BudgetFlag>,
    /// Reward of the game, like err or err-log-macs
    #[arg(long, help_heading = "Game", value_name = "NAME")]
    pub reward: Option<String>,
    /// Agent, as `cgym agents` lists them
    #[arg(long, help_heading = "Agent", value_name = "NAME")]
    pub agent: Option<String>,
    /// Run, on any network, whose policy the agent starts from
    #[arg(long, help_heading = "Agent", value_name = "RUN")]
    pub pretrained: Option<PathBuf>,
    /// Exploring episodes
    #[arg(long, help_heading = "Run", value_name = "N")]
    pub episodes: Option<u64>,
    /// Seed of all randomness
    #[arg(long, help_heading = "Run", value_name = "N")]
    pub seed: Option<u64>,
    /// Threads [default: one per core]; results do not depend on it
    #[arg(long, help_heading = "Run", value_name = "N")]
    pub threads: Option<usize>,
}

/// A budget as a flag.
pub type BudgetFlag = Option<(cgym_env::BudgetUnit, f64)>;

fn parse_budget_flag(text: &str) -> Result<BudgetFlag, String> {
    parse_budget(text)
}

/// `table.key=value`, the value as in TOML; a bare word is a string.
pub fn parse_setting(text: &str) -> Result<(String, Value), String> {
    let (path, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not TABLE.KEY=VALUE"))?;
    Ok((path.trim().to_owned(), parse_value(value.trim())))
}

impl SettingFlags {
    /// The flags as a layer.
    ///
    /// # Errors
    /// A path that is not `table.key`.
    pub fn layer(&self) -> Result<Layer, Error> {
        // Absolute, so that a folder called `none` is not the word that empties a setting.
        let path =
            |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string();
        let mut layer = Layer { env: self.env.clone(), ..Layer::default() };
        let mut set = |table: &str, key: &str, value: Option<Value>| {
            if let Some(value) = value {
                layer.set(table, key, value);
            }
        };
        set("network", "model", self.model.clone().map(Value::from));
        set("network", "weights", self.weights.as_ref().map(path).map(Value::from));
        set("network", "allow_extra_tensors", self.allow_extra_tensors.then(|| true.into()));
        set("network", "from", self.network.as_ref().map(path).map(Value::from));
        set("data", "dataset", self.dataset.clone().map(Value::from));
        set("data", "path", self.data.as_ref().map(path).map(Value::from));
        set("data", "mean", self.mean.clone().map(Value::from));
        set("data", "std", self.std.clone().map(Value::from));
        set("game", "name", self.game.clone().map(Value::from));
        set("reward", "name", self.reward.clone().map(Value::from));
        set("agent", "name", self.agent.clone().map(Value::from));
        set("run", "episodes", self.episodes.map(Value::from));
        set("run", "seed", self.seed.map(Value::from));
        set("run", "threads", self.threads.map(Value::from));
        set("run", "pretrained", self.pretrained.as_ref().map(path).map(Value::from));
        match self.budget {
            Some(Some((unit, share))) => {
                set("budget", "unit", Some(unit.as_str().into()));
                set("budget", "share", Some(share.into()));
            }
            Some(None) => set("budget", "share", Some("none".into())),
            None => {}
        }
        for (path, value) in &self.sets {
            layer.set_path(path, value.clone())?;
        }
        Ok(layer)
    }

    /// The configuration of these flags over their file over their id.
    ///
    /// # Errors
    /// As [`Config::resolve`].
    pub fn resolve(&self) -> Result<Config, Error> {
        Config::resolve(self.layer()?, self.config.as_deref())
    }

    /// `error` with file and line, where it is about a value that the file of these flags sets.
    ///
    /// [`SettingFlags::resolve`] does so itself; this is for what only an agent, a network or the
    /// data can refuse.
    pub fn locate(&self, error: Error) -> Error {
        let error = match error {
            Error::World(error) => error,
            Error::Env(error) => error.into(),
            Error::Teacher(error) => error.into(),
            other => return other,
        };
        let (Some(path), Ok(flags)) = (&self.config, self.layer()) else { return error.into() };
        match SettingsFile::read(path, &tables()) {
            Ok(file) => file.locate(error, &flags).into(),
            Err(_) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_and_paths_say_the_same() {
        let short = SettingFlags { budget: Some(None), seed: Some(3), ..SettingFlags::default() };
        let sets = ["budget.share=none", "run.seed=3"].map(|text| parse_setting(text).expect("a setting"));
        let long = SettingFlags { sets: sets.to_vec(), ..SettingFlags::default() };
        assert_eq!(short.layer().expect("a layer"), long.layer().expect("a layer"));
        assert!(parse_setting("run.seed").is_err());
    }

    #[test]
    fn channels_are_given_with_commas_or_as_a_list() {
        let short = SettingFlags {
            mean: Some(vec![0.5, 0.25]),
            std: Some(vec![0.2, 1.0]),
            ..SettingFlags::default()
        };
        let sets = ["data.mean=[0.5, 0.25]", "data.std=[0.2, 1.0]"];
        let sets = sets.map(|text| parse_setting(text).expect("a setting"));
        let long = SettingFlags { sets: sets.to_vec(), ..SettingFlags::default() };
        assert_eq!(short.layer().expect("a layer"), long.layer().expect("a layer"));
    }

    #[test]
    fn a_path_without_a_table_is_refused() {
        let sets = vec![parse_setting("seed=3").expect("a setting")];
        let refusal = SettingFlags { sets, ..SettingFlags::default() }.layer().expect_err("no table");
        assert!(refusal.to_string().contains("write table.key"), "{refusal}");
    }
}
