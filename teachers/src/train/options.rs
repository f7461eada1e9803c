//! The settings of training a student.

use serde::{Deserialize, Serialize};

use crate::{Error, engine::Convolution, named};

/// The largest number of epochs that is accepted.
pub(super) const MOST_EPOCHS: usize = 1_000_000;

/// The most images per step that are accepted: a step keeps the activations of all of them.
pub const MOST_BATCH: usize = 4096;

/// The loss that a student minimises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DistillLoss {
    /// Mean squared difference to the teacher's logits (Ba & Caruana 2014), N2N's loss during search.
    #[default]
    L2Logits,
    /// α·T²·KL of softened class probabilities + (1 − α)·cross-entropy (Hinton et al. 2015).
    Kd,
    /// Cross-entropy + λ · mean squared difference of logits, N2N's loss of the final training.
    CeL2,
    /// Cross-entropy with the labels alone, without the teacher.
    Ce,
}

impl DistillLoss {
    /// Whether the loss needs the teacher's logits.
    pub fn asks_teacher(self) -> bool {
        self != Self::Ce
    }
}

/// The optimisation algorithm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Optimiser {
    /// Adam.
    #[default]
    Adam,
    /// Stochastic gradient descent with a momentum of 0.9.
    Sgd,
}

named!(DistillLoss, "loss", [L2Logits => "l2-logits", Kd => "kd", CeL2 => "ce-l2", Ce => "ce"]);
named!(Optimiser, "optimiser", [Adam => "adam", Sgd => "sgd"]);

/// The settings of training a student. Images are not augmented, so that the teacher's logits apply
/// to them.
///
/// The defaults are N2N's, except for the batch of 32 and a learning rate of 5e-3 with a cosine
/// schedule (N2N: 5e-4). On 1077 digits, a ResNet-20 without its removable convolutions reaches an
/// accuracy of 0.98 in five epochs; with N2N's learning rate it reaches 0.59.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistillOptions {
    /// Passes over the training images; N2N's 5.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Learning rate at the start; falls to zero along half a cosine.
    pub learning_rate: f64,
    /// Weight decay, added to every gradient; N2N's 5e-4.
    pub weight_decay: f64,
    /// The optimisation algorithm.
    pub optimiser: Optimiser,
    /// The loss to minimise.
    pub loss: DistillLoss,
    /// The temperature of `kd`, which logits are divided by.
    pub temperature: f64,
    /// α of `kd`: the weight of the teacher's part of the loss, in [0, 1]; the labels' is 1 − α.
    pub alpha: f64,
    /// λ of `ce-l2`: the weight of the squared difference of logits.
    pub lambda: f64,
    /// Seed of initial weights, order and dropout.
    pub seed: u64,
    /// Whether the result is the weights of the epoch with the best validation accuracy and not those
    /// of the last epoch. For final trainings only: never where the same images give the reward.
    pub best_epoch: bool,
    /// Whether weights that are zero at the start stay zero, so that a network that was pruned weight
    /// by weight keeps its sparsity.
    pub keep_zeros: bool,
    /// How convolutions are computed, in training and in the evaluation after each epoch.
    pub convolution: Convolution,
}

impl Default for DistillOptions {
    fn default() -> Self {
        Self {
            epochs: 5,
            batch: 32,
            learning_rate: 5e-3,
            weight_decay: 5e-4,
            optimiser: Optimiser::Adam,
            loss: DistillLoss::L2Logits,
            temperature: 4.0,
            alpha: 0.9,
            lambda: 1.0,
            seed: 0,
            best_epoch: false,
            keep_zeros: false,
            convolution: Convolution::Fast,
        }
    }
}

impl DistillOptions {
    /// Refuses settings outside their range.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first one.
    pub fn check(&self) -> Result<(), Error> {
        let refuse =
            |key: &str, reason: &str| Err(Error::Setting { key: key.to_owned(), reason: reason.to_owned() });
        let positive = |value: f64| value.is_finite() && value > 0.0;
        match self {
            Self { batch: 0 | 1, .. } => refuse("batch", "batch-norm needs at least 2 images"),
            Self { batch, .. } if *batch > MOST_BATCH => {
                refuse("batch", &format!("{batch} images are too many for a step, give at most {MOST_BATCH}"))
            }
            Self { epochs, .. } if !(1..=MOST_EPOCHS).contains(epochs) => {
                refuse("epochs", "from 1 to a million")
            }
            _ if !positive(self.learning_rate) => refuse("learning_rate", "must be a positive number"),
            _ if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) => {
                refuse("weight_decay", "must be a number of at least 0")
            }
            _ if !positive(self.temperature) => refuse("temperature", "must be a positive number"),
            _ if !(0.0..=1.0).contains(&self.alpha) => refuse("alpha", "must lie in [0, 1]"),
            _ if !(self.lambda.is_finite() && self.lambda >= 0.0) => {
                refuse("lambda", "must be a number of at least 0")
            }
            _ => Ok(()),
        }
    }
}
