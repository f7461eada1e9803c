//! What a user may set, as flags or in a TOML file: the same names in both.
//!
//! Architecture Invariant: everything here is optional and unchecked against the rest; defaults
//! and checks are [`crate::config`]'s.

use std::path::{Path, PathBuf};

use cgym_env::{BudgetUnit, EnvError, N2nReward, Reward, Scope};
use cgym_teachers::{
    data::DatasetName,
    nearest,
    train::{DistillLoss, Optimiser},
    zoo::{Shortcut, Stem},
};
use clap::Args as _;
use serde::{Deserialize, Serialize};

use crate::{Error, agent_choice::AgentChoice, teacher::Variant};

/// Settings of an environment and a run; flags win over the file, the file over the id.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Versioned id of the environment, as `cgym envs` lists them; the other settings change it
    #[arg(long, value_name = "ID")]
    pub env: Option<String>,
    /// amc, n2n-removal or n2n-shrinkage, where no id says it [default: amc]
    #[arg(long, value_enum, value_name = "NAME")]
    pub game: Option<GameName>,
    /// Model of the zoo
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Width multiplier of the MobileNets; the environment's id stays [default: 1]
    #[arg(long, value_name = "FACTOR")]
    pub width: Option<f64>,
    /// imagenet or cifar; the environment's id stays [default: by the image's size]
    #[arg(long, value_name = "NAME", value_parser = crate::cli::parse_word::<Stem>)]
    pub stem: Option<Stem>,
    /// Shortcut of the CIFAR ResNets, a or b; the environment's id stays [default: a]
    #[arg(long, value_name = "NAME", value_parser = crate::cli::parse_word::<Shortcut>)]
    pub shortcut: Option<Shortcut>,
    /// The teacher's weights: .th, .pt, .pth or .safetensors [default: the shipped teacher]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// digits, mnist, fashion-mnist, cifar10, cifar100 or folder
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<DatasetName>,
    /// Folder with the dataset's files [default: downloaded once; the digits need none]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Height and width that images of a folder are resized to, like 64x64
    #[arg(long, value_name = "HxW")]
    pub image_size: Option<ImageSize>,
    /// Share of the teacher's cost that a candidate may keep: macs=0.5 or params=0.6
    #[arg(long, value_name = "UNIT=SHARE")]
    pub budget: Option<Budget>,
    /// AMC: err, err-log-macs or err-log-params; N2N: n2n or n2n-constrained
    #[arg(long, value_name = "NAME")]
    pub reward: Option<RewardName>,
    /// Channels that are decided about: inner (of one layer) or all (residual sums too)
    #[arg(long, value_name = "NAME")]
    pub scope: Option<Scope>,
    /// Least preserve ratio of every decision, in (0, 1]
    #[arg(long, value_name = "RATIO")]
    pub lower_bound: Option<f64>,
    /// Kept channels are a multiple of this, or all
    #[arg(long, value_name = "N")]
    pub channel_multiple: Option<usize>,
    /// Raise decisions so that the budget is used up
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub fill_budget: Option<bool>,
    /// Leave pruned layers as they are instead of refitting them to their original outputs
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_reconstruction: Option<bool>,
    /// Images that pruned layers are refitted on
    #[arg(long, value_name = "N")]
    pub calibration_images: Option<usize>,
    /// N2N: the run, or the folder with its graph.json, whose network is made smaller [default: the teacher]
    #[arg(long, value_name = "DIR")]
    pub parent: Option<PathBuf>,
    /// N2N: most parameters of a student, for n2n-constrained
    #[arg(long, value_name = "N")]
    pub max_parameters: Option<u64>,
    /// N2N: most multiply-accumulates of a student, for n2n-constrained
    #[arg(long, value_name = "N")]
    pub max_macs: Option<u64>,
    /// N2N: least share of the reward images that a student classifies right, for n2n-constrained
    #[arg(long, value_name = "SHARE")]
    pub min_top1: Option<f64>,
    /// N2N: epochs that a student is trained for before it is scored
    #[arg(long, value_name = "N")]
    pub student_epochs: Option<usize>,
    /// N2N: images a step of that training
    #[arg(long, value_name = "N")]
    pub student_batch: Option<usize>,
    /// N2N: its learning rate at the start
    #[arg(long, value_name = "RATE")]
    pub student_learning_rate: Option<f64>,
    /// N2N: its weight decay
    #[arg(long, value_name = "DECAY")]
    pub student_weight_decay: Option<f64>,
    /// N2N: seed of a student's first weights and of the order of its images
    #[arg(long, value_name = "N")]
    pub student_seed: Option<u64>,
    /// N2N: l2-logits, kd, ce-l2 or ce
    #[arg(long, value_name = "NAME")]
    pub student_loss: Option<DistillLoss>,
    /// N2N: adam or sgd
    #[arg(long, value_name = "NAME")]
    pub student_optimiser: Option<Optimiser>,
    /// N2N: what the loss kd divides logits by
    #[arg(long, value_name = "T")]
    pub student_temperature: Option<f64>,
    /// N2N: weight of the teacher's word in the loss kd, in [0, 1]
    #[arg(long, value_name = "ALPHA")]
    pub student_alpha: Option<f64>,
    /// N2N: weight of the squared difference of logits in the loss ce-l2
    #[arg(long, value_name = "LAMBDA")]
    pub student_lambda: Option<f64>,
    /// N2N: students start from their parent's weights instead of new ones
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub inherit: Option<bool>,
    /// N2N: rows of an observation [default: the layers' number up to a multiple of 32]
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,
    /// N2N: images that students learn from [default: all but the reward images]
    #[arg(long, value_name = "N")]
    pub training_images: Option<usize>,
    /// Images that rewards are measured on
    #[arg(long, value_name = "N")]
    pub reward_images: Option<usize>,
    /// Output pixels sampled from each calibration image
    #[arg(long, value_name = "N")]
    pub points: Option<usize>,
    /// Exploring episodes
    #[arg(long, value_name = "N")]
    pub episodes: Option<u64>,
    /// Seed of all randomness
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Episodes from one checkpoint to the next
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<u64>,
    /// Threads [default: one a core]; results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// A run, on whatever network, whose policy the agent starts from
    #[arg(long, value_name = "RUN")]
    pub pretrained: Option<PathBuf>,
    /// Play that policy without learning on
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub frozen: Option<bool>,
    /// reinforce, actor-critic, ddpg, random, uniform, shallow, deep, greedy or cem
    #[arg(long, value_name = "NAME")]
    pub agent: Option<AgentChoice>,
    /// A hyper-parameter of the agent; may be given many times
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::agent_choice::parse_setting)]
    #[serde(skip)]
    pub agent_set: Vec<(String, toml::Value)>,
}

