//! What is told while a command runs, and refusals that name what the user wrote.

use std::fs;

use crate::common::{Ended, Place, refused};

const FEW: [&str; 4] = ["--set", "data.reward_images=40", "--set", "score.refit=false"];

#[test]
fn the_agent_and_its_baselines_are_told_in_the_same_words() {
    let place = Place::new();
    let told = place.search(&["--out", "run"]).ok().stderr;
    for policy in ["ddpg 14/14: best ", "random 15/15: best "] {
        let line = told.lines().find(|line| line.starts_with(policy)).unwrap_or_else(|| panic!("{told}"));
        assert!(line.contains(" % at ") && line.contains("% of the MACs (episode "), "{line}");
        assert!(!line.contains("return"), "{line}");
    }
    let other = ["--reward", "err-log-macs", "--no-baselines", "--out", "other"];
    let told = place.search(&other).ok().stderr;
    assert!(told.contains("% of the MACs, return -"), "{told}");
    // The first rounds of greedy are over the budget.
    let rounds = ["baselines", "--agents", "greedy", "--episodes", "20"];
    let told = place.run(&[&rounds[..], &FEW].concat()).ok().stderr;
    assert!(told.contains("greedy 2/20: no admissible candidate yet"), "{told}");
}

#[test]
fn a_folder_that_exists_is_not_said_to_be_a_run() {
    let place = Place::new();
    place.search(&["--out", "run", "--no-baselines"]).ok();
    fs::create_dir(place.path("used")).expect("a folder");
    place.write("used/notes.txt", "mine");
    let commands: [&[&str]; 4] = [
        &["export", "run", "--out", "used"],
        &["finetune", "run", "--out", "used"],
        &["distill", "run", "--out", "used"],
        &["baselines", "--out", "used"],
    ];
    for command in commands {
        let ended = place.run(command);
        assert_eq!(ended.code, Some(2), "{command:?}");
        assert!(ended.stderr.contains("used: already exists"), "{}", ended.stderr);
        assert!(ended.stderr.ends_with("give another --out\n"), "{}", ended.stderr);
    }
    let unread = place.run(&["finetune", "run", "--out", "new", "--temperature", "3"]);
    assert_eq!(unread.code, Some(2));
    assert!(unread.stderr.contains("temperature: the loss `ce` does not read it"), "{}", unread.stderr);
}

#[test]
fn what_would_have_no_effect_is_refused() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (
            &["search", "--set", "agent.frozen=true"],
            "agent.frozen: a policy that never learns has to come from a run",
        ),
        (
            &[
                "transfer",
                "--from",
                "resnet8",
                "--to",
                "resnet20",
                "--set",
                "agent.frozen=true",
                "--out",
                "t",
            ],
            "frozen",
        ),
        (&["baselines", "--pretrained", "run"], "run.pretrained: baselines have no policy"),
        (
            &["describe", "AMC-ResNet20-Digits-MACs30-v0", "--env", "AMC-ResNet20-Digits-MACs50-v0"],
            "'[ID]' cannot be used with '--env <ID>'",
        ),
        (&["teacher", "evaluate", "--reward-images", "0"], "--reward-images: 0 images measure nothing"),
        (&["teacher", "train", "--reward-images", "0", "--out", "t"], "--reward-images: 0 images"),
        (&["search", "--seed", "-1"], "give a whole number from 0 to 9223372036854775807"),
        (&["search", "--set", "run.seed=-1"], "`run.seed`: -1 is not a whole number"),
        (&["search", "--set", "agent.batch=2.5"], "agent.batch: 2.5 is not a whole number"),
    ];
    for (arguments, words) in cases {
        refused(&place, arguments, &[words]);
    }
    assert!(!place.path("t").exists());
}

#[test]
fn a_number_of_threads_in_the_environment_has_the_range_of_the_flag() {
    let place = Place::new();
    let with = |threads: &str, command: &[&str]| -> Ended {
        place.command(command).env("RAYON_NUM_THREADS", threads).output().expect("the binary").into()
    };
    for threads in ["100000", "many"] {
        let ended = with(threads, &["teacher", "evaluate"]);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let words = format!("RAYON_NUM_THREADS: `{threads}` is not a number of threads from 1 to 1024");
        assert!(ended.stderr.contains(&words), "{}", ended.stderr);
    }
    with("3", &["teacher", "evaluate"]).ok();
}

#[test]
fn every_policy_of_a_run_has_its_own_curves() {
    let place = Place::new();
    let run = place.search(&["--json"]).ok().json()["run"].as_str().expect("a run").to_owned();
    for policy in ["teacher", "uniform", "shallow", "deep", "random"] {
        let folder = place.path(&run).join("baselines").join(policy);
        let files: Vec<_> =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{policy}: {error}")).collect();
        assert_eq!(files.len(), 1, "{policy}");
    }
    assert!(!place.path(&run).join("baselines/ddpg").exists());
    place.run(&["validate", &run]).ok();
}
