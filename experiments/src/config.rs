//! The resolved configuration of a run: every setting has a value and was checked.

mod environment;

use std::path::{Path, PathBuf};

use cgym_env::Family;
use cgym_teachers::data::LoadOptions;
use serde_json::Value;

use self::environment::{amc_settings, environment, n2n_settings};
use crate::{
    Error,
    agent_choice::AgentChoice,
    settings::{ImageSize, Settings},
    teacher::Variant,
};

/// AMC's points an image.
const POINTS: usize = 10;
const AMC_AGENT: &str = "ddpg";
const AMC_EPISODES: u64 = 400;
const N2N_AGENT: &str = "reinforce";
const N2N_EPISODES: u64 = 100;
const SEED: u64 = 1;
const CHECKPOINT_EVERY: u64 = 25;
const MOST_THREADS: usize = 1024;

/// Everything that decides what a run does.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Network, data and rules.
    pub environment: Family,
    /// How the model is varied; the environment's id does not tell.
    pub variant: Variant,
    /// The teacher's weights; the shipped ones where absent.
    pub weights: Option<PathBuf>,
    /// The dataset's folder.
    pub data: Option<PathBuf>,
    /// Size of the images of a folder.
    pub image_size: Option<[usize; 2]>,
    /// Output pixels sampled from each calibration image.
    pub points: usize,
    /// Where the network to make smaller comes from in N2N; the teacher where absent.
    pub parent: Option<PathBuf>,
    /// The run whose policy the agent starts from.
    pub pretrained: Option<PathBuf>,
    /// Name of the agent.
    pub agent: String,
    /// Its hyper-parameters, a JSON object.
    pub agent_settings: Value,
    /// Exploring episodes, at least 1.
    pub episodes: u64,
    /// Seed of all randomness.
    pub seed: u64,
    /// Episodes from one checkpoint to the next.
    pub checkpoint_every: u64,
    /// Threads, one a core where absent.
    pub threads: Option<usize>,
}

impl Config {
    /// The configuration of `flags` over the file at `file`, where there is one, over the id.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown name, or a setting outside its range.
    pub fn resolve(flags: Settings, file: Option<&Path>) -> Result<Self, Error> {
        let settings = match file {
            Some(path) => flags.over(Settings::read(path)?),
            None => flags,
        };
        Self::from_settings(settings)
    }

