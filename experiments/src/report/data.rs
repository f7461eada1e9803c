//! A run as data, read from its directory alone: no weights and no images are loaded.

use std::{fs, path::Path};

use cgym_env::{EpisodeRecord, Outcome, Outline, settings::Layer};
use cgym_worlds::files;
use serde::{Deserialize, Serialize};

use super::{
    Row, Summary,
    sites::{self, LayerBox, Meaning, Site},
};
use crate::{
    Error,
    config::Config,
    run::{self, BaselineLog, directory},
};

/// One candidate, or one attempt that made none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Number of the episode, counted from 0.
    pub episode: usize,
    /// Sum of its rewards.
    pub episodic_return: f64,
    /// Top-1 accuracy on the reward split; absent without a valid candidate.
    pub top1: Option<f64>,
    /// Cost over that of the whole network.
    pub preserve_ratio: Option<f64>,
    /// Whether it meets the environment's budget and constraints.
    pub admitted: bool,
}

/// What a policy played.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its best candidate, counted from 0.
    pub best: Option<usize>,
    /// Everything it played.
    pub candidates: Vec<Candidate>,
    /// What its best candidate keeps at each decision, as recorded; empty without one.
    pub kept: Vec<usize>,
    /// The same as shares; empty without one.
    pub shares: Vec<f64>,
}

impl Policy {
    fn new(name: &str, records: &[EpisodeRecord], admits: &dyn Fn(&Outcome) -> bool) -> Self {
        let admitted = |record: &EpisodeRecord| record.outcome.as_ref().is_some_and(admits);
        let candidates = records.iter().enumerate().map(|(episode, record)| Candidate {
            episode,
            episodic_return: record.episodic_return,
            top1: record.outcome.as_ref().map(|outcome| outcome.top1),
            preserve_ratio: record.outcome.as_ref().map(|outcome| outcome.preserve_ratio),
            admitted: admitted(record),
        });
        let mut policy = Self {
            name: name.to_owned(),
            best: None,
            candidates: candidates.collect(),
            kept: Vec::new(),
            shares: Vec::new(),
        };
        policy.best = policy.best_of();
        policy
    }

    fn best_of(&self) -> Option<usize> {
        let mut best: Option<&Candidate> = None;
        for candidate in self.candidates.iter().filter(|candidate| candidate.admitted) {
            if best.is_none_or(|best| candidate.episodic_return > best.episodic_return) {
                best = Some(candidate);
            }
        }
        best.map(|best| best.episode)
    }

    /// The greatest return of an admitted candidate so far, per episode.
    pub fn best_so_far(&self) -> Vec<Option<f64>> {
        let mut best: Option<f64> = None;
        let mut so_far = |candidate: &Candidate| {
            if candidate.admitted {
                best =
                    Some(best.map_or(candidate.episodic_return, |best| best.max(candidate.episodic_return)));
            }
            best
        };
        self.candidates.iter().map(&mut so_far).collect()
    }

    /// The greatest return of an admitted candidate.
    pub fn best_return(&self) -> Option<f64> {
        self.best.and_then(|best| self.candidates.get(best)).map(|best| best.episodic_return)
    }
}

/// A run directory as data.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Its last component.
    pub name: String,
    /// The results; of an unfinished run, as far as it got.
    pub summary: Summary,
    /// `config.toml`.
    pub config: String,
    /// The command that plays it again; absent where its agent is not built in.
    pub command: Option<String>,
    /// Version of this program that made the run.
    pub version: String,
    /// What was played: the agent first, then the baselines.
    pub policies: Vec<Policy>,
    /// Every decision.
    pub sites: Vec<Site>,
    /// What the numbers of a decision mean.
    pub meaning: Meaning,
    /// Why layers have numbers instead of names, where they have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unnamed: Option<String>,
    /// In N2N: the layers of the network, and what the best candidate left of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerBox>,
    /// The settings as tables, for comparisons.
    #[serde(skip)]
    pub layer: Layer,
}

/// What a report needs of `teacher.json`.
#[derive(Deserialize)]
struct Teacher {
    model: String,
    dataset: String,
    reward_top1: f64,
    macs: u64,
    parameters: u64,
    sha256: String,
}

