//! Checkpoints: the agent after a number of episodes, in a folder that is written atomically.
//!
//! `checkpoints/episode-<number>/` is written under a temporary name and then renamed. Its
//! `manifest.json` is written last and contains the SHA-256 of every file and of the episodes so far.
//! A checkpoint that is damaged or belongs to other episodes is skipped.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use cgym_agents::Agent;
use cgym_worlds::files;
use serde::{Deserialize, Serialize};

use super::log::EpisodeLog;
use crate::Error;

const FORMAT: &str = "cgym-checkpoint-1";
const KEPT: usize = 2;
const MANIFEST: &str = "manifest.json";
/// Name of the folder with the agent in a checkpoint.
pub(super) const AGENT: &str = "agent";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    episodes: usize,
    /// SHA-256 of the first `episodes` lines of `episodes.jsonl`.
    episodes_sha256: String,
    /// SHA-256 of every file, keyed by its path in the checkpoint.
    files: BTreeMap<String, String>,
}

/// Saves `agent` after all episodes of `log` and removes all but the last two checkpoints.
///
/// # Errors
/// [`Error::Input`] if a file cannot be written; earlier checkpoints are kept then.
pub fn save(folder: &Path, agent: &dyn Agent, log: &EpisodeLog) -> Result<(), Error> {
    let episodes = log.records().len();
    let path = folder.join(format!("episode-{episodes:06}"));
    if verify(&path, log).is_ok() {
        return Ok(());
    }
    let temporary = folder.join(format!(".episode-{episodes:06}.tmp"));
    let written = write(&temporary, agent, log).and_then(|()| {
        files::remove_folder(&path);
        fs::rename(&temporary, &path)
            .map_err(|error| Error::file(&path, format!("cannot be written: {error}")))
    });
    if let Err(error) = written {
        fs::remove_dir_all(&temporary).ok();
        return Err(Error::Input(format!(
            "no checkpoint could be saved: {error}; `cgym resume` continues from what is saved"
        )));
    }
    files::sync_folder(folder);
    remove_leftovers(folder);
    for (_, old) in list(folder).into_iter().rev().skip(KEPT) {
        files::remove_folder(&old);
    }
    Ok(())
}

fn write(temporary: &Path, agent: &dyn Agent, log: &EpisodeLog) -> Result<(), Error> {
    fs::remove_dir_all(temporary).ok();
    let own = temporary.join(AGENT);
    fs::create_dir_all(&own).map_err(|error| Error::file(&own, format!("cannot be made: {error}")))?;
    log.sync()?;
    agent.save(&own)?;
    let mut hashes = BTreeMap::new();
    for path in files_in(&own)? {
        let bytes = fs::read(&path).map_err(|error| Error::file(&path, error))?;
        File::open(&path).and_then(|file| file.sync_all()).map_err(|error| Error::file(&path, error))?;
        hashes.insert(name_in(temporary, &path), files::sha256(&bytes));
    }
    let episodes = log.records().len();
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        episodes,
        episodes_sha256: log.digest(episodes).unwrap_or_default(),
        files: hashes,
    };
    Ok(files::write_json(&temporary.join(MANIFEST), &manifest)?)
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
    folder: &Path,
    agent: &mut dyn Agent,
    log: &EpisodeLog,
    warn: &mut dyn FnMut(String),
) -> Result<usize, Error> {
    let mut failed = None;
    for (episodes, path) in list(folder).into_iter().rev() {
        if let Err(error) = verify(&path, log) {
            warn(format!("passing over a checkpoint: {error}"));
            continue;
        }
        match agent.load(&path.join(AGENT)) {
            Ok(()) => return Ok(episodes),
            Err(error) => {
                warn(format!("passing over a checkpoint: {error}"));
                failed = Some(error);
            }
        }
    }
    match failed {
        None => Ok(0),
        Some(error) => Err(error.into()),
    }
}

/// Checks that a checkpoint is intact and belongs to the episodes of `log`.
///
/// # Errors
/// [`Error::File`] with the first file that does not fit.
pub fn verify(path: &Path, log: &EpisodeLog) -> Result<(), Error> {
    let manifest: Manifest = files::read_json(&path.join(MANIFEST))?;
    if manifest.format != FORMAT {
        return Err(Error::file(
            path,
            format!("is of format `{}`, this version reads `{FORMAT}`", manifest.format),
        ));
    }
    if log.digest(manifest.episodes).as_ref() != Some(&manifest.episodes_sha256) {
        return Err(Error::file(path, "was saved after other episodes than those recorded"));
    }
    for (name, hash) in &manifest.files {
        let file = path.join(name);
        let bytes = fs::read(&file).map_err(|error| Error::file(&file, error))?;
        if files::sha256(&bytes) != *hash {
            return Err(Error::file(&file, "is damaged: its SHA-256 is not the one in the manifest"));
        }
    }
    Ok(())
}

/// Removes checkpoints that an interrupted process left incomplete.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(".episode-") {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// All checkpoints in ascending order of episodes.
pub fn list(folder: &Path) -> Vec<(usize, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(usize, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("episode-")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// All files below `folder`.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| Error::file(folder, error))? {
        let path = entry.map_err(|error| Error::file(folder, error))?.path();
        if path.is_dir() {
            found.extend(files_in(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// The path of `file` relative to `folder`, with slashes on every system.
fn name_in(folder: &Path, file: &Path) -> String {
    let inner = file.strip_prefix(folder).unwrap_or(file);
    inner.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
