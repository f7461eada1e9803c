//! `--json`: one object on the standard output and nothing else.

use cgym_teachers::{graph::Graph, weights::Weights};

use crate::common::Place;

#[test]
fn a_search_gives_one_row_a_policy_and_a_network_that_can_be_exported() {
    let place = Place::new();
    let summary = place.search(&["--json"]).ok().json();
    let run = summary["run"].as_str().expect("a run").to_owned();
    assert_eq!(run, "runs/AMC-ResNet20-Digits-MACs30-v0-ddpg-14episodes-seed7-1");
    let rows = summary["rows"].as_array().expect("rows");
    let policies: Vec<&str> = rows.iter().filter_map(|row| row["policy"].as_str()).collect();
    assert_eq!(policies, ["teacher", "uniform", "shallow", "deep", "random", "ddpg"]);
    for row in rows {
        for key in ["reward_top1", "test_top1", "macs", "parameters", "preserve_ratio", "evaluations"] {
            assert!(row[key].is_number(), "{key} of {row}");
        }
    }
    for row in &rows[1..] {
        assert!(row["preserve_ratio"].as_f64().expect("a number") <= 0.5, "{row}");
    }
    assert_eq!(rows[4]["evaluations"], rows[5]["evaluations"]);
    assert_eq!((&summary["finished"], &summary["reward_images"]), (&true.into(), &40.into()));

    let second = place
        .run(&["search", "--json", "--agent", "uniform", "--seed", "7", "--set", "data.reward_images=40"])
        .ok()
        .json();
    assert_eq!(second["run"], "runs/AMC-ResNet20-Digits-MACs30-v0-uniform-400episodes-seed7-1");

    place.write("small.tmp", "mine");
    let exported = place.run(&["export", &run, "--out", "small", "--json"]).ok().json();
    assert!(place.path("small.tmp").is_file());
    assert_eq!(exported["macs"], rows[5]["macs"]);
    let text = std::fs::read(place.path("small/graph.json")).expect("a graph");
    let graph: Graph = serde_json::from_slice(&text).expect("a graph");
    Weights::load(&place.path("small/weights.safetensors"), &graph).expect("its weights");
    assert_eq!(graph.cost().expect("a cost").parameters, exported["parameters"]);
    let again = place.run(&["export", &run, "--out", "small"]);
    assert_eq!(again.code, Some(2));
}

#[test]
fn teachers_are_described_and_evaluated() {
    let place = Place::new();
    let arguments =
        ["teacher", "describe", "--model", "mobilenet-v1", "--input", "3x224x224", "--classes", "1000"];
    let network = place.run(&[&arguments, ["--json"].as_slice()].concat()).ok().json();
    assert_eq!((&network["macs"], &network["parameters"]), (&568_740_352.into(), &4_231_976.into()));
    let nodes = network["nodes"].as_array().expect("nodes");
    assert!(nodes.iter().any(|node| node["macs"].as_u64() > Some(0)));

    let score = place.run(&["teacher", "evaluate", "--json"]).ok().json();
    assert_eq!(
        (&score["model"], &score["dataset"], &score["split"]),
        (&"resnet20".into(), &"digits".into(), &"test".into())
    );
    assert_eq!(score["images"], 360);
    assert!(score["top1"].as_f64() > Some(0.95), "{score}");
}

#[test]
fn environments_are_listed_and_described() {
    let place = Place::new();
    let all = place.run(&["--json", "envs"]).ok().json();
    assert_eq!(all["envs"][0]["id"], "AMC-ResNet20-Digits-MACs30-v0");
    let one = place.run(&["describe", "AMC-ResNet56-CIFAR10-MACs50-v0", "--json"]).ok().json();
    assert_eq!((&one["steps"], &one["macs"]), (&27.into(), &125_485_696.into()));
    assert_eq!(one["observation_space"]["shape"], serde_json::json!([11]));
    let text = place.run(&["describe"]).ok().stdout;
    assert!(text.contains("AMC-ResNet20-Digits-MACs30-v0") && text.contains("layer3.2.conv2"), "{text}");
}

