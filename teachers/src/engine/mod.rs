//! The evaluation engine: a graph and its weights compiled into a plan of fused kernels.
//!
//! Batch-norm is folded into the convolution before it; bias, residual sum and activation are fused
//! into its store; buffers are planned once and reused. Each vector lane holds one image, so that no
//! shape needs padding and the time of a pruned network follows its MACs. The logits of an image
//! depend neither on its batch nor on the number of threads.

mod images;
mod plan;
mod step;

use std::sync::Mutex;

use cgym_kernels::{Buffer, Isa};
use rayon::prelude::*;

use crate::{
    Error,
    graph::{Graph, NodeIndex},
    weights::Weights,
};
pub use images::Images;
use step::Step;

/// A network ready to run.
pub struct Engine {
    isa: Isa,
    steps: Vec<Step>,
    slots: Vec<usize>,
    input_length: usize,
    classes: usize,
    workspaces: Mutex<Vec<Vec<Buffer>>>,
}

impl Engine {
    /// Compiles `graph` for the widest instruction set of this processor.
    ///
    /// # Errors
    /// When weights and graph do not fit each other.
    pub fn new(graph: &Graph, weights: &Weights) -> Result<Self, Error> {
        Self::with_isa(graph, weights, Isa::best())
    }

    /// Compiles `graph` for the instruction set `isa`.
    ///
    /// # Errors
    /// When weights and graph do not fit each other.
    pub fn with_isa(graph: &Graph, weights: &Weights, isa: Isa) -> Result<Self, Error> {
        plan::compile(graph, weights, isa)
    }

    /// The instruction set that it was compiled for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Length of the output vector.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Logits of all images, `[images][classes]`.
    ///
    /// # Errors
    /// When the images have another shape or are laid out for another instruction set.
    pub fn logits(&self, images: &Images) -> Result<Vec<f32>, Error> {
        self.check(images)?;
        let lanes = self.isa.lanes();
        let blocks: Vec<Vec<f32>> = (0..images.blocks())
            .into_par_iter()
            .map(|block| {
                self.with_output(images, block, |output| {
                    let mut rows = vec![0.0; images.images_in(block) * self.classes];
                    cgym_kernels::deinterleave(output, self.classes, lanes, &mut rows)
                        .map_err(|source| Error::Kernel { node: "logits".to_owned(), source })?;
                    Ok(rows)
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(blocks.concat())
    }

    /// The number of images whose greatest logit is that of their label.
    ///
    /// # Errors
    /// As [`Engine::logits`]; [`Error::NotFinite`] when a logit is NaN or infinite.
    pub fn count_correct(&self, images: &Images) -> Result<usize, Error> {
        let predictions = self.predict(images)?;
        Ok(predictions.iter().zip(images.labels()).filter(|(a, b)| a == b).count())
    }

    /// The share of correctly classified images.
    ///
    /// # Errors
    /// As [`Engine::count_correct`].
    pub fn top1(&self, images: &Images) -> Result<f64, Error> {
        Ok(self.count_correct(images)? as f64 / images.len().max(1) as f64)
    }

    /// The class with the greatest logit of each image; on a tie, the class with the lowest index.
    ///
    /// # Errors
    /// As [`Engine::count_correct`].
    pub fn predict(&self, images: &Images) -> Result<Vec<u16>, Error> {
        let logits = self.logits(images)?;
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(Error::NotFinite("a logit".to_owned()));
        }
        Ok(logits.chunks_exact(self.classes).map(argmax).collect())
    }

    /// Runs one block of images and calls `observe` for every convolution and linear layer with its
    /// node and its input, `[channels][height][width][lanes]`.
    ///
    /// # Errors
    /// As [`Engine::logits`].
    pub fn observe(
        &self,
        images: &Images,
        block: usize,
        observe: &mut dyn FnMut(NodeIndex, &[f32]),
    ) -> Result<(), Error> {
        self.check(images)?;
        let mut workspace = self.workspace();
        let mut memory = std::mem::take(&mut workspace[0]);
        self.run(images.block(block, &mut memory), &mut workspace, observe)?;
        workspace[0] = memory;
        self.put_back(workspace);
        Ok(())
    }

    fn check(&self, images: &Images) -> Result<(), Error> {
        if images.lanes() != self.isa.lanes() || images.block_length() != self.input_length {
            return Err(Error::Setting {
                key: "images".to_owned(),
                reason: format!(
                    "laid out as {} × {}, the network takes {} × {}",
                    images.block_length() / images.lanes(),
                    images.lanes(),
                    self.input_length / self.isa.lanes(),
                    self.isa.lanes()
                ),
            });
        }
        Ok(())
    }

    fn with_output<T>(
        &self,
        images: &Images,
        block: usize,
        read: impl FnOnce(&[f32]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut workspace = self.workspace();
        let mut memory = std::mem::take(&mut workspace[0]);
        let input = images.block(block, &mut memory);
        self.run(input, &mut workspace, &mut |_, _| ())?;
        let result = match self.steps.last() {
            Some(step) => read(&workspace[step.writes][..step.length]),
            None => read(input),
        };
        workspace[0] = memory;
        self.put_back(workspace);
        result
    }

    fn run(
        &self,
        input: &[f32],
        slots: &mut [Buffer],
        observe: &mut dyn FnMut(NodeIndex, &[f32]),
    ) -> Result<(), Error> {
        // Slot 0 is the memory of the input, which is never written here.
        for step in &self.steps {
            let mut target = std::mem::take(&mut slots[step.writes]);
            let slot = |slot: usize| if slot == 0 { input } else { &slots[slot] };
            if step.observed {
                observe(step.node, slot(step.reads[0]));
            }
            let done = step.run(self.isa, slot, &mut target[..step.length]);
            slots[step.writes] = target;
            done.map_err(|source| Error::Kernel { node: step.name.clone(), source })?;
        }
        Ok(())
    }

    fn workspace(&self) -> Vec<Buffer> {
        let pooled = self.workspaces.lock().ok().and_then(|mut pool| pool.pop());
        pooled.unwrap_or_else(|| self.slots.iter().map(|&length| Buffer::zeros(length)).collect())
    }

    fn put_back(&self, workspace: Vec<Buffer>) {
        if let Ok(mut pool) = self.workspaces.lock() {
            pool.push(workspace);
        }
    }
}

fn argmax(row: &[f32]) -> u16 {
    let mut best = 0;
    for (class, &logit) in row.iter().enumerate() {
        if logit > row[best] {
            best = class;
        }
    }
    best as u16
}
