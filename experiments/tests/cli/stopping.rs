//! Interrupts, full disks, two processes at once.

use crate::common::{Place, TINY};

#[cfg(unix)]
#[test]
fn a_terminated_search_saves_and_says_how_to_go_on() {
    let place = Place::new();
    place.search(&["--out", "whole"]).ok();
    let mut child = place.start(&[&TINY, ["--out", "run", "--json"].as_slice()].concat());
    assert!(place.wait_for("run", 2, &mut child));
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    let ended: crate::common::Ended = child.wait_with_output().expect("a child").into();
    let ended = ended.ok();
    let summary = ended.json();
    if summary["finished"] == false {
        assert!(ended.stderr.contains("interrupted after"), "{}", ended.stderr);
        assert_eq!(summary["rows"][1]["policy"], "ddpg");
        let resumed = place.run(&["resume", "run", "--json"]).ok();
        assert!(resumed.stderr.contains("resuming after episode"), "{}", resumed.stderr);
        assert_eq!(resumed.json()["finished"], true);
    }
    place.result("run").assert_is(&place.result("whole"));
}

#[test]
fn a_second_process_is_kept_out() {
    let place = Place::new();
    let long = [
        "search",
        "--episodes",
        "100000",
        "--agent",
        "random",
        "--set",
        "data.reward_images=40",
        "--set",
        "score.refit=false",
    ];
    let mut child = place.start(&[&long, ["--out", "run"].as_slice()].concat());
    assert!(place.wait_for("run", 1, &mut child));
    let second = place.run(&["resume", "run"]);
    child.kill().expect("a child");
    child.wait().expect("a child");
    assert_eq!(second.code, Some(2));
    assert!(second.stderr.contains("another process plays in this run directory"), "{}", second.stderr);
}

/// A limit on the size of files stands for a full disk: a write fails half-way.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_search_and_what_is_saved_stays_valid() {
    let place = Place::new();
    place.search(&["--out", "whole"]).ok();
    let words: Vec<String> =
        [&TINY, ["--out", "run"].as_slice()].concat().iter().map(|word| format!("'{word}'")).collect();
    let script =
        format!("trap '' XFSZ; ulimit -f 3; exec '{}' {}", env!("CARGO_BIN_EXE_cgym"), words.join(" "));
    let mut shell = std::process::Command::new("sh");
    let ended = shell.args(["-c", &script]).current_dir(place.path("")).output().expect("a shell");
    let ended = crate::common::Ended::from(ended);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("error: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot be written"), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot log for TensorBoard"), "{}", ended.stderr);
    place.run(&["resume", "run"]).ok();
    place.result("run").assert_is(&place.result("whole"));
}
