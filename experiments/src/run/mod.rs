//! Searches with a run directory: episodes, checkpoints, the best network, reports.

mod best;
pub mod checkpoint;
mod compare;
pub mod directory;
mod events;
mod log;
mod remark;
mod search;
mod teacher;

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use crate::{Error, config::RunSettings};

pub use best::{BestEpisode, admitted, best, folder as best_folder};
pub use compare::{Played, baselines, compare, recorded};
pub use directory::RunDirectory;
pub use log::EpisodeLog;
pub use search::search;
pub use teacher::remember_teacher;

/// How a search runs.
pub struct Run {
    /// Run directory; a new one in `runs/` if absent. An unfinished run there is resumed.
    pub out: Option<PathBuf>,
    /// Episodes, seed, checkpoints.
    pub settings: RunSettings,
    /// Whether the baselines are played at the end.
    pub baselines: bool,
    /// Whether the summary says where the time of episodes went.
    pub profile: bool,
    /// Stops the search between episodes when set; everything is saved then.
    pub stop: Option<&'static AtomicBool>,
}

impl Run {
    /// A run in `out` with default settings and baselines.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            out: Some(out.into()),
            settings: RunSettings::default(),
            baselines: true,
            profile: false,
            stop: None,
        }
    }

    /// The same run with that many exploring episodes.
    #[must_use]
    pub fn episodes(mut self, episodes: u64) -> Self {
        self.settings.episodes = Some(episodes);
        self
    }

    /// The same run with another seed for its episodes.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// The same run without baselines.
    #[must_use]
    pub fn without_baselines(mut self) -> Self {
        self.baselines = false;
        self
    }
}

/// The agent in the newest intact checkpoint of `run`.
///
/// # Errors
/// A folder that is no run, or has no such checkpoint.
pub fn newest_agent(run: &Path) -> Result<PathBuf, Error> {
    directory::check(run)?;
    let log = EpisodeLog::read(&run.join("episodes.jsonl"))?;
    let all = checkpoint::list(&run.join("checkpoints"));
    let intact = all.into_iter().rev().find(|(_, path)| checkpoint::verify(path, &log).is_ok());
    match intact {
        Some((_, path)) => Ok(path.join(checkpoint::AGENT)),
        None => Err(Error::file(run, "has no intact checkpoint whose policy could be taken over")),
    }
}
