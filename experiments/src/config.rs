//! The resolved configuration of a run: the tables of its environment, `[agent]` and `[run]`.

use std::path::{Path, PathBuf};

use cgym_agents::{Agent, AgentContext, make};
use cgym_env::{
    Env, EnvError,
    settings::{EnvSettings, Layer, TABLES, Table, read, without_locations, write},
    table,
};
use cgym_worlds::{SettingsFile, WorldError, files, to_toml};
use serde_json::{Map, Value};

use crate::{Error, seeds};

/// Agent and exploring episodes of games with numbers as actions, by default.
const CONTINUOUS: (&str, u64) = ("ddpg", 400);
/// The same of games with indices as actions.
const DISCRETE: (&str, u64) = ("reinforce", 100);
/// Most threads of a run.
pub(crate) const MOST_THREADS: usize = 1024;

table! {
    /// `[run]`: how long an agent searches, and with which randomness.
    pub struct RunSettings {
        /// Exploring episodes; by default 400, or 100 where actions are indices.
        pub episodes: Option<u64> = None,
        /// Seed of all randomness.
        pub seed: u64 = 1,
        /// Episodes from one checkpoint to the next.
        pub checkpoint_every: u64 = 25,
        /// Threads, one per core if absent; results do not depend on it.
        pub threads: Option<usize> = None,
        /// Run, on any network, whose policy the agent starts from.
        pub pretrained: Option<PathBuf> = None,
        /// Whether the policies that the agent is compared with are played at the end.
        pub baselines: bool = true,
        /// Exploring episodes before the run was extended, each time; `cgym resume --episodes` writes it.
        pub extended_from: Vec<u64> = Vec::new(),
    }
}

impl Table for RunSettings {
    fn check(&self) -> Result<(), EnvError> {
        let refuse = |key: &str, reason: String| Err(EnvError::Setting { key: key.to_owned(), reason });
        if self.episodes == Some(0) {
            return refuse("episodes", "0 is too few, give at least 1".to_owned());
        }
        let mut stages = self.extended_from.iter().copied().chain(self.episodes);
        if !stages.clone().is_sorted_by(|before, after| before < after) || stages.next() == Some(0) {
            return refuse("extended_from", "these must be ascending numbers below `episodes`".to_owned());
        }
        if self.checkpoint_every == 0 {
            return refuse("checkpoint_every", "0 is too few, give at least 1".to_owned());
        }
        match self.threads {
            Some(0) => refuse("threads", "0 is too few, give at least 1".to_owned()),
            Some(count) if count > MOST_THREADS => {
                refuse("threads", format!("{count} is too many, give at most {MOST_THREADS}"))
            }
            _ => Ok(()),
        }
    }
}

/// Names of all tables of a run.
pub fn tables() -> Vec<&'static str> {
    TABLES.into_iter().chain(["agent", "run"]).collect()
}

/// Everything that decides what a run does.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Network, data and rules.
    pub env: EnvSettings,
    /// Name of the agent.
    pub agent: String,
    /// Its hyper-parameters.
    pub agent_settings: Map<String, Value>,
    /// How long, and with which randomness.
    pub run: RunSettings,
}

/// Agent and number of episodes by default.
fn defaults(env: &EnvSettings) -> (&'static str, u64) {
    if env.family.is_discrete() { DISCRETE } else { CONTINUOUS }
}

impl Config {
    /// The configuration of `flags` over the file at `file`, if there is one, over the id.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key or name, or a value outside its range; with file
    /// and line where the file sets it.
    pub fn resolve(flags: Layer, file: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = file else { return Ok(Self::from_layer(flags)?) };
        let file = SettingsFile::read(path, &tables())?;
        let merged = flags.clone().over(file.layer.clone());
        Self::from_layer(merged).map_err(|error| file.locate(error, &flags).into())
    }

    /// The configuration that `given` asks for, defaults filled in.
    ///
    /// # Errors
    /// An unknown key or name, or a value outside its range.
    pub fn from_layer(mut given: Layer) -> Result<Self, WorldError> {
        given.check_tables(&tables())?;
        let env = EnvSettings::resolve(&given)?;
        let (agent, episodes) = defaults(&env);
        let mut agent_settings = given.tables.remove("agent").unwrap_or_default();
        let agent = match agent_settings.remove("name") {
            None => agent.to_owned(),
            Some(Value::String(name)) => name,
            Some(other) => {
                return Err(WorldError::setting(
                    "agent.name",
                    format!("{other} is not the name of an agent"),
                ));
            }
        };
        let mut run: RunSettings = read("run", &given.table("run"))?;
        run.episodes = run.episodes.or(Some(episodes));
        let mut config = Self { env, agent, agent_settings, run };
        config.make_paths_absolute()?;
        Ok(config)
    }

    /// Paths are written down, and a run may be resumed from another folder.
    ///
    /// # Errors
    /// An empty path.
    pub(crate) fn make_paths_absolute(&mut self) -> Result<(), WorldError> {
        let Self { env, run, .. } = self;
        let paths = [
            ("network.weights", &mut env.network.weights),
            ("network.from", &mut env.network.from),
            ("data.path", &mut env.data.path),
            ("run.pretrained", &mut run.pretrained),
        ];
        for (key, path) in paths {
            let Some(path) = path else { continue };
            *path = std::path::absolute(&*path)
                .map_err(|error| WorldError::setting(key, format!("`{}`: {error}", path.display())))?;
        }
        Ok(())
    }

