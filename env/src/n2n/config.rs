//! N2N's ids and configurations as pure data.

use std::sync::Arc;

use cgym_teachers::{
    data::DatasetName,
    graph::Graph,
    nearest,
    train::{DistillLoss, DistillOptions, Optimiser},
    zoo,
};
use serde::{Deserialize, Serialize};

use super::{Constraints, N2nEnv, N2nReward, N2nRules, Stage, StudentEvaluator, TeacherFigures};
use crate::{
    EnvError,
    registry::{REGISTERED, dataset_words, model_word},
};

/// Everything that makes an N2N environment, but for files: which network, which data, which rules,
/// and how students are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct N2nConfig {
    /// Model of the zoo, as [`zoo::MODELS`] spells it; in the second stage the one that the parent
    /// came from.
    pub model: String,
    /// Dataset.
    pub dataset: DatasetName,
    /// Which of the two games.
    pub stage: Stage,
    /// Reward of the last step.
    #[serde(default)]
    pub reward: N2nReward,
    /// What `n2n-constrained` asks for.
    #[serde(default)]
    pub constraints: Constraints,
    /// How students are trained before they are scored.
    #[serde(default)]
    pub student: DistillOptions,
    /// Whether students start from the parent's weights; from fresh ones otherwise, as in N2N.
    #[serde(default)]
    pub inherit: bool,
    /// Rows of an observation; the layers' up to a multiple of 32 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Images that students learn from; all but the reward split where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_size: Option<usize>,
    /// Images of the reward split; the dataset's own choice where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_size: Option<usize>,
}

/// Settings that a user changes of an N2N id's; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the field of the same name of what a configuration holds")]
pub struct N2nOverrides {
    pub reward: Option<N2nReward>,
    pub max_parameters: Option<u64>,
    pub max_macs: Option<u64>,
    pub min_top1: Option<f64>,
    pub epochs: Option<usize>,
    pub batch: Option<usize>,
    pub learning_rate: Option<f64>,
    pub weight_decay: Option<f64>,
    pub optimiser: Option<Optimiser>,
    pub loss: Option<DistillLoss>,
    pub temperature: Option<f64>,
    pub alpha: Option<f64>,
    pub lambda: Option<f64>,
    pub seed: Option<u64>,
    pub inherit: Option<bool>,
    pub rows: Option<usize>,
    pub training_size: Option<usize>,
    pub reward_size: Option<usize>,
}

impl N2nConfig {
    /// The defaults for a stage of `model` on `dataset`.
    pub fn new(stage: Stage, model: &str, dataset: DatasetName) -> Self {
        Self {
            model: model.to_owned(),
            dataset,
            stage,
            reward: N2nReward::default(),
            constraints: Constraints::default(),
            student: DistillOptions::default(),
            inherit: false,
            rows: None,
            training_size: None,
            reward_size: None,
        }
    }

    /// The configuration that `id` names. Letter case counts.
    ///
    /// # Errors
    /// [`EnvError::UnknownId`] with the nearest id.
    pub fn from_id(id: &str) -> Result<Self, EnvError> {
        parse(id).ok_or_else(|| EnvError::UnknownId { id: id.to_owned(), suggestion: suggestion(id) })
    }

    /// The id that this configuration is, or differs in settings from.
    pub fn id(&self) -> String {
        let word = dataset_words().find(|(_, dataset)| *dataset == self.dataset).map_or("", |(word, _)| word);
        spell(self.stage, &self.model, word)
    }

