//! Comparisons as a table for people and as rows of a CSV file.

use std::fmt::Write;

use serde_json::Value;

use super::{Comparison, Comparisons, Group};
use crate::{report, statistics::Estimate};

/// Seeds from which on an estimate has an interval instead of a range.
const INTERVAL_FROM: usize = 8;
const HEAD: [&str; 8] =
    ["agent", "seeds", "top-1, reward split", "top-1, test split", "kept", "MACs", "evaluations", "seconds"];

impl Comparisons {
    /// A section per comparison, then what a reader must know.
    pub fn table(&self) -> String {
        let sections: Vec<Vec<[String; 8]>> = self.comparisons.iter().map(Comparison::lines).collect();
        let head = HEAD.map(str::to_owned);
        let widths = widths(std::iter::once(&head).chain(sections.iter().flatten()));
        let mut text = String::new();
        for (comparison, lines) in self.comparisons.iter().zip(&sections) {
            if !text.is_empty() {
                text.push('\n');
            }
            text += &comparison.title();
            for line in std::iter::once(&head).chain(lines) {
                text += &aligned(line, &widths);
            }
        }
        let counts = || self.comparisons.iter().flat_map(|of| &of.groups).map(|group| group.seeds.len());
        if counts().any(|count| (2..INTERVAL_FROM).contains(&count)) {
            writeln!(text, "up to {} seeds: mean (least, greatest)", INTERVAL_FROM - 1).ok();
        }
        if counts().any(|count| count >= INTERVAL_FROM) {
            writeln!(text, "from {INTERVAL_FROM} seeds on: interquartile mean (95 % bootstrap interval)")
                .ok();
        }
        if self.comparisons.len() > 1 {
            text += "sections do not compare with each other; they differ in:\n";
            for (key, values) in &self.differing {
                let values: Vec<String> = values.iter().map(value).collect();
                writeln!(text, "  {key}: {}", values.join(", ")).ok();
            }
        }
        for note in &self.notes {
            writeln!(text, "note: {note}").ok();
        }
        text
    }

    /// One line per group, with a head.
    pub fn csv(&self) -> String {
        let figures = [
            "reward_top1",
            "test_top1",
            "preserve_ratio",
            "macs",
            "parameters",
            "bytes",
            "evaluations",
            "seconds",
        ];
        let mut head: Vec<String> =
            ["env", "settings", "unit", "budget", "agent", "label", "episodes", "seeds", "unfinished"]
                .map(str::to_owned)
                .to_vec();
        for figure in figures {
            head.extend([figure.to_owned(), format!("{figure}_low"), format!("{figure}_high")]);
        }
        let mut lines = vec![head];
        for comparison in &self.comparisons {
            for group in &comparison.groups {
                let mut line = vec![
                    comparison.env.clone(),
                    comparison.settings.clone().unwrap_or_default(),
                    comparison.unit.clone(),
                    comparison.budget.map(|share| share.to_string()).unwrap_or_default(),
                    group.agent.clone(),
                    group.label.clone(),
                    group.episodes.to_string(),
                    group.seeds.len().to_string(),
                    group.unfinished.len().to_string(),
                ];
                for estimate in group.estimates() {
                    line.extend(match estimate {
                        Some(of) => [of.mean, of.low, of.high].map(|figure| figure.to_string()),
                        None => Default::default(),
                    });
                }
                lines.push(line);
            }
        }
        lines.iter().map(|line| csv_line(line)).collect()
    }
}

/// The width of each column.
pub fn widths<'a, const COLUMNS: usize>(
    lines: impl Iterator<Item = &'a [String; COLUMNS]>,
) -> [usize; COLUMNS] {
    let mut widths = [0; COLUMNS];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// A line of columns, the first to the left and the others to the right.
pub fn aligned<const COLUMNS: usize>(line: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
    let mut text = format!("{:<w$}", line[0], w = widths[0]);
    for (cell, width) in line.iter().zip(widths).skip(1) {
        write!(text, "  {cell:>width$}").ok();
    }
    text + "\n"
}

/// One line of a CSV file.
pub fn csv_line(cells: &[String]) -> String {
    let quoted = |cell: &String| match cell.contains([',', '"', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    };
    cells.iter().map(quoted).collect::<Vec<String>>().join(",") + "\n"
}

impl Comparison {
    fn title(&self) -> String {
        let hash = self.settings.as_ref().map(|hash| format!(" (settings {hash})")).unwrap_or_default();
        let budget = self.budget.map(|share| {
            let percent = (1e6 * share).round() / 1e4;
            format!(": at most {percent} % of the {}", report::unit_title(&self.unit))
        });
        format!("{}{hash}{}\n", self.env, budget.unwrap_or_default())
    }

    fn lines(&self) -> Vec<[String; 8]> {
        let share = |value: Option<f64>| value.map_or("-".to_owned(), |value| percent(value) + " %");
        let teacher = self.teacher.iter().map(|row| {
            [
                row.policy.clone(),
                "-".to_owned(),
                share(row.reward_top1),
                share(row.test_top1),
                share(row.preserve_ratio),
                report::count(row.macs),
                "-".to_owned(),
                "-".to_owned(),
            ]
        });
        teacher.chain(self.groups.iter().map(Group::line)).collect()
    }
}

impl Group {
    fn estimates(&self) -> [Option<Estimate>; 8] {
        [
            self.reward_top1,
            self.test_top1,
            self.preserve_ratio,
            self.macs,
            self.parameters,
            self.bytes,
            self.evaluations,
            self.seconds,
        ]
    }

    fn line(&self) -> [String; 8] {
        let total = self.seeds.len() + self.unfinished.len();
        let seeds = match self.unfinished.len() {
            0 => total.to_string(),
            _ => format!("{} of {total}", self.seeds.len()),
        };
        let mean = |estimate: Option<Estimate>| estimate.map(|of| of.mean);
        [
            self.label.clone(),
            seeds,
            accuracy(self.reward_top1),
            accuracy(self.test_top1),
            mean(self.preserve_ratio).map_or("-".to_owned(), |value| percent(value) + " %"),
            report::count(mean(self.macs).map(|value| value.round() as u64)),
            mean(self.evaluations).map_or("-".to_owned(), |value| format!("{value:.0}")),
            mean(self.seconds).map_or("-".to_owned(), |value| format!("{value:.1}")),
        ]
    }
}

fn percent(value: f64) -> String {
    format!("{:.2}", 100.0 * value)
}

/// An accuracy, with its interval where there are several seeds.
pub fn accuracy(estimate: Option<Estimate>) -> String {
    match estimate {
        None => "-".to_owned(),
        Some(of) if of.count == 1 => percent(of.mean) + " %",
        Some(of) => format!("{} % ({}, {})", percent(of.mean), percent(of.low), percent(of.high)),
    }
}

/// A value of a setting, strings without quotes.
pub fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}
