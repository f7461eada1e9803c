//! Versioned environment ids as pure data.
//!
//! An id is `AMC-<Model>-<Dataset>-<Budget>-v<N>`: AMC's game on one model of the zoo and one
//! dataset, where `MACs50` lets a candidate keep at most 50 % of the teacher's multiply-accumulates
//! and `Params60` 60 % of its parameters. `N2N-<Stage>-<Model>-<Dataset>-v<N>` is N2N's game, its
//! stage `Removal` or `Shrinkage`. Every such id is an environment, listed or not
//! ([`Family`](crate::Family) reads both); `-v0` is bumped when dynamics or rewards change.
//!
//! Settings that an id does not spell (reward, scope, lower bound …) have defaults by the id.
//! Changing them keeps the id, which then names the base that the user's settings differ from:
//! two results under one id compare only under the same settings. Changing what an id does
//! spell gives another id.

use cgym_teachers::{coupling::Coupling, data::DatasetName, graph::Graph, nearest, zoo};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::{AmcEnv, AmcSettings, BudgetUnit, EnvError, Evaluator, Reward, Scope};

/// What is played when nothing else is asked for.
pub const DEFAULT_ID: &str = "AMC-ResNet20-Digits-MACs30-v0";

/// An environment that `cgym` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisteredEnv {
    /// Its id.
    pub id: &'static str,
    /// What it is, in a line.
    pub description: &'static str,
}

const fn entry(id: &'static str, description: &'static str) -> RegisteredEnv {
    RegisteredEnv { id, description }
}

pub(crate) const REGISTERED: &[RegisteredEnv] = &[
    entry(DEFAULT_ID, "30 % of the MACs of ResNet-20 on 8x8 digits: no download, 100 episodes in seconds"),
    entry(
        "AMC-ResNet20-Digits-MACs50-v0",
        "half the MACs of the same network, which most policies can spare",
    ),
    entry("AMC-ResNet20-Digits-Params60-v0", "60 % of the parameters of ResNet-20 on 8x8 digits"),
    entry("AMC-ResNet8-Digits-MACs50-v0", "three decisions: the smallest residual network"),
    entry("AMC-LeNet5-Digits-MACs50-v0", "four decisions, two of them on linear layers"),
    entry("AMC-LeNet5-MNIST-MACs50-v0", "LeNet-5 where it comes from"),
    entry("AMC-LeNet5-FashionMNIST-Params60-v0", "LeNet-5 under a parameter budget"),
    entry("AMC-Plain20-CIFAR10-MACs50-v0", "AMC's Plain-20: 18 decisions without shortcuts"),
    entry("AMC-ResNet20-CIFAR10-MACs50-v0", "nine blocks on CIFAR-10"),
    entry("AMC-ResNet56-CIFAR10-MACs50-v0", "AMC's CIFAR-10 benchmark: 27 blocks at half the MACs"),
    entry("AMC-ResNet56-CIFAR10-Params60-v0", "the same network at 60 % of its parameters"),
    entry("AMC-VGG16-CIFAR10-MACs50-v0", "VGG-16 with batch-norm, all layers coupled in a chain"),
    entry("AMC-MobileNetV1-CIFAR10-MACs50-v0", "depth-wise pairs, channels in multiples of 8"),
    entry("AMC-MobileNetV2-CIFAR10-MACs50-v0", "inverted residuals, channels in multiples of 8"),
    entry("AMC-ResNet18-CIFAR100-MACs50-v0", "eight wide blocks and 100 classes"),
    entry("AMC-MobileNetV1-Folder-MACs50-v0", "MobileNet-V1 on your own folder of images"),
    entry("N2N-Removal-ResNet20-Digits-v0", "which layers of ResNet-20 on 8x8 digits a student needs"),
    entry("N2N-Shrinkage-ResNet20-Digits-v0", "how wide the layers left have to be"),
    entry("N2N-Removal-ResNet8-Digits-v0", "the smallest residual network"),
    entry("N2N-Removal-ResNet14-Digits-v0", "six blocks: to learn a policy on and carry it to ResNet-20"),
    entry("N2N-Removal-VGG13-MNIST-v0", "N2N's MNIST teacher"),
    entry("N2N-Shrinkage-VGG13-MNIST-v0", "windows, paddings and filters of a plain network"),
    entry("N2N-Removal-ResNet18-CIFAR10-v0", "N2N's CIFAR-10 teacher"),
    entry("N2N-Shrinkage-ResNet18-CIFAR10-v0", "its second stage"),
    entry("N2N-Removal-ResNet34-CIFAR10-v0", "where N2N carries a policy of ResNet-18 to"),
    entry("N2N-Removal-VGG19-CIFAR10-v0", "N2N's plain CIFAR-10 teacher"),
];

