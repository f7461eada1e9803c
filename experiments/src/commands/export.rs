//! `export`.

use std::{fs, path::PathBuf};

use cgym_teachers::manifest::Manifest;
use cgym_worlds::{files, network};
use serde_json::json;

use crate::{
    Error,
    output::note,
    report,
    run::{self, BestEpisode, BestNetwork, directory},
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
    let (config, log) = run::read(run)?;
    super::refuse_existing(Some(out))?;
    let BestNetwork { folder: best, episode, graph, preprocessing, weights, others } =
        BestNetwork::read(run, &log)?;
    let BestEpisode { episode, record } = episode;
    let finished = directory::result(run)?.is_some();
    if !finished {
        note("warning: the run is not finished; this is its best network so far");
    }
    let cost = graph.cost()?;
    let outcome = record.outcome.as_ref();
    let summary = json!({
        "env": record.env,
        "model": config.env.network.model,
        "dataset": config.env.data.dataset,
        "episode": episode,
        "finished": finished,
        "settings": record.settings,
        "reward_top1": outcome.map(|outcome| outcome.top1),
        "preserve_ratio": outcome.map(|outcome| outcome.preserve_ratio),
        "macs": outcome.map_or(cost.macs, |outcome| outcome.macs),
        "parameters": outcome.map_or(cost.parameters, |outcome| outcome.parameters),
        "bytes": outcome.map_or(cost.weight_bytes, |outcome| outcome.bytes),
        "out": out,
    });
    files::make_folder(out, |folder| -> Result<(), Error> {
        network::save(folder, &graph, &weights, preprocessing.as_ref(), None)?;
        for name in &others {
            let path = best.join(name);
            let bytes = fs::read(&path).map_err(|error| Error::file(&path, error))?;
            files::write_atomically(&folder.join(name), &bytes)?;
        }
        files::write_json(&folder.join("summary.json"), &summary)?;
        Manifest::seal(folder, network::FORMAT, summary.clone())?;
        Ok(())
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