impl Settings {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`Error::File`] with the line of an unknown key or a wrong value.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        let mut settings: Self =
            toml::from_str(&text).map_err(|error| Error::file(path, unknown_key(&text, &error)))?;
        // Paths in a file are relative to the file.
        let folder = path.parent().unwrap_or(Path::new(""));
        let Self { weights, data, parent, pretrained, .. } = &mut settings;
        for inner in [weights, data, parent, pretrained].into_iter().flatten() {
            *inner = folder.join(&inner);
        }
        Ok(settings)
    }

    /// How the model is varied.
    pub fn variant(&self) -> Variant {
        Variant { width: self.width, stem: self.stem, shortcut: self.shortcut }
    }

    /// These settings, and `base`'s where these say nothing.
    pub fn over(self, mut base: Self) -> Self {
        // An id says these itself: below it they are another environment's.
        if self.env.is_some() {
            (base.model, base.dataset, base.budget, base.channel_multiple) = (None, None, None, None);
            (base.game, base.reward) = (None, None);
            (base.width, base.stem, base.shortcut) = (None, None, None);
        }
        Self {
            env: self.env.or(base.env),
            game: self.game.or(base.game),
            model: self.model.or(base.model),
            width: self.width.or(base.width),
            stem: self.stem.or(base.stem),
            shortcut: self.shortcut.or(base.shortcut),
            weights: self.weights.or(base.weights),
            dataset: self.dataset.or(base.dataset),
            data: self.data.or(base.data),
            image_size: self.image_size.or(base.image_size),
            budget: self.budget.or(base.budget),
            reward: self.reward.or(base.reward),
            scope: self.scope.or(base.scope),
            lower_bound: self.lower_bound.or(base.lower_bound),
            channel_multiple: self.channel_multiple.or(base.channel_multiple),
            fill_budget: self.fill_budget.or(base.fill_budget),
            no_reconstruction: self.no_reconstruction.or(base.no_reconstruction),
            calibration_images: self.calibration_images.or(base.calibration_images),
            reward_images: self.reward_images.or(base.reward_images),
            parent: self.parent.or(base.parent),
            max_parameters: self.max_parameters.or(base.max_parameters),
            max_macs: self.max_macs.or(base.max_macs),
            min_top1: self.min_top1.or(base.min_top1),
            student_epochs: self.student_epochs.or(base.student_epochs),
            student_batch: self.student_batch.or(base.student_batch),
            student_learning_rate: self.student_learning_rate.or(base.student_learning_rate),
            student_weight_decay: self.student_weight_decay.or(base.student_weight_decay),
            student_seed: self.student_seed.or(base.student_seed),
            student_loss: self.student_loss.or(base.student_loss),
            student_optimiser: self.student_optimiser.or(base.student_optimiser),
            student_temperature: self.student_temperature.or(base.student_temperature),
            student_alpha: self.student_alpha.or(base.student_alpha),
            student_lambda: self.student_lambda.or(base.student_lambda),
            inherit: self.inherit.or(base.inherit),
            rows: self.rows.or(base.rows),
            training_images: self.training_images.or(base.training_images),
            points: self.points.or(base.points),
            episodes: self.episodes.or(base.episodes),
            seed: self.seed.or(base.seed),
            checkpoint_every: self.checkpoint_every.or(base.checkpoint_every),
            threads: self.threads.or(base.threads),
            pretrained: self.pretrained.or(base.pretrained),
            frozen: self.frozen.or(base.frozen),
            agent: AgentChoice::over(self.agent, base.agent),
            agent_set: [base.agent_set, self.agent_set].concat(),
        }
    }
}

