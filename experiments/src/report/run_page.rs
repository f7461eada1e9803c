//! The part of a page that is about one run.

use cgym_teachers::cost::Cost;

use super::{
    Summary, count,
    data::RunReport,
    figures, html, percent,
    sites::{Fate, LayerBox, Meaning},
    unit_title,
};
use crate::chart::{DataTable, escape, sparkline};

/// The head of a page about one run.
pub(super) fn header(run: &RunReport) -> String {
    format!("<header><p class=\"kind\">Search</p><h1>{}</h1>{}</header>", escape(&run.summary.env), lead(run))
}

/// What was searched for, with what, and how far it got.
pub(super) fn lead(run: &RunReport) -> String {
    let summary = &run.summary;
    let aim = match summary.budget {
        Some(share) => format!("at most {} % of the {}", percent(share), unit_title(&summary.unit)),
        None => format!("reward {}", summary.reward),
    };
    let mut text = format!(
        "<p class=\"lead\">{} on {}, {}: {}. Seed {}, {} episodes. {}</p>",
        escape(&run.agent().name),
        escape(&summary.model),
        escape(&summary.dataset),
        escape(&aim),
        summary.seed,
        summary.played,
        badge(summary)
    );
    if !summary.finished {
        text += &format!(
            "<p class=\"note\">This run has not finished: {} of {} exploring episodes are played. Everything below is \
             as far as it got; without the test images and the baselines.</p>",
            summary.played, summary.episodes
        );
    }
    text
}

/// Whether a run has finished.
pub(super) fn badge(summary: &Summary) -> &'static str {
    match summary.finished {
        true => "<span class=\"badge done\">finished</span>",
        false => "<span class=\"badge open\">unfinished</span>",
    }
}

/// Everything about a run; ids begin with `id`, headings are of `level`.
pub(super) fn sections(run: &RunReport, id: &str, level: u8) -> String {
    let section = |title: &str, body: String| match body.is_empty() {
        true => String::new(),
        false => format!("<section><h{level}>{title}</h{level}>{body}</section>"),
    };
    let figure =
        |chart: &dyn crate::chart::Chart, name: &str| html::figure(chart, &format!("{id}-{name}"), level + 1);
    let searched = match run.agent().candidates.is_empty() {
        true => String::new(),
        false => format!(
            "<div class=\"cards\">{}{}</div>",
            figure(&figures::search(run), "search"),
            figure(&figures::candidates(run), "candidates")
        ),
    };
    let mut text = tiles(run);
    text += &section("Results", format!("<div class=\"card\">{}</div>", results(run)));
    text += &section("Search", searched);
    text += &section("Kept per layer", kept(run, id, level));
    text += &section("Layers of the best network", layers(&run.layers));
    text += &section("Time", time(run, id, level));
    text + &section("Settings", settings(run))
}

/// The numbers that a reader looks for first.
fn tiles(run: &RunReport) -> String {
    let summary = &run.summary;
    let (Some(row), Some(best)) = (run.row().filter(|row| row.reward_top1.is_some()), run.agent().best)
    else {
        return "<p class=\"note\">There is no admissible candidate yet.</p>".to_owned();
    };
    let teacher = summary.rows.iter().find(|row| row.policy == "teacher");
    let share =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{:.2} %", 100.0 * value));
    let beside = |of: fn(&super::Row) -> Option<f64>| {
        teacher.and_then(of).map_or(String::new(), |value| format!("teacher {:.2} %", 100.0 * value))
    };
    let mut tiles = String::new();
    for (name, of) in [
        ("Top-1, reward images", (|row| row.reward_top1) as fn(&super::Row) -> Option<f64>),
        ("Top-1, test images", |row| row.test_top1),
    ] {
        if let Some(top1) = of(row) {
            tiles += &html::tile(name, &share(Some(top1)), &beside(of), &html::meter(top1));
        }
    }
    let cost = |row: &super::Row| {
        let unit: cgym_env::BudgetUnit = summary.unit.parse().ok()?;
        let [macs, parameters, weight_bytes] =
            [row.macs, row.parameters, row.bytes].map(|cost| cost.unwrap_or(0));
        Some(unit.of(&Cost { macs, parameters, weight_bytes, activation_bytes: 0 })).filter(|&cost| cost > 0)
    };
    let of = match (cost(row), teacher.and_then(cost)) {
        (Some(cost), Some(whole)) => format!("{} of {}", count(Some(cost)), count(Some(whole))),
        _ => String::new(),
    };
    let unit = capital(unit_title(&summary.unit));
    tiles += &html::tile(
        &format!("{unit} kept"),
        &share(row.preserve_ratio),
        &of,
        &html::meter(row.preserve_ratio.unwrap_or(0.0)),
    );
    let rise: Vec<f64> = run.agent().best_so_far().into_iter().flatten().collect();
    tiles += &html::tile(
        "Best return",
        &run.agent().best_return().map_or_else(|| "-".to_owned(), |best| format!("{best:.4}")),
        &format!("episode {best}"),
        &sparkline(&rise, (150.0, 26.0)),
    );
    format!("<dl class=\"tiles\">{tiles}</dl>")
}

/// `text` with its first letter in upper case.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn results(run: &RunReport) -> String {
    let cells = run.summary.cells();
    let own = run.summary.rows.iter().rposition(|row| row.policy == run.agent().name);
    let [head, rows @ ..] = cells.as_slice() else { return String::new() };
    let table = DataTable { head: head.clone(), rows: rows.to_vec() };
    html::table("Results", &table, &own.into_iter().collect::<Vec<_>>())
}

