//! What a transfer came to: a table and learning curves.

use std::{fmt::Write, path::Path};

use serde::Serialize;

use super::plan::{Plan, Run};
use crate::{
    Error,
    curves::{Curves, Series},
    plot::{self, Curve, Panel},
    statistics::Estimate,
};

/// Means over the first iterations; each an estimate over seeds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Early {
    reward: Option<Estimate>,
    compression: Option<Estimate>,
    accuracy: Option<Estimate>,
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
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    from: String,
    to: String,
    pretrained: Early,
    scratch: Early,
    pretrained_curves: Curves,
    scratch_curves: Curves,
}

/// All of a transfer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Transferred {
    game: String,
    seeds: Vec<u64>,
    /// Iterations that `pretrained` and `scratch` are means over.
    first_iterations: usize,
    rows: Vec<Row>,
}

impl Transferred {
    pub(super) fn new(plan: &Plan, played: &[(Run, Series)], first: usize) -> Self {
        let of = |to: &str, from: Option<&str>| -> Vec<Series> {
            let matching = played.iter().filter(|(run, _)| run.to == to && run.from.as_deref() == from);
            matching.map(|(_, series)| series.clone()).collect()
        };
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
        let rows = rows.collect();
        Self { game: plan.game().to_owned(), seeds: plan.seeds().to_vec(), first_iterations: first, rows }
    }

    /// Writes `transfer.json` and `curves.svg` into `out`.
    pub(super) fn save(&self, out: &Path) -> Result<(), Error> {
        let panels: Vec<Vec<Panel>> = self.rows.iter().map(panels).collect();
        plot::draw(&out.join("curves.svg"), &panels)?;
        Ok(cgym_worlds::files::write_json(&out.join("transfer.json"), self)?)
    }

    /// A line a pair and kind of start.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "means over the first {} iterations: interquartile mean of {} seeds, 95 % bootstrap interval\n\
             {:<24} {:<12} {:>22} {:>22} {:>22}\n",
            self.first_iterations,
            self.seeds.len(),
            "networks",
            "policy",
            "reward",
            "compression",
            "accuracy",
        );
        for row in &self.rows {
            for (kind, early) in [("pre-trained", &row.pretrained), ("scratch", &row.scratch)] {
                let cells = [&early.reward, &early.compression, &early.accuracy].map(cell);
                writeln!(
                    text,
                    "{:<24} {kind:<12} {:>22} {:>22} {:>22}",
                    format!("{} to {}", row.from, row.to),
                    cells[0],
                    cells[1],
                    cells[2]
                )
                .ok();
            }
        }
        text
    }
}

fn cell(estimate: &Option<Estimate>) -> String {
    estimate.map_or("-".to_owned(), |of| format!("{:.3} ({:.3}, {:.3})", of.mean, of.low, of.high))
}

fn panels(row: &Row) -> Vec<Panel> {
    let (pretrained, scratch) = (&row.pretrained_curves, &row.scratch_curves);
    let panel = |label: &str, of: &dyn Fn(&Curves) -> &Vec<Option<Estimate>>| {
        let curve = |name: String, curves: &Curves| Curve { name, points: of(curves).clone() };
        Panel {
            title: format!("{} to {}", row.from, row.to),
            label: label.to_owned(),
            curves: vec![
                curve(format!("pre-trained on {}", row.from), pretrained),
                curve("from scratch".to_owned(), scratch),
            ],
        }
    };
    vec![
        panel("reward", &|curves| &curves.reward),
        panel("compression", &|curves| &curves.compression),
        panel("accuracy", &|curves| &curves.accuracy),
    ]
}