impl RunReport {
    /// Reads a run directory, finished or not.
    ///
    /// # Errors
    /// [`Error::File`] naming the folder that is no run directory, or the file that is damaged.
    pub fn read(run: &Path) -> Result<Self, Error> {
        let (config, log) = run::read(run)?;
        let config_path = run.join("config.toml");
        let text = fs::read_to_string(&config_path).map_err(|error| Error::file(&config_path, error))?;
        let records = log.records();
        let (outline, unnamed) = match sites::outline(&config, run) {
            Ok(outline) => (Some(outline), None),
            Err(error) => (None, Some(error.to_string())),
        };
        // Of another network than was played: its layers are not those of the records.
        let played = records.first().map(|record| record.actions.len());
        let decisions = |outline: &Outline| outline.sites.len();
        let (outline, unnamed) = match outline {
            Some((outline, _)) if played.is_some_and(|played| played != decisions(&outline)) => {
                (None, Some("the network has other layers than the one that was played".to_owned()))
            }
            other => (other, unnamed),
        };
        let admits = |outcome: &Outcome| match &outline {
            Some((outline, _)) => outline.env.admits(outcome),
            None => config.env.budget.share.is_none_or(|share| outcome.preserve_ratio <= share),
        };
        let mut policies = vec![Policy::new(&config.agent, records, &admits)];
        let baselines = baselines(&run.join("baselines.jsonl"), &config)?;
        policies.extend(baselines.iter().map(|(name, records)| Policy::new(name, records, &admits)));
        let summary = summary(run, &config, records, &policies)?;
        if let Some(best) =
            summary.best_episode.map(|best| best as usize).filter(|&best| best < records.len())
        {
            policies[0].best = Some(best);
        }
        let meaning = Meaning::of(config.env.family.name());
        let sites = sites::sites(outline.as_ref().map(|(outline, _)| outline), meaning, records);
        let all = std::iter::once(records).chain(baselines.iter().map(|(_, records)| records.as_slice()));
        for (policy, records) in policies.iter_mut().zip(all) {
            let Some(record) = policy.best.and_then(|best| records.get(best)) else { continue };
            policy.kept = record.outcome.as_ref().map(|outcome| outcome.kept.clone()).unwrap_or_default();
            policy.shares = sites::shares(&sites, meaning, record);
        }
        let parent = outline.as_ref().map(|(_, network)| network);
        let layers =
            parent.map(|parent| sites::layers(parent, meaning, &policies[0].kept)).unwrap_or_default();
        let built_in = cgym_agents::names().any(|name| name == config.agent);
        Ok(Self {
            name: name(run),
            command: built_in.then(|| repeat(&config, &config_path)),
            version: directory::version(run)?,
            summary: Summary { run: Some(run.to_owned()), ..summary },
            config: text,
            policies,
            sites,
            meaning,
            unnamed,
            layers,
            layer: config.to_layer(),
        })
    }

    /// The agent's own policy.
    pub fn agent(&self) -> &Policy {
        &self.policies[0]
    }

    /// The row of the agent in the table of results.
    pub fn row(&self) -> Option<&Row> {
        let name = &self.agent().name;
        self.summary.rows.iter().rev().find(|row| row.policy == *name)
    }
}

/// The commands that play a run again.
fn repeat(config: &Config, file: &Path) -> String {
    let file = quoted(&file.display().to_string());
    let search = format!("cgym search --config {file}");
    let stages = &config.run.extended_from;
    let Some(first) = stages.first() else { return format!("{search} --out NEW_FOLDER") };
    let mut text = format!("{search} --set run.extended_from=[] --episodes {first} --out NEW_FOLDER");
    for episodes in stages[1..].iter().copied().chain(config.run.episodes) {
        text += &format!(" && cgym resume NEW_FOLDER --episodes {episodes}");
    }
    text
}

