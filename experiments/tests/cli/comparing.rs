//! `compare`: which runs compare, and what is said about the others.

use serde_json::{Value, json};

use crate::common::{Place, TINY};

fn labels(comparison: &Value) -> Vec<&str> {
    let groups = comparison["groups"].as_array().expect("groups");
    groups.iter().filter_map(|group| group["label"].as_str()).collect()
}

#[test]
fn runs_with_other_settings_stand_apart_and_the_setting_is_named() {
    let place = Place::new();
    // Without its episodes and its seed.
    let tiny = [&TINY[..1], &TINY[3..17]].concat();
    let search = |out: &str, episodes: &str, seed: &str, more: &[&str]| {
        let own = ["--no-baselines", "--out", out, "--episodes", episodes, "--seed", seed];
        place.run(&[&tiny[..], &own, more].concat()).ok();
    };
    search("runs/a", "14", "7", &[]);
    search("runs/b", "14", "8", &[]);
    search("runs/other", "14", "7", &["--set", "score.points=3"]);
    search("runs/warm", "14", "7", &["--set", "agent.warmup=6"]);
    search("runs/more", "15", "7", &[]);
    place.copy_unfinished("runs/a", "runs/unfinished");
    place.copy_unfinished("runs/a", "runs/.hidden");
    place.copy_unfinished("runs/other", "runs/new");
    std::fs::write(place.path("runs/new/episodes.jsonl"), b"").expect("written");
    std::fs::remove_dir_all(place.path("runs/new/best")).expect("removed");

    let compared = place.run(&["compare", "runs", "runs/a", "--json"]).ok().json();
    let comparisons = compared["comparisons"].as_array().expect("comparisons");
    assert_eq!(comparisons.len(), 2);
    assert_eq!(compared["differing"], json!({ "score.points": [2, 3] }));
    assert_ne!(comparisons[0]["settings"], comparisons[1]["settings"]);
    assert_eq!(
        labels(&comparisons[0]),
        ["ddpg (14 episodes, warmup=4)", "ddpg (15 episodes, warmup=4)", "ddpg (14 episodes, warmup=6)"]
    );
    let first = &comparisons[0]["groups"][0];
    assert_eq!(first["seeds"], json!([7, 8]));
    assert_eq!(first["runs"], json!(["runs/a", "runs/b"]));
    assert_eq!(
        (&first["unfinished"][0]["run"], &first["unfinished"][0]["played"]),
        (&json!("runs/unfinished"), &json!(15))
    );
    assert!(first["unfinished"][0]["reward_top1"].is_number(), "{first}");
    // A run without an episode stands with the runs that have its settings.
    assert_eq!(comparisons[1]["groups"][0]["unfinished"][0]["run"], "runs/new");
    assert_eq!(comparisons[1]["groups"][0]["seeds"], json!([7]));

    let text = place.run(&["compare", "runs"]).ok().stdout;
    for words in [
        "top-1, reward split",
        "up to 7 seeds: mean (least, greatest)",
        "they differ in:\n  score.points: 2, 3\n",
        "runs/unfinished: unfinished, not in the estimates: 15 episodes played, best so far",
        "runs/new: unfinished, not in the estimates: 0 episodes played",
        "not the same number of episodes: ddpg 14, ddpg 15\n",
        "not the same seeds: ddpg (14 episodes, warmup=4) (7 8), ",
        " 2 of 3 ",
    ] {
        assert!(text.contains(words), "`{words}` in {text}");
    }

    place.copy_unfinished("runs/b", "copy");
    std::fs::copy(place.path("runs/b/summary.json"), place.path("copy/summary.json")).expect("copied");
    let text = place.run(&["compare", "runs/b", "copy"]).ok().stdout;
    assert!(text.contains("the same seed and settings, counted once: runs/b, copy"), "{text}");
}

#[test]
fn what_is_no_run_is_refused() {
    let place = Place::new();
    place.write("file", "");
    std::fs::create_dir(place.path("empty")).expect("a folder");
    for (arguments, words) in [
        (&["compare"][..], "<RUN>"),
        (&["compare", "missing"], "missing: there is no such folder"),
        (&["compare", "file"], "file: there is no such folder"),
        (&["compare", "empty"], "empty: is no run directory and contains none"),
    ] {
        crate::common::refused(&place, arguments, &[words]);
    }
}
