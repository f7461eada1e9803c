//! `bench` and `search --profile`: what is told, never how fast it was.

use serde_json::Value;

use crate::common::Place;

const FEW: [&str; 8] = [
    "--set",
    "data.reward_images=40",
    "--set",
    "score.calibration_images=40",
    "--set",
    "score.points=2",
    "--threads",
    "1",
];
const PARTS: [&str; 8] =
    ["agent_act", "agent_learn", "environment", "prune", "refit", "compile", "evaluate", "records"];

#[track_caller]
fn assert_positive(object: &Value, keys: &[&str]) {
    for key in keys {
        assert!(object[key].as_f64() > Some(0.0), "{key} of {object}");
    }
}

#[test]
fn a_network_is_measured_by_both_engines() {
    let place = Place::new();
    let small = ["bench", "network", "--model", "resnet8", "--input", "1x8x8", "--seconds", "0.01", "--json"];
    let more = ["--batch", "20", "--prune", "0.5", "--threads", "1"];
    let fused = place.run(&[small.as_slice(), &more].concat()).ok().json();
    assert_positive(&fused, &["seconds", "images_per_second", "macs_per_second", "repeats"]);
    assert_eq!((&fused["engine"], &fused["batch"]), (&"fused".into(), &20.into()));
    assert!(fused["macs"].as_u64() < fused["teacher_macs"].as_u64(), "{fused}");
    assert!(fused["parameters"].as_u64() < fused["teacher_parameters"].as_u64(), "{fused}");
    assert!(fused["peak_memory_bytes"].is_null() || fused["peak_memory_bytes"].as_u64() > Some(1 << 20));
    let burn = place.run(&[small.as_slice(), &["--engine", "burn", "--batch", "3"]].concat()).ok().json();
    assert_positive(&burn, &["seconds", "images_per_second", "macs_per_second"]);
    assert_eq!(burn["macs"], fused["teacher_macs"]);
    assert!(burn["instructions"].is_null() && fused["instructions"].is_string());
}

#[test]
fn steps_of_training_are_measured_with_both_kernels() {
    let place = Place::new();
    let small = ["bench", "network", "--model", "resnet8", "--input", "1x8x8", "--seconds", "0.01", "--json"];
    let more = ["--training", "--batch", "6", "--threads", "1"];
    let own = place.run(&[small.as_slice(), &more].concat()).ok().json();
    assert_positive(&own, &["seconds", "images_per_second", "repeats"]);
    assert!(own["training"] == true && own["instructions"].is_string(), "{own}");
    let stock = place.run(&[small.as_slice(), &more, &["--engine", "burn"]].concat()).ok().json();
    assert_positive(&stock, &["seconds", "images_per_second"]);
    assert!(stock["training"] == true && stock["instructions"].is_null(), "{stock}");
}

#[test]
fn an_episode_is_measured_part_by_part() {
    let place = Place::new();
    let env = [
        "bench",
        "episode",
        "--env",
        "AMC-ResNet20-Digits-MACs50-v0",
        "--seconds",
        "0.01",
        "--agent",
        "uniform",
    ];
    let episode = place.run(&[env.as_slice(), &FEW, &["--json"]].concat()).ok().json();
    assert_positive(&episode, &["seconds", "environment", "prune", "refit", "compile", "evaluate"]);
    assert_eq!(episode["train"], 0.0);
    assert_positive(&episode, &["steps_per_second", "agent_act", "steps"]);
    assert!(episode["repeats"].as_u64() >= Some(3), "{episode}");
    let text = place.run(&[env.as_slice(), &FEW].concat()).ok().stdout;
    assert!(text.contains("evaluate") && text.contains("steps/s"), "{text}");
    assert!(!place.path("runs").exists());
}

const STUDENTS: [&str; 7] = [
    "N2N-Removal-ResNet20-Digits-v0",
    "--set",
    "score.training_images=40",
    "--set",
    "score.epochs=1",
    "--seconds",
    "0.01",
];

#[test]
fn the_training_of_students_is_told_apart() {
    let place = Place::new();
    let more = ["--threads", "1", "--json"];
    let episode = place.run(&[&["bench", "episode", "--env"], &STUDENTS[..], &more].concat()).ok().json();
    assert_positive(&episode, &["seconds", "prune", "train"]);
    assert_eq!((&episode["refit"], &episode["evaluate"]), (&0.0.into(), &0.0.into()));
    let student = place.run(&[&["bench", "student", "--env"], &STUDENTS[..], &more].concat()).ok().json();
    assert_positive(&student, &["seconds", "images_per_second", "repeats", "parameters"]);
    assert_eq!((&student["images"], &student["epochs"]), (&40.into(), &1.into()));
    assert_eq!(student["loss"], "l2-logits");
}