    /// The configuration that `settings` ask for, defaults filled in.
    ///
    /// # Errors
    /// An unknown name or a setting outside its range.
    pub fn from_settings(settings: Settings) -> Result<Self, Error> {
        let (environment, variant) = (environment(&settings)?, settings.variant());
        let Settings { agent, agent_set, .. } = settings;
        let choice = agent.unwrap_or_default();
        let mut agent_settings = choice.settings;
        agent_settings.extend(agent_set);
        if let Some(frozen) = settings.frozen {
            agent_settings.insert("frozen".to_owned(), frozen.into());
        }
        let (name, episodes) = match &environment {
            Family::Amc(_) => (AMC_AGENT, AMC_EPISODES),
            Family::N2n(_) => (N2N_AGENT, N2N_EPISODES),
        };
        let config = Self {
            environment,
            variant,
            weights: settings.weights.map(absolute).transpose()?,
            data: settings.data.map(absolute).transpose()?,
            image_size: settings.image_size.map(|size| size.0),
            points: settings.points.unwrap_or(POINTS),
            parent: settings.parent.map(absolute).transpose()?,
            pretrained: settings.pretrained.map(absolute).transpose()?,
            agent: choice.name.unwrap_or_else(|| name.to_owned()),
            agent_settings: serde_json::to_value(agent_settings)
                .map_err(|error| Error::Input(format!("agent: {error}")))?,
            episodes: settings.episodes.unwrap_or(episodes),
            seed: settings.seed.unwrap_or(SEED),
            checkpoint_every: settings.checkpoint_every.unwrap_or(CHECKPOINT_EVERY),
            threads: settings.threads,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Error> {
        let counts = [
            ("episodes", self.episodes),
            ("points", self.points as u64),
            ("checkpoint-every", self.checkpoint_every),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(Error::Input(format!("{name}: 0 is too few, give at least 1")));
        }
        check_threads(self.threads)?;
        if i64::try_from(self.seed).is_err() {
            return Err(Error::Input(format!(
                "seed: {} does not fit TOML; the most is {}",
                self.seed,
                i64::MAX
            )));
        }
        Ok(())
    }

    /// How the dataset is to be read.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions { directory: self.data.clone(), image_size: self.image_size, normalization: None }
    }

    /// The same as settings, none left out: [`Config::from_settings`] gives this again.
    pub fn to_settings(&self) -> Settings {
        let mut agent = without_nulls(&self.agent_settings);
        agent.remove("name");
        let own = match &self.environment {
            Family::Amc(config) => amc_settings(config),
            Family::N2n(config) => n2n_settings(config),
        };
        Settings {
            model: Some(self.environment.model().to_owned()),
            width: self.variant.width,
            stem: self.variant.stem,
            shortcut: self.variant.shortcut,
            weights: self.weights.clone(),
            dataset: Some(self.environment.dataset()),
            data: self.data.clone(),
            image_size: self.image_size.map(ImageSize),
            points: Some(self.points),
            parent: self.parent.clone(),
            pretrained: self.pretrained.clone(),
            episodes: Some(self.episodes),
            seed: Some(self.seed),
            checkpoint_every: Some(self.checkpoint_every),
            threads: self.threads,
            agent: Some(AgentChoice { name: Some(self.agent.clone()), settings: agent }),
            ..own
        }
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// When a value has no spelling in TOML.
    pub fn to_toml(&self) -> Result<String, Error> {
        let text = toml::to_string(&self.to_settings())
            .map_err(|error| Error::Input(format!("the configuration cannot be written as TOML: {error}")))?;
        Ok(format!("# {}\n{text}", self.environment.id()))
    }
}

/// Refuses a number of threads that is none, or that no machine has.
///
/// # Errors
/// [`Error::Input`] with the numbers that can be used.
pub fn check_threads(threads: Option<usize>) -> Result<(), Error> {
    match threads {
        Some(0) => Err(Error::Input("threads: 0 is too few, give at least 1".to_owned())),
        Some(count) if count > MOST_THREADS => {
            Err(Error::Input(format!("threads: {count} is too many, give at most {MOST_THREADS}")))
        }
        _ => Ok(()),
    }
}

/// Paths are written down, and a resumed run may start elsewhere.
fn absolute(path: PathBuf) -> Result<PathBuf, Error> {
    std::path::absolute(&path).map_err(|error| Error::file(&path, error))
}

/// A JSON object as a TOML table; TOML has no null.
fn without_nulls(settings: &Value) -> toml::Table {
    let entries = settings.as_object().into_iter().flatten();
    entries
        .filter(|(_, value)| !value.is_null())
        .filter_map(|(key, value)| Some((key.clone(), toml::Value::try_from(value).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Budget, GameName};
    use cgym_env::EnvConfig;

    fn amc_of(config: &Config) -> &EnvConfig {
        match &config.environment {
            Family::Amc(config) => config,
            Family::N2n(_) => panic!("channel pruning was asked for"),
        }
    }

    #[test]
    fn a_configuration_is_the_same_after_a_round_trip_through_toml() {
        let settings = Settings {
            agent: "ddpg".parse().ok(),
            agent_set: vec![("hidden".to_owned(), toml::Value::Array(vec![4.into(), 4.into()]))],
            reward_images: Some(30),
            ..Settings::default()
        };
        let config = Config::from_settings(settings).expect("sound settings");
        let text = config.to_toml().expect("TOML");
        let read: Settings = toml::from_str(&text).expect("settings");
        assert_eq!(Config::from_settings(read).expect("sound settings"), config);
    }

    #[test]
    fn an_id_wins_over_what_the_layer_below_says_of_model_data_and_budget() {
        let run = Config::from_settings(Settings {
            env: Some("AMC-MobileNetV1-CIFAR10-Params60-v0".to_owned()),
            width: Some(0.5),
            reward_images: Some(30),
            ..Settings::default()
        });
        let file = run.expect("sound settings").to_settings();
        let id = "AMC-ResNet20-Digits-MACs50-v0";
        let flags = Settings { env: Some(id.to_owned()), ..Settings::default() };
        let config = Config::from_settings(flags.over(file.clone())).expect("sound settings");
        assert_eq!(config.environment.id(), id);
        assert_eq!((amc_of(&config).channel_multiple, config.variant), (1, Variant::default()));
        assert_eq!(config.environment.reward_size(), Some(30));
        let flags = Settings { seed: Some(5), ..Settings::default() };
        let config = Config::from_settings(flags.over(file)).expect("sound settings");
        assert_eq!(config.environment.id(), "AMC-MobileNetV1-CIFAR10-Params60-v0");
        assert_eq!((amc_of(&config).channel_multiple, config.variant.width), (8, Some(0.5)));
    }

    #[test]
    fn settings_win_over_the_id() {
        let settings = Settings {
            env: Some("AMC-ResNet56-CIFAR10-MACs50-v0".to_owned()),
            model: Some("mobilenet-v1".to_owned()),
            budget: "params=0.6".parse().ok(),
            ..Settings::default()
        };
        let config = Config::from_settings(settings).expect("sound settings");
        assert_eq!(config.environment.id(), "AMC-MobileNetV1-CIFAR10-Params60-v0");
        assert_eq!(amc_of(&config).channel_multiple, 8);
    }

    #[test]
    fn n2n_settings_survive_a_round_trip_too() {
        let settings = Settings {
            env: Some("N2N-Shrinkage-VGG13-MNIST-v0".to_owned()),
            reward: "n2n-constrained".parse().ok(),
            max_parameters: Some(20_000),
            student_epochs: Some(2),
            ..Settings::default()
        };
        let config = Config::from_settings(settings).expect("sound settings");
        assert_eq!((config.agent.as_str(), config.environment.model()), ("reinforce", "vgg13"));
        let read: Settings = toml::from_str(&config.to_toml().expect("TOML")).expect("settings");
        assert_eq!(Config::from_settings(read).expect("sound settings"), config);
    }

    #[test]
    fn settings_of_the_other_game_are_refused() {
        let n2n = Some(GameName::N2nRemoval);
        let budget = Settings { game: n2n, budget: "macs=0.5".parse().ok(), ..Settings::default() };
        let student = Settings { student_epochs: Some(3), ..Settings::default() };
        let id = Some("AMC-ResNet20-Digits-MACs50-v0".to_owned());
        let both = Settings { game: n2n, env: id, ..Settings::default() };
        for settings in [budget, student, both] {
            assert!(Config::from_settings(settings.clone()).is_err(), "{settings:?}");
        }
    }

    #[test]
    fn numbers_that_mean_nothing_are_refused() {
        let refused = [
            Settings { episodes: Some(0), ..Settings::default() },
            Settings { seed: Some(u64::MAX), ..Settings::default() },
            Settings { lower_bound: Some(f64::NAN), ..Settings::default() },
            Settings { reward_images: Some(0), ..Settings::default() },
        ];
        for settings in refused {
            assert!(Config::from_settings(settings.clone()).is_err(), "{settings:?}");
        }
        for budget in ["macs=nan", "macs=inf", "macs=0", "macs=1.5", "flops=0.5", "0.5"] {
            assert!(budget.parse::<Budget>().is_err(), "{budget}");
        }
    }
}
