//! Interrupts, full disks, two processes at once.

use crate::common::{Ended, Place, TINY};

/// Sends `signal` to a command and waits for its end.
#[cfg(unix)]
fn signalled(child: std::process::Child, signal: &str) -> Ended {
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    child.wait_with_output().expect("a child").into()
}

/// A search that does not end before it is stopped.
const LONG: [&str; 9] = [
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

#[cfg(unix)]
#[test]
fn a_terminated_search_saves_and_says_how_to_go_on() {
    let place = Place::new();
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let out = format!("run{code}");
        let mut child = place.start(&[&LONG, ["--out", &out, "--json"].as_slice()].concat());
        assert!(place.wait_for(&out, 2, &mut child));
        let ended = signalled(child, signal);
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains("finishing this episode; once more to stop now"), "{}", ended.stderr);
        assert!(ended.stderr.contains("interrupted after"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
        let summary = ended.json();
        assert_eq!(summary["finished"], false);
        assert_eq!(summary["played"], place.lines(&out));
        place.run(&["validate", &out, "--sample", "2"]).ok();
    }
}

#[cfg(unix)]
#[test]
fn a_terminated_search_resumes_to_the_same_bytes() {
    let place = Place::new();
    place.search(&["--out", "whole"]).ok();
    let mut child = place.start(&[&TINY, ["--out", "run"].as_slice()].concat());
    place.wait_for("run", 3, &mut child);
    let ended = signalled(child, "-TERM");
    // It may have been done already.
    assert!([Some(0), Some(143)].contains(&ended.code), "{}", ended.stderr);
    place.run(&["resume", "run"]).ok();
    place.result("run").assert_is(&place.result("whole"));
}

/// A student stops within a batch, and the search goes on from the recorded episodes.
#[cfg(unix)]
#[test]
fn an_interrupted_student_leaves_no_trace() {
    let place = Place::new();
    let search = |out: &str, epochs: &str| {
        let words = [
            "search",
            "--env",
            "N2N-Removal-ResNet20-Digits-v0",
            "--episodes",
            "6",
            "--no-baselines",
            "--set",
            "agent.rollouts=2",
            "--set",
            "score.training_images=300",
            "--set",
            "run.checkpoint_every=2",
            "--out",
            out,
            "--set",
            epochs,
        ];
        words.map(str::to_owned).to_vec()
    };
    let words = search("run", "score.epochs=1");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    place.run(&[&words[..], &["--json"]].concat()).ok();
    let whole = place.result("run");
    std::fs::rename(place.path("run"), place.path("whole")).expect("renamed");
    let mut child = place.start(&words);
    place.wait_for("run", 2, &mut child);
    let ended = signalled(child, "-INT");
    assert!([Some(0), Some(130)].contains(&ended.code), "{}", ended.stderr);
    place.run(&["resume", "run"]).ok();
    place.result("run").assert_is(&whole);
    // Students of a thousand epochs would take many minutes: the first is given up.
    let words = search("long", "score.epochs=1000");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut child = place.start(&words);
    while !place.path("long/episodes.jsonl").exists() {
        assert!(child.try_wait().expect("a child").is_none());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ended = signalled(child, "-INT");
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(place.lines("long"), 0);
}

/// Nobody reads what a run says: it goes on all the same.
#[cfg(unix)]
#[test]
fn a_closed_output_ends_no_run() {
    let place = Place::new();
    place.search(&["--out", "whole"]).ok();
    let words: Vec<String> = TINY.iter().map(|word| format!("'{word}'")).collect();
    let command = format!("'{}' {}", env!("CARGO_BIN_EXE_cgym"), words.join(" "));
    for (out, redirection, code) in [
        ("head", "2>&1 | head -1", 0),
        ("gone", "2>&1 | true", 0),
        ("full", "2>/dev/full >/dev/null", 0),
        // The result itself cannot be told: that is an error, after the run has been saved.
        ("both", "2>/dev/full >/dev/full", 2),
    ] {
        let script = format!("{command} --out {out} {redirection}");
        let mut shell = std::process::Command::new("sh");
        let ended = shell.args(["-c", &script]).current_dir(place.path("")).output().expect("a shell");
        assert_eq!(ended.status.code(), Some(code), "{script}");
        // The reader of a pipe may end before the run.
        for _ in 0..6000 {
            if place.path(out).join("summary.json").is_file() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        place.result(out).assert_is(&place.result("whole"));
    }
}

#[test]
fn a_second_process_is_kept_out() {
    let place = Place::new();
    let mut child = place.start(&[&LONG, ["--out", "run"].as_slice()].concat());
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
    let ended = Ended::from(ended);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("error: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot be written"), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot log for TensorBoard"), "{}", ended.stderr);
    place.run(&["resume", "run"]).ok();
    place.result("run").assert_is(&place.result("whole"));
}

#[test]
fn what_a_killed_process_left_half_made_is_removed() {
    let place = Place::new();
    let leftover = place.path("runs/.AMC-ResNet20-Digits-MACs30-v0-ddpg-seed7-99999.tmp");
    let other = place.path("runs/.mine-1.tmp");
    for folder in [&leftover, &other] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    std::fs::write(leftover.join(".lock"), "").expect("written");
    place.search(&["--out", "runs/run"]).ok();
    assert!(!leftover.exists() && other.exists());
}

#[cfg(unix)]
#[test]
fn a_lock_that_leads_elsewhere_is_refused() {
    let place = Place::new();
    place.search(&["--out", "run", "--no-baselines"]).ok();
    let lock = place.path("run/.lock");
    std::fs::remove_file(&lock).ok();
    std::os::unix::fs::symlink(place.path("elsewhere"), &lock).expect("a link");
    std::fs::remove_file(place.path("run/summary.json")).expect("removed");
    let ended = place.run(&["resume", "run"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains(".lock: is no file; remove it"), "{}", ended.stderr);
    assert!(!place.path("elsewhere").exists());
}
