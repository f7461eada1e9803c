//! The evaluation engine: a graph and its weights compiled into a plan of fused kernels.
//!
//! Batch-norm is folded into the convolution before it; bias, residual sum and activation are fused
//! into its store; buffers are planned once and reused. Each vector lane holds one image, so that no
//! shape needs padding and the time of a pruned network follows its MACs. The logits of an image
//! depend neither on its batch nor on the number of threads.
//!
//! With [`Convolution::Fast`], convolutions whose shape allows it use fewer multiplications, with
//! slightly larger rounding errors. An image whose two greatest logits are closer than
//! [`AMBIGUITY`] times the greatest magnitude, or that has a logit that is not finite, is evaluated
//! again by direct convolutions. So predictions are those of [`Convolution::Direct`] as long as the
//! logits of both differ by less than half of that.

mod images;
mod plan;
mod planner;
mod recheck;
mod run;
mod step;

use std::sync::Mutex;

use cgym_kernels::{Algorithm, Buffer, Isa};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    graph::{Graph, NodeIndex},
    named,
    weights::Weights,
};
pub use images::Images;
pub use recheck::AMBIGUITY;
use run::Segment;
use step::Step;

/// How convolutions are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Convolution {
    /// With fewer multiplications where the shape allows it, by Winograd's algorithm F(4x4, 3x3).
    #[default]
    Fast,
    /// By the definition.
    Direct,
}

named!(Convolution, "convolution", [Fast => "fast", Direct => "direct"]);

impl From<Convolution> for Algorithm {
    fn from(convolution: Convolution) -> Self {
        match convolution {
            Convolution::Fast => Self::Fast,
            Convolution::Direct => Self::Direct,
        }
    }
}

/// What a network is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// The instruction set.
    pub isa: Isa,
    /// How convolutions are computed.
    pub convolution: Convolution,
}

impl Default for EngineOptions {
    /// The widest instruction set of this processor and fast convolutions.
    fn default() -> Self {
        Self { isa: Isa::best(), convolution: Convolution::Fast }
    }
}

/// A network ready to run.
pub struct Engine {
    options: EngineOptions,
    steps: Vec<Step>,
    segments: Vec<Segment>,
    slots: Vec<usize>,
    input_length: usize,
    classes: usize,
    workspaces: Mutex<Vec<Vec<Buffer>>>,
}

impl Engine {
    /// Compiles `graph` with the default options.
    ///
    /// # Errors
    /// When weights and graph do not fit each other.
    pub fn new(graph: &Graph, weights: &Weights) -> Result<Self, Error> {
        Self::with_options(graph, weights, EngineOptions::default())
    }

    /// Compiles `graph`.
    ///
    /// # Errors
    /// When weights and graph do not fit each other.
    pub fn with_options(graph: &Graph, weights: &Weights, options: EngineOptions) -> Result<Self, Error> {
        plan::compile(graph, weights, options)
    }

    /// The options that it was compiled with.
    pub fn options(&self) -> EngineOptions {
        self.options
    }

    /// The instruction set that it was compiled for.
    pub fn isa(&self) -> Isa {
        self.options.isa
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
        let mut logits = self.logits_by(self.options.convolution.into(), images)?;
        self.recheck(images, &mut logits)?;
        Ok(logits)
    }

    /// Logits of all images by one algorithm.
    fn logits_by(&self, algorithm: Algorithm, images: &Images) -> Result<Vec<f32>, Error> {
        self.check(images)?;
        let lanes = self.options.isa.lanes();
        let blocks: Vec<usize> = (0..images.blocks()).collect();
        let rows: Vec<Vec<f32>> = blocks
            .par_chunks(self.together(blocks.len()))
            .map(|blocks| {
                let mut workspaces: Vec<Vec<Buffer>> = blocks.iter().map(|_| self.workspace()).collect();
                let mut memory: Vec<Buffer> =
                    workspaces.iter_mut().map(|slots| std::mem::take(&mut slots[0])).collect();
                let places = blocks.iter().zip(&mut memory);
                let inputs: Vec<&[f32]> =
                    places.map(|(&block, memory)| images.block(block, memory)).collect();
                self.run(algorithm, &inputs, &mut workspaces, &mut None)?;
                let mut rows = Vec::new();
                for ((&block, input), workspace) in blocks.iter().zip(inputs).zip(&workspaces) {
                    let output = match self.steps.last() {
                        Some(step) => &workspace[step.writes][..step.length],
                        None => input,
                    };
                    let start = rows.len();
                    rows.resize(start + images.images_in(block) * self.classes, 0.0);
                    cgym_kernels::deinterleave(output, self.classes, lanes, &mut rows[start..])
                        .map_err(|source| Error::Kernel { node: "logits".to_owned(), source })?;
                }
                for (mut workspace, memory) in workspaces.into_iter().zip(memory) {
                    workspace[0] = memory;
                    self.put_back(workspace);
                }
                Ok(rows)
            })
            .collect::<Result<_, Error>>()?;
        Ok(rows.concat())
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
        let mut workspaces = [self.workspace()];
        let mut memory = std::mem::take(&mut workspaces[0][0]);
        let input = images.block(block, &mut memory);
        self.run(self.options.convolution.into(), &[input], &mut workspaces, &mut Some(observe))?;
        workspaces[0][0] = memory;
        workspaces.into_iter().for_each(|workspace| self.put_back(workspace));
        Ok(())
    }

    fn check(&self, images: &Images) -> Result<(), Error> {
        if images.lanes() != self.options.isa.lanes() || images.block_length() != self.input_length {
            return Err(Error::Setting {
                key: "images".to_owned(),
                reason: format!(
                    "laid out as {} × {}, the network takes {} × {}",
                    images.block_length() / images.lanes(),
                    images.lanes(),
                    self.input_length / self.options.isa.lanes(),
                    self.options.isa.lanes()
                ),
            });
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
