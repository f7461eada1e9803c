//! `best/`: the best candidate as a network that others can load.

use std::{fs, path::Path};

use cgym_env::EpisodeRecord;
use cgym_teachers::{graph::Graph, weights::Weights};
use serde::{Deserialize, Serialize};

use super::RunDirectory;
use crate::{Error, files, world::World};

/// `best/episode.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestEpisode {
    /// Which episode, counted from 0.
    pub episode: u64,
    /// The episode.
    pub record: EpisodeRecord,
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
    let (graph, weights) = world.network(outcome)?;
    fs::remove_dir_all(&temporary).ok();
    write_network(&temporary, &graph, &weights)?;
    let best = BestEpisode { episode: index as u64, record: record.clone() };
    files::write_json(&temporary.join("episode.json"), &best)?;
    files::remove_folder(&folder);
    fs::rename(&temporary, &folder)
        .map_err(|error| Error::file(&folder, format!("cannot be written: {error}")))
}

/// Writes `graph.json` and `weights.safetensors` into `folder`, which is made where missing.
///
/// # Errors
/// [`Error::File`] when it cannot be written.
pub fn write_network(folder: &Path, graph: &Graph, weights: &Weights) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|error| Error::file(folder, format!("cannot be made: {error}")))?;
    files::write_json(&folder.join("graph.json"), graph)?;
    Ok(weights.save(&folder.join("weights.safetensors"))?)
}