    /// This configuration with the user's settings.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for the first setting outside its range.
    pub fn with(mut self, overrides: &N2nOverrides) -> Result<Self, EnvError> {
        fn set<T: Copy>(target: &mut T, value: Option<T>) {
            *target = value.unwrap_or(*target);
        }
        let (constraints, student) = (&mut self.constraints, &mut self.student);
        set(&mut self.reward, overrides.reward);
        constraints.max_parameters = overrides.max_parameters.or(constraints.max_parameters);
        constraints.max_macs = overrides.max_macs.or(constraints.max_macs);
        constraints.min_top1 = overrides.min_top1.or(constraints.min_top1);
        set(&mut student.epochs, overrides.epochs);
        set(&mut student.batch, overrides.batch);
        set(&mut student.learning_rate, overrides.learning_rate);
        set(&mut student.weight_decay, overrides.weight_decay);
        set(&mut student.optimiser, overrides.optimiser);
        set(&mut student.loss, overrides.loss);
        set(&mut student.temperature, overrides.temperature);
        set(&mut student.alpha, overrides.alpha);
        set(&mut student.lambda, overrides.lambda);
        set(&mut student.seed, overrides.seed);
        set(&mut self.inherit, overrides.inherit);
        self.rows = overrides.rows.or(self.rows);
        self.training_size = overrides.training_size.or(self.training_size);
        self.reward_size = overrides.reward_size.or(self.reward_size);
        self.check()?;
        Ok(self)
    }

    /// Refuses settings outside their range, and a model that is not in the zoo.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for the first one.
    pub fn check(&self) -> Result<(), EnvError> {
        let refuse = |key: &str, reason: String| Err(EnvError::Setting { key: key.to_owned(), reason });
        if !zoo::MODELS.contains(&self.model.as_str()) {
            let hint = nearest(&self.model, zoo::MODELS.iter().copied());
            return refuse("model", format!("unknown model `{}`{hint}", self.model));
        }
        if self.reward_size == Some(0) {
            return refuse("reward_size", "0 images measure nothing".to_owned());
        }
        if self.training_size.is_some_and(|images| images < 2) {
            return refuse("training_size", "at least 2 images are needed to learn from".to_owned());
        }
        if self.student.best_epoch {
            return refuse("best_epoch", "would choose on the images that are rewarded".to_owned());
        }
        self.student.check()?;
        self.rules().check()
    }

    /// The rules of the game among the settings.
    pub fn rules(&self) -> N2nRules {
        N2nRules { stage: self.stage, reward: self.reward, constraints: self.constraints, rows: self.rows }
    }

    /// The environment, given the original teacher's figures, the network to make smaller (the
    /// teacher in the first stage, the first stage's result in the second) and who scores students.
    ///
    /// # Errors
    /// As [`N2nEnv::new`].
    pub fn make(
        &self,
        teacher: TeacherFigures,
        parent: &Graph,
        evaluator: Arc<dyn StudentEvaluator>,
    ) -> Result<N2nEnv, EnvError> {
        self.check()?;
        N2nEnv::new(&self.id(), parent, teacher, &self.rules(), evaluator)
    }
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Removal => "Removal",
        Stage::Shrinkage => "Shrinkage",
    }
}

fn spell(stage: Stage, model: &str, dataset: &str) -> String {
    format!("N2N-{}-{}-{dataset}-v0", stage_word(stage), model_word(model))
}

fn parse(id: &str) -> Option<N2nConfig> {
    let [family, stage, model, dataset, version] = id.split('-').collect::<Vec<_>>().try_into().ok()?;
    let stage = [Stage::Removal, Stage::Shrinkage].into_iter().find(|known| stage_word(*known) == stage)?;
    let model = zoo::MODELS.iter().find(|name| model_word(name) == model)?;
    let (_, dataset) = dataset_words().find(|(word, _)| *word == dataset)?;
    let known = family == "N2N" && version == "v0";
    known.then(|| N2nConfig::new(stage, model, dataset))
}

/// The nearest id; the listed ids where none is near.
fn suggestion(id: &str) -> String {
    let mut ids = Vec::new();
    for stage in [Stage::Removal, Stage::Shrinkage] {
        for model in zoo::MODELS {
            ids.extend(dataset_words().map(|(dataset, _)| spell(stage, model, dataset)));
        }
    }
    let hint = nearest(id, ids.iter().map(String::as_str));
    if hint.contains("did you mean") { hint } else { nearest(id, REGISTERED.iter().map(|env| env.id)) }
}