/// What is wrong in a TOML file; an unknown key comes with its line and the nearest known one.
fn unknown_key(text: &str, error: &toml::de::Error) -> String {
    let span = error.span().filter(|_| error.message().starts_with("unknown field"));
    let Some((before, key)) = span.and_then(|span| Some((text.get(..span.start)?, text.get(span)?))) else {
        return error.to_string();
    };
    let (line, key) = (1 + before.matches('\n').count(), key.trim_matches(['"', '\'']));
    // The keys are the names of the flags, and hyper-parameters have a table of their own.
    let flags = Settings::augment_args(clap::Command::new(""));
    let known: Vec<&str> = flags
        .get_arguments()
        .filter_map(|flag| flag.get_long())
        .filter(|name| *name != "agent-set")
        .collect();
    format!("line {line}: unknown key `{key}`{}", nearest(key, known.iter().copied()))
}

/// A reward of either game by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum RewardName {
    /// AMC's.
    Amc(Reward),
    /// N2N's.
    N2n(N2nReward),
}

impl std::str::FromStr for RewardName {
    type Err = EnvError;

    fn from_str(text: &str) -> Result<Self, EnvError> {
        match (text.parse(), text.parse()) {
            (Ok(reward), _) => Ok(Self::Amc(reward)),
            (_, Ok(reward)) => Ok(Self::N2n(reward)),
            (_, Err(error)) if text.starts_with('n') => Err(error),
            (Err(error), _) => Err(error),
        }
    }
}

impl From<RewardName> for String {
    fn from(reward: RewardName) -> Self {
        match reward {
            RewardName::Amc(reward) => reward.to_string(),
            RewardName::N2n(reward) => reward.to_string(),
        }
    }
}

impl TryFrom<String> for RewardName {
    type Error = EnvError;

    fn try_from(text: String) -> Result<Self, EnvError> {
        text.parse()
    }
}

/// A game, where no id says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GameName {
    /// AMC's channel pruning
    #[default]
    Amc,
    /// N2N's layer removal
    N2nRemoval,
    /// N2N's layer shrinkage
    N2nShrinkage,
}

/// A budget as text: `macs=0.5` or `params=0.6`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Budget {
    /// What it counts.
    pub unit: BudgetUnit,
    /// Share of the teacher's cost.
    pub share: f64,
}

impl std::str::FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not a budget; write macs=0.5 or params=0.6");
        let (unit, share) = text.split_once('=').ok_or_else(form)?;
        let unit = unit.trim().parse().map_err(|error: EnvError| error.to_string())?;
        let share: f64 = share.trim().parse().map_err(|_| form())?;
        if !(share > 0.0 && share <= 1.0) {
            return Err(format!("{share} is not a share in (0, 1]"));
        }
        Ok(Self { unit, share })
    }
}

impl From<Budget> for String {
    fn from(budget: Budget) -> Self {
        format!("{}={}", budget.unit, budget.share)
    }
}

impl TryFrom<String> for Budget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Height and width as text: `64x64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ImageSize(pub [usize; 2]);

impl std::str::FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides: Option<Vec<usize>> = text.split('x').map(|side| side.parse().ok()).collect();
        match sides.as_deref() {
            Some(&[height, width]) if height > 0 && width > 0 => Ok(Self([height, width])),
            _ => Err(format!("`{text}` is not a height and a width; write 64x64")),
        }
    }
}

impl From<ImageSize> for String {
    fn from(ImageSize([height, width]): ImageSize) -> Self {
        format!("{height}x{width}")
    }
}

impl TryFrom<String> for ImageSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Where tensors are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor, through Burn's `flex` backend.
    #[default]
    Flex,
    /// The processor, through Burn's `ndarray` backend.
    Ndarray,
    /// An NVIDIA GPU.
    Cuda,
}
