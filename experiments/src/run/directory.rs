//! The run directory: created once, never overwritten, used by one process at a time.
//!
//! | name | contents |
//! |---|---|
//! | `manifest.json` | digest of the settings, SHA-256 of the files in `pretrained/` and, when the run has finished, of its results |
//! | `pretrained/` | the agent whose policy the run started from, if it started from another run's |
//! | `config.toml` | the resolved settings; `cgym search --config` repeats the run |
//! | `episodes.jsonl` | one [`EpisodeRecord`](cgym_env::EpisodeRecord) per line, without times |
//! | `teacher.json` | model, dataset, cost, accuracy and fingerprint of the teacher |
//! | `checkpoints/` | the agent after two numbers of episodes, see [`super::checkpoint`] |
//! | `best/` | the best candidate: `graph.json`, `weights.safetensors`, `episode.json` and, in methods with a coded size, the coded weights |
//! | `baselines.jsonl` | the episodes of the baselines, each with its policy |
//! | `baselines/<policy>/` | events of the baselines and of the teacher for TensorBoard |
//! | `summary.json` | the result, written when the run has finished |
//! | `events.out.tfevents.*` | events for TensorBoard |

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use cgym_env::settings::Layer;
use cgym_teachers::manifest::{MANIFEST, Manifest};
use cgym_worlds::files::{self, Staging};
use serde::{Deserialize, Serialize};

use crate::{Error, Summary, config::Config};

/// Name of the folder with the agent that a run started from.
pub const PRETRAINED: &str = "pretrained";
const CONFIG: &str = "config.toml";
const EPISODES: &str = "episodes.jsonl";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const SUMMARY: &str = "summary.json";
/// Files of a finished run that its manifest covers; folders in it have their own.
const RESULTS: [&str; 5] = [CONFIG, EPISODES, "teacher.json", "baselines.jsonl", SUMMARY];
const FORMAT: &str = "cgym-run-1";

/// What `manifest.json` says of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// [`Config::digest`].
    run: String,
    /// Version of this crate that made the run.
    version: String,
    /// Whether the run has finished; the manifest then covers its results too.
    #[serde(default)]
    finished: bool,
    /// The same of the settings that are about to take the place of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// An open run directory. It is locked against other processes until it is dropped.
pub struct RunDirectory {
    path: PathBuf,
    _lock: Option<File>,
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
        config: &Config,
        pretrained: Option<&Path>,
    ) -> Result<Self, Error> {
        let folder = match out {
            Some(path) => path.parent().unwrap_or(Path::new("")),
            None => Path::new("runs"),
        };
        let staging = Staging::new(folder, stem)?;
        if let Some(agent) = pretrained {
            files::copy_files(agent, &staging.path().join(PRETRAINED))?;
        }
        let about = About { run: config.digest(), version: VERSION.to_owned(), finished: false, next: None };
        Manifest::seal(staging.path(), FORMAT, about)?;
        files::write_atomically(&staging.path().join(CONFIG), config.to_toml()?.as_bytes())?;
        files::write_atomically(&staging.path().join("episodes.jsonl"), b"")?;
        let numbered = (1_u64..).map(|number| folder.join(format!("{stem}-{number}")));
        let claimed = match out {
            Some(path) => staging.claim_first(std::iter::once(path.to_owned())),
            None => staging.claim_first(numbered),
        };
        match claimed {
            Ok(Some((path, lock))) => Ok(Self { path, _lock: lock }),
            Ok(None) => Err(exists(out.unwrap_or(folder))),
            Err(error) => Err(Error::file(out.unwrap_or(folder), format!("cannot be made: {error}"))),
        }
    }

    /// Opens a run directory to continue the run, and gives its settings.
    ///
    /// # Errors
    /// [`Error::File`] if it is not a run directory, another process has locked it, or a file that was
    /// written when it was made has changed since.
    pub fn open(path: &Path) -> Result<(Self, Config), Error> {
        let config = config(path)?;
        let Some(lock) = files::lock(path)? else {
            return Err(Error::file(path, "another process plays in this run directory; stop it first"));
        };
        check_origin(path)?;
        Ok((Self { path: path.to_owned(), _lock: Some(lock) }, config))
    }

    /// Gives the finished run `settings` that ask for more episodes. Its summary and baselines are kept
    /// under names with the number of episodes so far.
    ///
    /// # Errors
    /// [`Error::File`] when a file cannot be written.
    pub fn extend(&self, so_far: u64, settings: &Config) -> Result<(), Error> {
        for (name, ending) in [("summary", "json"), ("baselines", "jsonl")] {
            let (old, new) = (format!("{name}.{ending}"), format!("{name}-{so_far}.{ending}"));
            if self.join(&old).is_file() {
                fs::rename(self.join(&old), self.join(&new))
                    .map_err(|error| Error::file(&self.join(&old), format!("cannot be renamed: {error}")))?;
            }
        }
        // Stopped between two of these steps, either settings are taken.
        let mut manifest: Manifest<About> = Manifest::read(&self.path, FORMAT)?;
        manifest.about = About { finished: false, next: Some(settings.digest()), ..manifest.about };
        manifest.files.retain(|name, _| name.starts_with(PRETRAINED));
        manifest.write(&self.path)?;
        files::write_atomically(&self.join(CONFIG), settings.to_toml()?.as_bytes())?;
        manifest.about = About { run: settings.digest(), next: None, ..manifest.about };
        Ok(manifest.write(&self.path)?)
    }

    /// Writes that the run has finished into the manifest, with the SHA-256 of its results.
    ///
    /// # Errors
    /// [`Error::File`] when a file cannot be written.
    pub fn finish(&self) -> Result<(), Error> {
        let Manifest { about, files, .. } = Manifest::<About>::read(&self.path, FORMAT)?;
        let kept = files.into_keys().filter(|name| name.starts_with(PRETRAINED)).map(|name| self.join(&name));
        let results = RESULTS.iter().map(|name| self.join(name)).filter(|path| path.is_file());
        let all = kept.chain(results).collect();
        Manifest::seal_files(&self.path, FORMAT, About { finished: true, ..about }, all)?;
        Ok(())
    }

    /// The files with episodes of baselines, of before the run was extended too.
    pub fn baselines(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let own = |name: &str| name.starts_with("baselines") && name.ends_with(".jsonl");
        let mut found: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_str().is_some_and(own))
            .map(|entry| entry.path())
            .collect();
        found.sort();
        found
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

