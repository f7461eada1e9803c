//! The run directory: created once, never overwritten, used by one process at a time.
//!
//! | name | contents |
//! |---|---|
//! | `pretrained/` | the agent whose policy the run started from, if it started from another run's |
//! | `config.toml` | the resolved settings; `cgym search --config` repeats the run |
//! | `episodes.jsonl` | one [`EpisodeRecord`](cgym_env::EpisodeRecord) per line, without times |
//! | `teacher.json` | model, dataset, cost, accuracy and fingerprint of the teacher |
//! | `checkpoints/` | the agent after two numbers of episodes, see [`super::checkpoint`] |
//! | `best/` | the best candidate: `graph.json`, `weights.safetensors`, `episode.json` and, in methods with a coded size, the coded weights |
//! | `baselines.jsonl` | the episodes of the baselines |
//! | `summary.json` | the result, written when the run has finished |
//! | `events.out.tfevents.*` | events for TensorBoard |

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use cgym_worlds::files;

use crate::Error;

const LOCK: &str = ".lock";
/// Name of the folder with the agent that a run started from.
pub const PRETRAINED: &str = "pretrained";

/// An open run directory. It is locked against other processes until it is dropped.
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Creates a run directory with `config.toml`, a copy of the agent in `pretrained` and no episodes:
    /// `out`, or `runs/<stem>-<n>` with the least unused n from 1.
    ///
    /// The directory is renamed to its name when it is complete, so that a run can be resumed from its
    /// first moment.
    ///
    /// # Errors
    /// [`Error::File`] if `out` exists or cannot be created.
    pub fn create(
        out: Option<&Path>,
        stem: &str,
        config: &str,
        pretrained: Option<&Path>,
    ) -> Result<Self, Error> {
        let folder = match out {
            Some(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
            None => PathBuf::from("runs"),
        };
        if !folder.as_os_str().is_empty() {
            fs::create_dir_all(&folder)
                .map_err(|error| Error::file(&folder, format!("cannot be made: {error}")))?;
        }
        let staging = folder.join(format!(".{stem}-{}.tmp", std::process::id()));
        let made = Self::stage(&staging, config, pretrained).and_then(|lock| {
            let path = match out {
                Some(path) => claim(&staging, path)?.then(|| path.to_owned()).ok_or_else(|| exists(path))?,
                None => claim_numbered(&staging, &folder, stem)?,
            };
            Ok(Self { path, _lock: lock })
        });
        if made.is_err() {
            fs::remove_dir_all(&staging).ok();
        }
        made
    }

    fn stage(staging: &Path, config: &str, pretrained: Option<&Path>) -> Result<File, Error> {
        fs::create_dir_all(staging)
            .map_err(|error| Error::file(staging, format!("cannot be made: {error}")))?;
        files::write_atomically(&staging.join("config.toml"), config.as_bytes())?;
        files::write_atomically(&staging.join("episodes.jsonl"), b"")?;
        if let Some(agent) = pretrained {
            files::copy_files(agent, &staging.join(PRETRAINED))?;
        }
        lock(staging)
    }

    /// Opens a run directory to continue the run.
    ///
    /// # Errors
    /// [`Error::File`] if it is not a run directory or another process has locked it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        check(path)?;
        Ok(Self { _lock: lock(path)?, path: path.to_owned() })
    }

    /// The path of the run directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file or folder in the run directory.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Refuses a path that is not a run directory.
///
/// # Errors
/// [`Error::File`] with the reason.
pub fn check(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::file(path, "there is no such run directory"));
        }
        Err(error) => return Err(Error::file(path, error)),
        Ok(_) => {}
    }
    for name in ["config.toml", "episodes.jsonl"] {
        if !path.join(name).is_file() {
            return Err(Error::file(path, format!("is no run directory: it has no file `{name}`")));
        }
    }
    Ok(())
}

/// Refuses an existing `out` before anything costly is computed.
///
/// # Errors
/// [`Error::File`] if it exists.
pub fn refuse_existing(out: Option<&Path>) -> Result<(), Error> {
    match out {
        Some(path) if path.symlink_metadata().is_ok() => Err(exists(path)),
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> Error {
    Error::file(path, "already exists and is never overwritten; give another --out, or `cgym resume` it")
}

/// Renames `staging` to `path`; returns false if `path` exists.
fn claim(staging: &Path, path: &Path) -> Result<bool, Error> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    match fs::rename(staging, path) {
        Ok(()) => Ok(true),
        Err(_) if path.symlink_metadata().is_ok() => Ok(false),
        Err(error) => Err(Error::file(path, format!("cannot be made: {error}"))),
    }
}

fn claim_numbered(staging: &Path, folder: &Path, stem: &str) -> Result<PathBuf, Error> {
    for number in 1_u64.. {
        let path = folder.join(format!("{stem}-{number}"));
        if claim(staging, &path)? {
            return Ok(path);
        }
    }
    Err(Error::file(folder, "every numbered name is in use"))
}

/// Whether another process plays in the run directory `path`.
pub fn is_locked(path: &Path) -> bool {
    let file = File::open(path.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(|error| Error::file(&path, format!("cannot be opened: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::file(folder, "another process plays in this run directory; stop it first"))
        }
        Err(TryLockError::Error(error)) => Err(Error::file(&path, format!("cannot be locked: {error}"))),
    }
}
