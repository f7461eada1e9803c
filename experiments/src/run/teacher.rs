//! `teacher.json`: what a run was played with.

use std::path::Path;

use cgym_worlds::{World, files};
use serde::{Deserialize, Serialize};

use crate::Error;

/// `teacher.json`.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TeacherFile {
    model: String,
    dataset: String,
    reward_top1: f64,
    macs: u64,
    parameters: u64,
    /// The world's fingerprint: of its tensors and of the images it is compressed and scored with.
    sha256: String,
}

/// Writes down the teacher of a run, or refuses one that is not the run's.
///
/// # Errors
/// [`Error::File`] where the run was played with another teacher or other images.
pub fn remember_teacher(world: &World, run: &Path) -> Result<(), Error> {
    let path = run.join("teacher.json");
    let (settings, cost) = (world.settings(), world.teacher_cost());
    let now = TeacherFile {
        model: settings.network.model.clone(),
        dataset: settings.data.dataset.to_string(),
        reward_top1: world.teacher_top1(),
        macs: cost.macs,
        parameters: cost.parameters,
        sha256: world.fingerprint().to_owned(),
    };
    if !path.is_file() {
        return Ok(files::write_json(&path, &now)?);
    }
    let then: TeacherFile = files::read_json(&path)?;
    let reason = match then {
        _ if then == now => return Ok(()),
        _ if then.sha256 != now.sha256 => {
            "is of another teacher or other images than are there now; put those back"
        }
        _ => {
            "has other figures than this teacher: it is damaged, or was written on another kind of processor"
        }
    };
    Err(Error::file(&path, reason))
}
