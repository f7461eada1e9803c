//! Students that are trained by distillation before they are scored.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use cgym_teachers::{
    Error, architecture,
    data::Dataset,
    engine::Images,
    graph::Graph,
    inherit::inherit,
    train::{Device, DistillOptions, Distillation, Trained, distill, fresh_weights, teacher_logits},
    weights::Weights,
};

use super::{Maker, Part, Score, Scorer, Stopwatch};
use crate::play::{Compressed, ScoreTimes};

/// What students learn from and are scored on.
pub struct DistilledSetup<'a> {
    /// The teacher whose logits they learn.
    pub teacher: (&'a Graph, &'a Weights),
    /// The dataset that they learn from, by `indices`.
    pub dataset: Arc<Dataset>,
    /// Training images; none of the reward split.
    pub indices: Vec<usize>,
    /// The reward split.
    pub reward: Arc<Images>,
    /// How they are trained.
    pub options: DistillOptions,
    /// The network whose weights they start from where they can; fresh weights where absent.
    pub inherit_from: Option<(Graph, Weights)>,
    /// Where they are trained.
    pub device: Device,
}

/// Trains each student for a few epochs on the teacher's logits, which are computed once, and
/// scores it on the reward split. Any number of threads may call it at the same time.
pub struct Distilled {
    dataset: Arc<Dataset>,
    indices: Vec<usize>,
    logits: Vec<f32>,
    reward: Arc<Images>,
    options: DistillOptions,
    inherit_from: Option<(Graph, Weights)>,
    device: Device,
    spent: Stopwatch,
    stop: OnceLock<&'static AtomicBool>,
}

impl Distilled {
    /// Prepares what all students share.
    ///
    /// # Errors
    /// Settings outside their range; a teacher that does not fit the images.
    pub fn new(setup: DistilledSetup<'_>) -> Result<Self, Error> {
        let DistilledSetup { teacher, dataset, indices, reward, options, inherit_from, device } = setup;
        options.check()?;
        if options.best_epoch {
            return Err(Error::Setting {
                key: "best_epoch".to_owned(),
                reason: "would choose on the images that are rewarded".to_owned(),
            });
        }
        let logits = teacher_logits(teacher.0, teacher.1, &dataset, &indices)?;
        let spent = Stopwatch::default();
        let stop = OnceLock::new();
        Ok(Self { dataset, indices, logits, reward, options, inherit_from, device, spent, stop })
    }

    /// Trains `child`. Where it `may_stop`, the flag of [`Distilled::stop_when`] ends it with
    /// [`Error::Stopped`].
    fn teach(&self, child: &Graph, may_stop: bool) -> Result<Trained, Error> {
        let initial = self.spent.timed(Part::Make, || match &self.inherit_from {
            Some((parent, weights)) => inherit(parent, weights, child, self.options.seed),
            None => Ok(fresh_weights(child, self.options.seed)),
        })?;
        let distillation = Distillation {
            dataset: &self.dataset,
            indices: &self.indices,
            teacher_logits: &self.logits,
            validation: &self.reward,
            stop: self.stop.get().copied().filter(|_| may_stop),
            checkpoints: None,
        };
        let trained = self.spent.timed(Part::Train, || {
            distill(child, initial, &distillation, &self.options, &self.device, &mut |_| ())
        })?;
        if trained.finished { Ok(trained) } else { Err(Error::Stopped) }
    }
}

impl Maker<Graph> for Distilled {
    /// The student with the weights that it was scored with: it is trained again, to the same bytes.
    fn make(&self, child: &Graph) -> Result<Compressed, Error> {
        let weights = self.teach(child, false)?.weights;
        Ok(Compressed { graph: child.clone(), weights, coded: None })
    }
}

impl Scorer<Graph> for Distilled {
    fn score(&self, child: &Graph) -> Result<Score, Error> {
        let last = self.teach(child, true)?.epochs.last().copied();
        Ok(Score { top1: last.map_or(0.0, |epoch| epoch.top1), loss: last.map(|epoch| epoch.loss) })
    }

    fn times(&self) -> ScoreTimes {
        self.spent.times()
    }

    fn stop_when(&self, flag: &'static AtomicBool) {
        self.stop.set(flag).ok();
    }

    /// The hash of the architecture; with inherited weights also which of the parent's layers a
    /// student has.
    fn identity(&self, child: &Graph) -> String {
        let hash = architecture::hash(child);
        let Some((parent, _)) = &self.inherit_from else { return hash };
        let places: HashMap<&str, usize> =
            parent.nodes().iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
        let inherits = child.nodes().iter().filter(|node| !node.parameters().is_empty());
        let layers: Vec<String> = inherits
            .map(|node| places.get(node.name.as_str()).map_or("-".to_owned(), usize::to_string))
            .collect();
        format!("{hash}:{}", layers.join(","))
    }
}
