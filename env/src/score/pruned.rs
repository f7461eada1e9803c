//! Candidates of the layer-wise games, made and run on the reward split.

use std::sync::Arc;

use cgym_teachers::{
    Error,
    engine::{Convolution, Engine, EngineOptions, Images},
    graph::Graph,
    weights::Weights,
};

use super::{Maker, Part, Score, Scorer, Stopwatch};
use crate::{
    method::{Kept, Surgery, identity},
    play::{Compressed, ScoreTimes},
};

/// Compresses the network and runs it on the whole reward split.
pub struct Exact {
    surgery: Arc<dyn Surgery>,
    images: Arc<Images>,
    options: EngineOptions,
    spent: Stopwatch,
}

impl Exact {
    /// Scores what `surgery` makes on `images`, the reward split.
    pub fn new(surgery: Arc<dyn Surgery>, images: Arc<Images>, convolution: Convolution) -> Self {
        let options = EngineOptions { convolution, ..EngineOptions::default() };
        Self { surgery, images, options, spent: Stopwatch::default() }
    }
}

impl Scorer<Kept> for Exact {
    fn score(&self, kept: &Kept) -> Result<Score, Error> {
        let (graph, mut weights) = self.spent.timed(Part::Make, || self.surgery.cut(kept))?;
        self.spent.timed(Part::Refit, || self.surgery.refit(kept, &mut weights))?;
        let engine =
            self.spent.timed(Part::Compile, || Engine::with_options(&graph, &weights, self.options))?;
        let top1 = self.spent.timed(Part::Evaluate, || engine.top1(&self.images))?;
        Ok(Score { top1, loss: None })
    }

    fn identity(&self, kept: &Kept) -> String {
        identity(kept)
    }

    fn times(&self) -> ScoreTimes {
        self.spent.times()
    }
}

impl Maker<Kept> for Exact {
    fn make(&self, kept: &Kept) -> Result<Compressed, Error> {
        let (graph, weights) = self.surgery.apply(kept)?;
        let coded = self.surgery.coded(kept, &graph, &weights)?;
        Ok(Compressed { graph, weights, coded })
    }

    fn trained(&self, graph: Graph, weights: Weights) -> Result<Compressed, Error> {
        let coded = self.surgery.recoded(&graph, &weights)?;
        Ok(Compressed { graph, weights, coded })
    }
}
