//! Training a teacher (SGD with momentum, a cosine schedule, augmentation, checkpoints) and its
//! students ([`distill`]).

mod adam;
mod augment;
mod distill;
mod interpreter;
mod options;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

pub use burn::tensor::Device;
use burn::tensor::{Tensor, TensorData, activation::log_softmax};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use adam::Adam;
pub use augment::Augmentation;
pub use distill::{Distillation, distill, fresh_weights, teacher_logits};
pub use interpreter::{BatchStatistics, Interpreter};
pub use options::{DistillLoss, DistillOptions, Optimiser};

use crate::{
    Error,
    data::Dataset,
    engine::{Engine, Images},
    graph::Graph,
    weights::{self, Weights, write_atomically},
};

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainOptions {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch: usize,
    /// Learning rate at the start; falls to zero along half a cosine.
    pub learning_rate: f64,
    /// Share of the last step kept.
    pub momentum: f64,
    /// Weight decay, added to every gradient.
    pub weight_decay: f64,
    /// Seed of initial weights, order and augmentation.
    pub seed: u64,
    /// Shifts and mirror images.
    pub augmentation: Augmentation,
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
        }
    }
}

impl TrainOptions {
    /// Settings that suit a dataset; `digits` are those of the shipped teacher.
    pub fn for_dataset(name: &str) -> Self {
        let augmentation = Augmentation::for_dataset(name);
        match name {
            "digits" => Self { epochs: 40, batch: 64, augmentation, ..Self::default() },
            "mnist" | "fashion-mnist" => Self { epochs: 10, augmentation, ..Self::default() },
            _ => Self { epochs: 160, augmentation, ..Self::default() },
        }
    }

    fn check(&self, images: usize) -> Result<(), Error> {
        let refuse =
            |key: &str, reason: &str| Err(Error::Setting { key: key.to_owned(), reason: reason.to_owned() });
        match self {
            _ if images < 2 => refuse("images", "at least 2 training images are needed"),
            Self { batch: 0 | 1, .. } => refuse("batch", "batch-norm needs at least 2 images"),
            Self { epochs: 0, .. } => refuse("epochs", "at least 1"),
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

/// How one epoch went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean cross-entropy over its steps.
    pub loss: f64,
    /// Share of the validation images classified right after it.
    pub top1: f64,
}

/// What a training ended with.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The weights after the last epoch.
    pub weights: Weights,
    /// Every epoch, those of a resumed training included.
    pub epochs: Vec<Epoch>,
    /// False where it was stopped before the last epoch.
    pub finished: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    task: String,
    options: TrainOptions,
    epochs: Vec<Epoch>,
}

/// What a training reads and where it reports.
pub struct Training<'a> {
    /// What is learned, in words: model, data, split. A checkpoint of another task is refused.
    pub task: &'a str,
    /// Images to learn from, by `indices`.
    pub dataset: &'a Dataset,
    /// Which images of the dataset.
    pub indices: &'a [usize],
    /// Held-out images, for the figure after each epoch only.
    pub validation: &'a Images,
    /// Where checkpoints go after each epoch; a training found there is continued.
    pub checkpoints: Option<PathBuf>,
    /// Set from outside to stop after the running epoch's step.
    pub stop: &'a AtomicBool,
}

/// Trains `graph` from `initial` weights. The same seed gives the same bytes, stopped and continued
/// or not.
///
/// # Errors
/// Settings outside their range, a checkpoint that does not fit, a loss that is not finite.
pub fn train(
    graph: &Graph,
    initial: Weights,
    training: &Training<'_>,
    options: &TrainOptions,
    device: &Device,
    report: &mut dyn FnMut(&Epoch),
) -> Result<Trained, Error> {
    options.check(training.indices.len())?;
    let mut learner = Learner::new(graph, initial, options, device)?;
    let mut epochs = Vec::new();
    if let Some(directory) = &training.checkpoints {
        epochs = learner.restore(directory, training.task)?;
    }
    for epoch in epochs.len()..options.epochs {
        let Some(loss) = learner.epoch(training, epoch)? else {
            return Ok(Trained { weights: learner.weights, epochs, finished: false });
        };
        let top1 = Engine::new(graph, &learner.weights)?.top1(training.validation)?;
        epochs.push(Epoch { epoch: epoch + 1, loss, top1 });
        if let Some(directory) = &training.checkpoints {
            learner.save(directory, training.task, &epochs)?;
        }
        report(&epochs[epoch]);
    }
    Ok(Trained { weights: learner.weights, epochs, finished: true })
}

struct Learner<'a> {
    graph: &'a Graph,
    options: &'a TrainOptions,
    device: Device,
    weights: Weights,
    momentum: Weights,
}

impl<'a> Learner<'a> {
    fn new(
        graph: &'a Graph,
        weights: Weights,
        options: &'a TrainOptions,
        device: &Device,
    ) -> Result<Self, Error> {
        weights.check(graph)?;
        let mut momentum = Weights::default();
        for parameter in graph.parameters().into_iter().filter(|parameter| parameter.trainable) {
            momentum.insert(parameter.name, weights::Tensor::full(parameter.shape, 0.0));
        }
        Ok(Self { graph, options, device: device.clone().autodiff(), weights, momentum })
    }

