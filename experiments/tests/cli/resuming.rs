//! A search that was killed and resumed is, to the byte, the one that was not.

use std::fs;

use crate::common::{Place, RunResult, TINY};

/// The unbroken run in `whole`.
fn unbroken(place: &Place) -> RunResult {
    place.search(&["--out", "whole"]).ok();
    place.result("whole")
}

#[test]
fn killing_at_several_moments_changes_nothing() {
    let place = Place::new();
    let whole = unbroken(&place);
    let arguments = [&TINY, ["--out", "broken"].as_slice()].concat();
    let mut child = place.start(&arguments);
    let mut resumed = Vec::new();
    for lines in [1, 2, 4, 7, 9, 13, 15] {
        place.wait_for("broken", lines, &mut child);
        child.kill().ok();
        child.wait().expect("a child");
        resumed = vec!["resume", "broken"];
        child = place.start(&resumed);
    }
    child.wait().expect("a child");
    place.run(&resumed).ok();
    place.result("broken").assert_is(&whole);
    assert!(!place.path("broken/.best.tmp").exists());
}

#[test]
fn whatever_is_left_of_a_run_is_enough() {
    let place = Place::new();
    let whole = unbroken(&place);
    let bytes = whole.episodes.as_bytes();
    let line = bytes.len() / 15;
    // Nothing, half a line, a line less one byte, most of it, all.
    for (number, length) in [0, line / 2, 5 * line + 3, bytes.len() - 1, bytes.len()].into_iter().enumerate()
    {
        let copy = format!("cut-{number}");
        place.copy_unfinished("whole", &copy);
        fs::write(place.path(&copy).join("episodes.jsonl"), &bytes[..length]).expect("written");
        fs::remove_dir_all(place.path(&copy).join("best")).expect("removed");
        place.run(&["resume", &copy]).ok();
        place.result(&copy).assert_is(&whole);
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let place = Place::new();
    let whole = unbroken(&place);
    place.copy_unfinished("whole", "damaged");
    let folder = place.path("damaged/checkpoints");
    let mut checkpoints: Vec<_> =
        fs::read_dir(&folder).expect("checkpoints").map(|entry| entry.expect("an entry").path()).collect();
    checkpoints.sort();
    assert_eq!(checkpoints.len(), 2, "the last two are kept: {checkpoints:?}");
    // One flipped bit in the newest, no manifest in the older one.
    let agent = checkpoints[1].join("agent/agent.bin");
    let mut bytes = fs::read(&agent).expect("an agent");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&agent, bytes).expect("written");
    let ended = place.run(&["resume", "damaged"]).ok();
    assert!(ended.stderr.contains("passing over a checkpoint"), "{}", ended.stderr);
    assert!(ended.stderr.contains("resuming after episode 12"), "{}", ended.stderr);
    place.result("damaged").assert_is(&whole);

    place.copy_unfinished("whole", "bare");
    fs::remove_file(
        place
            .path("bare/checkpoints")
            .join(checkpoints[0].file_name().expect("a name"))
            .join("manifest.json"),
    )
    .expect("removed");
    fs::remove_dir_all(place.path("bare/checkpoints").join(checkpoints[1].file_name().expect("a name")))
        .expect("removed");
    let ended = place.run(&["resume", "bare", "--threads", "1"]).ok();
    assert!(ended.stderr.contains("resuming after episode 0"), "{}", ended.stderr);
    place.result("bare").assert_is(&whole);
}

#[test]
fn replaying_costs_no_evaluation_and_a_changed_record_is_named() {
    let place = Place::new();
    let whole = unbroken(&place);
    place.copy_unfinished("whole", "replayed");
    fs::remove_dir_all(place.path("replayed/checkpoints")).expect("removed");
    fs::copy(place.path("whole/baselines.jsonl"), place.path("replayed/baselines.jsonl")).expect("copied");
    let summary = place.run(&["resume", "replayed", "--json"]).ok().json();
    assert_eq!(summary["evaluated"], 0);

    place.copy_unfinished("whole", "changed");
    fs::remove_dir_all(place.path("changed/checkpoints")).expect("removed");
    let changed = whole.episodes.replacen("\"actions\":[[0.", "\"actions\":[[0.1", 1);
    assert_ne!(changed, whole.episodes);
    fs::write(place.path("changed/episodes.jsonl"), changed).expect("written");
    let ended = place.run(&["resume", "changed"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("played again it is unlike its record"), "{}", ended.stderr);
}

#[test]
fn a_finished_run_is_only_shown_and_never_overwritten() {
    let place = Place::new();
    let first = place.search(&["--out", "run", "--json"]).ok().json();
    let files = place.result("run");
    let shown = place.run(&["resume", "run", "--json"]).ok().json();
    assert_eq!(first["rows"], shown["rows"]);
    let again = place.search(&["--out", "run"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("already exists and is never overwritten"), "{}", again.stderr);
    place.result("run").assert_is(&files);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let place = Place::new();
    place.search(&["--out", "one", "--threads", "1"]).ok();
    place.search(&["--out", "three", "--threads", "3"]).ok();
    place.result("three").assert_is(&place.result("one"));
}
