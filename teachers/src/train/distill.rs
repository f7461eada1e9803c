//! Training a student on its teacher's logits (Hinton et al. 2015).
//!
//! Differences from N2N's released code: the student is in training mode in every epoch (there,
//! batch-norms are frozen after the first), and no test image is used.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use cgym_kernels::adam::{Adam, Correction};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::{
    Epoch, Interpreter, Trained, TrainingEvent,
    augment::{Change, TrainingImages},
    cross_entropy,
    learner::{at_rest, blend, cosine, descend},
    options::{DistillLoss, DistillOptions, Optimiser},
};
use crate::{
    Error, architecture,
    data::Dataset,
    engine::{Engine, EngineOptions, Images},
    graph::{Class, Graph, Node},
    weights::Weights,
};

/// Momentum of [`Optimiser::Sgd`].
const MOMENTUM: f32 = 0.9;

/// The data that a student is trained on. Several students can share it at the same time.
#[derive(Clone, Copy)]
pub struct Distillation<'a> {
    /// The dataset that `indices` selects training images from.
    pub dataset: &'a Dataset,
    /// Indices of the training images in the dataset.
    pub indices: &'a [usize],
    /// The teacher's logits of these images, `[indices][classes]`, as [`teacher_logits`] gives them.
    /// Ignored where the loss does not need the teacher.
    pub teacher_logits: &'a [f32],
    /// Held-out images for the accuracy after each epoch.
    pub validation: &'a Images,
    /// A flag that stops the training before the next step.
    pub stop: Option<&'a AtomicBool>,
    /// A text that identifies what is trained, and the folder of the checkpoints written after each
    /// epoch; a training of the same found there is resumed.
    pub checkpoints: Option<(&'a str, &'a Path)>,
}

/// A teacher's logits of the images `indices`, `[indices][classes]`, computed once for all students.
///
/// # Errors
/// When images, weights and graph do not fit each other; [`Error::NotFinite`].
pub fn teacher_logits(
    teacher: &Graph,
    weights: &Weights,
    dataset: &Dataset,
    indices: &[usize],
) -> Result<Vec<f32>, Error> {
    let logits = Engine::new(teacher, weights)?.logits(&Images::new(dataset, indices)?)?;
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(Error::NotFinite("a logit of the teacher".to_owned()));
    }
    Ok(logits)
}

/// Fresh weights that depend on the architecture and `seed` alone.
pub fn fresh_weights(graph: &Graph, seed: u64) -> Weights {
    let mut digest = Sha256::new();
    digest.update(seed.to_le_bytes());
    digest.update(architecture::hash(graph));
    let bytes: [u8; 32] = digest.finalize().into();
    let drawn = bytes.iter().take(8).fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
    Weights::initialise(graph, drawn)
}