/// The settings of a run, which are those that it was made with.
///
/// # Errors
/// [`Error::File`] for what is no run directory, or whose settings have changed.
pub fn config(path: &Path) -> Result<Config, Error> {
    check(path)?;
    let file = path.join(CONFIG);
    let config = Config::resolve(Layer::default(), Some(&file))?;
    let Manifest { about, .. } = Manifest::<About>::read(path, FORMAT)?;
    let digest = config.digest();
    if digest != about.run && Some(&digest) != about.next.as_ref() {
        return Err(Error::file(
            &file,
            "is not as it was when the run was made: put it back, or start another run with \
             `cgym search --config`",
        ));
    }
    Ok(config)
}

/// The result of a run, `None` where it has not finished.
///
/// # Errors
/// [`Error::File`] with the first file that has changed since it finished.
pub fn result(path: &Path) -> Result<Option<Summary>, Error> {
    let file = path.join(SUMMARY);
    let manifest: Manifest<About> = Manifest::read(path, FORMAT)?;
    if !manifest.about.finished || !file.is_file() {
        return Ok(None);
    }
    manifest.check(path).and_then(|()| manifest.require(path, &[SUMMARY])).map_err(|error| {
        let cure = match manifest.files.get(EPISODES) == hash_of(&path.join(EPISODES)).as_ref() {
            true => {
                "remove it, and `cgym resume` makes the results again from the episodes, which are intact"
            }
            false => "the episodes themselves are damaged: take them from a copy",
        };
        Error::file(&file, format!("cannot be trusted ({error}): {cure}"))
    })?;
    let summary: Summary = files::read_json(&file)?;
    Ok(Some(Summary { run: Some(path.to_owned()), ..summary }))
}

/// The version of this crate that made a run.
///
/// # Errors
/// [`Error::File`] where its manifest cannot be read.
pub fn version(path: &Path) -> Result<String, Error> {
    Ok(Manifest::<About>::read(path, FORMAT)?.about.version)
}

fn hash_of(file: &Path) -> Option<String> {
    fs::read(file).ok().map(|bytes| files::sha256(&bytes))
}

/// Checks the files that were there when the run was made.
///
/// # Errors
/// [`Error::File`] with the first that has changed.
fn check_origin(path: &Path) -> Result<(), Error> {
    let mut manifest: Manifest<About> = Manifest::read(path, FORMAT)?;
    manifest.files.retain(|name, _| name.starts_with(PRETRAINED));
    Ok(manifest.check(path)?)
}

/// Checks every file of a run that its manifest covers.
///
/// # Errors
/// [`Error::File`] with the first that has changed.
pub fn verify(path: &Path) -> Result<(), Error> {
    check_origin(path)?;
    result(path)?;
    Ok(())
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
    for name in [CONFIG, "episodes.jsonl", MANIFEST] {
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
    let cure = match check(path) {
        Ok(()) => "; give another --out, or `cgym resume` it",
        Err(_) => "; give another --out",
    };
    Error::file(path, format!("already exists and is never overwritten{cure}"))
}

/// Whether another process plays in the run directory `path`.
pub fn is_locked(path: &Path) -> bool {
    let file = File::open(path.join(files::LOCK));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
