//! Networks of finished runs are compressed again.

use serde_json::Value;

use crate::common::Place;

#[track_caller]
fn macs(summary: &Value, row: usize) -> u64 {
    summary["rows"][row]["macs"].as_u64().expect("a number")
}

#[test]
fn the_best_network_of_a_run_is_pruned_again_and_so_is_a_finetuned_one() {
    let place = Place::new();
    let search = |more: &[&str], out: &str| {
        place.search(&[&["--no-baselines", "--json", "--out", out], more].concat()).ok().json()
    };
    let first = search(&["--budget", "macs=0.5"], "first");
    let second = search(&["--network", "first"], "second");
    // Its network is of no model's name: neither id nor hash are those of the first search.
    assert_eq!(second["env"], "AMC-Own-Digits-MACs50-v0");
    assert_ne!(second["settings"], first["settings"]);
    // The first result is what the second search starts from.
    assert_eq!(macs(&second, 0), macs(&first, 1));
    for key in ["reward_top1", "test_top1", "parameters"] {
        assert_eq!(second["rows"][0][key], first["rows"][1][key], "{key}");
    }
    assert!(2 * macs(&second, 1) <= macs(&first, 1), "{second}");
    assert_ne!(second["fingerprint"], first["fingerprint"]);
    place.run(&["validate", "second"]).ok();
    let repeat = ["search", "--config", "second/config.toml", "--no-baselines", "--out", "repeated"];
    place.run(&repeat).ok();
    place.result("repeated").assert_is(&place.result("second"));

    place.run(&["finetune", "first", "--epochs", "1", "--out", "tuned"]).ok();
    let third = search(&["--network", "tuned", "--budget", "macs=0.6"], "third");
    assert_eq!(macs(&third, 0), macs(&first, 1));
    assert!(macs(&third, 1) < macs(&first, 1), "{third}");
    place.run(&["validate", "third"]).ok();
    // A run needs its network where it was, and says so.
    std::fs::remove_dir_all(place.path("tuned")).expect("removed");
    let gone = place.run(&["validate", "third"]);
    assert_eq!(gone.code, Some(2));
    assert!(gone.stderr.contains("tuned: "), "{}", gone.stderr);
}