#[test]
fn baselines_are_a_table_without_a_run() {
    let place = Place::new();
    let few = ["--set", "data.reward_images=40", "--set", "score.refit=false", "--episodes", "3"];
    let summary = place.run(&[&["baselines", "--json"], few.as_slice()].concat()).ok().json();
    assert_eq!(summary["rows"].as_array().map(Vec::len), Some(4));
    assert!(!place.path("runs").exists());
    let more = ["baselines", "--agents", "random,cem", "--out", "table"];
    let table = place.run(&[&more, few.as_slice()].concat()).ok().stdout;
    assert!(table.contains("cem") && table.contains("top-1, test split"), "{table}");
    assert!(place.path("table/baselines.jsonl").is_file() && place.path("table/summary.json").is_file());
}

#[test]
fn a_teacher_of_ones_own_is_trained_and_searched() {
    let place = Place::new();
    let train = ["teacher", "train", "--model", "lenet5", "--epochs", "1", "--out", "mine", "--json"];
    let trained = place.run(&train).ok().json();
    assert_eq!((&trained["finished"], &trained["model"]), (&true.into(), &"lenet5".into()));
    assert_eq!(trained["reward_images"], 360);
    let mut names: Vec<_> = std::fs::read_dir(place.path("mine"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["graph.json", "manifest.json", "plan.json", "train.json", "weights.safetensors"]);
    let again = place.run(&train);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("never overwritten"), "{}", again.stderr);
    let weights = ["--model", "lenet5", "--weights", "mine/weights.safetensors"];
    let few =
        ["baselines", "--json", "--set", "data.reward_images=40", "--set", "score.calibration_images=200"];
    let summary = place.run(&[few.as_slice(), &weights].concat()).ok().json();
    assert_eq!(summary["env"], "AMC-LeNet5-Digits-MACs50-v0");
}

#[test]
fn a_folder_in_use_is_not_trained_in() {
    let place = Place::new();
    let train = ["teacher", "train", "--model", "lenet5", "--epochs", "1", "--out", "mine"];
    std::fs::create_dir_all(place.path("mine/checkpoints")).expect("a folder");
    place.write("mine/checkpoints/notes.txt", "mine");
    let refused = place.run(&train);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("holds no work of this command"), "{}", refused.stderr);
    // The plan of another training is refused too, and nothing is removed.
    place.write("mine/plan.json", "{}");
    let refused = place.run(&train);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("(command, options, task)"), "{}", refused.stderr);
    assert!(place.path("mine/checkpoints/notes.txt").is_file());
    assert!(!place.path("mine/weights.safetensors").exists());
}

#[test]
fn a_variant_of_a_model_is_trained_and_searched() {
    let place = Place::new();
    let variant = ["--model", "resnet8", "--set", "network.shortcut=b"];
    let train = ["teacher", "train", "--epochs", "1", "--out", "mine", "--json"];
    let trained = place.run(&[train.as_slice(), &variant].concat()).ok().json();
    assert_eq!(trained["shortcut"], "b");
    let weights = ["--weights", "mine/weights.safetensors"];
    let score =
        place.run(&[&["teacher", "evaluate", "--json"], variant.as_slice(), &weights].concat()).ok().json();
    assert_eq!((&score["macs"], &score["top1"]), (&trained["macs"], &trained["test_top1"]));
    let few = [
        "--agent",
        "uniform",
        "--set",
        "data.reward_images=40",
        "--set",
        "score.refit=false",
        "--out",
        "run",
    ];
    place.run(&[&["search"], few.as_slice(), &variant, &weights].concat()).ok();
    let config = std::fs::read_to_string(place.path("run/config.toml")).expect("a configuration");
    assert!(config.contains("shortcut = \"b\""), "{config}");
    place.run(&["validate", "run"]).ok();
}
