//! N2N's rewards against the paper's figures.

use cgym_env::{Constraints, N2nReward, Outcome, TeacherFigures};

fn outcome(top1: f64, parameters: u64) -> Outcome {
    Outcome {
        top1,
        macs: 1,
        parameters,
        preserve_ratio: 0.1,
        kept: Vec::new(),
        architecture: None,
        loss: None,
    }
}

#[test]
fn rewards_are_those_of_the_paper() {
    let teacher = TeacherFigures { top1: 0.9197, parameters: 20_200_000, macs: 1 };
    let student = outcome(0.9205, 1_700_000);
    let free = Constraints::default();
    let reward = N2nReward::Plain.of(&student, &teacher, &free, None);
    assert!((reward - 0.9938).abs() < 5e-5, "{reward}");
    let compression = 1.0 - 1.7 / 20.2;
    assert!((compression - 0.9158_f64).abs() < 5e-5);
    assert!((compression * (2.0 - compression) - 0.9929_f64).abs() < 5e-5);
}

#[test]
fn a_broken_constraint_costs_more_with_every_update_and_all_after_fifteen() {
    let teacher = TeacherFigures { top1: 0.9197, parameters: 20_200_000, macs: 1 };
    let student = outcome(0.9205, 1_700_000);
    let tight = Constraints { max_parameters: Some(1_000_000), ..Constraints::default() };
    let reward = |progress| N2nReward::Constrained.of(&student, &teacher, &tight, progress);
    let plain = N2nReward::Plain.of(&student, &teacher, &tight, None);
    assert!((reward(Some(0)) - plain).abs() < 1e-12);
    let fifth = (1.0_f64 - 5.0 / 15.0).powi(4) * (plain + 1.0) - 1.0;
    assert!((reward(Some(5)) - fifth).abs() < 1e-12);
    let falling: Vec<f64> = (0..=15).map(|progress| reward(Some(progress))).collect();
    assert!(falling.windows(2).all(|pair| pair[1] < pair[0]));
    for progress in [Some(15), Some(18), Some(30), Some(1000), None] {
        assert_eq!(reward(progress), -1.0, "{progress:?}");
    }
    let holds = Constraints { max_parameters: Some(1_700_000), max_macs: Some(1), min_top1: Some(0.92) };
    assert_eq!(N2nReward::Constrained.of(&student, &teacher, &holds, None), plain);
    for broken in [
        Constraints { max_macs: Some(0), ..holds },
        Constraints { min_top1: Some(0.93), ..holds },
        Constraints { max_parameters: Some(1_699_999), ..holds },
    ] {
        assert_eq!(N2nReward::Constrained.of(&student, &teacher, &broken, None), -1.0);
    }
}
