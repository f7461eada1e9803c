//! Commands beside `search` that go on after a stop, and runs that are extended.

use std::fs;

use crate::common::{Place, TINY};

/// Everything that two folders must have in common: their files, but for times.
#[track_caller]
fn assert_same(place: &Place, one: &str, other: &str, names: &[&str]) {
    for name in names {
        let read = |folder: &str| fs::read(place.path(folder).join(name)).expect("a file");
        assert!(read(one) == read(other), "{name} of {one} and {other}");
    }
}

#[test]
fn a_killed_final_training_goes_on_to_the_same_bytes() {
    let place = Place::new();
    place.search(&["--out", "run", "--no-baselines"]).ok();
    for command in ["distill", "finetune"] {
        let train = |out: &str| {
            let words = [command, "run", "--epochs", "4", "--batch", "64", "--out", out];
            words.map(str::to_owned)
        };
        let whole = format!("{command}-whole");
        let words = train(&whole);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        place.run(&words).ok();
        let broken = format!("{command}-broken");
        let words = train(&broken);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        for epoch in 1..=3 {
            let mut child = place.start(&words);
            let checkpoint = place.path(&broken).join(format!("checkpoints/epoch-{epoch:06}"));
            while !checkpoint.is_dir() && child.try_wait().expect("a child").is_none() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            child.kill().ok();
            child.wait().expect("a child");
        }
        let other = place.run(&[command, "run", "--epochs", "5", "--batch", "64", "--out", &broken]);
        if !place.path(&broken).join("manifest.json").is_file() {
            assert_eq!(other.code, Some(2));
            assert!(other.stderr.contains("holds work with other settings (options)"), "{}", other.stderr);
            place.run(&words).ok();
        }
        assert_same(&place, &whole, &broken, &["graph.json", "weights.safetensors"]);
        assert!(!place.path(&broken).join("checkpoints").exists());
        let again = place.run(&words);
        assert_eq!(again.code, Some(2));
        assert!(again.stderr.contains("is finished and never overwritten"), "{}", again.stderr);
    }
}

#[test]
fn killed_baselines_go_on_to_the_same_bytes() {
    let place = Place::new();
    let settings = ["--set", "data.reward_images=40", "--set", "score.points=2", "--episodes", "40"];
    let play = |out: &'static str| {
        [&["baselines", "--agents", "uniform,random", "--out", out], &settings[..]].concat()
    };
    place.run(&play("whole")).ok();
    let mut child = place.start(&play("broken"));
    let lines = || {
        let text = fs::read_to_string(place.path("broken/baselines.jsonl")).unwrap_or_default();
        text.lines().count()
    };
    while lines() < 7 && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().ok();
    child.wait().expect("a child");
    place.run(&play("broken")).ok();
    assert_same(&place, "whole", "broken", &["baselines.jsonl", "config.toml"]);
    let again = place.run(&play("broken"));
    assert!(again.stderr.contains("is finished and never overwritten"), "{}", again.stderr);
}

#[test]
fn a_finished_run_is_extended_and_the_longer_one_resumes_as_well() {
    let place = Place::new();
    let started = |out: &str| {
        place.search(&["--out", out]).ok();
    };
    started("once");
    let early = place.run(&["resume", "once", "--episodes", "13"]);
    assert_eq!(early.code, Some(2));
    assert!(early.stderr.contains("episodes: the run has 14; give more than that"), "{}", early.stderr);
    // The same number again only shows the result.
    place.run(&["resume", "once", "--episodes", "14"]).ok();
    let short = place.result("once");
    let extended = place.run(&["resume", "once", "--episodes", "25", "--json"]).ok().json();
    assert_eq!((&extended["episodes"], &extended["played"]), (&25.into(), &26.into()));
    let long = place.result("once");
    let own = |episodes: &str| episodes.lines().map(|line| line.len()).sum::<usize>();
    assert!(own(&long.episodes) > own(&short.episodes));
    assert!(long.episodes.starts_with(&short.episodes));
    place.run(&["validate", "once"]).ok();
    assert!(place.path("once/summary-14.json").is_file());

    // The same in a folder that is killed after the extension.
    started("twice");
    let mut child = place.start(&["resume", "twice", "--episodes", "25"]);
    place.wait_for("twice", 19, &mut child);
    child.kill().ok();
    child.wait().expect("a child");
    place.run(&["resume", "twice", "--episodes", "25"]).ok();
    place.result("twice").assert_is(&long);
    // Its settings are not those of a new run.
    let new = place.run(&["search", "--config", "twice/config.toml", "--out", "new"]);
    assert_eq!(new.code, Some(2));
    assert!(new.stderr.contains("--set run.extended_from=[] --episodes 14"), "{}", new.stderr);
    // And once more.
    let more = place.run(&["resume", "twice", "--episodes", "28", "--json"]).ok().json();
    assert_eq!(more["played"], 29);
    place.run(&["validate", "twice"]).ok();
}

#[test]
fn what_cannot_go_on_is_not_extended_and_stays_as_it_is() {
    let place = Place::new();
    place.search(&["--out", "run", "--no-baselines"]).ok();
    fs::remove_dir_all(place.path("run/checkpoints")).expect("removed");
    let lost = place.run(&["resume", "run", "--episodes", "30"]);
    assert_eq!(lost.code, Some(2));
    assert!(lost.stderr.contains("checkpoint after its last episode is missing"), "{}", lost.stderr);
    place.run(&["validate", "run"]).ok();
    // Greedy ends when nothing is left to lower.
    let few = ["--set", "data.reward_images=40", "--set", "score.points=2", "--no-baselines"];
    place
        .run(&[&["search", "--agent", "greedy", "--episodes", "40", "--out", "greedy"], &few[..]].concat())
        .ok();
    let ended = place.run(&["resume", "greedy", "--episodes", "300"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("`greedy` ended by itself after"), "{}", ended.stderr);
    place.run(&["validate", "greedy"]).ok();
}

#[test]
fn an_unfinished_run_is_not_extended() {
    let place = Place::new();
    place.search(&["--out", "whole", "--no-baselines"]).ok();
    place.copy_unfinished("whole", "run");
    let ended = place.run(&["resume", "run", "--episodes", "30"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("has not finished its 14 episodes"), "{}", ended.stderr);
}

#[test]
fn a_run_without_baselines_is_resumed_without_them() {
    let place = Place::new();
    place.search(&["--out", "whole", "--no-baselines"]).ok();
    place.copy_unfinished("whole", "run");
    let summary = place.run(&["resume", "run", "--json"]).ok().json();
    assert_eq!(summary["rows"].as_array().map(Vec::len), Some(2), "{summary}");
    assert!(!place.path("run/baselines.jsonl").exists());
}

#[test]
fn an_export_of_an_unfinished_run_says_so() {
    let place = Place::new();
    place.search(&["--out", "whole", "--no-baselines"]).ok();
    place.copy_unfinished("whole", "run");
    let ended = place.run(&["export", "run", "--out", "network", "--json"]).ok();
    assert!(ended.stderr.contains("the run is not finished"), "{}", ended.stderr);
    assert_eq!(ended.json()["finished"], false);
    let search = [&TINY[..], &["--network", "network", "--out", "next", "--no-baselines"]].concat();
    place.run(&search).ok();
    crate::common::flip(&place.path("network/weights.safetensors"), 5000);
    let damaged = place.run(&[&TINY[..], &["--network", "network", "--out", "third"]].concat());
    assert_eq!(damaged.code, Some(2));
    assert!(damaged.stderr.contains("weights.safetensors: is damaged"), "{}", damaged.stderr);
}
