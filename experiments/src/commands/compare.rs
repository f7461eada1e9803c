//! `compare`: runs that exist, in one table.

use std::path::PathBuf;

use crate::{
    Error,
    group::{self, Comparisons},
    report,
};

/// Arguments of `compare`.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// Run directories, or folders that contain some, such as that of a sweep
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
}

pub(super) fn compare(args: &CompareArgs, json: bool) -> Result<(), Error> {
    let comparisons = Comparisons::of(&group::read_all(&group::find(&args.runs)?)?);
    report::print(json, &comparisons, || comparisons.table())
}
