//! `validate`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use cgym_env::{Env, EpisodeRecord};
use cgym_worlds::{World, files};
use serde_json::{Value, json};

use crate::{
    Error, Summary,
    config::Config,
    loading, report,
    run::{self, BaselineLog, BestNetwork, EpisodeLog, Played, checkpoint, directory, remember_teacher},
    seeds,
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
    let (path, sample) = (args.run.as_path(), args.sample);
    let (config, log) = run::read(path)?;
    super::use_threads(config.run.threads)?;
    let world = loading::load(loading::blueprint(&config)?)?;
    remember_teacher(&world, path)?;
    let mut env = world.env();
    let best = run::best(&*env, log.records());
    let mut found = Differences::default();
    if let Err(error) = directory::verify(path) {
        found.add("manifest.json", error.to_string());
    }
    let chosen = choose(log.records().len(), sample, best);
    for (index, record) in log.records().iter().enumerate() {
        found.seed(&format!("episode {index}"), record, config.run.seed, index as u64);
    }
    for &index in &chosen {
        found.replay(&format!("episode {index}"), &log.records()[index], &mut *env);
    }
    for (episodes, folder) in checkpoint::list(path) {
        if let Err(error) = checkpoint::verify(path, episodes, &folder, &log) {
            found.add(&format!("checkpoint {episodes}"), error.to_string());
        }
    }
    check_best(path, &world, &log, best).into_iter().for_each(|text| found.add("best", text));
    let baselines = check_baselines(path, &config, sample, &mut *env, &mut found);
    if let Err(error) = check_summary(path, &world, &config, &log, baselines, &mut found) {
        found.add("summary.json", error.to_string());
    }
    let differences = found.0;
    let value = json!({
        "run": path,
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
        count => Err(Error::Check(format!("{}: {count} things are not as recorded", path.display()))),
    }
}

/// What is not as recorded, by what it is.
#[derive(Default)]
struct Differences(BTreeMap<String, Vec<String>>);

impl Differences {
    fn add(&mut self, what: &str, difference: String) {
        self.0.entry(what.to_owned()).or_default().push(difference);
    }

    /// Compares the seed of an episode with the one that a run of seed `seed` gives to it.
    fn seed(&mut self, what: &str, record: &EpisodeRecord, seed: u64, index: u64) {
        let expected = seeds::derive(seed, "episode", index);
        if record.seed != expected {
            self.add(what, format!("seed {}, a run of seed {seed} has {expected}", record.seed));
        }
    }

    fn replay(&mut self, what: &str, record: &EpisodeRecord, env: &mut dyn Env) {
        match record.validate(env) {
            Ok(differences) => differences.into_iter().for_each(|difference| self.add(what, difference)),
            Err(error) => self.add(what, error.to_string()),
        }
    }
}

/// Checks `baselines.jsonl`, and gives the episodes by policy; empty where there are none.
fn check_baselines(
    run: &Path,
    config: &Config,
    sample: Option<usize>,
    env: &mut dyn Env,
    found: &mut Differences,
) -> Vec<Played> {
    let path = run.join("baselines.jsonl");
    if !path.is_file() {
        return Vec::new();
    }
    let log = match BaselineLog::read(&path, vec![config.digest()]) {
        Ok(log) => log,
        Err(error) => {
            found.add("baselines.jsonl", error.to_string());
            return Vec::new();
        }
    };
    let mut played: Vec<Played> = Vec::new();
    for line in log.records() {
        match played.last_mut() {
            Some((policy, episodes)) if *policy == line.policy => episodes.push(line.episode.clone()),
            _ => played.push((line.policy.clone(), vec![line.episode.clone()])),
        }
    }
    for (policy, episodes) in &played {
        let what = |index: usize| format!("baselines.jsonl, episode {index} of {policy}");
        for (index, record) in episodes.iter().enumerate() {
            found.seed(&what(index), record, config.run.seed, index as u64);
        }
        for index in choose(episodes.len(), sample, run::best(env, episodes)) {
            found.replay(&what(index), &episodes[index], env);
        }
    }
    played
}

/// Makes `summary.json` again and compares it, without what was measured in seconds.
fn check_summary(
    run: &Path,
    world: &World,
    config: &Config,
    log: &EpisodeLog,
    mut policies: Vec<Played>,
    found: &mut Differences,
) -> Result<(), Error> {
    let path = run.join("summary.json");
    if !path.is_file() {
        return Ok(());
    }
    let saved: Summary = files::read_json(&path)?;
    let mut summary = Summary::of_search(world, config, log.records());
    summary.finished = true;
    policies.push((config.agent.clone(), log.records().to_vec()));
    run::compare(world, &mut summary, &policies)?;
    // What depends on the machine, the folder or the way to the result.
    summary.evaluated = saved.evaluated;
    summary.seconds = saved.seconds;
    summary.run.clone_from(&saved.run);
    summary.profile.clone_from(&saved.profile);
    let (Value::Object(now), Value::Object(then)) = (json!(summary), json!(saved)) else { return Ok(()) };
    for (key, value) in &now {
        if then.get(key) != Some(value) {
            found.add("summary.json", format!("`{key}` is not what the episodes give"));
        }
    }
    let extra = then.keys().find(|key| !now.contains_key(*key));
    extra.into_iter().for_each(|key| found.add("summary.json", format!("`{key}` should not be there")));
    Ok(())
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
    match compare_best(run, world, log, best) {
        Ok(found) => found,
        Err(error) => vec![error.to_string()],
    }
}

fn compare_best(
    run: &Path,
    world: &World,
    log: &EpisodeLog,
    best: Option<usize>,
) -> Result<Vec<String>, Error> {
    let saved = BestNetwork::read(run, log)?;
    let mut found = Vec::new();
    let episode = saved.episode.episode;
    if run.join("summary.json").is_file() && best.map(|best| best as u64) != Some(episode) {
        let best = best.map_or("none is admissible".to_owned(), |best| format!("the best is {best}"));
        found.push(format!("is of episode {episode}, {best}"));
    }
    let Some(outcome) = &saved.episode.record.outcome else { return Ok(found) };
    let candidate = world.network(outcome)?;
    if saved.preprocessing.as_ref().is_some_and(|saved| *saved != world.preprocessing()) {
        found.push("graph.json has another preprocessing than its run".to_owned());
    }
    if saved.graph != candidate.graph {
        found.push("graph.json is not the network of its episode".to_owned());
    } else if saved.weights != candidate.weights {
        found.push("weights.safetensors are not those of its episode".to_owned());
    }
    if let Some((name, bytes)) = candidate.coded
        && std::fs::read(saved.folder.join(name)).ok().as_ref() != Some(&bytes)
    {
        found.push(format!("{name} is not the coded network of its episode"));
    }
    Ok(found)
}
