//! Checkpoints of a search: the agent after a number of episodes, in `checkpoints/episode-<number>/`.
//!
//! The manifest of each contains the SHA-256 of every file, of the episodes so far, and the digest of
//! the run's settings. A checkpoint that is damaged or belongs to other episodes is passed over.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cgym_agents::Agent;
use cgym_teachers::checkpoints::Checkpoints;
use serde::{Deserialize, Serialize};

use super::log::EpisodeLog;
use crate::Error;

/// Name of the folder with the agent in a checkpoint.
const AGENT: &str = "agent";

/// What a checkpoint is of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    /// Digest of the run's settings.
    run: String,
    /// SHA-256 of the lines of `episodes.jsonl` so far.
    episodes_sha256: String,
}

fn checkpoints(run: &Path) -> Checkpoints {
    Checkpoints::new(run.join("checkpoints"), "episode", "cgym-checkpoint-2")
}

/// Saves `agent` after all episodes of `log` and removes all but the last two checkpoints and those
/// after which the run was extended.
///
/// # Errors
/// [`Error::Input`] if a file cannot be written; earlier checkpoints are kept then.
pub fn save(run: &Path, agent: &dyn Agent, log: &EpisodeLog, keep: &[usize]) -> Result<(), Error> {
    let episodes = log.records().len();
    let checkpoints = checkpoints(run);
    if let Some((_, path)) = checkpoints.list().into_iter().find(|(number, _)| *number == episodes)
        && verify(run, episodes, &path, log).is_ok()
    {
        return Ok(());
    }
    let of = Of { run: log.run().to_owned(), episodes_sha256: log.digest(episodes).unwrap_or_default() };
    let fill = |folder: &Path| -> Result<(), Error> {
        log.sync()?;
        let own = folder.join(AGENT);
        fs::create_dir(&own).map_err(|error| Error::file(&own, format!("cannot be made: {error}")))?;
        Ok(agent.save(&own)?)
    };
    checkpoints.save(episodes, of, keep, fill).map_err(|error| {
        Error::Input(format!(
            "no checkpoint could be saved: {error}; `cgym resume` continues from what is saved"
        ))
    })
}

/// Restores the new `agent` from the latest intact checkpoint that fits `log`, and returns the
/// number of episodes at that checkpoint; 0 if there is none.
///
/// Checkpoints that are skipped are reported to `warn`.
///
/// # Errors
/// If an intact checkpoint fails to load and no earlier one loads: the agent may then be partly
/// loaded.
pub fn restore(
    run: &Path,
    agent: &mut dyn Agent,
    log: &EpisodeLog,
    warn: &mut dyn FnMut(String),
) -> Result<usize, Error> {
    let mut loading = false;
    let restored = checkpoints(run).restore(warn, |episodes, path, of: Of| -> Result<usize, Error> {
        fits(episodes, path, &of, log)?;
        loading = true;
        agent.load(&path.join(AGENT))?;
        loading = false;
        Ok(episodes)
    });
    match restored {
        // Checkpoints of other episodes leave the agent new.
        Err(_) if !loading => Ok(0),
        found => Ok(found?.unwrap_or(0)),
    }
}

/// Checks that a checkpoint is intact and belongs to the episodes of `log`.
///
/// # Errors
/// [`Error::File`] with the first file that does not fit.
pub fn verify(run: &Path, episodes: usize, path: &Path, log: &EpisodeLog) -> Result<(), Error> {
    let of: Of = checkpoints(run).verify(episodes, path)?;
    fits(episodes, path, &of, log)
}

fn fits(episodes: usize, path: &Path, of: &Of, log: &EpisodeLog) -> Result<(), Error> {
    if log.digest(episodes).as_ref() != Some(&of.episodes_sha256) {
        return Err(Error::file(path, "was saved after other episodes than those recorded"));
    }
    match log.runs().contains(&of.run) {
        true => Ok(()),
        false => Err(Error::file(path, "was saved by a run with other settings")),
    }
}

/// All checkpoints of a run in ascending order of episodes.
pub fn list(run: &Path) -> Vec<(usize, PathBuf)> {
    checkpoints(run).list()
}

/// The folder of the agent in the checkpoint at `path`.
pub fn agent(path: &Path) -> PathBuf {
    path.join(AGENT)
}
