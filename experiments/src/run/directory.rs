//! A run's folder: made once, never overwritten, played in by one process at a time.
//!
//! | name | what it holds |
//! |---|---|
//! | `pretrained/` | the agent whose policy the run started from, where it is another run's |
//! | `config.toml` | the resolved configuration; `cgym search --config` repeats the run with it |
//! | `episodes.jsonl` | one [`EpisodeRecord`](cgym_env::EpisodeRecord) a line, without times |
//! | `teacher.json` | what the teacher is and scores |
//! | `checkpoints/` | the agent at two moments, see [`super::checkpoint`] |
//! | `best/` | `graph.json`, `weights.safetensors` and `episode.json` of the best candidate |
//! | `baselines.jsonl` | the episodes of the policies compared with |
//! | `summary.json` | the result; where it is, the run has finished |
//! | `events.out.tfevents.*` | curves for TensorBoard |

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use cgym_worlds::files;

use crate::Error;

const LOCK: &str = ".lock";
/// The folder of the agent that a run started from.
pub const PRETRAINED: &str = "pretrained";

/// An open run directory; other processes are kept out until it is dropped.
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Makes a new run directory with its `config.toml`, a copy of the agent in `pretrained` and no
    /// episodes: `out`, or `runs/<stem>-<n>` with the first free n from 1.
    ///
    /// It appears under its name with all of it in it, so that there is no moment at which a
    /// stopped run could not be resumed.
    ///
    /// # Errors
    /// [`Error::File`] where `out` exists or cannot be made.
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

    /// Opens a run directory to go on in it.
    ///
    /// # Errors
    /// [`Error::File`] where there is none, or where another process plays in it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        check(path)?;
        Ok(Self { _lock: lock(path)?, path: path.to_owned() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Refuses what is no run directory.
///
/// # Errors
/// [`Error::File`] saying what is missing.
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

/// Refuses an existing `out`, before anything costly is done for it.
///
/// # Errors
/// [`Error::File`] where it exists.
pub fn refuse_existing(out: Option<&Path>) -> Result<(), Error> {
    match out {
        Some(path) if path.symlink_metadata().is_ok() => Err(exists(path)),
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> Error {
    Error::file(path, "already exists and is never overwritten; give another --out, or `cgym resume` it")
}

/// Renames `staging` to `path`; false where something is there already.
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
    Err(Error::file(folder, "has no free name left"))
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
