//! Sweeps: runs like lone ones, stops at any moment, refusals.

use std::{fs, process::Child, time::Duration};

use serde_json::{Value, json};

use crate::common::{Ended, Place, refused};

/// Settings of seconds.
const QUICK: [&str; 11] = [
    "--episodes",
    "8",
    "--set",
    "data.reward_images=40",
    "--set",
    "score.calibration_images=40",
    "--set",
    "score.points=2",
    "--set",
    "run.checkpoint_every=3",
    "--json",
];
/// Two agents, two budgets, two seeds: 8 runs.
const PLAN: [&str; 13] = [
    "sweep",
    "--agents",
    "ddpg,random",
    "--budgets",
    "macs=0.5,0.7",
    "--seeds",
    "1..2",
    "--set-for",
    "ddpg:hidden=[8, 8]",
    "--set-for",
    "ddpg:warmup=4",
    "--set-for",
    "ddpg:batch=8",
];
const RUNS: [&str; 8] = [
    "macs0.5-ddpg-seed1",
    "macs0.5-ddpg-seed2",
    "macs0.5-random-seed1",
    "macs0.5-random-seed2",
    "macs0.7-ddpg-seed1",
    "macs0.7-ddpg-seed2",
    "macs0.7-random-seed1",
    "macs0.7-random-seed2",
];

fn arguments<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&PLAN[..], &QUICK, &["--out", out], more].concat()
}

/// The sweep without baselines.
fn bare(out: &str) -> Vec<&str> {
    arguments(out, &["--no-baselines"])
}

