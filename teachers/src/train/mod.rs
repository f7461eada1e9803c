//! Training a teacher (SGD with momentum, a cosine schedule, augmentation, checkpoints) and its
//! students ([`distill()`]).

mod augment;
mod distill;
mod fusion;
mod interpreter;
mod lanes;
mod learner;
mod ops;
mod options;
mod parameter;

use std::{path::PathBuf, sync::atomic::AtomicBool};

pub use burn::tensor::Device;
use serde::{Deserialize, Serialize};

pub use augment::Augmentation;
pub use distill::{Distillation, distill, fresh_weights, teacher_logits};
pub use interpreter::Interpreter;
pub use learner::{Learner, cross_entropy};
pub use options::{DistillLoss, DistillOptions, MOST_BATCH, Optimiser};
pub use parameter::BatchStatistics;

use options::MOST_EPOCHS;

use crate::{
    Error,
    checkpoints::Checkpoints,
    data::{Dataset, DatasetName, TrainingDefaults},
    engine::{Convolution, Engine, EngineOptions, Images},
    graph::Graph,
    weights::Weights,
};

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainOptions {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Learning rate at the start; falls to zero along half a cosine.
    pub learning_rate: f64,
    /// Share of the previous step's velocity that is kept.
    pub momentum: f64,
    /// Weight decay, added to every gradient.
    pub weight_decay: f64,
    /// Seed of initial weights, order and augmentation.
    pub seed: u64,
    /// Shifts and mirror images.
    pub augmentation: Augmentation,
    /// How convolutions are computed.
    pub convolution: Convolution,
    /// Whether to use Burn's kernels in place of this project's: slower, and rounded differently.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stock_kernels: bool,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            epochs: 60,
            batch: 128,
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 5e-4,
            seed: 0,
            augmentation: Augmentation::default(),
            convolution: Convolution::Fast,
            stock_kernels: false,
        }
    }
}

impl TrainOptions {
    /// Settings that suit the dataset called `name`; for `digits` those of the shipped teacher.
    pub fn for_dataset(name: &str) -> Self {
        let augmentation = Augmentation::for_dataset(name);
        let TrainingDefaults { epochs, batch, .. } = DatasetName::training_of(name);
        Self { epochs, batch, augmentation, ..Self::default() }
    }

    /// Checks the settings for a training on so many images.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first setting outside its range.
    pub fn check(&self, images: usize) -> Result<(), Error> {
        let refuse =
            |key: &str, reason: &str| Err(Error::Setting { key: key.to_owned(), reason: reason.to_owned() });
        match self {
            _ if images < 2 => refuse("images", "at least 2 training images are needed"),
            Self { batch: 0 | 1, .. } => refuse("batch", "batch-norm needs at least 2 images"),
            Self { batch, .. } if *batch > MOST_BATCH => {
                refuse("batch", &format!("{batch} images are too many for a step, give at most {MOST_BATCH}"))
            }
            Self { epochs, .. } if !(1..=MOST_EPOCHS).contains(epochs) => {
                refuse("epochs", "from 1 to a million")
            }
            _ if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) => {
                refuse("learning_rate", "must be a positive number")
            }
            _ if !(0.0..1.0).contains(&self.momentum) => refuse("momentum", "must lie in [0, 1)"),
            _ if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) => {
                refuse("weight_decay", "must be a number of at least 0")
            }
            _ => Ok(()),
        }
    }
}

/// The results of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean cross-entropy over its steps.
    pub loss: f64,
    /// Share of correctly classified validation images after it.
    pub top1: f64,
}

/// The result of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The weights after the last epoch.
    pub weights: Weights,
    /// Every epoch, including those before a resume.
    pub epochs: Vec<Epoch>,
    /// False if it was stopped before the last epoch.
    pub finished: bool,
}

/// The data of a training, its checkpoints and its stop flag.
pub struct Training<'a> {
    /// A text that identifies model, data and split. A checkpoint of another task is refused.
    pub task: &'a str,
    /// The dataset that `indices` selects training images from.
    pub dataset: &'a Dataset,
    /// Indices of the training images in the dataset.
    pub indices: &'a [usize],
    /// Held-out images, used only for the accuracy after each epoch.
    pub validation: &'a Images,
    /// The folder of the checkpoints written after each epoch; a training found there is resumed.
    pub checkpoints: Option<PathBuf>,
    /// Set this flag to stop after the current step.
    pub stop: &'a AtomicBool,
}

/// What happens during a training.
#[derive(Debug)]
pub enum TrainingEvent<'a> {
    /// An epoch is over.
    Epoch(&'a Epoch),
    /// Something the user should know, such as a damaged checkpoint.
    Warning(String),
}

/// The checkpoints of a training in `folder`, for example to remove them after its end.
pub fn checkpoints(folder: impl Into<PathBuf>) -> Checkpoints {
    Checkpoints::new(folder, "epoch", "cgym-training-1")
}

/// Trains `graph` from `initial` weights. The same seed gives the same bytes, whether or not the
/// training was interrupted and resumed.
///
/// # Errors
/// Settings outside their range, a checkpoint that does not fit, a loss that is not finite.
pub fn train(
    graph: &Graph,
    initial: Weights,
    training: &Training<'_>,
    options: &TrainOptions,
    device: &Device,
    observer: &mut dyn FnMut(TrainingEvent<'_>),
) -> Result<Trained, Error> {
    options.check(training.indices.len())?;
    let mut learner = Learner::new(graph, initial, options, device)?;
    let mut epochs = Vec::new();
    let checkpoints = training.checkpoints.as_ref().map(checkpoints);
    if let Some(checkpoints) = &checkpoints {
        let warn = &mut |warning| observer(TrainingEvent::Warning(warning));
        epochs = learner.restore(checkpoints, training.task, warn)?;
    }
    let engine = EngineOptions { convolution: options.convolution, ..EngineOptions::default() };
    for epoch in epochs.len()..options.epochs {
        let Some(loss) = learner.epoch(training, epoch)? else {
            return Ok(Trained { weights: learner.into_weights(), epochs, finished: false });
        };
        let top1 = Engine::with_options(graph, learner.weights(), engine)?.top1(training.validation)?;
        epochs.push(Epoch { epoch: epoch + 1, loss, top1 });
        if let Some(checkpoints) = &checkpoints {
            learner.save(checkpoints, training.task, &epochs)?;
        }
        observer(TrainingEvent::Epoch(&epochs[epoch]));
    }
    Ok(Trained { weights: learner.into_weights(), epochs, finished: true })
}
