//! The best episode of a run, and `best/`: its candidate as a network that others can load.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cgym_env::{Env, EpisodeRecord};
use cgym_teachers::{
    data::Preprocessing,
    graph::{Graph, NetworkFile},
    manifest::Manifest,
    weights::Weights,
};
use cgym_worlds::{World, files, network};
use serde::{Deserialize, Serialize};

use super::{EpisodeLog, RunDirectory, directory};
use crate::{Error, Summary};

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

/// What the manifest of `best/` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// Digest of the run's settings.
    run: String,
    episode: u64,
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
    let about = About { run: record.run.clone(), episode: best.episode };
    Manifest::seal(&temporary, network::FORMAT, about)?;
    files::remove_folder(&folder);
    fs::rename(&temporary, &folder)
        .map_err(|error| Error::file(&folder, format!("cannot be written: {error}")))?;
    files::sync_folder(directory.path());
    Ok(())
}

/// The contents of `best/`.
pub struct BestNetwork {
    /// The folder.
    pub folder: PathBuf,
    /// The episode that made it.
    pub episode: BestEpisode,
    /// Its layers.
    pub graph: Graph,
    /// How images become numbers, and the classes.
    pub preprocessing: Option<Preprocessing>,
    /// Its tensors.
    pub weights: Weights,
    /// Names of the other files: what the method wrote, such as a coded file.
    pub others: Vec<String>,
}

impl BestNetwork {
    /// Reads `best/` of the run at `run`, after checking every byte.
    ///
    /// # Errors
    /// [`Error::File`] where no candidate was saved yet, a file is damaged, or the folder is another run's.
    pub fn read(run: &Path, log: &EpisodeLog) -> Result<Self, Error> {
        const OWN: [&str; 3] = ["episode.json", "graph.json", "weights.safetensors"];
        let folder = folder(run)?;
        let manifest: Manifest<About> = Manifest::verify(&folder, network::FORMAT)?;
        manifest.require(&folder, &OWN)?;
        if !log.runs().contains(&manifest.about.run) {
            return Err(Error::file(&folder, "is of a run with other settings, not of this run"));
        }
        let file = folder.join(OWN[0]);
        let episode: BestEpisode = files::read_json(&file)?;
        if log.records().get(episode.episode as usize) != Some(&episode.record) {
            let reason = format!("is not of episode {} of this run", episode.episode);
            return Err(Error::file(&file, reason));
        }
        let NetworkFile { graph, preprocessing } = network::read_graph(&folder.join(OWN[1]))?;
        let weights = Weights::load(&folder.join(OWN[2]), &graph)?;
        let others = manifest.files.into_keys().filter(|name| !OWN.contains(&name.as_str())).collect();
        Ok(Self { folder, episode, graph, preprocessing, weights, others })
    }
}

/// The folder `best/`, or an explanation why it is not there.
fn folder(run: &Path) -> Result<PathBuf, Error> {
    let best = run.join("best");
    if best.is_dir() {
        return Ok(best);
    }
    let reason = match directory::result(run)? {
        None => "is not there: no admissible candidate was saved yet; `cgym resume` the run first",
        Some(Summary { best_episode: None, .. }) => "is not there: the run found no admissible candidate",
        Some(_) => "was removed: remove summary.json, and `cgym resume` makes both again",
    };
    Err(Error::file(&best, reason))
}
