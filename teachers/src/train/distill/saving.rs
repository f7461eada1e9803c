//! Checkpoints of a student in training: its weights, the optimiser's state, the best epoch.

use std::path::Path;

use cgym_kernels::adam::{Adam, Correction};
use serde::{Deserialize, Serialize};

use super::{Epoch, Progress, Student};
use crate::{
    Error,
    checkpoints::Checkpoints,
    train::{DistillOptions, Optimiser},
    weights::{Tensor, Weights},
};

const WEIGHTS: &str = "weights.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";
const BEST: &str = "best.safetensors";
/// Names of Adam's moments, after the parameter's.
const MOMENTS: [&str; 2] = ["first", "second"];

/// What a checkpoint is of.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    task: String,
    options: DistillOptions,
    epochs: Vec<Epoch>,
    /// Steps that Adam has taken.
    steps: u64,
}

impl Student<'_> {
    /// Writes the checkpoint after the last epoch of `progress`.
    pub(super) fn save(
        &self,
        checkpoints: &Checkpoints,
        task: &str,
        progress: &Progress,
    ) -> Result<(), Error> {
        let state = State {
            task: task.to_owned(),
            options: self.options.clone(),
            epochs: progress.epochs.clone(),
            steps: self.adam.values().map(|adam| adam.time).max().unwrap_or(0),
        };
        checkpoints.save(progress.epochs.len(), state, &[], |folder| {
            self.weights.save(&folder.join(WEIGHTS))?;
            if let Some((_, best)) = &progress.best {
                best.save(&folder.join(BEST))?;
            }
            self.optimiser_state().save(&folder.join(OPTIMISER))
        })
    }

    /// The state of the optimiser as tensors.
    fn optimiser_state(&self) -> Weights {
        match self.options.optimiser {
            Optimiser::Sgd => self.velocity.clone(),
            Optimiser::Adam => {
                let mut tensors = Weights::default();
                for (name, adam) in &self.adam {
                    for (kind, moment) in MOMENTS.iter().zip(&adam.moments) {
                        let tensor = Tensor { shape: vec![moment.len()], data: moment.clone() };
                        tensors.insert(format!("{name}.{kind}"), tensor);
                    }
                }
                tensors
            }
        }
    }

    /// Restores the newest intact checkpoint and says how far it came.
    pub(super) fn restore(
        &mut self,
        checkpoints: &Checkpoints,
        task: &str,
        warn: &mut dyn FnMut(String),
    ) -> Result<Progress, Error> {
        let load = |number: usize, folder: &Path, state: State| {
            let State { task: theirs, options, epochs, steps } = state;
            if theirs != task || options != *self.options || epochs.len() != number {
                let reason =
                    "belongs to a training of another network or with other settings; choose another folder";
                return Err(Error::file(folder, reason));
            }
            let weights = Weights::load(&folder.join(WEIGHTS), self.graph)?;
            self.restore_optimiser(&folder.join(OPTIMISER), steps)?;
            let greatest = epochs.iter().map(|epoch| epoch.top1).fold(f64::NEG_INFINITY, f64::max);
            let best = match self.options.best_epoch && !epochs.is_empty() {
                true => Some((greatest, Weights::load(&folder.join(BEST), self.graph)?)),
                false => None,
            };
            self.weights = weights;
            Ok(Progress { epochs, best })
        };
        Ok(checkpoints.restore(warn, load)?.unwrap_or_default())
    }

    fn restore_optimiser(&mut self, path: &Path, steps: u64) -> Result<(), Error> {
        if self.options.optimiser == Optimiser::Sgd {
            self.velocity = Weights::load_like(path, &self.velocity)?;
            return Ok(());
        }
        let mut pattern = Weights::default();
        for (name, velocity) in self.velocity.iter() {
            let shape = vec![velocity.data.len()];
            MOMENTS.iter().for_each(|kind| {
                pattern.insert(format!("{name}.{kind}"), Tensor { shape: shape.clone(), data: Vec::new() });
            });
        }
        let found = Weights::load_like(path, &pattern)?;
        for (name, velocity) in self.velocity.iter() {
            let mut adam = Adam::new(velocity.data.len()).with_correction(Correction::Moments);
            for (kind, moment) in MOMENTS.iter().zip(&mut adam.moments) {
                moment.clone_from(&found.get(&format!("{name}.{kind}"))?.data);
            }
            adam.time = steps;
            self.adam.insert(name.clone(), adam.with_weight_decay(self.options.weight_decay as f32));
        }
        Ok(())
    }
}
