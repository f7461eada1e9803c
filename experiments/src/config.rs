//! The resolved configuration of a run: every setting has a value and was checked.

use std::path::{Path, PathBuf};

use cgym_env::{DEFAULT_ID, EnvConfig, EnvOverrides, Family, N2nConfig, N2nOverrides, Stage};
use cgym_teachers::data::LoadOptions;
use serde_json::Value;

use crate::{
    Error,
    agent_choice::AgentChoice,
    settings::{Budget, GameName, ImageSize, RewardName, Settings},
    teacher::Variant,
};

/// AMC's points an image.
const POINTS: usize = 10;
/// What `--model` and `--dataset` change where no id is given.
const OWN_MODEL_ID: &str = "AMC-ResNet20-Digits-MACs50-v0";
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

/// The environment of `settings`; what an id spells comes from the id asked for, or the default.
fn environment(settings: &Settings) -> Result<Family, Error> {
    let named = settings.env.as_deref().map(Family::from_id).transpose()?;
    let environment = match (named, settings.game) {
        (Some(Family::Amc(config)), None | Some(GameName::Amc)) => amc(config, settings)?,
        (Some(Family::N2n(config)), None) => n2n(config, settings)?,
        (Some(Family::N2n(config)), Some(game)) if stage(game) == Some(config.stage) => {
            n2n(config, settings)?
        }
        (Some(_), Some(_)) => {
            return Err(Error::Input(
                "game: the id of the environment says it already; leave one out".to_owned(),
            ));
        }
        (None, game) => match stage(game.unwrap_or_default()) {
            None => {
                // A network of one's own starts from half its MACs, the embedded game from its own budget.
                let own = settings.model.is_some() || settings.dataset.is_some();
                amc(EnvConfig::from_id(if own { OWN_MODEL_ID } else { DEFAULT_ID })?, settings)?
            }
            Some(stage) => {
                let base = EnvConfig::from_id(DEFAULT_ID)?;
                n2n(N2nConfig::new(stage, &base.model, base.dataset), settings)?
            }
        },
    };
    refuse_foreign(&environment, settings)?;
    Ok(environment)
}

fn stage(game: GameName) -> Option<Stage> {
    match game {
        GameName::Amc => None,
        GameName::N2nRemoval => Some(Stage::Removal),
        GameName::N2nShrinkage => Some(Stage::Shrinkage),
    }
}

fn amc(base: EnvConfig, settings: &Settings) -> Result<Family, Error> {
    let budget = settings.budget.unwrap_or(Budget { unit: base.budget, share: base.target });
    let model = settings.model.as_deref().unwrap_or(&base.model);
    let dataset = settings.dataset.unwrap_or(base.dataset);
    let overrides = EnvOverrides {
        reward: match settings.reward {
            Some(RewardName::N2n(reward)) => return Err(foreign_reward(&reward, "AMC")),
            Some(RewardName::Amc(reward)) => Some(reward),
            None => None,
        },
        scope: settings.scope,
        lower_bound: settings.lower_bound,
        channel_multiple: settings.channel_multiple,
        fill_budget: settings.fill_budget,
        reconstruction: settings.no_reconstruction.map(|without| !without),
        calibration_size: settings.calibration_images,
        reward_size: settings.reward_images,
        ..EnvOverrides::default()
    };
    Ok(Family::Amc(EnvConfig::new(model, dataset, budget.unit, budget.share).with(&overrides)?))
}

fn n2n(base: N2nConfig, settings: &Settings) -> Result<Family, Error> {
    let model = settings.model.as_deref().unwrap_or(&base.model);
    let dataset = settings.dataset.unwrap_or(base.dataset);
    let overrides = N2nOverrides {
        reward: match settings.reward {
            Some(RewardName::Amc(reward)) => return Err(foreign_reward(&reward, "N2N")),
            Some(RewardName::N2n(reward)) => Some(reward),
            None => None,
        },
        max_parameters: settings.max_parameters,
        max_macs: settings.max_macs,
        min_top1: settings.min_top1,
        epochs: settings.student_epochs,
        batch: settings.student_batch,
        learning_rate: settings.student_learning_rate,
        optimiser: settings.student_optimiser,
        loss: settings.student_loss,
        temperature: settings.student_temperature,
        alpha: settings.student_alpha,
        lambda: settings.student_lambda,
        inherit: settings.inherit,
        training_size: settings.training_images,
        reward_size: settings.reward_images,
        ..N2nOverrides::default()
    };
    Ok(Family::N2n(N2nConfig::new(base.stage, model, dataset).with(&overrides)?))
}

