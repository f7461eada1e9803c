//! Settings from an id, a file and flags: what wins, and what is refused where.

use serde_json::json;

use crate::common::{Place, refused};

#[test]
fn an_unknown_key_names_its_table_and_the_nearest_one() {
    let place = Place::new();
    let cases: &[(&str, &str)] = &[
        ("game.lower_bond=0.1", "`game.lower_bond`: no such setting here; did you mean `lower_bound`?"),
        ("game.lower-bond=0.1", "did you mean `lower_bound`?"),
        ("run.episods=3", "`run.episods`: no such setting here; did you mean `episodes`?"),
        ("agent.warmp=3", "agent.warmp: no such setting; did you mean `warmup`?"),
        ("gmae.lower_bound=0.1", "`gmae`: no such table; did you mean `game`?"),
        ("lower_bound=0.1", "write table.key"),
        ("env=AMC-ResNet20-Digit-MACs50-v0", "did you mean `AMC-ResNet20-Digits-MACs50-v0`?"),
    ];
    for (setting, words) in cases {
        refused(&place, &["search", "--set", setting], &[words]);
    }
}

#[test]
fn a_key_of_another_game_is_refused() {
    let place = Place::new();
    let channels = "AMC-ResNet20-Digits-MACs50-v0";
    let removal = "N2N-Removal-ResNet20-Digits-v0";
    let cases: &[(&str, &str, &str)] = &[
        (channels, "game.rows=96", "`game.rows`: no such setting here; known: scope"),
        (channels, "score.epochs=1", "`score.epochs`: no such setting here"),
        (channels, "reward.max_parameters=3", "`reward.max_parameters`: no such setting here"),
        (removal, "game.lower_bound=0.1", "`game.lower_bound`: no such setting here"),
        (removal, "score.points=3", "`score.points`: no such setting here"),
        (removal, "budget.share=0.5", "`budget.share`: this table has no settings here; leave it out"),
    ];
    for (id, setting, words) in cases {
        refused(&place, &["search", "--env", id, "--set", setting], &[words]);
        let (path, value) = setting.split_once('=').expect("a value");
        let (table, key) = path.split_once('.').expect("a path");
        place.write("cgym.toml", &format!("env = \"{id}\"\n\n[{table}]\n{key} = {value}\n"));
        refused(&place, &["search", "--config", "cgym.toml"], &["cgym.toml: line 4: ", path]);
    }
}

#[test]
fn what_is_wrong_in_a_file_names_file_and_line_and_a_flag_does_not() {
    let place = Place::new();
    let cases: &[(&str, &str, &str)] = &[
        (
            "[game]\nlower_bond = 0.1\n",
            "line 2",
            "game.lower_bond: no such setting here; did you mean `lower_bound`?",
        ),
        ("[gmae]\n", "line 1", "unknown key `gmae`; did you mean `game`?"),
        ("[game]\n\nlower-bound = 2\n", "line 3", "game.lower_bound: 2 is not a preserve ratio in (0, 1]"),
        ("[network]\nmodel = \"resnt20\"\n", "line 2", "did you mean `resnet20`?"),
        ("[data]\nreward_images = -1\n", "line 2", "data.reward_images: -1 is not a whole number from 0 on"),
        (
            "env = \"AMC-ResNet20-Digit-MACs50-v0\"\n",
            "line 1",
            "did you mean `AMC-ResNet20-Digits-MACs50-v0`?",
        ),
        // What only the agent or the network can tell.
        (
            "[agent]\nname = \"ddpg\"\nwarmp = 3\n",
            "line 3",
            "agent.warmp: no such setting; did you mean `warmup`?",
        ),
        ("[budget]\nunit = \"macs\"\nshare = 0.01\n", "line 3", "the least that can is 0.2278"),
        ("[run]\nseed = 1\nthreads = 1025\n", "line 3", "run.threads: 1025 is too many"),
    ];
    for (text, line, words) in cases {
        place.write("cgym.toml", text);
        refused(&place, &["search", "--config", "cgym.toml"], &["cgym.toml: ", line, words]);
    }
    place.write("cgym.toml", "[agent]\nwarmup = 4\n");
    let flag = place.run(&["search", "--config", "cgym.toml", "--set", "agent.warmup=many"]);
    assert_eq!(flag.code, Some(2));
    assert!(flag.stderr.contains("agent.warmup: ") && !flag.stderr.contains("line"), "{}", flag.stderr);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_id() {
    let place = Place::new();
    let id = "AMC-ResNet20-Digits-MACs30-v0";
    place.write("cgym.toml", &format!("env = \"{id}\"\n[budget]\nshare = 0.6\n[game]\nlower_bound = 0.1\n"));
    let described = |more: &[&str]| {
        let told = place.run(&[&["describe", "--json"], more].concat()).ok().json();
        let tables = &told["tables"];
        json!([told["env"], tables["budget"]["share"], tables["game"]["lower_bound"]])
    };
    let file = ["--config", "cgym.toml"];
    let all = [file.as_slice(), &["--set", "budget.share=0.7", "--set", "game.lower-bound=0.3"]].concat();
    assert_eq!(described(&[id]), json!([id, 0.3, 0.2]));
    assert_eq!(described(&file), json!(["AMC-ResNet20-Digits-MACs60-v0", 0.6, 0.1]));
    assert_eq!(described(&all), json!(["AMC-ResNet20-Digits-MACs70-v0", 0.7, 0.3]));
}