/// Bars of the best candidates: the agent's large, the baselines' small.
fn kept(run: &RunReport, id: &str, level: u8) -> String {
    if run.meaning != Meaning::Amount {
        return String::new();
    }
    let Some(own) = figures::kept(run, 0, false) else { return String::new() };
    let text = match &run.unnamed {
        Some(reason) => format!(
            "<p class=\"note\">Layers have numbers, and shares are those of the actions: {}</p>",
            escape(reason)
        ),
        None => String::new(),
    };
    let wide = own.is_wide();
    let own = html::figure(&own, &format!("{id}-kept-0"), level + 1);
    let others: String = (1..run.policies.len())
        .filter_map(|index| figures::kept(run, index, true).map(|chart| (index, chart)))
        .map(|(index, chart)| html::figure(&chart, &format!("{id}-kept-{index}"), level + 1))
        .collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!("<div class=\"cards small\">{others}</div>"),
    };
    text + &match wide {
        true => format!("{own}{others}"),
        false => format!("<div class=\"cards\">{own}{others}</div>"),
    }
}

/// The parts of the time: a figure and a table.
fn time(run: &RunReport, id: &str, level: u8) -> String {
    let (Some(chart), Some(profile)) = (figures::time(run), run.summary.profile) else {
        return String::new();
    };
    let (whole, episodes) = (profile.seconds(), profile.episodes.max(1) as f64);
    let row = |(part, seconds): (&str, f64)| {
        let share = 100.0 * seconds / whole.max(f64::MIN_POSITIVE);
        vec![
            part.to_owned(),
            format!("{seconds:.3}"),
            format!("{:.3}", 1e3 * seconds / episodes),
            format!("{share:.1} %"),
        ]
    };
    let rows: Vec<Vec<String>> = profile.parts().into_iter().chain([("whole", whole)]).map(row).collect();
    let strong = [rows.len() - 1];
    let head = ["part", "seconds", "ms/episode", "share"].map(str::to_owned).to_vec();
    format!(
        "<div class=\"cards\">{}<div class=\"card\">{}</div></div>",
        html::figure(&chart, &format!("{id}-time"), level + 1),
        html::table("Time by part", &DataTable { head, rows }, &strong)
    )
}

/// The layers as boxes, in their order; removed ones are struck through.
fn layers(layers: &[LayerBox]) -> String {
    if layers.is_empty() {
        return String::new();
    }
    let count = |fate: Fate| layers.iter().filter(|layer| layer.fate == fate).count();
    let item = |layer: &LayerBox| {
        let heavy = if layer.heavy { " heavy" } else { "" };
        let (class, name) = match layer.fate {
            Fate::Kept => ("kept", escape(&layer.name)),
            Fate::Shrunk => ("shrunk", escape(&layer.name)),
            Fate::Removed => {
                ("removed", format!("<del>{}</del> <span class=\"sr\">removed</span>", escape(&layer.name)))
            }
            Fate::Dropped => (
                "dropped",
                format!("<del>{}</del> <span class=\"sr\">removed with others</span>", escape(&layer.name)),
            ),
        };
        let changes = layer.changes.iter().map(|change| {
            let share = 100.0 * change.after as f64 / change.before.max(1) as f64;
            format!(
                "{}<small>{} {} → {} ({share:.0} %)</small>",
                html::meter(share / 100.0),
                change.value,
                change.before,
                change.after
            )
        });
        let changes: String = changes.collect();
        format!("<li class=\"{class}{heavy}\">{name}<small>{}</small>{changes}</li>", escape(&layer.kind))
    };
    let gone = match count(Fate::Dropped) {
        0 => String::new(),
        dropped => format!(", {dropped} went with them"),
    };
    format!(
        "<div class=\"card\"><p class=\"lead\">Of {} layers {} are removed{gone}, {} are smaller; from input to output.\
         </p><ol class=\"layers\">{}</ol></div>",
        layers.len(),
        count(Fate::Removed),
        count(Fate::Shrunk),
        layers.iter().map(item).collect::<String>()
    )
}

fn settings(run: &RunReport) -> String {
    let summary = &run.summary;
    let known = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let mut facts = vec![
        ("settings hash", known(&summary.settings)),
        ("reward images", summary.reward_images.to_string()),
        ("calibration images", summary.calibration_images.to_string()),
        ("exploring episodes", summary.episodes.to_string()),
        ("run", summary.run.as_ref().map_or_else(String::new, |run| run.display().to_string())),
        ("fingerprint of weights and images", known(&summary.fingerprint)),
    ];
    if summary.finished {
        facts.insert(4, ("seconds", format!("{:.1}", summary.seconds)));
    }
    facts.push(("version", run.version.clone()));
    let command = match &run.command {
        Some(command) => {
            format!("<p>Play it again:</p><pre class=\"command\"><code>{}</code></pre>", escape(command))
        }
        None => "<p>The agent is not built in: the program that made the run plays it again.</p>".to_owned(),
    };
    format!(
        "<div class=\"card\">{}{command}<details><summary>config.toml</summary><pre tabindex=\"0\"><code>{}</code></pre>\
         </details></div>",
        html::facts(&facts),
        escape(&run.config)
    )
}
