//! Run directories grouped by what they played: a row per agent, with estimates over seeds.
//!
//! Runs compare when the id of their environment and the hash of its settings are equal
//! ([`Comparison`]). Within a comparison, runs that differ in nothing but the seed are a [`Group`].

mod notes;
mod read;
pub mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use cgym_env::settings::Layer;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{report::Row, statistics::Estimate};

pub use notes::HAND_CRAFTED;
pub use read::{RecordedRun, find, read, read_all};

/// Keys of settings that say where something is, and are no part of the hash.
const LOCATIONS: [(&str, &str); 3] = [("network", "weights"), ("network", "from"), ("data", "path")];
/// What differs where all settings are equal and the hashes are not.
const CONTENTS: &str = "contents of the files (weights or images)";

/// Runs of one environment with the same settings.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Id of the environment.
    pub env: String,
    /// Hash of its settings; absent where no run has played an episode.
    pub settings: Option<String>,
    /// Unit of costs.
    pub unit: String,
    /// Share of the cost that may be kept; null without a budget.
    pub budget: Option<f64>,
    /// Values of the settings in which the comparisons differ.
    pub differing: BTreeMap<String, Value>,
    /// The network as it was, from the first finished run.
    pub teacher: Option<Row>,
    /// The agents.
    pub groups: Vec<Group>,
    /// Id without its budget.
    #[serde(skip)]
    pub stem: String,
}

/// Runs that differ in nothing but the seed.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Name of the agent.
    pub agent: String,
    /// The name, with what distinguishes this group from others of the same agent.
    pub label: String,
    /// The agent's hyper-parameters.
    pub hyper_parameters: Map<String, Value>,
    /// Environment of the run whose policy the agent started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<String>,
    /// Exploring episodes asked for.
    pub episodes: u64,
    /// Exploring episodes before the runs were extended, each time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extended_from: Vec<u64>,
    /// Seeds of the finished runs; the estimates are over these.
    pub seeds: Vec<u64>,
    /// Top-1 accuracy of the best candidates on the reward split.
    pub reward_top1: Option<Estimate>,
    /// The same on the test split.
    pub test_top1: Option<Estimate>,
    /// Cost of the best candidates over the cost of the whole network.
    pub preserve_ratio: Option<Estimate>,
    /// Multiply-accumulates for one image.
    pub macs: Option<Estimate>,
    /// Trainable parameters.
    pub parameters: Option<Estimate>,
    /// Bytes of the stored weights.
    pub bytes: Option<Estimate>,
    /// Candidates played per run.
    pub evaluations: Option<Estimate>,
    /// Seconds of a run since it was last started.
    pub seconds: Option<Estimate>,
    /// The run directories of `seeds`.
    pub runs: Vec<PathBuf>,
    /// Runs without a result yet; no estimate covers them.
    pub unfinished: Vec<Unfinished>,
}

/// A run that is not finished.
#[derive(Debug, Clone, Serialize)]
pub struct Unfinished {
    /// The run directory.
    pub run: PathBuf,
    /// Its seed.
    pub seed: u64,
    /// Episodes played so far.
    pub played: u64,
    /// Top-1 accuracy on the reward split of the best candidate in its last checkpoint.
    pub reward_top1: Option<f64>,
}

/// All comparisons of some runs.
#[derive(Debug, Clone, Serialize)]
pub struct Comparisons {
    /// In order of appearance.
    pub comparisons: Vec<Comparison>,
    /// Settings in which the comparisons differ, with all their values.
    pub differing: BTreeMap<String, Vec<Value>>,
    /// What a reader must know to compare, in sentences.
    pub notes: Vec<String>,
}

