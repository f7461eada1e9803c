//! What a sweep came to: `result.json`, `result.csv` and the Pareto curves.

use std::path::{Path, PathBuf};

use cgym_worlds::files;
use serde::Serialize;

use super::{
    pareto::{self, Point},
    plan::{Plan, folder},
    play::{Ended, Failure},
};
use crate::{
    Error,
    group::{self, Comparisons},
    run::directory,
};

/// All of a sweep.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Swept {
    out: PathBuf,
    /// False where the sweep was interrupted or a run failed.
    finished: bool,
    /// Runs of the plan.
    runs: usize,
    /// Runs with a result.
    done: usize,
    failed: Vec<Failure>,
    #[serde(flatten)]
    comparisons: Comparisons,
    pareto: Vec<Point>,
}

impl Swept {
    /// Reads the runs of `plan` in `out`.
    ///
    /// # Errors
    /// As [`group::read`].
    pub(super) fn new(plan: &Plan, out: &Path, ended: &Ended) -> Result<Self, Error> {
        let folders = plan.tasks.iter().map(|task| folder(out, task));
        let begun: Vec<PathBuf> = folders.filter(|folder| directory::check(folder).is_ok()).collect();
        let runs = group::read_all(&begun)?;
        let comparisons = Comparisons::of(&runs);
        let done = runs.iter().filter(|run| run.finished).count();
        Ok(Self {
            out: out.to_owned(),
            finished: done == plan.tasks.len(),
            runs: plan.tasks.len(),
            done,
            failed: ended.failed.clone(),
            pareto: pareto::points(&comparisons),
            comparisons,
        })
    }

    /// Writes the files of the result into the folder of the sweep.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn save(&self) -> Result<(), Error> {
        files::write_json(&self.out.join("result.json"), self)?;
        Ok(files::write_atomically(&self.out.join("result.csv"), self.comparisons.csv().as_bytes())?)
    }

    /// The tables.
    pub(super) fn table(&self) -> String {
        let curves = pareto::table(&self.pareto);
        let gap = if curves.is_empty() { "" } else { "\n" };
        let mut text = format!("{}{gap}{curves}", self.comparisons.table());
        for failure in &self.failed {
            text += &format!("failed: {}: {}\n", failure.run, failure.reason);
        }
        text + &self.count()
    }

    /// How many runs have a result, in a line.
    pub(super) fn count(&self) -> String {
        format!("{} of {} runs are finished\n", self.done, self.runs)
    }
}
