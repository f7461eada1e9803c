//! Results: one object for programs, one table for people.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
};

use cgym_env::Outcome;
use serde::{Deserialize, Serialize};

use crate::{Error, profile::Profile, world::World};

/// One policy of a table. What was not measured is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the policy, `teacher` for the network as it was.
    pub policy: String,
    /// Share of the reward split classified right.
    pub reward_top1: Option<f64>,
    /// Share of the test split classified right.
    pub test_top1: Option<f64>,
    /// Multiply-accumulates for one image.
    pub macs: Option<u64>,
    /// Trainable parameters.
    pub parameters: Option<u64>,
    /// Cost kept over the teacher's, in the budget's unit.
    pub preserve_ratio: Option<f64>,
    /// Candidates played.
    pub evaluations: u64,
}

impl Row {
    /// The teacher's row.
    pub fn teacher(world: &World) -> Self {
        Self {
            policy: "teacher".to_owned(),
            reward_top1: Some(world.teacher_top1),
            test_top1: None,
            macs: Some(world.teacher_cost.macs),
            parameters: Some(world.teacher_cost.parameters),
            preserve_ratio: Some(1.0),
            evaluations: 0,
        }
    }

    /// The row of a policy whose best candidate is `outcome`.
    pub fn new(policy: &str, outcome: Option<&Outcome>, evaluations: u64) -> Self {
        Self {
            policy: policy.to_owned(),
            reward_top1: outcome.map(|outcome| outcome.top1),
            test_top1: None,
            macs: outcome.map(|outcome| outcome.macs),
            parameters: outcome.map(|outcome| outcome.parameters),
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
    pub model: String,
    pub dataset: String,
    pub budget: String,
    pub target: f64,
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
    /// Time since the command was started.
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
    pub fn new(world: &World) -> Self {
        let (config, spec) = (&world.config, world.env.spec());
        let environment = &config.environment;
        Self {
            env: environment.id(),
            model: environment.model().to_owned(),
            dataset: environment.dataset().to_string(),
            budget: spec.budget.clone(),
            target: spec.target,
            reward: spec.reward.clone(),
            calibration_images: world.splits.calibration.len(),
            reward_images: environment.reward_size().unwrap_or(0),
            seed: config.seed,
            agent: None,
            episodes: config.episodes,
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

    /// The table, a line a policy.
    pub fn table(&self) -> String {
        let mut text = match self.target {
            // A game without a budget says what it is about by its reward.
            target if target >= 1.0 => format!("{}: {}\n", self.env, self.reward),
            target => {
                format!("{}: at most {} % of the {}\n", self.env, percent(target), unit_name(&self.budget))
            }
        };
        let head = ["policy", "reward top-1", "test top-1", "MACs", "parameters", "kept", "evaluations"];
        let rows = self.rows.iter().map(|row| {
            [
                row.policy.clone(),
                share(row.reward_top1),
                share(row.test_top1),
                count(row.macs),
                count(row.parameters),
                share(row.preserve_ratio),
                row.evaluations.to_string(),
            ]
        });
        let lines: Vec<[String; 7]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
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

/// A budget's unit in a sentence.
pub fn unit_name(unit: &str) -> &str {
    if unit == "macs" { "MACs" } else { "parameters" }
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
