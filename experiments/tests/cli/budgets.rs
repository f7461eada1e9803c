//! Searches without a budget: the reward alone says what is searched for.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::{Place, TINY};

/// The candidates of a run, each once.
fn candidates(place: &Place, run: &str) -> BTreeSet<String> {
    let kept = |episode: &Value| episode["outcome"]["kept"].to_string();
    place.episodes(run).iter().map(kept).collect()
}

#[test]
fn without_a_budget_every_reward_is_searched_by_every_kind_of_agent() {
    let place = Place::new();
    for reward in ["err", "err-log-macs"] {
        // The first eleven words of the tiny search are for any agent.
        for (agent, words) in [("ddpg", &TINY[..]), ("cem", &TINY[..11])] {
            let run = format!("{agent}-{reward}");
            let more = ["--budget", "none", "--reward", reward, "--agent", agent, "--no-baselines", "--json"];
            let summary = place.run(&[words, &more, &["--out", &run]].concat()).ok().json();
            assert_eq!(summary["env"], "AMC-ResNet20-Digits-v0");
            assert_eq!((&summary["budget"], &summary["reward"]), (&Value::Null, &reward.into()));
            let found = candidates(&place, &run);
            assert!(found.len() > 1, "{run}: {found:?}");
            assert_eq!(summary["evaluated"], found.len());
        }
    }
    let text = place.run(&["describe", "--budget", "none"]).ok().stdout;
    assert!(text.contains("budget   none"), "{text}");
}