/// Trains `graph` from `initial` weights. The same input gives the same bytes at any number of
/// threads, whatever else is trained at the same time.
///
/// # Errors
/// Settings outside their range, logits that do not fit; [`Error::NotFinite`] when the training diverges.
pub fn distill(
    graph: &Graph,
    initial: Weights,
    distillation: &Distillation<'_>,
    options: &DistillOptions,
    device: &Device,
    observer: &mut dyn FnMut(TrainingEvent<'_>),
) -> Result<Trained, Error> {
    options.check()?;
    initial.check(graph)?;
    let classes = check(graph, distillation, options.loss)?;
    let zeros = if options.keep_zeros { zeros(graph, &initial) } else { BTreeMap::new() };
    let mut student = Student {
        graph,
        zeros,
        options,
        distillation,
        classes,
        device: device.clone().autodiff(),
        weights: initial,
        adam: BTreeMap::new(),
        velocity: at_rest(graph),
    };
    let mut progress = Progress::default();
    let checkpoints = distillation.checkpoints.map(|(task, folder)| (task, super::checkpoints(folder)));
    if let Some((task, checkpoints)) = &checkpoints {
        let warn = &mut |warning| observer(TrainingEvent::Warning(warning));
        progress = student.restore(checkpoints, task, warn)?;
    }
    let engine = EngineOptions { convolution: options.convolution, ..EngineOptions::default() };
    for epoch in progress.epochs.len()..options.epochs {
        let Some(loss) = student.epoch(epoch)? else {
            return Ok(progress.into_trained(student.weights, false));
        };
        // A step whose loss is finite can still end in infinite weights.
        student.weights.check(graph).map_err(diverged)?;
        let top1 = Engine::with_options(graph, &student.weights, engine)?.top1(distillation.validation)?;
        if options.best_epoch && progress.best.as_ref().is_none_or(|(least, _)| top1 > *least) {
            progress.best = Some((top1, student.weights.clone()));
        }
        let done = Epoch { epoch: epoch + 1, loss, top1 };
        progress.epochs.push(done);
        if let Some((task, checkpoints)) = &checkpoints {
            student.save(checkpoints, task, &progress)?;
        }
        observer(TrainingEvent::Epoch(&done));
    }
    Ok(progress.into_trained(student.weights, true))
}

/// How far a training came.
#[derive(Default)]
struct Progress {
    epochs: Vec<Epoch>,
    /// The best epoch's accuracy and weights, where they are kept.
    best: Option<(f64, Weights)>,
}

impl Progress {
    fn into_trained(self, last: Weights, finished: bool) -> Trained {
        let weights = self.best.map_or(last, |(_, weights)| weights);
        Trained { weights, epochs: self.epochs, finished }
    }
}

/// `error` of the student's weights. They fit the graph at the start, so that a later refusal of a tensor
/// is about values that are not finite.
fn diverged(error: Error) -> Error {
    match error {
        Error::Tensor { tensor, .. } => Error::NotFinite(format!("the student's `{tensor}`")),
        other => other,
    }
}

/// The indices of the zeros among the weights of convolutions and linear layers.
fn zeros(graph: &Graph, weights: &Weights) -> BTreeMap<String, Vec<u32>> {
    let of_layer = |node: &Node| {
        let name = format!("{}.weight", node.name);
        let values = &weights.get(&name).ok()?.data;
        let zeros = (0..values.len() as u32).filter(|&index| values[index as usize] == 0.0);
        Some((name, zeros.collect()))
    };
    let layers = graph.nodes().iter();
    layers
        .filter(|node| matches!(node.op.facts().class, Class::Convolution | Class::Linear))
        .filter_map(of_layer)
        .collect()
}

/// Refuses data that does not fit `graph` and gives its number of classes.
fn check(graph: &Graph, distillation: &Distillation<'_>, loss: DistillLoss) -> Result<usize, Error> {
    let refuse = |key: &str, reason: String| Err(Error::Setting { key: key.to_owned(), reason });
    let Distillation { dataset, indices, teacher_logits, .. } = distillation;
    let classes = graph.shapes()?[graph.output()].iter().product::<usize>();
    if indices.len() < 2 {
        return refuse("images", "at least 2 training images are needed".to_owned());
    }
    if let Some(index) = indices.iter().find(|&&index| index >= dataset.len()) {
        return refuse("images", format!("image {index} of {}", dataset.len()));
    }
    if dataset.classes() > classes {
        return refuse("images", format!("{} classes, the student has {classes}", dataset.classes()));
    }
    if loss.asks_teacher() && teacher_logits.len() != indices.len() * classes {
        let (found, images) = (teacher_logits.len(), indices.len());
        return refuse("teacher_logits", format!("{found} for {images} images of {classes} classes"));
    }
    Ok(classes)
}

struct Student<'a> {
    graph: &'a Graph,
    options: &'a DistillOptions,
    distillation: &'a Distillation<'a>,
    classes: usize,
    device: Device,
    weights: Weights,
    /// The indices of the weights that stay zero, by the name of their tensor.
    zeros: BTreeMap<String, Vec<u32>>,
    /// The state of Adam for each tensor, by its name.
    adam: BTreeMap<String, Adam>,
    /// The velocities of stochastic gradient descent.
    velocity: Weights,
}

