//! The training loop: batches, gradients, stochastic gradient descent, checkpoints.

use std::{path::Path, sync::atomic::Ordering};

use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use cgym_kernels::Isa;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Epoch, Interpreter, TrainOptions, Training,
    augment::{Change, TrainingImages},
    ops,
};
use crate::{
    Error,
    checkpoints::Checkpoints,
    graph::Graph,
    weights::{self, Weights},
};

const WEIGHTS: &str = "weights.safetensors";
const MOMENTUM: &str = "momentum.safetensors";

/// Number of weights that one thread updates at a time.
const RUN: usize = 1 << 14;

/// What a checkpoint is of.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    task: String,
    options: TrainOptions,
    epochs: Vec<Epoch>,
}

/// A network in training: its weights and their velocities.
pub struct Learner<'a> {
    graph: &'a Graph,
    options: &'a TrainOptions,
    device: Device,
    weights: Weights,
    momentum: Weights,
}

impl<'a> Learner<'a> {
    /// Starts from `weights`. A single step uses only the optimiser's and the kernels' options.
    ///
    /// # Errors
    /// When weights and graph do not fit each other.
    pub fn new(
        graph: &'a Graph,
        weights: Weights,
        options: &'a TrainOptions,
        device: &Device,
    ) -> Result<Self, Error> {
        weights.check(graph)?;
        let momentum = at_rest(graph);
        let device = device.clone().autodiff();
        Ok(Self { graph, options, device, weights, momentum })
    }

    /// The instruction set of this project's kernels; `None` where Burn's kernels are used.
    pub fn isa(&self) -> Option<Isa> {
        (ops::covers(&self.device) && !self.options.stock_kernels).then(Isa::best)
    }

    /// The current weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The weights, by value.
    pub fn into_weights(mut self) -> Weights {
        std::mem::take(&mut self.weights)
    }

    /// Runs one epoch. Returns `None`, with the weights of before the epoch, if the stop flag was set.
    pub(super) fn epoch(&mut self, training: &Training<'_>, epoch: usize) -> Result<Option<f64>, Error> {
        let before = (self.weights.clone(), self.momentum.clone());
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        rng.set_stream(epoch as u64 + 1);
        let mut order = training.indices.to_vec();
        order.shuffle(&mut rng);
        let steps = order.len().div_ceil(self.options.batch);
        let (mut total, mut taken) = (0.0, 0);
        for (step, batch) in order.chunks(self.options.batch).enumerate() {
            // Batch normalisation needs at least two images.
            if batch.len() < 2 {
                continue;
            }
            if training.stop.load(Ordering::Relaxed) {
                (self.weights, self.momentum) = before;
                return Ok(None);
            }
            let done = (epoch * steps + step) as f64 / (self.options.epochs * steps) as f64;
            let rate = self.options.learning_rate * cosine(done);
            let augmentation = self.options.augmentation;
            let changes: Vec<Change> = batch.iter().map(|_| augmentation.draw(&mut rng)).collect();
            let images = TrainingImages::new(training.dataset, batch, &changes)?;
            total += self.step_on(images, &training.dataset.labels_of(batch), rate as f32, &mut rng)?;
            taken += 1;
        }
        Ok(Some(total / f64::from(taken.max(1))))
    }

    /// Takes one step on a batch and returns its mean cross-entropy before the step.
    ///
    /// `pixels` is `[images][channels][height][width]`; dropout draws from `rng`. Running statistics
    /// are updated with those of the batch.
    ///
    /// # Errors
    /// Pixels that are not as many images as there are labels; a loss that is not finite.
    pub fn step(
        &mut self,
        pixels: Vec<f32>,
        labels: &[usize],
        rate: f32,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let [channels, height, width] = self.graph.input_shape();
        if pixels.len() != labels.len() * channels * height * width {
            let reason = format!("{} pixels are not {} images", pixels.len(), labels.len());
            return Err(Error::Setting { key: "images".to_owned(), reason });
        }
        let images =
            TrainingImages::from_pixels(&pixels, [channels, height, width], labels.len(), Isa::best())?;
        self.step_on(images, labels, rate, rng)
    }

    fn step_on(
        &mut self,
        images: TrainingImages,
        labels: &[usize],
        rate: f32,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        // On a thread of the pool: another one would wait for the pool's, in each of many operations.
        rayon::scope(|_| self.step_in_pool(images, labels, rate, rng))
    }

