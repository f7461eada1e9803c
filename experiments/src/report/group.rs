//! Runs that differ in their seed alone, taken together.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::data::RunReport;
use crate::statistics::Estimate;

/// Runs of one agent with equal settings.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// What tells it from the other groups.
    pub name: String,
    /// Id of the environment.
    pub env: String,
    /// Hash of the settings.
    pub settings: String,
    /// Name of the agent.
    pub agent: String,
    /// Indices of its runs.
    pub runs: Vec<usize>,
    /// Seeds that the estimates are over: of finished runs where there is one, each once.
    pub seeds: Vec<u64>,
    /// Whether all of them have finished.
    pub finished: bool,
    /// Accuracy of the best candidates on the reward split.
    pub reward_top1: Option<Estimate>,
    /// The same on the test split.
    pub test_top1: Option<Estimate>,
    /// What the best candidates cost of the whole network.
    pub preserve_ratio: Option<Estimate>,
    /// Return of the best candidates.
    pub best_return: Option<Estimate>,
    /// The best return so far, per episode, as far as every run has one.
    pub best_so_far: Vec<Option<Estimate>>,
    /// The return of each episode, up to the shortest run.
    pub returns: Vec<Option<Estimate>>,
}

/// The settings that must be equal within a group: all but the seed and what changes no result.
fn comparable(run: &RunReport) -> BTreeMap<String, Value> {
    let tables = run.layer.tables.iter();
    let flat = tables.flat_map(|(table, values)| {
        values.iter().map(move |(key, value)| (format!("{table}.{key}"), value.clone()))
    });
    let ignored = ["run.seed", "run.threads", "run.checkpoint_every", "run.baselines", "data.path"];
    let mut flat: BTreeMap<String, Value> =
        flat.filter(|(path, _)| !ignored.contains(&path.as_str())).collect();
    if let Some(source) = flat.get_mut("run.pretrained") {
        *source = source.as_str().map(without_seed).into();
    }
    flat
}

/// The name of a run without its seed, as `cgym transfer` and `cgym search` end it: policies of several
/// seeds come from runs of the same seeds.
fn without_seed(path: &str) -> String {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    let digit = |letter: char| letter.is_ascii_digit();
    let stem = name.trim_end_matches(digit);
    stem.strip_suffix("-seed").unwrap_or(name).to_owned()
}

/// The groups of `runs`, in the order of their first runs.
pub fn groups(runs: &[RunReport]) -> Vec<Group> {
    // The hash stands for the environment's settings and for what is in its files.
    let key = |run: &RunReport| {
        let mut own = comparable(run);
        own.retain(|path, _| path.starts_with("agent.") || path.starts_with("run."));
        (run.summary.env.clone(), run.summary.settings.clone(), own)
    };
    let mut keys = Vec::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let key = key(run);
        match keys.iter().position(|other| *other == key) {
            Some(found) => members[found].push(index),
            None => {
                keys.push(key);
                members.push(vec![index]);
            }
        }
    }
    let firsts: Vec<&RunReport> = members.iter().map(|members| &runs[members[0]]).collect();
    let names = names(&firsts);
    members.into_iter().zip(names).map(|(members, name)| group(runs, members, name)).collect()
}

fn group(runs: &[RunReport], members: Vec<usize>, name: String) -> Group {
    let all_own: Vec<&RunReport> = members.iter().map(|&index| &runs[index]).collect();
    // As in `cgym compare`: runs that have finished, one of each seed.
    let finished = all_own.iter().any(|run| run.summary.finished);
    let mut own: Vec<&RunReport> = Vec::new();
    for run in all_own.iter().filter(|run| run.summary.finished || !finished) {
        if own.iter().all(|other| other.summary.seed != run.summary.seed) {
            own.push(run);
        }
    }
    let of_rows = |of: fn(&super::Row) -> Option<f64>| all(own.iter().map(|run| run.row().and_then(of)));
    let curves = |of: &dyn Fn(&RunReport) -> Vec<Option<f64>>| {
        let curves: Vec<Vec<Option<f64>>> = own.iter().map(|run| of(run)).collect();
        let length = curves.iter().map(Vec::len).min().unwrap_or(0);
        (0..length).map(|index| all(curves.iter().map(|curve| curve[index]))).collect()
    };
    let returns = |run: &RunReport| {
        run.agent().candidates.iter().map(|candidate| Some(candidate.episodic_return)).collect()
    };
    Group {
        name,
        env: own[0].summary.env.clone(),
        settings: own[0].summary.settings.clone(),
        agent: own[0].agent().name.clone(),
        seeds: own.iter().map(|run| run.summary.seed).collect(),
        finished: all_own.iter().all(|run| run.summary.finished),
        reward_top1: of_rows(|row| row.reward_top1),
        test_top1: of_rows(|row| row.test_top1),
        preserve_ratio: of_rows(|row| row.preserve_ratio),
        best_return: all(own.iter().map(|run| run.agent().best_return())),
        best_so_far: curves(&|run| run.agent().best_so_far()),
        returns: curves(&returns),
        runs: members,
    }
}

/// The estimate of values that are all there.
fn all(values: impl Iterator<Item = Option<f64>>) -> Option<Estimate> {
    Estimate::of(&values.collect::<Option<Vec<f64>>>()?)
}

/// A name for each of `runs`: the agent's, then whatever tells it from others of the same agent.
fn names(runs: &[&RunReport]) -> Vec<String> {
    let one_env = runs.iter().all(|run| run.summary.env == runs[0].summary.env);
    let plain = |run: &RunReport| match one_env {
        true => run.agent().name.clone(),
        false => format!("{}, {}", run.agent().name, run.summary.env),
    };
    let flat: Vec<BTreeMap<String, Value>> = runs.iter().map(|run| comparable(run)).collect();
    let name = |(index, run): (usize, &&RunReport)| {
        let plain_name = plain(run);
        let others: Vec<usize> =
            (0..runs.len()).filter(|&other| other != index && plain(runs[other]) == plain_name).collect();
        if others.is_empty() {
            return plain_name;
        }
        let differs =
            |path: &&String| others.iter().any(|&other| flat[other].get(*path) != flat[index].get(*path));
        let mut settings = flat[index].iter().filter(|(path, _)| differs(path));
        let mut told: Vec<String> = settings
            .by_ref()
            .take(2)
            .map(|(path, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{path} = {}", value.rsplit('/').next().unwrap_or(&value))
            })
            .collect();
        if told.is_empty() {
            told.push(format!("settings {}", run.summary.settings));
        }
        format!("{plain_name}, {}", told.join(", "))
    };
    runs.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::without_seed;

    #[test]
    fn sources_of_policies_that_differ_in_their_seed_have_one_name() {
        assert_eq!(without_seed("/a/runs/resnet8-seed12"), "resnet8");
        assert_eq!(without_seed("runs/source"), "source");
        assert_eq!(without_seed("runs/source2/"), "source2");
    }
}