/// Every listed environment, the default first.
pub fn registered() -> &'static [RegisteredEnv] {
    REGISTERED
}

/// Everything that makes an environment, but for files: which network, which data, which rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvConfig {
    /// Model of the zoo, as [`zoo::MODELS`] spells it.
    pub model: String,
    /// Dataset.
    pub dataset: DatasetName,
    /// What the budget counts.
    pub budget: BudgetUnit,
    /// Share of the teacher's cost that a candidate may keep, in (0, 1].
    pub target: f64,
    /// Reward of the last step.
    pub reward: Reward,
    /// Groups decided about.
    pub scope: Scope,
    /// Least preserve ratio of every decision, in (0, 1].
    pub lower_bound: f64,
    /// Kept channels are a multiple of this, or all: 8 for the MobileNets, else 1.
    pub channel_multiple: usize,
    /// Whether decisions are raised so that the budget is used up.
    pub fill_budget: bool,
    /// Whether layers are refitted to their original outputs after pruning.
    pub reconstruction: bool,
    /// Images of the calibration split; the evaluator's own choice where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_size: Option<usize>,
    /// Images of the reward split; the evaluator's own choice where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_size: Option<usize>,
}

/// Settings that a user changes of an id's; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the field of `EnvConfig` of the same name")]
pub struct EnvOverrides {
    pub budget: Option<BudgetUnit>,
    pub target: Option<f64>,
    pub reward: Option<Reward>,
    pub scope: Option<Scope>,
    pub lower_bound: Option<f64>,
    pub channel_multiple: Option<usize>,
    pub fill_budget: Option<bool>,
    pub reconstruction: Option<bool>,
    pub calibration_size: Option<usize>,
    pub reward_size: Option<usize>,
}

