//! Results: one object for programs, one table for people, one page for readers.

mod data;
mod figures;
mod group;
mod html;
mod page;
mod run_page;
mod sites;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
};

use cgym_env::{BudgetUnit, EpisodeRecord, Outcome, Reward};
use cgym_worlds::World;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    config::{Config, RunSettings},
    profile::Profile,
};

pub use data::{Candidate, Policy, RunReport};
pub use group::Group;
pub use page::Report;
pub use sites::{Change, Fate, LayerBox, Meaning, Site};

/// One policy of a table; null for what was not measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the policy, `teacher` for the network as it was.
    pub policy: String,
    /// Return of the policy's best candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_return: Option<f64>,
    /// Share of the reward split classified correctly.
    pub reward_top1: Option<f64>,
    /// Share of the test split classified correctly.
    pub test_top1: Option<f64>,
    /// Multiply-accumulates for one image.
    pub macs: Option<u64>,
    /// Trainable parameters that are stored.
    pub parameters: Option<u64>,
    /// Bytes of the stored weights.
    pub bytes: Option<u64>,
    /// Cost of the candidate over the cost of the whole network, in the unit of the environment.
    pub preserve_ratio: Option<f64>,
    /// Candidates played.
    pub evaluations: u64,
}

impl Row {
    /// The teacher's row.
    pub fn teacher(world: &World) -> Self {
        Self {
            policy: "teacher".to_owned(),
            best_return: None,
            reward_top1: Some(world.teacher_top1()),
            test_top1: None,
            macs: Some(world.teacher_cost().macs),
            parameters: Some(world.teacher_cost().parameters),
            bytes: Some(world.teacher_cost().weight_bytes),
            preserve_ratio: Some(1.0),
            evaluations: 0,
        }
    }

    /// The row of a policy whose best candidate is `outcome`.
    pub fn new(policy: &str, outcome: Option<&Outcome>, evaluations: u64) -> Self {
        Self {
            policy: policy.to_owned(),
            best_return: None,
            reward_top1: outcome.map(|outcome| outcome.top1),
            test_top1: None,
            macs: outcome.map(|outcome| outcome.macs),
            parameters: outcome.map(|outcome| outcome.parameters),
            bytes: outcome.map(|outcome| outcome.bytes),
            preserve_ratio: outcome.map(|outcome| outcome.preserve_ratio),
            evaluations,
        }
    }
}

/// What a search or a comparison of baselines came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the settings")]
pub struct Summary {
    pub env: String,
    /// Hash of the environment's settings: rows of one id compare when their hashes are equal.
    pub settings: String,
    /// SHA-256 of the weights and images that decide scores.
    pub fingerprint: String,
    pub model: String,
    pub dataset: String,
    /// Unit of costs.
    pub unit: String,
    /// Share of the whole network's cost that may be kept; null without a budget.
    pub budget: Option<f64>,
    pub reward: String,
    pub calibration_images: usize,
    pub reward_images: usize,
    pub seed: u64,
    /// The agent of a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Exploring episodes asked for.
    pub episodes: u64,
    /// Episodes played, a last exploiting one included.
    pub played: u64,
    /// The best episode, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_episode: Option<u64>,
    /// False where the search was interrupted.
    pub finished: bool,
    /// Candidates that had to be evaluated since the command was started.
    pub evaluated: u64,
    /// Seconds of the search, without the loading of the world.
    pub seconds: f64,
    /// The run directory, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
    /// Where the time of the search's own episodes went, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    pub rows: Vec<Row>,
}

