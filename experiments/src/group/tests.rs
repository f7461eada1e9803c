use cgym_env::settings::Layer;

use super::*;
use crate::config::Config;

/// A finished run whose best candidate has the accuracy `top1` on the reward split.
fn run(agent: &str, seed: u64, hash: &str, evaluations: u64, top1: Option<f64>) -> RecordedRun {
    let layer = Layer::of_id("AMC-ResNet20-Digits-MACs30-v0")
        .with("agent", "name", agent)
        .with("run", "seed", seed)
        .with("run", "episodes", 10);
    let config = Config::from_layer(layer).expect("sound settings");
    let row = Row {
        policy: agent.to_owned(),
        best_return: top1.map(|top1| top1 - 1.0),
        reward_top1: top1,
        test_top1: top1.map(|top1| top1 - 0.01),
        macs: top1.map(|_| 1000),
        parameters: top1.map(|_| 100),
        bytes: top1.map(|_| 400),
        preserve_ratio: top1.map(|_| 0.3),
        evaluations,
    };
    RecordedRun {
        path: format!("runs/{agent}-{seed}-{hash}").into(),
        env: config.env.id(),
        config,
        settings: Some(hash.to_owned()),
        finished: true,
        played: evaluations,
        reward: "err".to_owned(),
        row: Some(row),
        teacher: None,
        seconds: Some(1.0),
        pretrained: None,
    }
}

#[test]
fn a_seed_counts_once_and_estimates_are_over_seeds() {
    let runs = [
        run("cem", 2, "a", 11, Some(0.5)),
        run("cem", 1, "a", 11, Some(0.7)),
        run("cem", 2, "a", 11, Some(0.5)),
    ];
    let all = Comparisons::of(&runs);
    let [comparison] = &all.comparisons[..] else { panic!("one comparison") };
    let [group] = &comparison.groups[..] else { panic!("one group") };
    assert_eq!((group.label.as_str(), &group.seeds[..]), ("cem", &[1, 2][..]));
    let top1 = group.reward_top1.expect("an estimate");
    assert!((top1.mean - 0.6).abs() < 1e-12);
    assert_eq!((top1.low, top1.high, top1.count), (0.5, 0.7, 2));
    assert_eq!(comparison.stem, "AMC-ResNet20-Digits-v0");
    assert_eq!(all.notes.len(), 1);
    assert!(all.notes[0].contains("counted once: runs/cem-2-a, runs/cem-2-a"), "{:?}", all.notes);
}

#[test]
fn what_makes_a_comparison_unfair_is_noted() {
    let fair = [
        run("cem", 1, "a", 11, Some(0.5)),
        run("random", 1, "a", 11, Some(0.4)),
        // It plays one candidate by its nature.
        run("uniform", 3, "a", 1, Some(0.3)),
    ];
    assert_eq!(Comparisons::of(&fair).notes, Vec::<String>::new());
    let env = "AMC-ResNet20-Digits-MACs30-v0";
    let short = [run("cem", 1, "a", 11, Some(0.5)), run("greedy", 1, "a", 7, Some(0.4))];
    assert_eq!(
        Comparisons::of(&short).notes,
        [format!("{env}: not the same number of evaluations: cem 11, greedy 7")]
    );
    let seeds = [run("cem", 1, "a", 11, Some(0.5)), run("random", 2, "a", 11, Some(0.4))];
    assert_eq!(Comparisons::of(&seeds).notes, [format!("{env}: not the same seeds: cem (1), random (2)")]);
    let failed = [run("cem", 1, "a", 11, Some(0.5)), run("cem", 2, "a", 11, None)];
    let all = Comparisons::of(&failed);
    assert_eq!(all.notes.len(), 1);
    assert!(all.notes[0].contains("1 of 2 runs of cem found no admissible candidate"), "{:?}", all.notes);
    assert!(all.table().contains("note: "));
}

#[test]
fn other_weights_or_images_with_the_same_settings_are_told() {
    let runs = [run("cem", 1, "a", 11, Some(0.5)), run("cem", 1, "b", 11, Some(0.6))];
    let all = Comparisons::of(&runs);
    assert_eq!(all.comparisons.len(), 2);
    assert_eq!(all.differing[CONTENTS], ["hash a", "hash b"]);
    assert!(
        all.table()
            .contains("they differ in:\n  contents of the files (weights or images): hash a, hash b\n")
    );
}

#[test]
fn runs_that_start_from_a_policy_are_no_runs_from_scratch() {
    let carried = RecordedRun { pretrained: Some("other".to_owned()), ..run("cem", 1, "a", 11, Some(0.5)) };
    let all = Comparisons::of(&[run("cem", 1, "a", 11, Some(0.5)), carried]);
    let labels: Vec<&str> = all.comparisons[0].groups.iter().map(|group| group.label.as_str()).collect();
    assert_eq!(labels, ["cem (from scratch)", "cem (from other)"]);
}

#[test]
fn the_return_is_shown_where_it_is_not_minus_the_error() {
    let mut runs = [run("cem", 1, "a", 11, Some(0.5))];
    assert!(!Comparisons::of(&runs).table().contains("-0.5000"));
    runs[0].reward = "err-log-macs".to_owned();
    let table = Comparisons::of(&runs).table();
    assert!(table.contains("-0.5000"), "{table}");
}

#[test]
fn cells_of_a_csv_file_are_quoted_where_they_must_be() {
    assert_eq!(
        table::csv_line(&["a, b".to_owned(), "c".to_owned(), "\"d\"".to_owned()]),
        "\"a, b\",c,\"\"\"d\"\"\"\n"
    );
    let all = Comparisons::of(&[run("cem", 1, "a", 11, None)]);
    let csv = all.csv();
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert_eq!((columns.len(), columns[0]), (2, columns[1]));
}