#[test]
fn episodes_that_are_scored_side_by_side_are_measured_one_by_one() {
    let place = Place::new();
    let few = ["--set", "data.reward_images=40", "--set", "score.points=2", "--seconds", "0.01", "--json"];
    for agent in ["random", "ddpg"] {
        let bench = ["bench", "episode", "--env", "AMC-ResNet20-Digits-MACs30-v0", "--agent", agent];
        let episode = place.run(&[&bench[..], &few].concat()).ok().json();
        assert_eq!(episode["steps"], 9, "{agent}");
    }
}

#[test]
fn an_agent_is_measured_without_data() {
    let place = Place::new();
    let few = ["--seconds", "0.01", "--threads", "1", "--json"];
    let ddpg = ["bench", "agent", "--env", "AMC-ResNet56-CIFAR10-MACs50-v0", "--set", "agent.hidden=[4, 4]"];
    let ddpg = place.run(&[&ddpg[..], &["--set", "agent.warmup=1"], &few].concat()).ok().json();
    assert_positive(&ddpg, &["act_seconds", "update_seconds", "seconds"]);
    assert_eq!((&ddpg["updates"], &ddpg["steps"]), (&(4.0 * 27.0).into(), &27.into()));
    let reinforce = ["bench", "agent", "--env", "N2N-Removal-ResNet8-Digits-v0"];
    let reinforce = place.run(&[&reinforce[..], &few].concat()).ok().json();
    assert_positive(&reinforce, &["act_seconds", "update_seconds", "seconds"]);
    assert_eq!((&reinforce["updates"], &reinforce["episodes"]), (&1.0.into(), &5.into()));
}

#[test]
fn a_profile_is_told_and_changes_no_episode() {
    let place = Place::new();
    let plain = place.search(&["--out", "plain", "--json"]).ok().json();
    let profiled = place.search(&["--out", "profiled", "--profile", "--json"]).ok();
    assert!(profiled.stderr.contains("agent learn") && profiled.stderr.contains("records and logs"));
    let summary = profiled.json();
    let profile = &summary["profile"];
    assert_positive(profile, &PARTS);
    assert_eq!(profile["episodes"], summary["played"]);
    let whole: f64 = PARTS.iter().filter_map(|part| profile[part].as_f64()).sum();
    assert!(summary["seconds"].as_f64() >= Some(whole), "{summary}");
    assert!(plain.get("profile").is_none());
    place.result("plain").assert_is(&place.result("profiled"));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let place = Place::new();
    let cases: &[(&[&str], &str)] = &[
        (&["bench"], "Usage: cgym bench"),
        (&["bench", "network"], "--model <NAME>"),
        (&["bench", "network", "--model", "resnt20"], "did you mean `resnet20`?"),
        (&["bench", "episode", "--env", "AMC-ResNet20-Digit-MACs50-v0"], "did you mean"),
        (
            &["bench", "episode", "--env", "AMC-ResNet20-Digits-MACs50-v0", "--agent", "dpg"],
            "did you mean `ddpg`?",
        ),
        (&["bench", "episode", "--env", "AMC-ResNet20-Digits-MACs50-v0", "--batch", "3"], "--batch"),
        (
            &["bench", "agent", "--env", "AMC-ResNet20-Digits-MACs50-v0", "--agent", "random"],
            "`random` makes too few updates",
        ),
        (&["bench", "student", "--env", "AMC-ResNet20-Digits-MACs50-v0"], "trains no students"),
        (
            &["bench", "network", "--model", "resnet20", "--set", "data.reward_images=3"],
            "`data`: no such table",
        ),
        (&["bench", "network", "--model", "resnet20", "--batch", "0"], "batch"),
        (&["bench", "network", "--model", "resnet20", "--batch", "99999999999999999"], "batch"),
        (&["bench", "network", "--model", "resnet20", "--input", "3x0x32"], "3x0x32"),
        (&["bench", "network", "--model", "resnet20", "--prune", "0"], "prune: 0 is not a share in (0, 1]"),
        (&["bench", "network", "--model", "resnet20", "--prune", "nan"], "prune"),
        (&["bench", "network", "--model", "resnet20", "--seconds", "inf"], "seconds"),
        (&["bench", "network", "--model", "resnet20", "--seconds", "-1"], "seconds"),
        (&["bench", "network", "--model", "resnet20", "--threads", "0"], "threads"),
        (&["bench", "network", "--model", "resnet20", "--engine", "torch"], "fused, burn"),
        (&["bench", "network", "--model", "resnet20", "--device", "cuda"], "device"),
    ];
    for (arguments, words) in cases {
        let ended = place.run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: `{words}` in {}", ended.stderr);
    }
}
