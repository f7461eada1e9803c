//! The report of runs and transfers as one HTML page.

use std::path::{Path, PathBuf};

use cgym_worlds::files;
use serde::Serialize;

use super::{
    data::RunReport,
    figures,
    group::{self, Group},
    html, run_page,
};
use crate::{
    Error,
    chart::{Chart, DataTable, escape},
    commands::transfer::result::Transferred,
    run::directory,
    statistics::{Estimate, spread_of},
};

/// A folder of `cgym transfer`.
#[derive(Debug, Serialize)]
pub(crate) struct TransferReport {
    name: String,
    /// Its result; absent until it has finished.
    result: Option<Transferred>,
    /// Its runs, where it has not finished.
    runs: Vec<RunReport>,
}

/// Everything that a report tells.
#[derive(Debug, Serialize)]
pub struct Report {
    runs: Vec<RunReport>,
    /// The runs by environment, settings and agent.
    groups: Vec<Group>,
    transfers: Vec<TransferReport>,
}

impl Report {
    /// Reads run directories and folders of transfers.
    ///
    /// # Errors
    /// [`Error::File`] naming a folder that is neither, one that is given twice, or a damaged file.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let (mut runs, mut transfers, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            let place = path.canonicalize().unwrap_or_else(|_| path.clone());
            if seen.contains(&place) {
                return Err(Error::file(path, "is given twice; its seeds would count twice"));
            }
            seen.push(place);
            if path.join("plan.json").is_file() || path.join("transfer.json").is_file() {
                transfers.push(transfer(path)?);
                continue;
            }
            let run = RunReport::read(path).map_err(|error| match error {
                Error::File { path: of, reason } if of == *path && reason.contains("is no run directory") => {
                    Error::file(path, format!("{reason}, and no folder of a transfer: it has no `plan.json`"))
                }
                other => other,
            })?;
            runs.push(run);
        }
        let groups = group::groups(&runs);
        Ok(Self { runs, groups, transfers })
    }

    /// The page.
    pub fn page(&self) -> String {
        let mut body = String::new();
        let title = match (&self.runs[..], &self.transfers[..]) {
            ([run], []) => {
                body += &run_page::header(run);
                body += "<main>";
                body += &run_page::sections(run, "r1", 2);
                run.summary.env.clone()
            }
            ([], [transfer]) => {
                body += &format!(
                    "<header><p class=\"kind\">Transfer</p><h1>{}</h1></header><main>",
                    escape(&transfer.name)
                );
                body += &transfer_sections(transfer, "t1");
                format!("Transfer {}", transfer.name)
            }
            _ => {
                let count = format!("{} runs", self.runs.len() + self.transfers.len());
                // What all runs have in common is the title.
                let common = self.runs.first().map(|run| &run.summary.env);
                let common = common.filter(|env| {
                    self.transfers.is_empty() && self.runs.iter().all(|run| run.summary.env == **env)
                });
                let title = common.unwrap_or(&count).clone();
                body += &format!(
                    "<header><p class=\"kind\">Comparison of {count}</p><h1>{}</h1></header><main>",
                    escape(&title)
                );
                for (number, transfer) in self.transfers.iter().enumerate() {
                    body += &format!("<h2>Transfer {}</h2>", escape(&transfer.name));
                    body += &transfer_sections(transfer, &format!("t{}", number + 1));
                }
                body += &overview(&self.runs, &self.groups, "g", &title);
                if !self.runs.is_empty() {
                    body += "<h2>Every run</h2>";
                }
                for (number, run) in self.runs.iter().enumerate() {
                    body += &format!(
                        "<details class=\"run\"><summary><h2>{}</h2> {}</summary>{}{}</details>",
                        escape(&run.name),
                        run_page::badge(&run.summary),
                        run_page::lead(run),
                        run_page::sections(run, &format!("r{}", number + 1), 3)
                    );
                }
                title
            }
        };
        body += &format!(
            "</main><footer>Written by cgym {}. Results compare where environment and settings hash are equal.</footer>",
            env!("CARGO_PKG_VERSION")
        );
        html::page(&format!("{title} · compression-gym"), &body)
    }
}

/// Reads a folder of `cgym transfer`.
fn transfer(path: &Path) -> Result<TransferReport, Error> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = absolute.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let result = path.join("transfer.json");
    if result.is_file() {
        return Ok(TransferReport { name, result: Some(files::read_json(&result)?), runs: Vec::new() });
    }
    let folder = path.join("runs");
    let entries = std::fs::read_dir(&folder).map_err(|error| Error::file(&folder, error))?;
    let mut runs: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    runs.retain(|run| directory::check(run).is_ok());
    runs.sort();
    let runs = runs.iter().map(|run| RunReport::read(run)).collect::<Result<_, Error>>()?;
    Ok(TransferReport { name, result: None, runs })
}

