//! `export`.

use std::path::Path;

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
            "is not there: no candidate that keeps to the rules was saved yet; `cgym resume` the run first",
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
    files::make_folder(out, |folder| {
        write_network(folder, &graph, &weights)?;
        files::write_json(&folder.join("summary.json"), &summary)
    })?;
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