    /// Number of exploring episodes.
    pub fn episodes(&self) -> u64 {
        self.run.episodes.unwrap_or(defaults(&self.env).1)
    }

    /// A new agent for `env`, without a pre-trained policy.
    ///
    /// # Errors
    /// An unknown agent, a wrong hyper-parameter, an environment that it cannot play.
    pub fn agent(&self, env: &dyn Env) -> Result<Box<dyn Agent>, Error> {
        let seed = seeds::derive(self.run.seed, "agent", 0);
        let context = AgentContext { env, episodes: self.episodes(), seed };
        let settings = Value::Object(self.agent_settings.clone());
        Ok(make(&self.agent, &settings, &context)?)
    }

    /// All settings as a layer: [`Config::from_layer`] of it gives the same again.
    pub fn to_layer(&self) -> Layer {
        let mut layer = self.env.to_layer();
        let mut agent = self.agent_settings.clone();
        agent.insert("name".to_owned(), self.agent.clone().into());
        layer.tables.insert("agent".to_owned(), agent);
        layer.tables.insert("run".to_owned(), write(&self.run));
        layer
    }

    /// The settings of a run that decide its episodes: all but threads, baselines and places of files.
    pub fn decisive(&self) -> Layer {
        let mut layer = without_locations(self.to_layer());
        if let Some(run) = layer.tables.get_mut("run") {
            run.retain(|key, _| !["threads", "pretrained", "baselines"].contains(&key.as_str()));
        }
        layer
    }

    /// The first 16 hexadecimal digits of the SHA-256 of [`Config::decisive`]. It stands in every
    /// manifest and record of the run.
    pub fn digest(&self) -> String {
        let text = serde_json::to_string(&self.decisive()).unwrap_or_default();
        files::sha256(text.as_bytes())[..16].to_owned()
    }

    /// The digests of this run before each time that it was extended, then its own.
    pub fn digests(&self) -> Vec<String> {
        let all = &self.run.extended_from;
        let before = |index: usize| {
            let mut config = self.clone();
            config.run.episodes = Some(all[index]);
            config.run.extended_from.truncate(index);
            config.digest()
        };
        (0..all.len()).map(before).chain([self.digest()]).collect()
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// When a value has no spelling in TOML.
    pub fn to_toml(&self) -> Result<String, Error> {
        Ok(to_toml(&self.to_layer())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(layer: Layer) -> Config {
        Config::from_layer(layer).expect("sound settings")
    }

    #[test]
    fn a_configuration_is_the_same_after_a_round_trip_through_toml() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        for id in ["AMC-ResNet20-Digits-MACs30-v0", "AMC-ResNet20-Digits-v0", "N2N-Shrinkage-VGG13-MNIST-v0"]
        {
            let mut layer = Layer::of_id(id).with("data", "reward_images", 30);
            if id.starts_with("AMC") {
                layer = layer.with("agent", "name", "ddpg").with("agent", "hidden", vec![4, 4]);
            }
            let config = config(layer);
            std::fs::write(&path, config.to_toml().expect("TOML")).expect("written");
            let read = Config::resolve(Layer::default(), Some(&path)).expect("sound settings");
            assert_eq!(read, config);
            assert_eq!(config.env.id(), id);
        }
    }

    #[test]
    fn an_id_above_replaces_model_data_and_budget_of_a_file() {
        let given = Layer::of_id("AMC-MobileNetV1-CIFAR10-Params60-v0").with("network", "width", 0.5).with(
            "data",
            "reward_images",
            30,
        );
        let file = config(given).to_layer();
        let id = "AMC-ResNet20-Digits-MACs50-v0";
        let above = config(Layer::of_id(id).over(file.clone()));
        assert_eq!(above.env.id(), id);
        assert_eq!((above.env.network.width, above.env.data.reward_images), (None, None));
        assert_eq!(above.to_layer().get("game", "channel_multiple"), Some(&Value::from(1)));
        // Without an id, a file has changes to any environment.
        let changes = Layer::default().with("data", "reward_images", 30);
        assert_eq!(config(Layer::of_id(id).over(changes)).env.data.reward_images, Some(30));
        let seeded = config(Layer::default().with("run", "seed", 5).over(file));
        assert_eq!(seeded.env.id(), "AMC-MobileNetV1-CIFAR10-Params60-v0");
        assert_eq!(seeded.to_layer().get("game", "channel_multiple"), Some(&Value::from(8)));
        assert_eq!(seeded.env.network.width, Some(0.5));
    }

    #[test]
    fn numbers_that_mean_nothing_are_refused() {
        for (table, key, value) in [
            ("run", "episodes", Value::from(0)),
            ("run", "seed", Value::from(u64::MAX)),
            ("run", "threads", Value::from(0)),
            ("game", "lower_bound", Value::from("nan")),
            ("data", "reward_images", Value::from(0)),
            ("agent", "name", Value::from(3)),
        ] {
            let refused = Config::from_layer(Layer::default().with(table, key, value));
            let text = refused.expect_err(key).to_string();
            assert!(text.contains(&format!("{table}.{key}")), "{text}");
        }
    }
}
