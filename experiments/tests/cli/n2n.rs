//! N2N's games: removal, shrinkage after it, final training, transfer.

use crate::common::Place;

/// A removal search of seconds: few images, one epoch a student.
const TINY: [&str; 15] = [
    "search",
    "--env",
    "N2N-Removal-ResNet20-Digits-v0",
    "--episodes",
    "11",
    "--set",
    "data.reward_images=40",
    "--set",
    "score.training_images=64",
    "--set",
    "score.epochs=1",
    "--set",
    "run.checkpoint_every=5",
    "--set",
    "agent.hidden=6",
];

#[test]
fn a_network_loses_layers_then_shrinks_and_is_trained_to_the_end() {
    let place = Place::new();
    let removed = place.run(&[&TINY[..], &["--out", "removal", "--json"]].concat()).ok().json();
    assert_eq!((&removed["agent"], &removed["reward"]), (&"reinforce".into(), &"n2n".into()));
    let rows = removed["rows"].as_array().expect("rows");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["policy"].as_str()).collect();
    assert_eq!(names, ["teacher", "random", "reinforce"]);
    assert!(rows[0]["best_return"].is_null() && rows[2]["best_return"].is_f64(), "{removed}");
    let table = place.run(&["resume", "removal"]).ok().stdout;
    assert!(table.contains("policy     reward  top-1, reward split  top-1, test split"), "{table}");
    place.run(&["validate", "removal"]).ok();

    let chained = [
        "search",
        "--game",
        "n2n-shrinkage",
        "--network",
        "removal",
        "--episodes",
        "10",
        "--set",
        "data.reward_images=40",
        "--set",
        "score.training_images=64",
        "--set",
        "score.epochs=1",
        "--no-baselines",
        "--out",
        "shrinkage",
        "--json",
    ];
    let shrunk = place.run(&chained).ok().json();
    assert_eq!(shrunk["env"], "N2N-Shrinkage-ResNet20-Digits-v0");
    // The reward is measured against the teacher, not against the parent.
    let of = |object: &serde_json::Value, policy: usize| object["rows"][policy]["parameters"].as_u64();
    assert_eq!(of(&shrunk, 0), of(&removed, 0));
    assert!(of(&shrunk, 1) < of(&removed, 2), "{shrunk}");
    place.run(&["validate", "shrinkage"]).ok();

    for (command, out) in [("distill", "distilled"), ("finetune", "finetuned")] {
        let trained = place.run(&[command, "shrinkage", "--epochs", "2", "--out", out, "--json"]).ok().json();
        assert_eq!(trained["parameters"].as_u64(), of(&shrunk, 1));
        assert_eq!(trained["epochs"].as_array().map(Vec::len), Some(2));
        assert!(place.path(out).join("weights.safetensors").is_file());
    }
    assert_eq!(place.run(&["distill", "shrinkage", "--out", "distilled"]).code, Some(2));
}

#[test]
fn killing_a_search_of_students_at_several_moments_changes_nothing() {
    let place = Place::new();
    place.run(&[&TINY[..], &["--out", "unbroken"]].concat()).ok();
    let unbroken = place.result("unbroken");
    for lines in [1, 4, 9] {
        let run = format!("killed-{lines}");
        let mut child = place.start(&[&TINY[..], &["--out", &run]].concat());
        place.wait_for(&run, lines, &mut child);
        child.kill().ok();
        child.wait().expect("a child");
        place.run(&["resume", &run]).ok();
        place.result(&run).assert_is(&unbroken);
    }
}

#[test]
fn a_policy_moves_to_another_network_frozen_or_not() {
    let place = Place::new();
    place.run(&[&TINY[..], &["--no-baselines", "--out", "source"]].concat()).ok();
    let carried = |more: &[&str]| {
        let run = [&TINY[..], &["--no-baselines", "--pretrained", "source", "--seed", "9"], more].concat();
        place.run(&run)
    };
    carried(&["--out", "tuned"]).ok();
    carried(&["--out", "frozen", "--set", "agent.frozen=true"]).ok();
    // A run needs nothing more of the run that its policy came from.
    let mut child = place.start(
        &[&TINY[..], &["--no-baselines", "--pretrained", "source", "--seed", "9", "--out", "alone"]].concat(),
    );
    place.wait_for("alone", 1, &mut child);
    child.kill().ok();
    child.wait().expect("a child");
    std::fs::rename(place.path("source"), place.path("moved")).expect("renamed");
    place.run(&["resume", "alone"]).ok();
    assert_eq!(place.result("alone").episodes, place.result("tuned").episodes);
    std::fs::rename(place.path("moved"), place.path("source")).expect("renamed");
    assert_ne!(place.result("tuned").episodes, place.result("frozen").episodes);
    let other = carried(&["--out", "other", "--set", "agent.hidden=7"]);
    assert_eq!(other.code, Some(2), "{}", other.stderr);
    assert!(other.stderr.contains("hidden"), "{}", other.stderr);
    let random = ["--no-baselines", "--pretrained", "source", "--out", "none", "--agent", "random"];
    let none = place.run(&[&TINY[..13], &random].concat());
    assert!(none.code == Some(2) && none.stderr.contains("no policy"), "{}", none.stderr);
}