impl Student<'_> {
    /// Runs one epoch. Returns `None` if the stop flag was set.
    fn epoch(&mut self, epoch: usize) -> Result<Option<f64>, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        rng.set_stream(epoch as u64 + 1);
        let mut order: Vec<usize> = (0..self.distillation.indices.len()).collect();
        order.shuffle(&mut rng);
        let steps = order.len().div_ceil(self.options.batch);
        let (mut total, mut taken) = (0.0, 0);
        for (step, batch) in order.chunks(self.options.batch).enumerate() {
            // Batch normalisation needs at least two images.
            if batch.len() < 2 {
                continue;
            }
            if self.distillation.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Ok(None);
            }
            let done = (epoch * steps + step) as f64 / (self.options.epochs * steps) as f64;
            let rate = self.options.learning_rate * cosine(done);
            // On a thread of the pool: another one would wait for the pool's, in each of many operations.
            total += rayon::scope(|_| self.step(batch, rate as f32, &mut rng))?;
            taken += 1;
        }
        Ok(Some(total / f64::from(taken.max(1))))
    }

    /// Takes one step on the images at these positions in the list of training images.
    fn step(&mut self, batch: &[usize], rate: f32, rng: &mut ChaCha8Rng) -> Result<f64, Error> {
        let dataset = self.distillation.dataset;
        let indices: Vec<usize> = batch.iter().map(|&place| self.distillation.indices[place]).collect();
        let images = TrainingImages::new(dataset, &indices, &vec![Change::default(); indices.len()])?;
        let network = Interpreter::new(self.graph, &self.weights, &self.device)
            .map_err(diverged)?
            .with_convolution(self.options.convolution);
        let (logits, statistics) = network.train_on(images, rng)?;
        let loss = self.loss(logits, batch, &dataset.labels_of(&indices));
        let value = loss.clone().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
        if !value.is_finite() {
            return Err(Error::NotFinite("the student's loss".to_owned()));
        }
        let decay = self.options.weight_decay as f32;
        for (name, gradient) in network.gradients(&loss) {
            match self.options.optimiser {
                Optimiser::Adam => {
                    let Some(weight) = self.weights.get_mut(name) else { continue };
                    if !self.adam.contains_key(name) {
                        let adam = Adam::new(gradient.len()).with_correction(Correction::Moments);
                        self.adam.insert(name.to_owned(), adam.with_weight_decay(decay));
                    }
                    let Some(adam) = self.adam.get_mut(name) else { continue };
                    adam.step(&mut weight.data, &gradient, f64::from(rate));
                }
                Optimiser::Sgd => {
                    descend(&mut self.weights, &mut self.velocity, name, &gradient, rate, [MOMENTUM, decay]);
                }
            }
        }
        for (name, zeros) in &self.zeros {
            let Some(weight) = self.weights.get_mut(name) else { continue };
            zeros.iter().for_each(|&index| weight.data[index as usize] = 0.0);
        }
        for seen in statistics {
            blend(&mut self.weights, &format!("{}.running_mean", seen.node), &seen.mean);
            blend(&mut self.weights, &format!("{}.running_var", seen.node), &seen.variance);
        }
        Ok(f64::from(value))
    }

    fn loss(&self, logits: Tensor<2>, batch: &[usize], labels: &[usize]) -> Tensor<1> {
        let DistillOptions { loss, temperature, alpha, lambda, .. } = *self.options;
        match loss {
            DistillLoss::L2Logits => self.squared(logits, batch),
            DistillLoss::Ce => cross_entropy(logits, labels, &self.device),
            DistillLoss::CeL2 => {
                let hard = cross_entropy(logits.clone(), labels, &self.device);
                hard + self.squared(logits, batch).mul_scalar(lambda as f32)
            }
            DistillLoss::Kd => {
                let hard = cross_entropy(logits.clone(), labels, &self.device);
                let soft = self.softened(logits, batch, temperature);
                soft.mul_scalar((alpha * temperature * temperature) as f32)
                    + hard.mul_scalar((1.0 - alpha) as f32)
            }
        }
    }

    /// The teacher's logits of a batch, one row per image.
    fn rows<'b>(&'b self, batch: &'b [usize]) -> impl Iterator<Item = &'b [f32]> {
        let classes = self.classes;
        batch.iter().map(move |&place| &self.distillation.teacher_logits[place * classes..][..classes])
    }

    /// Mean squared difference to the teacher's logits, over images and classes.
    fn squared(&self, logits: Tensor<2>, batch: &[usize]) -> Tensor<1> {
        let targets = self.rows(batch).collect::<Vec<_>>().concat();
        let targets =
            Tensor::<2>::from_data(TensorData::new(targets, [batch.len(), self.classes]), &self.device);
        let difference = logits - targets;
        (difference.clone() * difference).mean()
    }

    /// Mean KL divergence of the student's from the teacher's class probabilities, both softened.
    fn softened(&self, logits: Tensor<2>, batch: &[usize], temperature: f64) -> Tensor<1> {
        let (mut targets, mut information) = (Vec::with_capacity(batch.len() * self.classes), 0.0);
        for row in self.rows(batch) {
            let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let scaled = || row.iter().map(|&logit| f64::from(logit - greatest) / temperature);
            let normaliser = scaled().map(f64::exp).sum::<f64>().ln();
            for logarithm in scaled().map(|logit| logit - normaliser) {
                information += logarithm.exp() * logarithm;
                targets.push(logarithm.exp() as f32);
            }
        }
        let count = batch.len() as f32;
        let targets =
            Tensor::<2>::from_data(TensorData::new(targets, [batch.len(), self.classes]), &self.device);
        let cross = (log_softmax(logits.div_scalar(temperature as f32), 1) * targets).sum();
        cross.mul_scalar(-1.0 / count).add_scalar(information as f32 / count)
    }
}

mod saving;
#[cfg(test)]
mod tests;
