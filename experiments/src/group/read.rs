//! Reading run directories, finished or not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cgym_env::settings::Layer;
use cgym_worlds::files;
use serde_json::{Map, Value};

use crate::{
    Error,
    config::Config,
    report::Row,
    run::{self, BestEpisode, directory},
};

/// Folders between a given one and the runs in it, at most.
const DEPTH: usize = 3;

/// A run directory as it is now.
#[derive(Debug, Clone)]
pub struct RecordedRun {
    /// The run directory.
    pub path: PathBuf,
    /// Its settings.
    pub config: Config,
    /// Id of the environment.
    pub env: String,
    /// Hash of the environment's settings; absent before the first episode.
    pub settings: Option<String>,
    /// Whether it has a result.
    pub finished: bool,
    /// Episodes played.
    pub played: u64,
    /// The agent's row: of the result, or of the best candidate in the last checkpoint.
    pub row: Option<Row>,
    /// The teacher's row of the result.
    pub teacher: Option<Row>,
    /// Seconds since the run was last started.
    pub seconds: Option<f64>,
    /// Environment of the run whose policy the agent started from.
    pub pretrained: Option<String>,
}

impl RecordedRun {
    /// Seed of the run.
    pub fn seed(&self) -> u64 {
        self.config.run.seed
    }

    /// What runs of one group have in common beside their environment.
    pub(super) fn kind(&self) -> (&str, &Map<String, Value>, Vec<u64>, Option<&str>) {
        let config = &self.config;
        (&config.agent, &config.agent_settings, self.stages(), self.pretrained.as_deref())
    }

    /// Exploring episodes, each number that the run was asked for.
    pub(super) fn stages(&self) -> Vec<u64> {
        let run = &self.config.run;
        run.extended_from.iter().copied().chain([self.config.episodes()]).collect()
    }
}

/// The run directories that `paths` are or contain, each once.
///
/// # Errors
/// [`Error::File`] for a path that is neither a run nor a folder with runs.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let (mut found, mut known) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            return Err(Error::file(path, "there is no such folder"));
        }
        let before = found.len();
        search(path, DEPTH, &mut found)?;
        if found.len() == before {
            return Err(Error::file(path, "is no run directory and contains none"));
        }
    }
    found.retain(|run| {
        let name = fs::canonicalize(run).unwrap_or_else(|_| run.clone());
        let new = !known.contains(&name);
        known.push(name);
        new
    });
    Ok(found)
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    if directory::check(folder).is_ok() {
        found.push(folder.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let refuse = |error: std::io::Error| Error::file(folder, error);
    let mut inner = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        // A killed search can leave a hidden folder.
        if !entry.file_name().to_string_lossy().starts_with('.') && entry.path().is_dir() {
            inner.push(entry.path());
        }
    }
    inner.sort();
    inner.iter().try_for_each(|folder| search(folder, depth - 1, found))
}

/// Reads every run of `paths`.
///
/// # Errors
/// As [`read`].
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<RecordedRun>, Error> {
    paths.iter().map(|path| read(path)).collect()
}

/// Reads a run directory, finished or not.
///
/// # Errors
/// A folder that is no run directory, or a file in it that cannot be read or has changed.
pub fn read(path: &Path) -> Result<RecordedRun, Error> {
    let config = directory::config(path)?;
    let pretrained = config.run.pretrained.as_deref().map(source);
    if let Some(summary) = directory::result(path)? {
        let row = summary.rows.iter().rev().find(|row| row.policy == config.agent).cloned();
        let teacher = summary.rows.iter().find(|row| row.policy == "teacher").cloned();
        return Ok(RecordedRun {
            path: path.to_owned(),
            config,
            env: summary.env,
            settings: Some(summary.settings),
            finished: true,
            played: summary.played,
            row,
            teacher,
            seconds: Some(summary.seconds),
            pretrained,
        });
    }
    let (_, log) = run::read(path)?;
    let records = log.records();
    let evaluations = records.iter().filter(|record| record.outcome.is_some()).count() as u64;
    let best = path.join("best").join("episode.json");
    let best: Option<BestEpisode> = best.is_file().then(|| files::read_json(&best)).transpose()?;
    let outcome = best.as_ref().and_then(|best| best.record.outcome.as_ref());
    Ok(RecordedRun {
        path: path.to_owned(),
        env: config.env.id(),
        settings: records.first().map(|record| record.settings.clone()),
        finished: false,
        played: records.len() as u64,
        row: outcome.map(|outcome| Row::new(&config.agent, Some(outcome), evaluations)),
        teacher: None,
        seconds: None,
        pretrained,
        config,
    })
}

/// Environment of the run at `path`, or the path where it is gone.
fn source(path: &Path) -> String {
    let config = Config::resolve(Layer::default(), Some(&path.join("config.toml")));
    config.map_or_else(|_| path.display().to_string(), |config| config.env.id())
}
