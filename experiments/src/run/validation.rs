//! Checking a run: every episode replayed, every file compared with what it should say.

use std::{collections::BTreeMap, path::Path};

use cgym_agents::Schedule;
use cgym_env::{Env, EpisodeRecord};
use cgym_worlds::{World, files};
use serde_json::{Value, json};

use super::{
    BaselineLog, Baselines, BestNetwork, EpisodeLog, Played, best, checkpoint, compare, directory,
    remember_teacher,
};
use crate::{Error, Summary, config::Config, seeds};

/// What was found in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// Episodes of the run.
    pub episodes: usize,
    /// Those that were played again.
    pub replayed: usize,
    /// What is not as recorded, by what it is; empty for a valid run.
    pub differences: BTreeMap<String, Vec<String>>,
}

/// Replays the episodes of a run in its `world`, or a `sample` of them and the best, and checks
/// every file of the run.
///
/// # Errors
/// Settings or episodes that cannot be read, and a world that is not the run's.
pub fn validate(run: &Path, world: &World, sample: Option<usize>) -> Result<Validation, Error> {
    let (config, log) = super::read(run)?;
    remember_teacher(world, run)?;
    let mut env = world.env();
    let best = best(&*env, log.records());
    let mut found = Differences::default();
    if let Err(error) = directory::verify(run) {
        found.add("manifest.json", error.to_string());
    }
    let chosen = choose(log.records().len(), sample, best);
    for (index, record) in log.records().iter().enumerate() {
        found.seed(&format!("episode {index}"), record, config.run.seed, index as u64);
    }
    for &index in &chosen {
        found.replay(&format!("episode {index}"), &log.records()[index], &mut *env);
    }
    for (episodes, folder) in checkpoint::list(run) {
        if let Err(error) = checkpoint::verify(run, episodes, &folder, &log) {
            found.add(&format!("checkpoint {episodes}"), error.to_string());
        }
    }
    check_best(run, world, &log, best).into_iter().for_each(|text| found.add("best", text));
    let baselines = check_baselines(run, world, (&config, log.records().len()), sample, &mut found);
    if let Err(error) = check_summary(run, world, &config, &log, baselines, &mut found) {
        found.add("summary.json", error.to_string());
    }
    Ok(Validation { episodes: log.records().len(), replayed: chosen.len(), differences: found.0 })
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
    world: &World,
    (config, episodes): (&Config, usize),
    sample: Option<usize>,
    found: &mut Differences,
) -> Vec<Played> {
    let mut env = world.env();
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
    let expected = super::search::baselines(world, config);
    for (number, (policy, episodes)) in played.iter().enumerate() {
        if expected.get(number).is_none_or(|(expected, _)| expected != policy) {
            found.add("baselines.jsonl", format!("`{policy}` is not the policy that is played there"));
        }
        let what = |index: usize| format!("baselines.jsonl, episode {index} of {policy}");
        for (index, record) in episodes.iter().enumerate() {
            found.seed(&what(index), record, config.run.seed, index as u64);
        }
        for index in choose(episodes.len(), sample, best(&*env, episodes)) {
            found.replay(&what(index), &episodes[index], &mut *env);
        }
    }
    // What leads to the recorded candidates by another way, too.
    if found.0.is_empty() && sample.is_none() {
        let schedule = Schedule { episodes: episodes as u64, exploit: false };
        let all = Baselines { policies: &expected, schedule, seed: config.run.seed };
        match all.first_unlike(world, &log) {
            Ok(None) => (),
            Ok(Some(line)) => found.add("baselines.jsonl", log.unlike(line).to_string()),
            Err(error) => found.add("baselines.jsonl", error.to_string()),
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
    compare(world, &mut summary, &policies)?;
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