#[test]
fn the_best_of_a_search_keeps_to_the_constraints() {
    let place = Place::new();
    let asked =
        ["--reward", "n2n-constrained", "--set", "reward.max_parameters=60000", "--no-baselines", "--json"];
    let found = place.run(&[&TINY[..], &asked, &["--out", "constrained"]].concat()).ok().json();
    let of_best = found["rows"][1]["parameters"].as_u64();
    assert!(of_best.is_none_or(|parameters| parameters <= 60_000), "{found}");
    // None that reaches this: there is no best, whatever exploring episodes were worth.
    let asked =
        ["--reward", "n2n-constrained", "--set", "reward.min_top1=1.0", "--no-baselines", "--out", "none"];
    place.run(&[&TINY[..], &asked].concat()).ok();
    assert!(!place.path("none").join("best").exists());
}

#[test]
fn a_transfer_reads_its_file_as_it_reads_flags() {
    let place = Place::new();
    place.write("own.toml", "[run]\npretrained = \"somewhere\"\n");
    let words = ["transfer", "--from", "resnet8", "--to", "resnet20", "--config", "own.toml", "--out", "no"];
    let refused = place.run(&words);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("run.pretrained: every run"), "{}", refused.stderr);
    let many = place.run(&[&words[..5], &["--seeds", "99999999999", "--out", "no"]].concat());
    assert!(many.code == Some(2) && many.stderr.contains("seeds: give 1 to"), "{}", many.stderr);
}

#[test]
fn a_transfer_ends_with_a_table_and_curves_and_goes_on_where_it_was() {
    let place = Place::new();
    let command = [
        "transfer",
        "--from",
        "resnet8",
        "--to",
        "resnet20",
        "--both-ways",
        "--seeds",
        "2",
        "--teacher-epochs",
        "1",
        "--episodes",
        "10",
        "--set",
        "data.reward_images=40",
        "--set",
        "score.training_images=64",
        "--set",
        "score.epochs=1",
        "--first",
        "2",
        "--set",
        "agent.hidden=6",
        "--out",
        "carried",
        "--json",
    ];
    let first = place.run(&command).ok().json();
    let rows = first["rows"].as_array().expect("rows");
    let pairs: Vec<[&str; 2]> =
        rows.iter().filter_map(|row| Some([row["from"].as_str()?, row["to"].as_str()?])).collect();
    assert_eq!(pairs, [["resnet8", "resnet20"], ["resnet20", "resnet8"]]);
    assert_eq!(rows[0]["pretrained"]["reward"]["count"], 2);
    let curves = std::fs::read_to_string(place.path("carried").join("curves.svg")).expect("curves");
    assert!(curves.contains("pre-trained on resnet8"));
    assert_eq!(place.run(&command).ok().json(), first);
    // Two seeds have a range, and the table says how many iterations there are.
    assert_eq!(rows[0]["pretrained"]["reward"]["kind"], "range");
    let mut more = command.to_vec();
    let asked = more.iter().position(|word| *word == "--first").expect("the flag") + 1;
    more[asked] = "50";
    more.pop();
    let text = place.run(&more).ok().stdout;
    assert!(text.contains("means over all 2 iterations that there are, of 50 asked for"), "{text}");
    assert!(text.contains("range of 2 seeds") && !text.contains("95 %"), "{text}");
    place.run(&["report", "carried", "--out", "carried.html"]).ok();
    let page = std::fs::read_to_string(place.path("carried.html")).expect("a page");
    for word in ["resnet8 to resnet20: reward", "range of 2 seeds", "of 50 asked for", "from scratch"] {
        assert!(page.contains(word), "{word}");
    }
    std::fs::remove_file(place.path("carried").join("transfer.json")).expect("removed");
    place.run(&["report", "carried", "--out", "part.html"]).ok();
    let page = std::fs::read_to_string(place.path("part.html")).expect("a page");
    assert!(page.contains("This transfer has not finished: 8 runs are there."), "{page}");
    let mut other = command.to_vec();
    let episodes = other.iter().position(|word| *word == "--episodes").expect("the flag");
    other[episodes + 1] = "15";
    let refused = place.run(&other);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("holds work with other settings (settings)"), "{}", refused.stderr);
}
