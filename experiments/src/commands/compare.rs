//! `compare`: runs that exist, in one table.

use std::path::PathBuf;

use crate::{
    Error,
    group::{self, Comparisons},
    report,
};

const MEANING: &str = "\
A row is an agent with its settings, estimated over the seeds of its runs.
Runs of other environments or settings stand in sections of their own; the settings that differ are listed.";

/// Arguments of `compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = MEANING)]
pub struct CompareArgs {
    /// Run directories, or folders that contain some, such as that of a sweep
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
}

pub(super) fn compare(args: &CompareArgs, json: bool) -> Result<(), Error> {
    let comparisons = Comparisons::of(&group::read_all(&group::find(&args.runs)?)?);
    report::print(json, &comparisons, || comparisons.table())
}
