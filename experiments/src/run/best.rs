//! The best episode of a run, and `best/`: its candidate as a network that others can load.

use std::{fs, path::Path};

use cgym_env::{Env, EpisodeRecord};
use cgym_worlds::{World, files, network};
use serde::{Deserialize, Serialize};

use super::RunDirectory;
use crate::Error;

/// `best/episode.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestEpisode {
    /// Number of the episode, counted from 0.
    pub episode: u64,
    /// The episode.
    pub record: EpisodeRecord,
}

/// Whether the episode made a candidate that `env` admits.
pub fn admitted(env: &dyn Env, record: &EpisodeRecord) -> bool {
    record.outcome.as_ref().is_some_and(|outcome| env.admits(outcome))
}

/// The episode of greatest return among those whose candidate `env` admits; ties go to the first.
pub fn best(env: &dyn Env, records: &[EpisodeRecord]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, record) in records.iter().enumerate().filter(|(_, record)| admitted(env, record)) {
        if best.is_none_or(|best| record.episodic_return > records[best].episodic_return) {
            best = Some(index);
        }
    }
    best
}

/// Replaces `best/` by the candidate of episode `index`.
///
/// # Errors
/// [`Error::File`] when it cannot be written.
pub(super) fn save(
    directory: &RunDirectory,
    world: &World,
    index: usize,
    record: &EpisodeRecord,
) -> Result<(), Error> {
    let Some(outcome) = &record.outcome else { return Ok(()) };
    let (temporary, folder) = (directory.join(".best.tmp"), directory.join("best"));
    let candidate = world.network(outcome)?;
    fs::remove_dir_all(&temporary).ok();
    let (preprocessing, coded) = (world.preprocessing(), candidate.coded.as_ref());
    network::save(&temporary, &candidate.graph, &candidate.weights, Some(&preprocessing), coded)?;
    let best = BestEpisode { episode: index as u64, record: record.clone() };
    files::write_json(&temporary.join("episode.json"), &best)?;
    files::remove_folder(&folder);
    fs::rename(&temporary, &folder)
        .map_err(|error| Error::file(&folder, format!("cannot be written: {error}")))
}

/// The files of `best/`, or an explanation why it is not there.
///
/// # Errors
/// [`Error::File`] where no candidate was saved yet.
pub fn folder(run: &Path) -> Result<std::path::PathBuf, Error> {
    let best = run.join("best");
    match best.is_dir() {
        true => Ok(best),
        false => Err(Error::file(
            &best,
            "is not there: no admissible candidate was saved yet; `cgym resume` the run first",
        )),
    }
}
