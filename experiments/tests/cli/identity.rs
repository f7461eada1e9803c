//! The hash of the settings identifies results.

use crate::common::Place;

#[test]
fn the_hash_of_the_settings_stands_in_every_record_and_survives_resuming_and_repeating() {
    let place = Place::new();
    let whole = place.search(&["--out", "whole", "--json"]).ok().json();
    let hash = whole["settings"].as_str().expect("a hash").to_owned();
    assert_eq!(hash.len(), 16);
    assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");

    place.copy_unfinished("whole", "resumed");
    let episodes = std::fs::read_to_string(place.path("whole/episodes.jsonl")).expect("episodes");
    let half: String = episodes.lines().take(7).map(|line| format!("{line}\n")).collect();
    std::fs::write(place.path("resumed/episodes.jsonl"), half).expect("written");
    place.run(&["resume", "resumed"]).ok();
    place.run(&["search", "--config", "whole/config.toml", "--out", "repeated"]).ok();
    for run in ["whole", "resumed", "repeated"] {
        let summary = std::fs::read(place.path(run).join("summary.json")).expect("a summary");
        let summary: serde_json::Value = serde_json::from_slice(&summary).expect("JSON");
        assert_eq!(
            (&summary["settings"], &summary["fingerprint"]),
            (&whole["settings"], &whole["fingerprint"]),
            "{run}"
        );
        let episodes = place.episodes(run);
        assert_eq!(episodes.len(), 15);
        assert!(episodes.iter().all(|episode| episode["settings"] == hash.as_str()), "{run}");
    }
    let validated = place.run(&["validate", "whole", "--sample", "1", "--json"]).ok().json();
    assert_eq!(validated["settings"], whole["settings"]);
    let exported = place.run(&["export", "whole", "--out", "small", "--json"]).ok().json();
    assert_eq!(exported["settings"], whole["settings"]);
}

#[test]
fn other_rules_have_another_hash_and_another_agent_or_seed_has_not() {
    let place = Place::new();
    let few = ["baselines", "--json", "--agents", "uniform", "--set", "data.reward_images=40"];
    let hash = |more: &[&str]| {
        let summary =
            place.run(&[few.as_slice(), &["--set", "score.refit=false"], more].concat()).ok().json();
        summary["settings"].as_str().expect("a hash").to_owned()
    };
    let plain = hash(&[]);
    assert_eq!(hash(&["--seed", "5", "--threads", "1", "--episodes", "3"]), plain);
    for setting in ["game.lower_bound=0.1", "budget.share=0.31", "reward.name=err-log-macs", "score.points=2"]
    {
        assert_ne!(hash(&["--set", setting]), plain, "{setting}");
    }
}