impl Comparisons {
    /// Groups `runs`.
    pub fn of(runs: &[RecordedRun]) -> Self {
        let mut sections: Vec<(Key, Vec<&RecordedRun>)> = Vec::new();
        for run in runs {
            let key = Key::of(run, runs);
            match sections.iter_mut().find(|(known, _)| *known == key) {
                Some((_, members)) => members.push(run),
                None => sections.push((key, vec![run])),
            }
        }
        let settings: Vec<BTreeMap<String, Value>> =
            sections.iter().map(|(_, members)| flat(&comparable(members[0]))).collect();
        let differing = differing(&settings);
        let mut notes = Vec::new();
        let mut comparisons = Vec::new();
        for (index, (key, members)) in sections.iter().enumerate() {
            let own = &settings[index];
            let mut values: BTreeMap<String, Value> = differing
                .keys()
                .map(|name| (name.clone(), own.get(name).cloned().unwrap_or_default()))
                .collect();
            let twin = |other: &usize| *other != index && settings[*other] == *own;
            if (0..sections.len()).any(|other| twin(&other)) {
                let hash = key.settings.as_deref().map_or("unknown", |hash| hash);
                values.insert(CONTENTS.to_owned(), format!("hash {hash}").into());
            }
            let comparison = compare(key, members, values);
            notes::of(&comparison, members, &mut notes);
            comparisons.push(comparison);
        }
        let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (name, value) in comparisons.iter().flat_map(|comparison| &comparison.differing) {
            let values = all.entry(name.clone()).or_default();
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        Self { comparisons, differing: all, notes }
    }
}

/// What runs that compare have in common.
#[derive(PartialEq)]
struct Key {
    env: String,
    settings: Option<String>,
    /// The settings themselves, where no hash was recorded.
    layer: Option<Layer>,
}

impl Key {
    /// A run without episodes has no hash: it gets that of a run with equal settings.
    fn of(run: &RecordedRun, all: &[RecordedRun]) -> Self {
        let alike = || {
            let own = comparable(run);
            let like = |other: &&RecordedRun| other.settings.is_some() && comparable(other) == own;
            all.iter().find(like).and_then(|other| other.settings.clone())
        };
        let settings = run.settings.clone().or_else(alike);
        let layer = settings.is_none().then(|| comparable(run));
        Self { env: run.env.clone(), settings, layer }
    }
}

/// The settings of a run's environment, without the places of files.
fn comparable(run: &RecordedRun) -> Layer {
    let mut layer = run.config.env.to_layer();
    for (table, key) in LOCATIONS {
        layer.tables.get_mut(table).map(|values| values.remove(key));
    }
    layer
}

fn flat(layer: &Layer) -> BTreeMap<String, Value> {
    let tables = layer.tables.iter();
    tables
        .flat_map(|(table, values)| {
            values.iter().map(move |(key, value)| (format!("{table}.{key}"), value.clone()))
        })
        .collect()
}

/// The keys that have not the same value everywhere, with all their values.
fn differing(all: &[BTreeMap<String, Value>]) -> BTreeMap<String, Vec<Value>> {
    let keys: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let mut found = BTreeMap::new();
    for key in keys {
        let mut values: Vec<Value> = Vec::new();
        for settings in all {
            let value = settings.get(key).cloned().unwrap_or_default();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if values.len() > 1 {
            found.insert(key.clone(), values);
        }
    }
    found
}

fn compare(key: &Key, members: &[&RecordedRun], differing: BTreeMap<String, Value>) -> Comparison {
    let mut kinds: Vec<Vec<&RecordedRun>> = Vec::new();
    for &run in members {
        match kinds.iter_mut().find(|kind| kind[0].kind() == run.kind()) {
            Some(kind) => kind.push(run),
            None => kinds.push(vec![run]),
        }
    }
    let mut groups: Vec<Group> = kinds.iter().map(|kind| Group::of(kind)).collect();
    label(&mut groups);
    let budget = &members[0].config.env.budget;
    let word = budget.id_word().map(|word| format!("-{word}"));
    Comparison {
        env: key.env.clone(),
        settings: key.settings.clone(),
        unit: budget.unit.as_str().to_owned(),
        budget: budget.share,
        differing,
        teacher: members.iter().find_map(|run| run.teacher.clone()),
        groups,
        stem: word.map_or(key.env.clone(), |word| key.env.replacen(&word, "", 1)),
    }
}

impl Group {
    /// The group of `runs`, which are of one kind. A seed that was played twice counts once.
    fn of(runs: &[&RecordedRun]) -> Self {
        let mut finished: Vec<&RecordedRun> = Vec::new();
        for &run in runs.iter().filter(|run| run.finished) {
            if finished.iter().all(|other| other.seed() != run.seed()) {
                finished.push(run);
            }
        }
        finished.sort_by_key(|run| run.seed());
        let over = |figure: &dyn Fn(&RecordedRun) -> Option<f64>| {
            Estimate::of(&finished.iter().filter_map(|run| figure(run)).collect::<Vec<f64>>())
        };
        let row = |figure: &dyn Fn(&Row) -> Option<f64>| over(&|run| figure(run.row.as_ref()?));
        let whole = |value: Option<u64>| value.map(|value| value as f64);
        let unfinished = runs.iter().filter(|run| !run.finished).map(|run| Unfinished {
            run: run.path.clone(),
            seed: run.seed(),
            played: run.played,
            reward_top1: run.row.as_ref().and_then(|row| row.reward_top1),
        });
        let first = runs[0];
        Self {
            agent: first.config.agent.clone(),
            label: first.config.agent.clone(),
            hyper_parameters: first.config.agent_settings.clone(),
            pretrained: first.pretrained.clone(),
            episodes: first.config.episodes(),
            extended_from: first.config.run.extended_from.clone(),
            seeds: finished.iter().map(|run| run.seed()).collect(),
            reward_top1: row(&|row| row.reward_top1),
            test_top1: row(&|row| row.test_top1),
            preserve_ratio: row(&|row| row.preserve_ratio),
            macs: row(&|row| whole(row.macs)),
            parameters: row(&|row| whole(row.parameters)),
            bytes: row(&|row| whole(row.bytes)),
            evaluations: row(&|row| Some(row.evaluations as f64)),
            seconds: over(&|run| run.seconds),
            runs: finished.iter().map(|run| run.path.clone()).collect(),
            unfinished: unfinished.collect(),
        }
    }
}

/// Adds to the name of each agent what distinguishes its groups from each other.
fn label(groups: &mut [Group]) {
    let labels: Vec<String> = groups
        .iter()
        .map(|group| {
            let same: Vec<&Group> = groups.iter().filter(|other| other.agent == group.agent).collect();
            let mut words = Vec::new();
            if same.iter().any(|other| other.episodes != group.episodes) {
                words.push(format!("{} episodes", group.episodes));
            }
            if !group.extended_from.is_empty() {
                let before: Vec<String> = group.extended_from.iter().map(u64::to_string).collect();
                words.push(format!("extended from {}", before.join(", ")));
            }
            if same.iter().any(|other| other.pretrained != group.pretrained) {
                let from = group.pretrained.as_ref();
                words.push(from.map_or("from scratch".to_owned(), |from| format!("from {from}")));
            }
            let keys: BTreeSet<&String> =
                same.iter().flat_map(|other| other.hyper_parameters.keys()).collect();
            for key in keys {
                let own = group.hyper_parameters.get(key);
                if same.iter().any(|other| other.hyper_parameters.get(key) != own) {
                    words.push(format!("{key}={}", own.map_or("none".to_owned(), table::value)));
                }
            }
            match words.is_empty() {
                true => group.agent.clone(),
                false => format!("{} ({})", group.agent, words.join(", ")),
            }
        })
        .collect();
    for (group, label) in groups.iter_mut().zip(labels) {
        group.label = label;
    }
}
