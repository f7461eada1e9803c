//! `validate`.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    Error, loading, report,
    run::{self, Validation, directory, remember_teacher},
};

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    /// The run directory
    run: PathBuf,
    /// Play only this many episodes, evenly spread, the best among them
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
}

pub(super) fn validate(args: &ValidateArgs, json: bool) -> Result<(), Error> {
    let path = args.run.as_path();
    let config = directory::config(path)?;
    if directory::is_locked(path) {
        return Err(Error::file(path, "is being played; validate it when it has stopped"));
    }
    super::use_threads(config.run.threads)?;
    let world = loading::load(loading::blueprint(&config)?)?;
    remember_teacher(&world, path)?;
    let Validation { episodes, replayed, differences } = run::validate(path, &world, args.sample)?;
    let value = json!({
        "run": path,
        "env": world.settings().id(),
        "settings": world.hash(),
        "episodes": episodes,
        "replayed": replayed,
        "valid": differences.is_empty(),
        "differences": differences,
    });
    report::print(json, &value, || {
        let mut text = String::new();
        for (what, found) in &differences {
            found.iter().for_each(|difference| text += &format!("{what}: {difference}\n"));
        }
        text + &format!("{replayed} of {episodes} episodes replayed\n")
    })?;
    match differences.len() {
        0 => Ok(()),
        count => Err(Error::Check(format!("{}: {count} things are not as recorded", path.display()))),
    }
}
