//! The calibration, reward and training splits.

use std::collections::BTreeSet;

use super::*;

fn digits() -> DataSource {
    load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| {}).unwrap()
}

fn sizes(calibration: usize, reward: usize, seed: u64) -> SplitSizes {
    SplitSizes { calibration, reward, seed }
}

fn counts(source: &DataSource, indices: &[usize]) -> Vec<usize> {
    let mut counts = vec![0; source.train.classes()];
    for label in source.train.labels_of(indices) {
        counts[label] += 1;
    }
    counts
}

#[test]
fn reward_is_disjoint_from_training_and_calibration_is_a_part_of_it() {
    let source = digits();
    let splits = Splits::new(&source, &sizes(400, 360, 7)).unwrap();
    let set = |indices: &[usize]| indices.iter().copied().collect::<BTreeSet<_>>();
    let [training, calibration, reward] =
        [&splits.training, &splits.calibration, &splits.reward].map(|s| set(s));
    assert_eq!((training.len(), splits.training.len()), (1077, 1077));
    assert_eq!((calibration.len(), splits.calibration.len()), (400, 400));
    assert_eq!((reward.len(), splits.reward.len()), (360, 360));
    assert!(training.is_disjoint(&reward));
    assert!(calibration.is_subset(&training));
    assert_eq!(&training | &reward, (0..1437).collect());
    assert_eq!(splits.test, (0..360).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_draws_the_same_splits_and_another_seed_others() {
    let source = digits();
    let draw = |seed| Splits::new(&source, &sizes(400, 360, seed)).unwrap();
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1).reward, draw(2).reward);
    assert_ne!(draw(1).calibration, draw(2).calibration);
}

#[test]
fn the_draw_is_the_one_it_has_always_been() {
    let splits = Splits::new(&digits(), &sizes(400, 360, 0)).unwrap();
    assert_eq!(splits.reward[..6], [1370, 733, 720, 818, 1424, 1187]);
    assert_eq!(splits.calibration[..6], [419, 1024, 643, 1030, 1405, 1311]);
}

#[test]
fn every_class_has_its_share() {
    let source = digits();
    let all: Vec<usize> = (0..source.train.len()).collect();
    let in_train = counts(&source, &all);
    let splits = Splits::new(&source, &sizes(400, 360, 3)).unwrap();
    for (split, size) in [(&splits.reward, 360), (&splits.calibration, 400)] {
        for (count, of) in counts(&source, split).into_iter().zip(&in_train) {
            let exact = *of as f64 * f64::from(size) / 1437.0;
            assert!((count as f64 - exact).abs() < 1.0, "{count} of {exact}");
        }
    }
}

#[test]
fn the_reward_split_does_not_move_with_the_size_of_the_calibration_split() {
    let source = digits();
    let draw = |calibration| Splits::new(&source, &sizes(calibration, 360, 5)).unwrap();
    assert_eq!(draw(10).reward, draw(400).reward);
    assert!(draw(0).calibration.is_empty());
}

#[test]
fn a_split_can_take_everything_that_is_left() {
    let source = digits();
    let splits = Splits::new(&source, &sizes(1, 1436, 0)).unwrap();
    assert_eq!(splits.training, splits.calibration);
    let splits = Splits::new(&source, &sizes(1077, 360, 0)).unwrap();
    assert_eq!(splits.training.len(), splits.calibration.len());
}

#[test]
fn rejects_sizes_that_do_not_fit_and_says_the_most_that_does() {
    let source = digits();
    let message = |c, r| Splits::new(&source, &sizes(c, r, 0)).unwrap_err().to_string();
    assert!(message(0, 1437).contains("the most that fits is 1436"));
    assert!(message(0, usize::MAX).contains("the most that fits is 1436"));
    assert!(message(1078, 360).contains("the most that fits is 1077"));
    assert!(message(usize::MAX, 360).contains("the most that fits is 1077"));
    assert!(message(10, 0).contains("at least 1"));
}

#[test]
fn default_sizes_are_clipped_to_a_third_of_a_small_train_part() {
    let source = digits();
    let defaults = SplitSizes::for_dataset(DatasetName::Digits, &source, 9);
    assert_eq!(defaults, sizes(400, 360, 9));
    let clipped = SplitSizes::for_dataset(DatasetName::Cifar10, &source, 9);
    assert_eq!(clipped, sizes(479, 479, 9));
    assert!(Splits::new(&source, &clipped).is_ok());
}
