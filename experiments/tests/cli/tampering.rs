//! Files of a run that were changed are noticed before they are used.

use std::fs;

use crate::common::{Place, flip};

/// A short finished run.
fn finished(place: &Place, out: &str) {
    place.search(&["--out", out]).ok();
}

#[test]
fn settings_that_were_edited_are_refused() {
    let place = Place::new();
    finished(&place, "whole");
    place.copy_unfinished("whole", "run");
    let file = place.path("run/config.toml");
    let text = fs::read_to_string(&file).expect("settings");
    for (from, to) in [
        ("share = 0.3", "share = 0.4"),
        ("seed = 7", "seed = 8"),
        ("points = 2", "points = 3"),
        ("warmup = 4", "warmup = 5"),
        ("refit = true", "refit = false"),
        ("episodes = 14", "episodes = 13"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        fs::write(&file, edited).expect("written");
        for command in ["resume", "validate", "export"] {
            let more = if command == "export" { &["--out", "exported"][..] } else { &[] };
            let ended = place.run(&[&[command, "run"], more].concat());
            assert_eq!(ended.code, Some(2), "{from}, {command}: {}", ended.stderr);
            assert!(ended.stderr.contains("is not as it was when the run was made"), "{}", ended.stderr);
        }
    }
    fs::write(&file, "").expect("written");
    let ended = place.run(&["validate", "run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    // Threads change no result.
    fs::write(&file, text.replacen("[run]", "[run]\nthreads = 1", 1)).expect("written");
    place.run(&["resume", "run"]).ok();
    place.result("run").assert_is(&place.result("whole"));
}

#[test]
fn a_renamed_checkpoint_is_passed_over() {
    let place = Place::new();
    finished(&place, "whole");
    place.copy_unfinished("whole", "run");
    let folder = place.path("run/checkpoints");
    let newest = |name: &str| folder.join(name);
    fs::rename(newest("episode-000015"), newest("episode-000099")).expect("renamed");
    let ended = place.run(&["resume", "run"]).ok();
    assert!(ended.stderr.contains("was saved as episode 15: its folder was renamed"), "{}", ended.stderr);
    assert!(ended.stderr.contains("resuming after episode 12"), "{}", ended.stderr);
    place.result("run").assert_is(&place.result("whole"));
}

#[test]
fn a_best_network_that_was_changed_is_not_exported() {
    let place = Place::new();
    finished(&place, "run");
    place.search(&["--out", "other", "--set", "run.seed=8"]).ok();
    let export = |out: &str| place.run(&["export", "run", "--out", out]);
    for name in ["weights.safetensors", "graph.json", "episode.json", "manifest.json"] {
        let file = place.path("run/best").join(name);
        let bytes = fs::read(&file).expect("a file");
        flip(&file, bytes.len() / 2);
        for command in [&["export", "run", "--out", "x"][..], &["distill", "run", "--out", "x"]] {
            let ended = place.run(command);
            assert_eq!(ended.code, Some(2), "{name}: {}", ended.stderr);
        }
        assert!(!place.path("x").exists());
        fs::write(&file, bytes).expect("written");
    }
    export("sound").ok();
    // Another run's best network, whole and intact.
    fs::rename(place.path("run/best"), place.path("aside")).expect("renamed");
    fs::rename(place.path("other/best"), place.path("run/best")).expect("renamed");
    let ended = export("foreign");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("of this run"), "{}", ended.stderr);
    assert_eq!(place.run(&["validate", "run", "--sample", "0"]).code, Some(1));
}

#[test]
fn validate_finds_changes_in_every_file() {
    let place = Place::new();
    finished(&place, "run");
    place.run(&["validate", "run"]).ok();
    let edits = [
        ("summary.json", "\"played\": 15", "\"played\": 14", "summary.json: `played`"),
        ("summary.json", "\"reward_top1\": 0.", "\"reward_top1\": 0.1", "summary.json: `rows`"),
        ("summary.json", "\"seed\": 7", "\"seed\": 8", "summary.json: `seed`"),
        ("baselines.jsonl", "\"top1\":0.", "\"top1\":0.1", "baselines.jsonl, episode 0 of uniform: "),
        ("baselines.jsonl", "\"policy\":\"uniform\"", "\"policy\":\"shallow\"", "summary.json: `rows`"),
    ];
    for (name, from, to, expected) in edits {
        let file = place.path("run").join(name);
        let text = fs::read_to_string(&file).expect("a file");
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        fs::write(&file, edited).expect("written");
        let ended = place.run(&["validate", "run"]);
        assert_eq!(ended.code, Some(1), "{name}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains(expected), "{name}, {to}: {}", ended.stdout);
        fs::write(&file, text).expect("written");
    }
    // The seed of an episode, in the file and so in every digest of it.
    let file = place.path("run/episodes.jsonl");
    let text = fs::read_to_string(&file).expect("episodes");
    let start = text.find("\"seed\":").expect("a seed") + 7;
    let mut edited = text.clone();
    edited.insert(start, '1');
    fs::write(&file, edited).expect("written");
    let ended = place.run(&["validate", "run"]);
    assert!(ended.stdout.contains("episode 0: seed "), "{}", ended.stdout);
}
