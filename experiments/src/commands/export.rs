//! `export`.

use std::{fs, path::Path};

use cgym_teachers::{graph::Graph, weights::Weights};
use serde_json::json;

use crate::{
    Error, files, report,
    run::{BestEpisode, directory, write_network},
};

pub(super) fn export(run: &Path, out: &Path, json: bool) -> Result<(), Error> {
    directory::check(run)?;
    directory::refuse_existing(Some(out))?;
    let best = run.join("best");
    if !best.is_dir() {
        return Err(Error::file(
            &best,
            "is not there: no candidate that meets the budget was saved yet; `cgym resume` the run first",
        ));
    }
    let BestEpisode { episode, record } = files::read_json(&best.join("episode.json"))?;
    let graph: Graph = files::read_json(&best.join("graph.json"))?;
    let weights = Weights::load(&best.join("weights.safetensors"), &graph)?;
    let cost = graph.cost()?;
    let config = super::search::saved_config(run)?;
    let summary = json!({
        "env": record.env,
        "model": config.environment.model(),
        "dataset": config.environment.dataset(),
        "episode": episode,
        "reward_top1": record.outcome.as_ref().map(|outcome| outcome.top1),
        "preserve_ratio": record.outcome.as_ref().map(|outcome| outcome.preserve_ratio),
        "macs": cost.macs,
        "parameters": cost.parameters,
        "out": out,
    });
    // The folder appears whole or not at all.
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let temporary = out.with_file_name(format!(".{name}-{}.tmp", std::process::id()));
    let temporary = temporary.as_path();
    directory::refuse_existing(Some(temporary))?;
    let written = write_network(temporary, &graph, &weights)
        .and_then(|()| files::write_json(&temporary.join("summary.json"), &summary))
        .and_then(|()| {
            fs::rename(temporary, out).map_err(|error| Error::file(out, format!("cannot be made: {error}")))
        });
    if written.is_err() {
        fs::remove_dir_all(temporary).ok();
    }
    written?;
    report::print(json, &summary, || {
        format!(
            "{} MACs, {} parameters: {}/graph.json and {}/weights.safetensors",
            report::count(Some(cost.macs)),
            report::count(Some(cost.parameters)),
            out.display(),
            out.display()
        )
    })
}
