//! Scorers: what turns a finished candidate into an accuracy.
//!
//! A scorer answers one question, how accurate a candidate is, and gives the same candidate the
//! same answer. Agents cannot tell which scorer is behind an environment, except by its speed.

mod distilled;
mod memory;
mod pruned;
mod surrogate;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cgym_teachers::{Error, graph::Graph, weights::Weights};
use serde::{Deserialize, Serialize};

pub use distilled::{Distilled, DistilledSetup};
pub use memory::Memoised;
pub use pruned::Exact;
pub use surrogate::{Constant, Surrogate, SurrogateStudent};

use crate::play::{Compressed, ScoreTimes};

/// What a candidate scored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Share of the reward split classified correctly, in [0, 1].
    pub top1: f64,
    /// Mean training loss of the last epoch, for candidates that are trained before they are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
}

/// Scores candidates of type `C`; the same candidate always gets the same answer.
pub trait Scorer<C>: Send + Sync {
    /// Scores `candidate`.
    ///
    /// # Errors
    /// A candidate that the network does not allow, or that gives no finite number.
    fn score(&self, candidate: &C) -> Result<Score, Error>;

    /// What the answer depends on: candidates of the same identity have the same score.
    fn identity(&self, candidate: &C) -> String;

    /// Where the time of all scores so far went.
    fn times(&self) -> ScoreTimes {
        ScoreTimes::default()
    }

    /// Ends scores that take long with [`Error::Stopped`] once `flag` is set; only the first flag counts.
    fn stop_when(&self, _flag: &'static AtomicBool) {}
}

impl<C, S: Scorer<C> + ?Sized> Scorer<C> for Arc<S> {
    fn score(&self, candidate: &C) -> Result<Score, Error> {
        (**self).score(candidate)
    }

    fn identity(&self, candidate: &C) -> String {
        (**self).identity(candidate)
    }

    fn times(&self) -> ScoreTimes {
        (**self).times()
    }

    fn stop_when(&self, flag: &'static AtomicBool) {
        (**self).stop_when(flag);
    }
}

/// Makes candidates of type `C` as networks.
pub trait Maker<C>: Send + Sync {
    /// The network that `candidate` stands for, as it is scored.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    fn make(&self, candidate: &C) -> Result<Compressed, Error>;

    /// A candidate that was trained further, with its coded file where the method has one.
    ///
    /// # Errors
    /// Weights that do not fit the graph.
    fn trained(&self, graph: Graph, weights: Weights) -> Result<Compressed, Error> {
        Ok(Compressed { graph, weights, coded: None })
    }
}

/// A part of the work of a score.
#[derive(Debug, Clone, Copy)]
enum Part {
    Make,
    Refit,
    Train,
    Compile,
    Evaluate,
}

/// Sums of durations that several threads add to.
#[derive(Default)]
struct Stopwatch([AtomicU64; 5]);

impl Stopwatch {
    /// Does one part of a score and adds its time to the part's sum.
    fn timed<T>(&self, part: Part, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        self.0[part as usize].fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }

    fn times(&self) -> ScoreTimes {
        let of = |part: Part| Duration::from_nanos(self.0[part as usize].load(Ordering::Relaxed));
        ScoreTimes {
            make: of(Part::Make),
            refit: of(Part::Refit),
            train: of(Part::Train),
            compile: of(Part::Compile),
            evaluate: of(Part::Evaluate),
        }
    }
}