    fn step_in_pool(
        &mut self,
        images: TrainingImages,
        labels: &[usize],
        rate: f32,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let mut network = Interpreter::new(self.graph, &self.weights, &self.device)?
            .with_convolution(self.options.convolution);
        if self.options.stock_kernels {
            network = network.with_stock_kernels();
        }
        let (logits, statistics) = network.train_on(images, rng)?;
        let loss = cross_entropy(logits, labels, &self.device);
        let value = loss.clone().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
        if !value.is_finite() {
            return Err(Error::NotFinite("the training loss (a lower learning rate may help)".to_owned()));
        }
        let settings = [self.options.momentum as f32, self.options.weight_decay as f32];
        for (name, gradient) in network.gradients(&loss) {
            descend(&mut self.weights, &mut self.momentum, name, &gradient, rate, settings);
        }
        for batch in statistics {
            blend(&mut self.weights, &format!("{}.running_mean", batch.node), &batch.mean);
            blend(&mut self.weights, &format!("{}.running_var", batch.node), &batch.variance);
        }
        Ok(f64::from(value))
    }

    /// Writes the checkpoint after the last of `epochs`.
    pub(super) fn save(&self, checkpoints: &Checkpoints, task: &str, epochs: &[Epoch]) -> Result<(), Error> {
        let state = State { task: task.to_owned(), options: self.options.clone(), epochs: epochs.to_vec() };
        checkpoints.save(epochs.len(), state, &[], |folder| {
            self.weights.save(&folder.join(WEIGHTS))?;
            self.momentum.save(&folder.join(MOMENTUM))
        })
    }

    /// Restores the newest intact checkpoint and gives its epochs; none where there is no checkpoint.
    pub(super) fn restore(
        &mut self,
        checkpoints: &Checkpoints,
        task: &str,
        warn: &mut dyn FnMut(String),
    ) -> Result<Vec<Epoch>, Error> {
        let load = |number: usize, folder: &Path, state: State| {
            let State { task: theirs, options, epochs } = state;
            if theirs != task {
                let reason = format!("belongs to another training: {theirs}; choose another folder");
                return Err(Error::file(folder, reason));
            }
            if options != *self.options || epochs.len() != number {
                let reason = "belongs to a training with other settings; choose another folder";
                return Err(Error::file(folder, reason));
            }
            let weights = Weights::load(&folder.join(WEIGHTS), self.graph)?;
            let momentum = Weights::load_like(&folder.join(MOMENTUM), &self.momentum)?;
            Ok((weights, momentum, epochs))
        };
        let Some((weights, momentum, epochs)) = checkpoints.restore(warn, load)? else {
            return Ok(Vec::new());
        };
        (self.weights, self.momentum) = (weights, momentum);
        Ok(epochs)
    }
}

impl Drop for Learner<'_> {
    /// Frees the memory that the kernels reuse from step to step.
    fn drop(&mut self) {
        cgym_kernels::train::release();
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

/// The factor of the learning rate after the share `done` of a training, along half a cosine.
pub(super) fn cosine(done: f64) -> f64 {
    0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// A velocity of zeros for every trainable parameter of `graph`.
pub(super) fn at_rest(graph: &Graph) -> Weights {
    let mut velocity = Weights::default();
    for parameter in graph.parameters().into_iter().filter(|parameter| parameter.trainable) {
        velocity.insert(parameter.name, weights::Tensor::full(parameter.shape, 0.0));
    }
    velocity
}

/// PyTorch's SGD: v ← momentum · v + gradient + decay · w, then w ← w − rate · v.
pub(super) fn descend(
    weights: &mut Weights,
    momentum: &mut Weights,
    name: &str,
    gradient: &[f32],
    rate: f32,
    [keep, decay]: [f32; 2],
) {
    let (Some(weight), Some(velocity)) = (weights.get_mut(name), momentum.get_mut(name)) else { return };
    let runs = weight.data.par_chunks_mut(RUN).zip(velocity.data.par_chunks_mut(RUN));
    runs.zip(gradient.par_chunks(RUN)).for_each(|((weight, velocity), gradient)| {
        for ((w, v), g) in weight.iter_mut().zip(velocity).zip(gradient) {
            *v = keep * *v + g + decay * *w;
            *w -= rate * *v;
        }
    });
}

/// Updates a running statistic with the batch's, with a momentum of 0.1 as in PyTorch.
pub(super) fn blend(weights: &mut Weights, name: &str, batch: &[f32]) {
    if let Some(running) = weights.get_mut(name) {
        running.data.iter_mut().zip(batch).for_each(|(value, new)| *value += 0.1 * (new - *value));
    }
}
