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
pub mod work;

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use crate::{
    Error,
    config::{Config, RunSettings},
};

pub use best::{BestEpisode, BestNetwork, admitted, best};
pub use compare::{Baselines, Played, compare, recorded};
pub use directory::RunDirectory;
pub use log::{BaselineLine, BaselineLog, EpisodeLog, Line, Log};
pub use search::search;
pub use teacher::remember_teacher;

/// How a search runs.
pub struct Run {
    /// Run directory; a new one in `runs/` if absent. An unfinished run there is resumed.
    pub out: Option<PathBuf>,
    /// Episodes, seed, checkpoints.
    pub settings: RunSettings,
    /// Whether the summary says where the time of episodes went.
    pub profile: bool,
    /// Stops the search between episodes when set; everything is saved then.
    pub stop: Option<&'static AtomicBool>,
}

impl Run {
    /// A run in `out` with default settings and baselines.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self { out: Some(out.into()), settings: RunSettings::default(), profile: false, stop: None }
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
        self.settings.baselines = false;
        self
    }
}

/// The settings and the episodes of a run, read without a lock and without changing anything.
///
/// # Errors
/// [`Error::File`] for a folder that is no run, settings that have changed, a line that is no episode of the run.
pub fn read(run: &Path) -> Result<(Config, EpisodeLog), Error> {
    let config = directory::config(run)?;
    let log = EpisodeLog::read(&run.join("episodes.jsonl"), config.digests())?;
    Ok((config, log))
}

/// The agent in the newest intact checkpoint of `run`.
///
/// # Errors
/// A folder that is no run, or has no such checkpoint.
pub fn newest_agent(run: &Path) -> Result<PathBuf, Error> {
    let (_, log) = read(run)?;
    let all = checkpoint::list(run).into_iter().rev();
    let intact = |(episodes, path): &(usize, PathBuf)| checkpoint::verify(run, *episodes, path, &log).is_ok();
    match all.into_iter().find(intact) {
        Some((_, path)) => Ok(checkpoint::agent(&path)),
        None => Err(Error::file(run, "has no intact checkpoint whose policy could be taken over")),
    }
}