fn foreign_reward(reward: &dyn std::fmt::Display, game: &str) -> Error {
    let own = if game == "AMC" { "err, err-log-macs and err-log-params" } else { "n2n and n2n-constrained" };
    Error::Input(format!("reward: `{reward}` is not one of {game}'s; those are {own}"))
}

/// Refuses settings of the other game: they would change nothing.
fn refuse_foreign(environment: &Family, settings: &Settings) -> Result<(), Error> {
    let (game, foreign) = match environment {
        Family::Amc(_) => {
            let theirs = n2n_only(settings);
            ("AMC", theirs.into_iter().find(|(_, given)| *given))
        }
        Family::N2n(_) => {
            let theirs = amc_only(settings);
            ("N2N", theirs.into_iter().find(|(_, given)| *given))
        }
    };
    match foreign {
        Some((name, _)) => Err(Error::Input(format!("{name}: means nothing in {game}'s game; leave it out"))),
        None => Ok(()),
    }
}

fn n2n_only(settings: &Settings) -> [(&'static str, bool); 14] {
    [
        ("parent", settings.parent.is_some()),
        ("max-parameters", settings.max_parameters.is_some()),
        ("max-macs", settings.max_macs.is_some()),
        ("min-top1", settings.min_top1.is_some()),
        ("student-epochs", settings.student_epochs.is_some()),
        ("student-batch", settings.student_batch.is_some()),
        ("student-learning-rate", settings.student_learning_rate.is_some()),
        ("student-loss", settings.student_loss.is_some()),
        ("student-optimiser", settings.student_optimiser.is_some()),
        ("student-temperature", settings.student_temperature.is_some()),
        ("student-alpha", settings.student_alpha.is_some()),
        ("student-lambda", settings.student_lambda.is_some()),
        ("inherit", settings.inherit.is_some()),
        ("training-images", settings.training_images.is_some()),
    ]
}

fn amc_only(settings: &Settings) -> [(&'static str, bool); 7] {
    [
        ("budget", settings.budget.is_some()),
        ("scope", settings.scope.is_some()),
        ("lower-bound", settings.lower_bound.is_some()),
        ("channel-multiple", settings.channel_multiple.is_some()),
        ("fill-budget", settings.fill_budget.is_some()),
        ("no-reconstruction", settings.no_reconstruction.is_some()),
        ("calibration-images", settings.calibration_images.is_some()),
    ]
}

fn amc_settings(config: &EnvConfig) -> Settings {
    Settings {
        game: Some(GameName::Amc),
        budget: Some(Budget { unit: config.budget, share: config.target }),
        reward: Some(RewardName::Amc(config.reward)),
        scope: Some(config.scope),
        lower_bound: Some(config.lower_bound),
        channel_multiple: Some(config.channel_multiple),
        fill_budget: Some(config.fill_budget),
        no_reconstruction: Some(!config.reconstruction),
        calibration_images: config.calibration_size,
        reward_images: config.reward_size,
        ..Settings::default()
    }
}

fn n2n_settings(config: &N2nConfig) -> Settings {
    let (student, constraints) = (&config.student, &config.constraints);
    Settings {
        game: Some(match config.stage {
            Stage::Removal => GameName::N2nRemoval,
            Stage::Shrinkage => GameName::N2nShrinkage,
        }),
        reward: Some(RewardName::N2n(config.reward)),
        max_parameters: constraints.max_parameters,
        max_macs: constraints.max_macs,
        min_top1: constraints.min_top1,
        student_epochs: Some(student.epochs),
        student_batch: Some(student.batch),
        student_learning_rate: Some(student.learning_rate),
        student_loss: Some(student.loss),
        student_optimiser: Some(student.optimiser),
        student_temperature: Some(student.temperature),
        student_alpha: Some(student.alpha),
        student_lambda: Some(student.lambda),
        inherit: Some(config.inherit),
        training_images: config.training_size,
        reward_images: config.reward_size,
        ..Settings::default()
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
