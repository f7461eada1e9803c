//! What a transfer came to: a table and learning curves.

use std::{fmt::Write, path::Path};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Run};
use crate::{
    Error,
    chart::{self, Axis, Chart, Curve, LineChart, Point, Shape},
    curves::{Curves, Series},
    statistics::{Estimate, spread, spread_of},
};

/// Means over the first iterations; each an estimate over seeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Early {
    pub(crate) reward: Option<Estimate>,
    pub(crate) compression: Option<Estimate>,
    pub(crate) accuracy: Option<Estimate>,
}

impl Early {
    fn of(runs: &[Series], iterations: usize) -> Self {
        let figures: Vec<[Option<f64>; 3]> = runs.iter().map(|run| run.first(iterations)).collect();
        let over =
            |column: usize| Estimate::of(&figures.iter().filter_map(|row| row[column]).collect::<Vec<f64>>());
        Self { reward: over(0), compression: over(1), accuracy: over(2) }
    }
}

/// One pair of networks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) pretrained: Early,
    pub(crate) scratch: Early,
    pretrained_curves: Curves,
    scratch_curves: Curves,
}

/// All of a transfer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Transferred {
    pub(crate) game: String,
    pub(crate) seeds: Vec<u64>,
    /// Iterations that `pretrained` and `scratch` are means over: as many as were asked for and are
    /// there.
    pub(crate) first_iterations: usize,
    /// Iterations that were asked for; absent in files of version 0.1.
    #[serde(default)]
    pub(crate) asked_iterations: Option<usize>,
    pub(crate) rows: Vec<Row>,
}

impl Transferred {
    pub(super) fn new(plan: &Plan, played: &[(Run, Series)], asked: usize) -> Self {
        let of = |to: &str, from: Option<&str>| -> Vec<Series> {
            let matching = played.iter().filter(|(run, _)| run.to == to && run.from.as_deref() == from);
            matching.map(|(_, series)| series.clone()).collect()
        };
        let shortest = played.iter().map(|(_, series)| series.reward.len()).min().unwrap_or(0);
        let first = asked.min(shortest);
        let rows = plan.pairs().iter().map(|(from, to)| {
            let (pretrained, scratch) = (of(to, Some(from)), of(to, None));
            Row {
                from: from.clone(),
                to: to.clone(),
                pretrained: Early::of(&pretrained, first),
                scratch: Early::of(&scratch, first),
                pretrained_curves: Curves::of(&pretrained),
                scratch_curves: Curves::of(&scratch),
            }
        });
        Self {
            game: plan.game().to_owned(),
            seeds: plan.seeds().to_vec(),
            first_iterations: first,
            asked_iterations: Some(asked),
            rows: rows.collect(),
        }
    }

    /// Writes `transfer.json` and `curves.svg` into `out`.
    pub(super) fn save(&self, out: &Path) -> Result<(), Error> {
        let panels: Vec<[LineChart; 3]> = self.rows.iter().map(|row| self.panels(row)).collect();
        let rows: Vec<Vec<&dyn Chart>> =
            panels.iter().map(|row| row.iter().map(|panel| panel as &dyn Chart).collect()).collect();
        let text = chart::sheet("Policies transferred between networks", &rows);
        cgym_worlds::files::write_atomically(&out.join("curves.svg"), text.as_bytes())?;
        Ok(cgym_worlds::files::write_json(&out.join("transfer.json"), self)?)
    }

    /// What the cells of the table are.
    pub(crate) fn caption(&self) -> String {
        let there = match self.asked_iterations {
            Some(asked) if asked > self.first_iterations => {
                format!("all {} iterations that there are, of {asked} asked for", self.first_iterations)
            }
            _ => format!("the first {} iterations", self.first_iterations),
        };
        format!("means over {there}: interquartile mean, {}", self.spread())
    }

    /// What the ends of the estimates are.
    fn spread(&self) -> String {
        let found = self.rows.iter().flat_map(|row| [&row.pretrained.reward, &row.scratch.reward]);
        found.flatten().next().map_or_else(|| spread_of(self.seeds.len()), |one| spread(one.kind, one.count))
    }

    /// A line per pair and kind of start: networks, policy and three figures.
    pub(crate) fn lines(&self) -> Vec<[String; 5]> {
        let line = |row: &Row, kind: &str, early: &Early| {
            let [reward, compression, accuracy] =
                [&early.reward, &early.compression, &early.accuracy].map(cell);
            [format!("{} to {}", row.from, row.to), kind.to_owned(), reward, compression, accuracy]
        };
        let lines = self
            .rows
            .iter()
            .flat_map(|row| [line(row, "pre-trained", &row.pretrained), line(row, "scratch", &row.scratch)]);
        lines.collect()
    }

    /// A line a pair and kind of start.
    pub(super) fn table(&self) -> String {
        let mut text = format!("{}\n", self.caption());
        let head = ["networks", "policy", "reward", "compression", "accuracy"].map(str::to_owned);
        for [networks, kind, reward, compression, accuracy] in std::iter::once(head).chain(self.lines()) {
            writeln!(text, "{networks:<24} {kind:<12} {reward:>22} {compression:>22} {accuracy:>22}").ok();
        }
        text
    }

    /// Reward, compression and accuracy per iteration.
    pub(crate) fn panels(&self, row: &Row) -> [LineChart; 3] {
        let panel = |label: &str, y: Axis, of: fn(&Curves) -> &Vec<Option<Estimate>>| {
            let curve = |name: String, curves: &Curves| {
                let points = of(curves).iter().enumerate().filter_map(|(index, point)| {
                    let point = (*point)?;
                    Some(Point { x: index as f64 + 1.0, y: point.mean, low: point.low, high: point.high })
                });
                Curve { name, shape: Shape::Line, points: points.collect() }
            };
            LineChart {
                title: format!("{} to {}: {label}", row.from, row.to),
                description: format!(
                    "Interquartile mean of the {label} per iteration; the bands are the {}.",
                    self.spread()
                ),
                x: Axis::whole("iteration"),
                y,
                curves: vec![
                    curve(format!("pre-trained on {}", row.from), &row.pretrained_curves),
                    curve("from scratch".to_owned(), &row.scratch_curves),
                ],
            }
        };
        [
            panel("reward", Axis::plain("reward"), |curves| &curves.reward),
            panel("compression", Axis::percent("compression"), |curves| &curves.compression),
            panel("accuracy", Axis::percent("accuracy"), |curves| &curves.accuracy),
        ]
    }
}

fn cell(estimate: &Option<Estimate>) -> String {
    estimate.map_or("-".to_owned(), |of| format!("{:.3} ({:.3}, {:.3})", of.mean, of.low, of.high))
}