impl EnvConfig {
    /// The defaults for `model` and `dataset` under a budget.
    pub fn new(model: &str, dataset: DatasetName, budget: BudgetUnit, target: f64) -> Self {
        let AmcSettings { reward, scope, lower_bound, fill_budget, .. } = AmcSettings::default();
        Self {
            model: model.to_owned(),
            dataset,
            budget,
            target,
            reward,
            scope,
            lower_bound,
            channel_multiple: if model.starts_with("mobilenet") { 8 } else { 1 },
            fill_budget,
            reconstruction: true,
            calibration_size: None,
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

    /// The id that this configuration is, or differs in settings from; the target to the nearest
    /// whole percent above 0.
    pub fn id(&self) -> String {
        let percent = (self.target * 100.0).round().clamp(1.0, 100.0);
        let dataset =
            dataset_words().find(|(_, dataset)| *dataset == self.dataset).map_or("", |(word, _)| word);
        format!("AMC-{}-{dataset}-{}{percent}-v0", model_word(&self.model), unit_word(self.budget))
    }

    /// This configuration with the user's settings.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for the first setting outside its range.
    pub fn with(mut self, overrides: &EnvOverrides) -> Result<Self, EnvError> {
        fn set<T: Clone>(target: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                *target = value.clone();
            }
        }
        set(&mut self.budget, &overrides.budget);
        set(&mut self.target, &overrides.target);
        set(&mut self.reward, &overrides.reward);
        set(&mut self.scope, &overrides.scope);
        set(&mut self.lower_bound, &overrides.lower_bound);
        set(&mut self.channel_multiple, &overrides.channel_multiple);
        set(&mut self.fill_budget, &overrides.fill_budget);
        set(&mut self.reconstruction, &overrides.reconstruction);
        self.calibration_size = overrides.calibration_size.or(self.calibration_size);
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
        for (key, size) in [("calibration_size", self.calibration_size), ("reward_size", self.reward_size)] {
            if size == Some(0) {
                return refuse(key, "0 images measure nothing".to_owned());
            }
        }
        self.rules().check()
    }

    /// The rules of the game among the settings.
    pub fn rules(&self) -> AmcSettings {
        AmcSettings {
            budget: self.budget,
            target: self.target,
            reward: self.reward,
            scope: self.scope,
            lower_bound: self.lower_bound,
            channel_multiple: self.channel_multiple,
            fill_budget: self.fill_budget,
        }
    }

    /// The environment, given the teacher and who scores its candidates.
    ///
    /// # Errors
    /// As [`AmcEnv::new`].
    pub fn make(
        &self,
        graph: &Graph,
        coupling: &Coupling,
        evaluator: Arc<dyn Evaluator>,
    ) -> Result<AmcEnv, EnvError> {
        self.check()?;
        AmcEnv::new(&self.id(), graph, coupling, &self.rules(), evaluator)
    }
}

/// A zoo name as an id spells it: `resnet20` is `ResNet20`, `mobilenet-v1` is `MobileNetV1`.
pub(crate) fn model_word(model: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("resnet", "ResNet"),
        ("plain", "Plain"),
        ("vgg", "VGG"),
        ("mobilenet-v", "MobileNetV"),
        ("lenet", "LeNet"),
        ("", ""),
    ];
    let (prefix, word) = WORDS.into_iter().find(|(prefix, _)| model.starts_with(prefix)).unwrap_or_default();
    format!("{word}{}", &model[prefix.len()..])
}

pub(crate) fn dataset_words() -> impl Iterator<Item = (&'static str, DatasetName)> + Clone {
    let words = ["Digits", "MNIST", "FashionMNIST", "CIFAR10", "CIFAR100", "Folder"];
    words.into_iter().zip(DatasetName::ALL)
}

fn unit_word(unit: BudgetUnit) -> &'static str {
    match unit {
        BudgetUnit::Macs => "MACs",
        BudgetUnit::Params => "Params",
    }
}

fn parse(id: &str) -> Option<EnvConfig> {
    let [family, model, dataset, budget, version] = id.split('-').collect::<Vec<_>>().try_into().ok()?;
    let model = zoo::MODELS.iter().find(|name| model_word(name) == model)?;
    let (_, dataset) = dataset_words().find(|(word, _)| *word == dataset)?;
    let (unit, percent) = parse_budget(budget)?;
    let known = family == "AMC" && version == "v0";
    known.then(|| EnvConfig::new(model, dataset, unit, f64::from(percent) / 100.0))
}

/// `MACs50` or `Params60`: no sign, no leading zero, 1 to 100.
fn parse_budget(word: &str) -> Option<(BudgetUnit, u8)> {
    [BudgetUnit::Macs, BudgetUnit::Params].into_iter().find_map(|unit| {
        let digits = word.strip_prefix(unit_word(unit))?;
        let percent: u8 = digits.parse().ok()?;
        let canonical = (1..=100).contains(&percent) && percent.to_string() == digits;
        canonical.then_some((unit, percent))
    })
}

/// The nearest id with the budget asked for, where that is one; the listed ids where none is near.
fn suggestion(id: &str) -> String {
    let asked = id.split('-').find(|word| parse_budget(word).is_some());
    let budgets = asked.map_or(vec!["MACs50", "Params60"], |word| vec![word]);
    let mut ids = Vec::new();
    for model in zoo::MODELS {
        for (dataset, _) in dataset_words() {
            ids.extend(
                budgets.iter().map(|budget| format!("AMC-{}-{dataset}-{budget}-v0", model_word(model))),
            );
        }
    }
    let hint = nearest(id, ids.iter().map(String::as_str));
    if hint.contains("did you mean") { hint } else { nearest(id, REGISTERED.iter().map(|env| env.id)) }
}
