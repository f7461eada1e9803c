//! `export`.

use std::{fs, path::PathBuf};

use cgym_teachers::{graph::Graph, weights::Weights};
use cgym_worlds::{files, network};
use serde_json::json;

use crate::{
    Error, report,
    run::{self, BestEpisode, directory},
};

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The run directory
    run: PathBuf,
    /// Folder to write; must not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn export(args: &ExportArgs, json: bool) -> Result<(), Error> {
    let (run, out) = (args.run.as_path(), args.out.as_path());
    directory::check(run)?;
    super::refuse_existing(Some(out))?;
    let best = run::best_folder(run)?;
    let BestEpisode { episode, record } = files::read_json(&best.join("episode.json"))?;
    let graph: Graph = files::read_json(&best.join("graph.json"))?;
    let weights = Weights::load(&best.join("weights.safetensors"), &graph)?;
    let cost = graph.cost()?;
    let outcome = record.outcome.as_ref();
    let config = super::search::saved_config(run)?;
    let summary = json!({
        "env": record.env,
        "model": config.env.network.model,
        "dataset": config.env.data.dataset,
        "episode": episode,
        "settings": record.settings,
        "reward_top1": outcome.map(|outcome| outcome.top1),
        "preserve_ratio": outcome.map(|outcome| outcome.preserve_ratio),
        "macs": outcome.map_or(cost.macs, |outcome| outcome.macs),
        "parameters": outcome.map_or(cost.parameters, |outcome| outcome.parameters),
        "bytes": outcome.map_or(cost.weight_bytes, |outcome| outcome.bytes),
        "out": out,
    });
    files::make_folder(out, |folder| {
        network::save(folder, &graph, &weights, None)?;
        // What else the method wrote: its coded file.
        let known = ["graph.json", "weights.safetensors", "episode.json"];
        for entry in fs::read_dir(&best).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !known.iter().any(|known| name == *known) {
                let bytes = fs::read(entry.path())
                    .map_err(|error| cgym_worlds::WorldError::file(&entry.path(), error))?;
                files::write_atomically(&folder.join(name), &bytes)?;
            }
        }
        files::write_json(&folder.join("summary.json"), &summary)
    })?;
    report::print(json, &summary, || {
        format!(
            "{} MACs, {} parameters: {}/graph.json and {}/weights.safetensors",
            report::count(outcome.map(|outcome| outcome.macs)),
            report::count(outcome.map(|outcome| outcome.parameters)),
            out.display(),
            out.display()
        )
    })
}