impl Summary {
    /// A summary without results.
    pub fn new(world: &World, run: &RunSettings) -> Self {
        let (settings, env) = (world.settings(), world.env());
        let spec = env.spec();
        Self {
            env: spec.id.clone(),
            settings: spec.settings.clone(),
            fingerprint: world.fingerprint().to_owned(),
            model: settings.network.model.clone(),
            dataset: settings.data.dataset.to_string(),
            unit: spec.unit.clone(),
            budget: spec.budget,
            reward: spec.reward.clone(),
            calibration_images: world.splits().calibration.len(),
            reward_images: world.splits().reward.len(),
            seed: run.seed,
            agent: None,
            episodes: run.episodes.unwrap_or(0),
            played: 0,
            best_episode: None,
            finished: false,
            evaluated: 0,
            seconds: 0.0,
            run: None,
            profile: None,
            rows: Vec::new(),
        }
    }

    /// The summary of a search with these episodes, without its rows.
    pub fn of_search(world: &World, config: &Config, episodes: &[EpisodeRecord]) -> Self {
        let best = crate::run::best(&*world.env(), episodes);
        Self {
            agent: Some(config.agent.clone()),
            played: episodes.len() as u64,
            best_episode: best.map(|best| best as u64),
            ..Self::new(world, &config.run)
        }
    }

    /// The cells of the table; the first row is its head.
    ///
    /// Where the reward is not minus the error, it has a column of its own.
    pub(crate) fn cells(&self) -> Vec<Vec<String>> {
        const HEAD: [&str; 9] = [
            "policy",
            "reward",
            "top-1, reward split",
            "top-1, test split",
            "MACs",
            "parameters",
            "bytes",
            "kept",
            "evaluations",
        ];
        const REWARD: usize = 1;
        let rows = self.rows.iter().map(|row| {
            [
                row.policy.clone(),
                row.best_return.map_or("-".to_owned(), |best| format!("{best:.4}")),
                share(row.reward_top1),
                share(row.test_top1),
                count(row.macs),
                count(row.parameters),
                count(row.bytes),
                share(row.preserve_ratio),
                row.evaluations.to_string(),
            ]
        });
        let mut lines: Vec<Vec<String>> =
            std::iter::once(HEAD.map(str::to_owned)).chain(rows).map(Vec::from).collect();
        if self.reward == Reward::Error.as_str() {
            lines.iter_mut().for_each(|line| drop(line.remove(REWARD)));
        }
        lines
    }

    /// The table, one line per policy.
    pub fn table(&self) -> String {
        let mut text = match self.budget {
            // Without a budget the reward says what is searched for.
            None => format!("{}: {}\n", self.env, self.reward),
            Some(share) => {
                format!("{}: at most {} % of the {}\n", self.env, percent(share), unit_title(&self.unit))
            }
        };
        let lines = self.cells();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
        for line in &lines {
            write!(text, "{:<w$}", line[0], w = widths[0]).ok();
            for (cell, width) in line.iter().zip(&widths).skip(1) {
                write!(text, "  {cell:>width$}").ok();
            }
            text.push('\n');
        }
        text
    }
}

fn share(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:.2} %", 100.0 * value))
}

/// A unit of costs in a sentence.
pub fn unit_title(unit: &str) -> &str {
    unit.parse::<BudgetUnit>().map_or(unit, |unit| unit.title())
}

fn percent(value: f64) -> f64 {
    (1e6 * value).round() / 1e4
}

/// Thousands in groups: `40 813 184`.
pub fn count(value: Option<u64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let digits = value.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// Prints `value` as one JSON object, or `text`, to the standard output.
///
/// A reader that has gone away is no error.
///
/// # Errors
/// When the output cannot be written, a full disk for one.
pub fn print<T: Serialize>(json: bool, value: &T, text: impl FnOnce() -> String) -> Result<(), Error> {
    let fail = |error: &dyn std::fmt::Display| {
        Error::Input(format!("the standard output cannot be written: {error}"))
    };
    let mut output = match json {
        true => serde_json::to_string(value).map_err(|error| fail(&error))?,
        false => text(),
    };
    if !output.ends_with('\n') {
        output.push('\n');
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(fail(&error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(count(Some(40_813_184)), "40 813 184");
        assert_eq!(count(Some(999)), "999");
        assert_eq!(count(None), "-");
    }
}