/// The last component of a path.
fn name(run: &Path) -> String {
    let absolute = std::path::absolute(run).unwrap_or_else(|_| run.to_owned());
    absolute.file_name().unwrap_or(run.as_os_str()).to_string_lossy().into_owned()
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@+".contains(character);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The episodes of each baseline; an incomplete last line is ignored.
fn baselines(path: &Path, config: &Config) -> Result<Vec<(String, Vec<EpisodeRecord>)>, Error> {
    let mut policies: Vec<(String, Vec<EpisodeRecord>)> = Vec::new();
    if !path.is_file() {
        return Ok(policies);
    }
    for line in BaselineLog::read(path, config.digests())?.records() {
        match policies.iter_mut().find(|(name, _)| *name == line.policy) {
            Some((_, records)) => records.push(line.episode.clone()),
            None => policies.push((line.policy.clone(), vec![line.episode.clone()])),
        }
    }
    Ok(policies)
}

/// `summary.json`, or what can be said of a run without one.
fn summary(
    run: &Path,
    config: &Config,
    records: &[EpisodeRecord],
    policies: &[Policy],
) -> Result<Summary, Error> {
    if let Some(summary) = directory::result(run)? {
        return Ok(summary);
    }
    let path = run.join("teacher.json");
    let teacher = path.is_file().then(|| files::read_json::<Teacher>(&path)).transpose()?;
    let fingerprint = teacher.as_ref().map_or_else(String::new, |teacher| teacher.sha256.clone());
    let recorded = records.first().map(|record| record.settings.clone()).filter(|hash| !hash.is_empty());
    let mut rows = Vec::new();
    if let Some(teacher) = &teacher {
        rows.push(Row {
            policy: "teacher".to_owned(),
            best_return: None,
            reward_top1: Some(teacher.reward_top1),
            test_top1: None,
            macs: Some(teacher.macs),
            parameters: Some(teacher.parameters),
            bytes: None,
            preserve_ratio: Some(1.0),
            evaluations: 0,
        });
    }
    // Baselines are played after the search, so an unfinished run may have some of them.
    let evaluations = records.iter().filter(|record| record.outcome.is_some()).count() as u64;
    let best = policies[0].best.and_then(|best| records[best].outcome.as_ref());
    let best_return = policies[0].best_return();
    rows.push(Row { best_return, ..Row::new(&config.agent, best, evaluations) });
    let env = &config.env;
    Ok(Summary {
        env: env.id(),
        settings: recorded.unwrap_or_else(|| env.hash_with(&fingerprint)),
        fingerprint,
        model: teacher.as_ref().map_or_else(|| env.network.model.clone(), |teacher| teacher.model.clone()),
        dataset: teacher.map_or_else(|| env.data.dataset.to_string(), |teacher| teacher.dataset),
        unit: env.budget.unit.to_string(),
        budget: env.budget.share,
        reward: env
            .to_layer()
            .get("reward", "name")
            .and_then(|name| name.as_str())
            .unwrap_or_default()
            .to_owned(),
        calibration_images: env.rules.training_images().unwrap_or(0),
        reward_images: env.data.reward_images.unwrap_or(0),
        seed: config.run.seed,
        agent: Some(config.agent.clone()),
        episodes: config.episodes(),
        played: records.len() as u64,
        best_episode: policies[0].best.map(|best| best as u64),
        finished: false,
        evaluated: 0,
        seconds: 0.0,
        run: Some(run.to_owned()),
        profile: None,
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(quoted("runs/a-1"), "runs/a-1");
        assert_eq!(quoted("it's here"), "'it'\\''s here'");
        assert_eq!(quoted("$(x)"), "'$(x)'");
    }

    #[test]
    fn the_best_so_far_never_falls_and_begins_with_the_first_that_is_admitted() {
        let candidate = |episode, episodic_return, admitted| Candidate {
            episode,
            episodic_return,
            top1: None,
            preserve_ratio: None,
            admitted,
        };
        let policy = Policy {
            name: "a".to_owned(),
            best: None,
            candidates: vec![candidate(0, 9.0, false), candidate(1, 1.0, true), candidate(2, 0.0, true)],
            kept: Vec::new(),
            shares: Vec::new(),
        };
        assert_eq!(policy.best_so_far(), [None, Some(1.0), Some(1.0)]);
        assert_eq!(policy.best_of(), Some(1));
    }
}
