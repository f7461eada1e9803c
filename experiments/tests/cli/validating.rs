//! `validate` finds what is not as recorded.

use std::fs;

use crate::common::Place;

#[test]
fn a_sound_run_is_valid_and_every_change_is_found() {
    let place = Place::new();
    place.search(&["--out", "run"]).ok();
    let report = place.run(&["validate", "run", "--json"]).ok().json();
    assert_eq!((&report["valid"], &report["replayed"]), (&true.into(), &15.into()));
    let few = place.run(&["validate", "run", "--json", "--sample", "3"]).ok().json();
    assert!(few["replayed"].as_u64() <= Some(4), "{few}");

    let episodes = fs::read_to_string(place.path("run/episodes.jsonl")).expect("episodes");
    let mut lines: Vec<String> = episodes.lines().map(str::to_owned).collect();
    let start = lines[5].find("\"top1\":").expect("an accuracy");
    let end = start + lines[5][start..].find(',').expect("a comma");
    lines[5].replace_range(start..end, "\"top1\":0.0078125");
    fs::write(place.path("run/episodes.jsonl"), lines.join("\n") + "\n").expect("written");
    let ended = place.run(&["validate", "run"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("episode 5: top-1 "), "{}", ended.stdout);
    assert!(ended.stdout.contains(", recorded 0.0078125"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("Some("), "{}", ended.stdout);
    assert!(ended.stdout.contains("checkpoint 15: "), "{}", ended.stdout);
    fs::write(place.path("run/episodes.jsonl"), &episodes).expect("written");

    let weights = place.path("run/best/weights.safetensors");
    let mut bytes = fs::read(&weights).expect("weights");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).expect("written");
    let report = place.run(&["validate", "run", "--json", "--sample", "0"]);
    assert_eq!(report.code, Some(1));
    let difference = report.json()["differences"]["best"][0].to_string();
    assert!(difference.contains("weights.safetensors: is damaged"), "{difference}");
}
