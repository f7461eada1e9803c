//! `validate`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use cgym_teachers::{graph::Graph, weights::Weights};
use cgym_worlds::{World, files};
use serde_json::json;

use super::search::saved_config;
use crate::{
    Error, loading, report,
    run::{self, BestEpisode, EpisodeLog, checkpoint, directory, remember_teacher},
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
    let (run, sample) = (args.run.as_path(), args.sample);
    directory::check(run)?;
    let config = saved_config(run)?;
    super::use_threads(config.run.threads)?;
    let log = EpisodeLog::read(&run.join("episodes.jsonl"))?;
    let world = loading::load(loading::blueprint(&config)?)?;
    remember_teacher(&world, run)?;
    let mut env = world.env();
    let best = run::best(&*env, log.records());
    let mut differences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let chosen = choose(log.records().len(), sample, best);
    for &index in &chosen {
        let found = match log.records()[index].validate(&mut *env) {
            Ok(found) => found,
            Err(error) => vec![error.to_string()],
        };
        if !found.is_empty() {
            differences.insert(format!("episode {index}"), found);
        }
    }
    for (episodes, path) in checkpoint::list(&run.join("checkpoints")) {
        if let Err(error) = checkpoint::verify(&path, &log) {
            differences.insert(format!("checkpoint {episodes}"), vec![error.to_string()]);
        }
    }
    let found = check_best(run, &world, &log, best);
    if !found.is_empty() {
        differences.insert("best".to_owned(), found);
    }
    let value = json!({
        "run": run,
        "env": world.settings().id(),
        "settings": world.hash(),
        "episodes": log.records().len(),
        "replayed": chosen.len(),
        "valid": differences.is_empty(),
        "differences": differences,
    });
    report::print(json, &value, || {
        let mut text = String::new();
        for (what, found) in &differences {
            found.iter().for_each(|difference| text += &format!("{what}: {difference}\n"));
        }
        text + &format!("{} of {} episodes replayed\n", chosen.len(), log.records().len())
    })?;
    match differences.len() {
        0 => Ok(()),
        count => Err(Error::Check(format!("{}: {count} things are not as recorded", run.display()))),
    }
}

/// All episodes, or `sample` of them evenly spread and the best.
fn choose(episodes: usize, sample: Option<usize>, best: Option<usize>) -> Vec<usize> {
    let Some(sample) = sample.filter(|&sample| sample < episodes) else { return (0..episodes).collect() };
    let mut chosen: Vec<usize> = (0..sample).map(|number| number * episodes / sample.max(1)).collect();
    chosen.extend(best);
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// Differences between `best/` and the episode that it is of.
fn check_best(run: &Path, world: &World, log: &EpisodeLog, best: Option<usize>) -> Vec<String> {
    let folder = run.join("best");
    if !folder.is_dir() {
        // A run that was stopped early has none yet.
        let missing = best.is_some() && run.join("summary.json").is_file();
        return if missing { vec!["the folder is missing".to_owned()] } else { Vec::new() };
    }
    match compare_best(&folder, world, log, best, run.join("summary.json").is_file()) {
        Ok(found) => found,
        Err(error) => vec![error.to_string()],
    }
}

fn compare_best(
    folder: &Path,
    world: &World,
    log: &EpisodeLog,
    best: Option<usize>,
    finished: bool,
) -> Result<Vec<String>, Error> {
    let saved: BestEpisode = files::read_json(&folder.join("episode.json"))?;
    let mut found = Vec::new();
    if finished && best.map(|best| best as u64) != Some(saved.episode) {
        let best = best.map_or("none is admissible".to_owned(), |best| format!("the best is {best}"));
        found.push(format!("is of episode {}, {best}", saved.episode));
    }
    if log.records().get(saved.episode as usize) != Some(&saved.record) {
        found.push(format!("episode.json is not episode {} of episodes.jsonl", saved.episode));
    }
    let Some(outcome) = &saved.record.outcome else { return Ok(found) };
    let candidate = world.network(outcome)?;
    let saved_graph: Graph = files::read_json(&folder.join("graph.json"))?;
    if saved_graph != candidate.graph {
        found.push("graph.json is not the network of its episode".to_owned());
    } else if Weights::load(&folder.join("weights.safetensors"), &candidate.graph)? != candidate.weights {
        found.push("weights.safetensors are not those of its episode".to_owned());
    }
    if let Some((name, bytes)) = candidate.coded
        && std::fs::read(folder.join(name)).ok().as_ref() != Some(&bytes)
    {
        found.push(format!("{name} is not the coded network of its episode"));
    }
    Ok(found)
}