#[track_caller]
fn assert_same_runs(place: &Place, one: &str, other: &str) {
    for run in RUNS {
        place.result(&format!("{one}/runs/{run}")).assert_is(&place.result(&format!("{other}/runs/{run}")));
    }
    let rows = |out: &str| {
        let text = fs::read(place.path(out).join("result.json")).expect("a result");
        let result: Value = serde_json::from_slice(&text).expect("JSON");
        let groups = result["comparisons"].as_array().expect("comparisons").clone();
        let groups = groups.iter().flat_map(|of| of["groups"].as_array().expect("groups").clone());
        groups.map(|group| (group["label"].clone(), group["reward_top1"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(rows(one), rows(other));
}

#[test]
fn every_run_of_a_sweep_is_a_run_of_its_own() {
    let place = Place::new();
    let swept = place.run(&arguments("swept", &[])).ok();
    assert!(swept.stderr.contains("14/14 "), "{}", swept.stderr);
    assert!(
        swept.stderr.lines().any(|line| line.starts_with("3/14 macs") && line.contains(" % (eta ")),
        "{}",
        swept.stderr
    );
    let result = swept.json();
    assert_eq!((&result["finished"], &result["done"]), (&json!(true), &json!(14)));
    assert_eq!(result["differing"], json!({ "budget.share": [0.5, 0.7] }));
    let comparisons = result["comparisons"].as_array().expect("comparisons");
    for (comparison, budget) in comparisons.iter().zip([0.5, 0.7]) {
        assert_eq!(comparison["budget"], budget);
        let groups = comparison["groups"].as_array().expect("groups");
        let of: Vec<(&str, &Value)> =
            groups.iter().map(|group| (group["agent"].as_str().expect("a name"), &group["seeds"])).collect();
        let (one, both) = (json!([1]), json!([1, 2]));
        let expected =
            [("uniform", &one), ("shallow", &one), ("deep", &one), ("ddpg", &both), ("random", &both)];
        assert_eq!(of, expected);
        for group in &groups[3..] {
            assert_eq!(group["evaluations"]["mean"], 9.0, "{group}");
            let top1 = &group["reward_top1"];
            assert!(top1["low"].as_f64() <= top1["mean"].as_f64(), "{group}");
            assert!(group["test_top1"]["mean"].is_number() && group["macs"]["mean"].is_number(), "{group}");
            assert!(group["preserve_ratio"]["high"].as_f64() <= Some(budget), "{group}");
        }
    }
    let points = result["pareto"].as_array().expect("points");
    assert_eq!(points.len(), 10);
    assert!(points.iter().any(|point| point["optimal"] == true));
    let csv = fs::read_to_string(place.path("swept/result.csv")).expect("rows");
    assert_eq!(csv.lines().count(), 11, "{csv}");

    let lone = [
        &[
            "search",
            "--agent",
            "ddpg",
            "--budget",
            "macs=0.5",
            "--seed",
            "2",
            "--out",
            "lone",
            "--no-baselines",
        ][..],
        &["--set", "agent.hidden=[8, 8]", "--set", "agent.warmup=4", "--set", "agent.batch=8"],
        &QUICK,
    ];
    place.run(&lone.concat()).ok();
    place.result("lone").assert_is(&place.result("swept/runs/macs0.5-ddpg-seed2"));
    for command in
        [&["validate", "swept/runs/macs0.7-random-seed1"][..], &["resume", "swept/runs/macs0.7-deep-seed1"]]
    {
        place.run(command).ok();
    }

    // Once more: nothing is played, and the result is the same. In other words: refused.
    let saved = fs::read(place.path("swept/result.json")).expect("a result");
    let again = place.run(&arguments("swept", &["--jobs", "1", "--threads", "2"])).ok();
    assert!(again.stderr.contains("14 of 14 runs are finished"), "{}", again.stderr);
    assert!(!again.stderr.contains("loading"), "{}", again.stderr);
    assert!(fs::read(place.path("swept/result.json")).expect("a result") == saved);
    for (more, words) in [
        (&["--set", "score.points=3"][..], "score.points is 2 there, 3 here"),
        (&["--set", "run.episodes=9"], "episodes is 8 there, 9 here"),
        (&["--set-for", "random:fill_budget=true"], "agents.random.fill_budget is absent there, true here"),
        (&["--no-baselines"], "baselines is true there, false here"),
    ] {
        let other = place.run(&arguments("swept", more));
        assert_eq!(other.code, Some(2), "{}", other.stderr);
        assert!(other.stderr.contains(words), "{}", other.stderr);
    }
    let other = place.run(&["sweep", "--agents", "random", "--seeds", "1", "--out", "lone"]);
    assert_eq!(other.code, Some(2));
    assert!(other.stderr.contains("lone: already exists and holds no sweep"), "{}", other.stderr);
}

/// Waits until a run of `out` has begun; the sweep must still be running.
#[cfg(unix)]
fn wait_for_a_run(place: &Place, out: &str, child: &mut Child) {
    let begun = || RUNS.iter().any(|run| place.lines(&format!("{out}/runs/{run}")) > 0);
    while !begun() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before a run had begun");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(unix)]
fn send(signal: &str, child: &Child) {
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

#[cfg(unix)]
#[test]
fn a_stopped_sweep_continues_with_the_same_result() {
    let place = Place::new();
    place.run(&bare("whole")).ok();

    // Its children play on; the next sweep waits for them.
    let mut child = place.start(&bare("killed"));
    wait_for_a_run(&place, "killed", &mut child);
    child.kill().expect("a child");
    child.wait().expect("a child");
    let swept = place.run(&bare("killed")).ok();
    assert_eq!(swept.json()["finished"], true);
    assert_same_runs(&place, "killed", "whole");

    let mut child = place.start(&bare("stopped"));
    wait_for_a_run(&place, "stopped", &mut child);
    let second = place.run(&bare("stopped"));
    assert_eq!(second.code, Some(2));
    assert!(second.stderr.contains("another process sweeps in this folder"), "{}", second.stderr);
    send("-INT", &child);
    let ended: Ended = child.wait_with_output().expect("a child").into();
    let result = ended.json();
    assert_eq!(ended.code, Some(if result["finished"] == false { 130 } else { 0 }), "{}", ended.stderr);
    if result["finished"] == false {
        assert!(ended.stderr.contains("finishing the current episode of each run"), "{}", ended.stderr);
        assert!(!place.path("stopped/result.json").exists());
        let swept = place.run(&bare("stopped")).ok();
        assert!(swept.stderr.contains(" runs are finished, "), "{}", swept.stderr);
    }
    assert_same_runs(&place, "stopped", "whole");
}

#[test]
fn a_run_that_fails_is_told_and_the_others_are_played() {
    let place = Place::new();
    place.run(&bare("swept")).ok();
    let [damaged, gone] = ["swept/runs/macs0.5-ddpg-seed1", "swept/runs/macs0.7-random-seed2"];
    fs::remove_dir_all(place.path(gone)).expect("removed");
    fs::remove_file(place.path(damaged).join("summary.json")).expect("removed");
    fs::remove_dir_all(place.path(damaged).join("checkpoints")).expect("removed");
    let episodes = place.path(damaged).join("episodes.jsonl");
    let text = fs::read_to_string(&episodes).expect("episodes");
    let changed = text.replacen("\"actions\":[[0.", "\"actions\":[[0.1", 1);
    assert_ne!(changed, text);
    fs::write(&episodes, changed).expect("written");

    let swept = place.run(&bare("swept"));
    assert_eq!(swept.code, Some(1), "{}", swept.stderr);
    let result = swept.json();
    assert!(swept.stderr.contains("6 of 8 runs are finished, 1 begun"), "{}", swept.stderr);
    assert!(swept.stderr.contains("macs0.5-ddpg-seed1 failed: "), "{}", swept.stderr);
    assert!(swept.stderr.contains("line 1: played again it is unlike its record"), "{}", swept.stderr);
    assert!(swept.stderr.contains("macs0.5-ddpg-seed1.log)"), "{}", swept.stderr);
    assert!(swept.stderr.contains("7/8 macs0.7-random-seed2: "), "{}", swept.stderr);
    assert_eq!((&result["finished"], &result["done"]), (&json!(false), &json!(7)));
    assert_eq!(result["failed"][0]["run"], "macs0.5-ddpg-seed1");
    let group = &result["comparisons"][0]["groups"][0];
    assert_eq!((&group["seeds"], &group["unfinished"][0]["seed"]), (&json!([2]), &json!(1)));
}

#[test]
fn what_a_sweep_cannot_play_is_refused_before_anything_is_played() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (&["--agents", "random,dpg", "--seeds", "1"], "did you mean `ddpg`?"),
        (&["--agents", "", "--seeds", "1"], "--agents"),
        (&["--agents", "cem,cem", "--seeds", "1"], "the name cem is given twice"),
        (&["--agents", "cem", "--seeds", ""], "--seeds"),
        (&["--agents", "cem", "--seeds", "5..1"], "5..1 is empty"),
        (&["--agents", "cem", "--seeds", "a"], "`a` is not a seed"),
        (&["--agents", "cem", "--seeds", "1.."], "--seeds"),
        (&["--agents", "cem", "--seeds", "1..100000000000"], "at most 1000"),
        (&["--agents", "cem", "--seeds", "1", "--budgets", ""], "--budgets"),
        (&["--agents", "cem", "--seeds", "1", "--budgets", "macs=0.5,0.01"], "the least that can is 0.2278"),
        (&["--agents", "cem", "--seeds", "1", "--budgets", "macs=0.5", "--budget", "macs=0.4"], "--budgets"),
        (&["--agents", "cem", "--seeds", "1", "--jobs", "0"], "jobs"),
        (&["--agents", "cem", "--seeds", "1", "--threads", "0"], "threads"),
        (&["--agents", "cem", "--seeds", "1", "--seed", "2"], "give --seeds"),
        (&["--agents", "cem", "--seeds", "1", "--agent", "ddpg"], "give --agents"),
        (&["--agents", "cem", "--seeds", "1", "--set", "run.pretrained=x"], "cgym transfer"),
        (&["--agents", "cem,ddpg", "--seeds", "1", "--set", "agent.warmup=3"], "--set-for cem:warmup=3"),
        (
            &["--agents", "cem", "--seeds", "1", "--set-for", "ddpg:warmup=3"],
            "`ddpg` is not among the agents",
        ),
        (&["--agents", "cem", "--seeds", "1", "--set-for", "cem:elits=3"], "agent.elits"),
        (&["--agents", "cem", "--seeds", "1", "--set-for", "elite=3"], "AGENT:KEY=VALUE"),
        (&["--agents", "cem", "--seeds", "1", "--envs", "AMC-ResNet20-Digits-MACs51-v0,none"], "none"),
        (
            &[
                "--agents",
                "cem",
                "--seeds",
                "1",
                "--envs",
                "AMC-ResNet20-Digits-MACs30-v0,AMC-ResNet20-Digits-MACs50-v0",
                "--budgets",
                "macs=0.5",
            ],
            "leave one out",
        ),
        (&["--agents", "cem", "--seeds", "1", "--weights", "missing.pt"], "missing.pt"),
    ];
    for (more, words) in cases {
        refused(&place, &[&["sweep", "--out", "swept"], *more].concat(), &[words]);
        assert!(!place.path("swept").exists(), "{more:?} left a folder");
    }
}
