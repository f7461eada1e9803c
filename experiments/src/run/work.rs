//! Folders that one command fills, and in which the same command goes on after a stop: trainings and
//! baselines.
//!
//! `plan.json` says what the folder is filled with; once it is whole, it has a `manifest.json`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use cgym_teachers::manifest::{MANIFEST, Manifest};
use cgym_worlds::files::{self, Staging};
use serde_json::{Map, Value};

use crate::Error;

const PLAN: &str = "plan.json";

/// An open folder. It is locked against other processes until it is dropped.
pub struct WorkFolder {
    path: PathBuf,
    _lock: Option<File>,
}

impl WorkFolder {
    /// Opens `path` for `plan`: a new folder, or one that a stopped command left for the same plan.
    ///
    /// # Errors
    /// [`Error::File`] for a finished folder, one with another plan (the message names what differs), and one
    /// with other files; a folder in which another process works.
    pub fn open(path: &Path, plan: &Map<String, Value>) -> Result<Self, Error> {
        refuse_finished(path)?;
        // Does nothing where there are files.
        fs::remove_dir(path).ok();
        if path.symlink_metadata().is_err() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let staging = Staging::new(path.parent().unwrap_or(Path::new("")), &name)?;
            files::write_json(&staging.path().join(PLAN), plan)?;
            let lock = staging.claim(path);
            let lock = lock.map_err(|error| Error::file(path, format!("cannot be made: {error}")))?;
            return Ok(Self { path: path.to_owned(), _lock: lock });
        }
        let Some(lock) = files::lock(path)? else {
            return Err(Error::file(path, "another process works in this folder; stop it first"));
        };
        let found: Map<String, Value> = files::read_json(&path.join(PLAN))?;
        let keys: BTreeSet<&String> = found.keys().chain(plan.keys()).collect();
        let differs: Vec<&str> =
            keys.into_iter().filter(|key| found.get(*key) != plan.get(*key)).map(String::as_str).collect();
        match differs.as_slice() {
            [] => Ok(Self { path: path.to_owned(), _lock: Some(lock) }),
            _ => {
                let reason =
                    format!("holds work with other settings ({}); give another --out", differs.join(", "));
                Err(Error::file(path, reason))
            }
        }
    }

    /// The path of a file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the folder whole by `fill`, and writes its manifest with `about`.
    ///
    /// # Errors
    /// What `fill` refuses; [`Error::File`] when a file cannot be written.
    pub fn finish(
        self,
        format: &str,
        about: Value,
        fill: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        fill(&self.path)?;
        Manifest::seal(&self.path, format, about)?;
        fs::remove_file(self.join(files::LOCK)).ok();
        Ok(())
    }
}

/// Refuses a folder that is finished or holds other files, before anything costly is computed.
///
/// # Errors
/// [`Error::File`] with the reason.
pub fn refuse_finished(path: &Path) -> Result<(), Error> {
    let refuse = |reason| Err(Error::file(path, reason));
    let new = path.symlink_metadata().is_err()
        || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if new || path.join(PLAN).is_file() && !path.join(MANIFEST).is_file() {
        return Ok(());
    }
    match path.join(MANIFEST).is_file() {
        true => refuse("is finished and never overwritten; give another --out"),
        false => refuse("already exists and holds no work of this command; give another --out"),
    }
}
