//! `report`: pages of runs, their numbers, and what they refuse.

use std::fs;

use serde_json::Value;

use crate::common::{Place, TINY, refused};

/// The page of `runs`, checked for what every page keeps to.
#[track_caller]
fn page(place: &Place, runs: &[&str], out: &str) -> String {
    place.run(&[&["report"], runs, &["--out", out]].concat()).ok();
    let text = fs::read_to_string(place.path(out)).expect("a page");
    assert!(text.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{}", &text[..80]);
    let lower = text.to_lowercase();
    for word in ["<script", "javascript:", "<link", "@import", "url(", " src=", " href=", " onload"] {
        assert!(!lower.contains(word), "{word}");
    }
    // The name of SVG's namespace is no address that is loaded.
    assert!(!text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").contains("http"), "an address");
    assert!(!text.contains("NaN"), "a number that is none");
    balanced(&text);
    ids_are_unique(&text);
    text
}

/// Every element is closed in its order; attributes are quoted.
#[track_caller]
fn balanced(text: &str) {
    const VOID: [&str; 3] = ["meta", "br", "hr"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let end = rest[start..].find('>').expect("the end of a tag") + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed before `{}`", &rest[..rest.len().min(80)]);
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        assert!(!name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric()), "{tag}");
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("the end of the style")..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[track_caller]
fn ids_are_unique(text: &str) {
    let mut ids: Vec<&str> =
        text.split(" id=\"").skip(1).map(|rest| &rest[..rest.find('"').expect("a quote")]).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    let named = text.matches("role=\"img\"").count();
    assert_eq!(text.matches("<desc").count(), named, "every figure is described");
}

fn row(cells: &[String]) -> String {
    let (head, cells) = cells.split_first().expect("a first cell");
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<th scope=\"row\">{head}</th>{cells}")
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// (cost, accuracy) of every candidate of a run's agent and baselines, with policy and episode.
fn candidates(place: &Place, run: &str, agent: &str) -> Vec<(f64, f64, String, usize)> {
    let of = |policy: &str, episode: &Value, index: usize| {
        let outcome = &episode["outcome"];
        (number(&outcome["preserve_ratio"]), number(&outcome["top1"]), policy.to_owned(), index)
    };
    let episodes = place.episodes(run);
    let mut all: Vec<_> =
        episodes.iter().enumerate().map(|(index, episode)| of(agent, episode, index)).collect();
    let text = fs::read_to_string(place.path(run).join("baselines.jsonl")).expect("baselines");
    let mut counts = std::collections::BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let policy = line["policy"].as_str().expect("a name").to_owned();
        let index = counts.entry(policy.clone()).or_insert(0);
        all.push(of(&policy, &line["episode"], *index));
        *index += 1;
    }
    all
}

#[test]
fn a_page_of_a_finished_run_says_what_its_records_say() {
    let place = Place::new();
    let summary = place.search(&["--out", "run", "--profile", "--json"]).ok().json();
    let text = page(&place, &["run"], "report.html");
    for word in ["AMC-ResNet20-Digits-MACs30-v0", "finished", "Kept per layer", "agent learn", "config.toml"]
    {
        assert!(text.contains(word), "{word}");
    }
    assert!(!text.contains("unfinished"));
    assert_eq!(text.matches("role=\"img\"").count(), 8, "curves, candidates, layers of five policies, time");
    for of in ["settings", "fingerprint"] {
        assert!(text.contains(summary[of].as_str().expect("text")), "{of}");
    }
    // The table of results.
    for policy in summary["rows"].as_array().expect("rows") {
        let name = policy["policy"].as_str().expect("a name");
        let cells =
            [name.to_owned(), percent(number(&policy["reward_top1"])), percent(number(&policy["test_top1"]))];
        assert!(text.contains(&row(&cells)), "{cells:?}");
    }
    // Returns and the best so far.
    let episodes = place.episodes("run");
    let mut best = f64::NEG_INFINITY;
    for (index, episode) in episodes.iter().enumerate() {
        let value = number(&episode["episodic_return"]);
        best = best.max(value);
        let cells = [index.to_string(), format!("{best:.4}"), format!("{value:.4}")];
        assert!(text.contains(&row(&cells)), "{cells:?}");
    }
    // What is kept at each layer.
    let sites = place.run(&["describe", "AMC-ResNet20-Digits-MACs30-v0", "--json"]).ok().json();
    let sites = sites["decisions"].as_array().expect("decisions").clone();
    let kept = &episodes[summary["best_episode"].as_u64().expect("a best") as usize]["outcome"]["kept"];
    for (site, kept) in sites.iter().zip(kept.as_array().expect("numbers")) {
        let (kept, whole) = (kept.as_u64().expect("a number"), site["whole"].as_u64().expect("a number"));
        let share = percent(kept as f64 / whole as f64);
        let cells = [
            site["layer"].as_str().expect("a name").to_owned(),
            format!("{share} ({kept} of {whole} channels)"),
        ];
        assert!(text.contains(&row(&cells)), "{cells:?}");
    }
    // The Pareto front: exactly the candidates that no other beats.
    let all = candidates(&place, "run", "ddpg");
    let mut seen = Vec::new();
    for (cost, top1, policy, index) in &all {
        let beaten = all.iter().any(|(c, t, ..)| (c <= cost && t >= top1) && (c < cost || t > top1));
        let cells = [policy.clone(), format!("episode {index}"), percent(*cost), percent(*top1)];
        let first = !seen.contains(&(*cost, *top1));
        seen.push((*cost, *top1));
        assert_eq!(text.contains(&row(&cells)), !beaten && first, "{cells:?}");
    }
    // The same data as one object.
    let data = place.run(&["report", "run", "--json"]).ok().json();
    assert_eq!(data["runs"][0]["summary"]["rows"], summary["rows"]);
    assert_eq!(data["runs"][0]["policies"][0]["kept"], *kept);
    // The command on the page repeats the run.
    let command = data["runs"][0]["command"].as_str().expect("a command");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let again: Vec<&str> =
        words.iter().map(|&word| if word == "NEW_FOLDER" { "again" } else { word }).collect();
    place.run(&[&again[..], &["--no-baselines"]].concat()).ok();
    assert_eq!(place.result("again").episodes, place.result("run").episodes);
}

#[test]
fn a_page_is_the_same_bytes_each_time_and_never_overwritten() {
    let place = Place::new();
    place.search(&["--out", "run", "--no-baselines"]).ok();
    let first = page(&place, &["run"], "a.html");
    assert_eq!(page(&place, &["run"], "b.html"), first);
    refused(&place, &["report", "run", "--out", "a.html"], &["a.html", "never overwritten"]);
    refused(&place, &["report", "run", "--out", "none/a.html"], &["none", "is no folder"]);
    refused(&place, &["report", "run", "--out", "run"], &["never overwritten"]);
    assert_eq!(fs::read_to_string(place.path("a.html")).expect("a page"), first);
}

#[test]
fn an_unfinished_run_is_told_as_far_as_it_got() {
    let place = Place::new();
    place.search(&["--out", "run", "--no-baselines"]).ok();
    place.copy_unfinished("run", "part");
    let log = fs::read_to_string(place.path("run").join("episodes.jsonl")).expect("episodes");
    let lines: Vec<&str> = log.lines().collect();
    for count in [0, 1, 5] {
        let mut text: String = lines[..count].iter().map(|line| format!("{line}\n")).collect();
        // As a killed process leaves it.
        text += &lines[count][..20];
        fs::write(place.path("part").join("episodes.jsonl"), text).expect("written");
        let text = page(&place, &["part"], &format!("part-{count}.html"));
        assert!(
            text.contains("unfinished") && text.contains(&format!("{count} of 14 exploring episodes")),
            "{count}"
        );
        assert_eq!(text.contains("There is no admissible candidate yet."), count == 0);
    }
    let data = place.run(&["report", "part", "--json"]).ok().json();
    assert_eq!(data["runs"][0]["summary"]["finished"], false);
    assert_eq!(data["runs"][0]["policies"][0]["candidates"].as_array().map(Vec::len), Some(5));
    assert_eq!(data["runs"][0]["summary"]["settings"], place.episodes("run")[0]["settings"]);
}

#[test]
fn seeds_of_one_agent_are_taken_together_and_other_settings_apart() {
    let place = Place::new();
    for (out, more) in [
        ("a", &["--seed", "1"][..]),
        ("b", &["--seed", "2"]),
        ("c", &["--seed", "3"]),
        ("other", &["--seed", "1", "--set", "agent.warmup=3"]),
    ] {
        place.run(&[&TINY[..17], &["--no-baselines", "--out", out], more].concat()).ok();
    }
    let data = place.run(&["report", "a", "b", "c", "other", "--json"]).ok().json();
    let groups = data["groups"].as_array().expect("groups");
    let names: Vec<&str> = groups.iter().filter_map(|group| group["name"].as_str()).collect();
    assert_eq!(names, ["ddpg, agent.warmup = 4", "ddpg, agent.warmup = 3"]);
    assert_eq!(groups[0]["seeds"], serde_json::json!([1, 2, 3]));
    // Mean and range per episode.
    let returns = ["a", "b", "c"].map(|run| number(&place.episodes(run)[4]["episodic_return"]));
    let least = returns.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = returns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let of = &groups[0]["returns"][4];
    assert_eq!((number(&of["low"]), number(&of["high"])), (least, greatest));
    assert_eq!((&of["kind"], &of["count"]), (&"range".into(), &3.into()));
    let text = page(&place, &["a", "b", "c", "other"], "all.html");
    for word in ["4 runs", "range of 3 seeds", "Best return so far", "agent.warmup = 3"] {
        assert!(text.contains(word), "{word}");
    }
    assert!(!text.contains("bootstrap"), "three seeds have no interval");
    refused(&place, &["report", "a", "./a", "--json"], &["is given twice"]);
}

#[test]
fn names_cannot_become_markup() {
    let place = Place::new();
    let evil = "<script>alert(1)<b a='\"&";
    place.search(&["--out", "run"]).ok();
    // What an unfinished run is made of is not sealed yet.
    place.copy_unfinished("run", evil);
    let played = fs::read_to_string(place.path("run").join("baselines.jsonl")).expect("baselines");
    let name = serde_json::to_string(evil).expect("JSON");
    fs::write(place.path(evil).join("baselines.jsonl"), played.replace("\"random\"", &name))
        .expect("written");
    let text = page(&place, &[evil], "one.html");
    assert!(text.contains("&lt;script&gt;alert(1)&lt;b a=&#39;&quot;&amp;"));
    place.run(&["search", "--agent", "uniform", "--no-baselines", "--out", "other"]).ok();
    let text = page(&place, &[evil, "other"], "two.html");
    assert!(text.contains("&lt;script&gt;"));
}

#[test]
fn a_run_whose_network_is_gone_has_numbered_layers() {
    let place = Place::new();
    place.search(&["--out", "first", "--no-baselines"]).ok();
    place.search(&["--network", "first", "--budget", "macs=0.8", "--out", "second", "--no-baselines"]).ok();
    let named = page(&place, &["second"], "named.html");
    assert!(named.contains("layer1.0.conv2") && !named.contains("decision 1"));
    fs::remove_dir_all(place.path("first")).expect("removed");
    let numbered = page(&place, &["second"], "numbered.html");
    assert!(numbered.contains("decision 1") && numbered.contains("Layers have numbers"));
}

#[test]
fn the_layers_of_n2n_are_drawn_and_removed_ones_struck_through() {
    let place = Place::new();
    let sets = ["data.reward_images=40", "score.training_images=64", "score.epochs=1", "agent.hidden=6"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let start =
        ["search", "--env", "N2N-Removal-ResNet20-Digits-v0", "--episodes", "6", "--out", "run", "--json"];
    let summary = place.run(&[&start, &sets[..]].concat()).ok().json();
    let text = page(&place, &["run"], "report.html");
    let best = summary["best_episode"].as_u64().expect("a best") as usize;
    let kept = place.episodes("run")[best]["outcome"]["kept"].clone();
    let removed = kept.as_array().expect("numbers").iter().filter(|kept| **kept == 0).count();
    assert!(removed > 0, "the best of this seed removes something");
    assert_eq!(text.matches("<li class=\"removed").count(), removed);
    assert!(text.contains(&format!("layers {removed} are removed")) && text.contains("<del>"));
    let chained =
        ["search", "--game", "n2n-shrinkage", "--network", "run", "--episodes", "6", "--out", "smaller"];
    place.run(&[&chained, &sets[..6]].concat()).ok();
    let text = page(&place, &["smaller"], "smaller.html");
    assert!(text.contains("<li class=\"shrunk") && text.contains("filters 16 →"));
}

#[test]
fn what_is_no_run_is_refused_with_its_name() {
    let place = Place::new();
    refused(&place, &["report", "nowhere", "--json"], &["nowhere", "there is no such run directory"]);
    fs::create_dir(place.path("empty")).expect("a folder");
    refused(&place, &["report", "empty", "--json"], &["empty", "config.toml", "plan.json"]);
    place.search(&["--out", "run", "--no-baselines"]).ok();
    refused(&place, &["report", "run"], &["--out"]);
    for (file, text, words) in [
        ("summary.json", "{", "summary.json"),
        ("episodes.jsonl", "{}\n", "line 1 is not an episode"),
        ("baselines.jsonl", "{}\n{}\n", "line 1 is not an episode"),
        ("config.toml", "[run]\nsed = 1\n", "config.toml"),
        ("teacher.json", "[]", "teacher.json"),
    ] {
        place.copy_unfinished("run", file);
        fs::write(place.path(file).join(file), text).expect("written");
        refused(&place, &["report", file, "--json"], &[words]);
    }
}

#[test]
fn a_search_ends_with_a_picture_of_its_best() {
    let place = Place::new();
    let ended = place.search(&["--out", "run", "--no-baselines"]).ok();
    let picture: Vec<&str> =
        ended.stdout.lines().skip_while(|line| !line.contains("kept per layer")).collect();
    let summary: Value =
        serde_json::from_slice(&fs::read(place.path("run").join("summary.json")).expect("read"))
            .expect("JSON");
    let best = summary["best_episode"].as_u64().expect("a best") as usize;
    let kept = place.episodes("run")[best]["outcome"]["kept"].clone();
    for (line, kept) in picture[1..].iter().zip(kept.as_array().expect("numbers")) {
        assert!(line.starts_with("layer") && line.contains(&format!("  {kept} of ")), "{line}");
    }
    let shown: Vec<&&str> = picture.iter().take_while(|line| !line.starts_with("saved to")).collect();
    assert!(shown.len() <= 40 && shown.iter().all(|line| line.chars().count() <= 60), "{shown:?}");
    assert!(
        ended.stdout.contains("best return so far") && ended.stdout.contains("saved to run"),
        "{}",
        ended.stdout
    );
}