    /// One pass; `None` when it was asked to stop, with the weights as before the pass.
    fn epoch(&mut self, training: &Training<'_>, epoch: usize) -> Result<Option<f64>, Error> {
        let before = (self.weights.clone(), self.momentum.clone());
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        rng.set_stream(epoch as u64 + 1);
        let mut order = training.indices.to_vec();
        order.shuffle(&mut rng);
        let steps = order.len().div_ceil(self.options.batch);
        let (mut total, mut taken) = (0.0, 0);
        for (step, batch) in order.chunks(self.options.batch).enumerate() {
            // Batch statistics of a single image say nothing.
            if batch.len() < 2 {
                continue;
            }
            if training.stop.load(Ordering::Relaxed) {
                (self.weights, self.momentum) = before;
                return Ok(None);
            }
            let done = (epoch * steps + step) as f64 / (self.options.epochs * steps) as f64;
            let rate = self.options.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
            total += self.step(training.dataset, batch, rate as f32, &mut rng)?;
            taken += 1;
        }
        Ok(Some(total / f64::from(taken.max(1))))
    }

    fn step(
        &mut self,
        dataset: &Dataset,
        batch: &[usize],
        rate: f32,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let shape = dataset.shape();
        let mut pixels = Vec::with_capacity(batch.len() * dataset.image_len());
        for &index in batch {
            let image = dataset.normalized(&[index]);
            self.options.augmentation.append(&image, shape, rng, &mut pixels);
        }
        let size = [batch.len(), shape[0], shape[1], shape[2]];
        let images = Tensor::from_data(TensorData::new(pixels, size), &self.device);
        let network = Interpreter::new(self.graph, &self.weights, &self.device)?;
        let (logits, statistics) = network.train(images, rng)?;
        let loss = cross_entropy(logits, &dataset.labels_of(batch), &self.device);
        let value = loss.clone().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
        if !value.is_finite() {
            return Err(Error::NotFinite("the training loss (a lower learning rate may mend it)".to_owned()));
        }
        for (name, gradient) in network.gradients(&loss) {
            descend(&mut self.weights, &mut self.momentum, name, &gradient, rate, self.options);
        }
        for batch in statistics {
            blend(&mut self.weights, &format!("{}.running_mean", batch.node), &batch.mean);
            blend(&mut self.weights, &format!("{}.running_var", batch.node), &batch.variance);
        }
        Ok(f64::from(value))
    }

    fn save(&self, directory: &Path, task: &str, epochs: &[Epoch]) -> Result<(), Error> {
        std::fs::create_dir_all(directory).map_err(|error| Error::file(directory, error))?;
        let state = State { task: task.to_owned(), options: self.options.clone(), epochs: epochs.to_vec() };
        let text = serde_json::to_string_pretty(&state).map_err(|error| Error::file(directory, error))?;
        // The state comes last and names the epoch whose tensors it goes with.
        let last = epochs.len();
        self.weights.save(&directory.join(format!("weights-{last}.safetensors")))?;
        self.momentum.save(&directory.join(format!("momentum-{last}.safetensors")))?;
        write_atomically(&directory.join("state.json"), text.as_bytes())?;
        for kind in ["weights", "momentum"] {
            std::fs::remove_file(directory.join(format!("{kind}-{}.safetensors", last - 1))).ok();
        }
        Ok(())
    }

    fn restore(&mut self, directory: &Path, task: &str) -> Result<Vec<Epoch>, Error> {
        let path = directory.join("state.json");
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(Vec::new()) };
        let state: State = serde_json::from_str(&text).map_err(|error| Error::file(&path, error))?;
        if state.task != task {
            let reason = format!("is of another training: {}; choose another folder", state.task);
            return Err(Error::file(&path, reason));
        }
        if state.options != *self.options {
            return Err(Error::file(&path, "is of a training with other settings; choose another folder"));
        }
        let last = state.epochs.len();
        self.weights = Weights::load(&directory.join(format!("weights-{last}.safetensors")), self.graph)?;
        let momentum = directory.join(format!("momentum-{last}.safetensors"));
        self.momentum = Weights::load_like(&momentum, &self.momentum)?;
        Ok(state.epochs)
    }
}

/// Mean cross-entropy of `logits` `[images, classes]`.
pub fn cross_entropy(logits: Tensor<2>, labels: &[usize], device: &Device) -> Tensor<1> {
    let [count, classes] = logits.dims();
    let mut target = vec![0.0f32; count * classes];
    labels.iter().enumerate().for_each(|(image, &label)| target[image * classes + label] = 1.0);
    let target = Tensor::from_data(TensorData::new(target, [count, classes]), device);
    (log_softmax(logits, 1) * target).sum().mul_scalar(-1.0 / count as f32)
}

/// PyTorch's SGD: v ← momentum · v + gradient + decay · w, then w ← w − rate · v.
fn descend(
    weights: &mut Weights,
    momentum: &mut Weights,
    name: &str,
    gradient: &[f32],
    rate: f32,
    options: &TrainOptions,
) {
    let (keep, decay) = (options.momentum as f32, options.weight_decay as f32);
    let (Some(weight), Some(velocity)) = (weights.get_mut(name), momentum.get_mut(name)) else { return };
    for ((w, v), g) in weight.data.iter_mut().zip(&mut velocity.data).zip(gradient) {
        *v = keep * *v + g + decay * *w;
        *w -= rate * *v;
    }
}

/// Moves a running statistic a tenth of the way to the batch's.
fn blend(weights: &mut Weights, name: &str, batch: &[f32]) {
    if let Some(running) = weights.get_mut(name) {
        running.data.iter_mut().zip(batch).for_each(|(value, new)| *value += 0.1 * (new - *value));
    }
}