fn transfer_sections(transfer: &TransferReport, id: &str) -> String {
    let Some(result) = &transfer.result else {
        let mut text = format!(
            "<p class=\"note\">This transfer has not finished: {} runs are there. The command that began it goes on \
             with it.</p>",
            transfer.runs.len()
        );
        text += &overview(&transfer.runs, &group::groups(&transfer.runs), &format!("{id}-g"), "");
        return text;
    };
    let caption = result.caption();
    let head = ["networks", "policy", "reward", "compression", "accuracy"].map(str::to_owned).to_vec();
    let rows = result.lines().into_iter().map(Vec::from).collect();
    let mut text = format!(
        "<section><p class=\"lead\">Game {}, seeds {}; {}.</p><div class=\"card\">{}</div></section><section>\
         <h2>Learning curves</h2>",
        escape(&result.game),
        result.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        escape(&caption),
        html::table(&caption, &DataTable { head, rows }, &[]),
    );
    text += "<div class=\"cards\">";
    for (number, row) in result.rows.iter().enumerate() {
        for (column, panel) in result.panels(row).iter().enumerate() {
            text += &html::figure(panel, &format!("{id}-{number}-{column}"), 3);
        }
    }
    text + "</div></section>"
}

/// Groups of runs by what they can be compared in: environment and settings. An environment that
/// is the page's title is not named again.
fn overview(runs: &[RunReport], groups: &[Group], id: &str, title: &str) -> String {
    let mut text = String::new();
    let mut arenas: Vec<(&str, &str)> = Vec::new();
    for group in groups {
        let arena = (group.env.as_str(), group.settings.as_str());
        if !arenas.contains(&arena) {
            arenas.push(arena);
        }
    }
    for (number, (env, settings)) in arenas.iter().enumerate() {
        let own: Vec<Group> =
            groups.iter().filter(|group| group.env == *env && group.settings == *settings).cloned().collect();
        text += &format!(
            "<section><h2>{}</h2><p class=\"lead\">settings {}</p>{}",
            if *env == title { "Results".to_owned() } else { escape(env) },
            escape(settings),
            notes(runs, &own)
        );
        text += &format!(
            "<div class=\"card\">{}<p class=\"lead under\">{}</p></div>",
            groups_table(&own),
            escape(&legend(&own))
        );
        let best = figures::curves(&own, "Best return so far", |group| &group.best_so_far);
        let returns = figures::curves(&own, "Return of each episode", |group| &group.returns);
        let candidates = figures::all_candidates(runs, &own);
        let kept = figures::kept_by_group(runs, &own);
        let charts: [Option<&dyn Chart>; 4] =
            [Some(&best), Some(&returns), Some(&candidates), kept.as_ref().map(|kept| kept as &dyn Chart)];
        text += "<div class=\"cards\">";
        for (place, chart) in charts.into_iter().flatten().enumerate() {
            text += &html::figure(chart, &format!("{id}{number}-{place}"), 3);
        }
        text += "</div></section>";
    }
    text
}

fn groups_table(groups: &[Group]) -> String {
    let head = ["agent", "seeds", "reward top-1", "test top-1", "kept", "best return"];
    let percent = |estimate: &Option<Estimate>| told(estimate, " %", |value| format!("{:.2}", 100.0 * value));
    let rows = groups.iter().map(|group| {
        vec![
            group.name.clone(),
            group.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
            percent(&group.reward_top1),
            percent(&group.test_top1),
            percent(&group.preserve_ratio),
            told(&group.best_return, "", |value| format!("{value:.4}")),
        ]
    });
    let table = DataTable { head: head.map(str::to_owned).to_vec(), rows: rows.collect() };
    html::table("Results by agent", &table, &[])
}

/// What the numbers in brackets are.
fn legend(groups: &[Group]) -> String {
    let mut counts: Vec<usize> = groups.iter().map(|group| group.runs.len()).collect();
    counts.sort_unstable();
    counts.dedup();
    let spreads: Vec<String> = counts.into_iter().filter(|&count| count > 1).map(spread_of).collect();
    match spreads.is_empty() {
        true => "One seed each: differences may be chance.".to_owned(),
        false => format!("Interquartile mean; in brackets the {}.", spreads.join(" or the ")),
    }
}

/// What keeps the numbers of groups from being compared as they stand.
fn notes(runs: &[RunReport], groups: &[Group]) -> String {
    let mut notes = Vec::new();
    for group in groups {
        let mut seeds = group.seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        if seeds.len() < group.seeds.len() {
            notes.push(format!(
                "{}: several runs have the same seed and are no independent values.",
                group.name
            ));
        }
        let unfinished = group.runs.iter().filter(|&&run| !runs[run].summary.finished).count();
        if unfinished > 0 {
            notes.push(format!(
                "{}: {unfinished} of {} runs have not finished and are told as far as they got.",
                group.name,
                group.runs.len()
            ));
        }
    }
    notes.iter().map(|note| format!("<p class=\"note\">{}</p>", escape(note))).collect()
}

fn told(estimate: &Option<Estimate>, unit: &str, value: impl Fn(f64) -> String) -> String {
    match estimate {
        None => "-".to_owned(),
        Some(one) if one.count == 1 => value(one.mean) + unit,
        Some(of) => format!("{}{unit} ({} to {})", value(of.mean), value(of.low), value(of.high)),
    }
}
