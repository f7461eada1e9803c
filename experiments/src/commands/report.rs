//! `report`.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use crate::{Error, report, report::Report};

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// Run directories, or folders of `cgym transfer`; runs that differ in their seed are taken together
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page, a file that must not exist; with --json it may be left out
    #[arg(long, value_name = "FILE", required_unless_present = "json")]
    out: Option<PathBuf>,
}

pub(super) fn report(args: &ReportArgs, json: bool) -> Result<(), Error> {
    if let Some(out) = &args.out {
        refuse(out)?;
    }
    let report = Report::read(&args.runs)?;
    if let Some(out) = &args.out {
        write(out, &report.page())?;
    }
    report::print(json, &report, || match &args.out {
        Some(out) => format!("saved to {}\n", out.display()),
        None => String::new(),
    })
}

/// Refuses a file that exists, and a folder that does not.
fn refuse(out: &Path) -> Result<(), Error> {
    if out.symlink_metadata().is_ok() {
        return Err(exists(out));
    }
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match folder.is_dir() {
        true => Ok(()),
        false => Err(Error::file(folder, "is no folder; make it first, or give another --out")),
    }
}

fn exists(out: &Path) -> Error {
    Error::file(out, "already exists and is never overwritten; give another --out")
}

/// Writes a new file whole or not at all.
fn write(out: &Path, text: &str) -> Result<(), Error> {
    let mut file = File::create_new(out).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(out),
        _ => Error::file(out, format!("cannot be written: {error}")),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| {
        fs::remove_file(out).ok();
        Error::file(out, format!("cannot be written: {error}"))
    })
}
