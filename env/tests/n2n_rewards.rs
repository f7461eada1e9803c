//! N2N's rewards against the paper's figures.

use cgym_env::{
    Outcome,
    n2n::{N2nReward, N2nRewardSettings, TeacherFigures},
};

fn outcome(top1: f64, parameters: u64) -> Outcome {
    Outcome {
        top1,
        macs: 1,
        parameters,
        bytes: 4 * parameters,
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
    let reward = N2nRewardSettings::default().of(&student, &teacher, None);
    assert!((reward - 0.9938).abs() < 5e-5, "{reward}");
    let compression = 1.0 - 1.7 / 20.2;
    assert!((compression - 0.9158_f64).abs() < 5e-5);
    assert!((compression * (2.0 - compression) - 0.9929_f64).abs() < 5e-5);
}

#[test]
fn a_broken_constraint_costs_more_with_every_update_and_all_after_fifteen() {
    let teacher = TeacherFigures { top1: 0.9197, parameters: 20_200_000, macs: 1 };
    let student = outcome(0.9205, 1_700_000);
    let free = N2nRewardSettings { name: N2nReward::Constrained, ..N2nRewardSettings::default() };
    let tight = N2nRewardSettings { max_parameters: Some(1_000_000), ..free.clone() };
    let reward = |progress| tight.of(&student, &teacher, progress);
    let plain = N2nRewardSettings { name: N2nReward::Plain, ..tight.clone() }.of(&student, &teacher, None);
    assert!((reward(Some(0)) - plain).abs() < 1e-12);
    let fifth = (1.0_f64 - 5.0 / 15.0).powi(4) * (plain + 1.0) - 1.0;
    assert!((reward(Some(5)) - fifth).abs() < 1e-12);
    let falling: Vec<f64> = (0..=15).map(|progress| reward(Some(progress))).collect();
    assert!(falling.windows(2).all(|pair| pair[1] < pair[0]));
    for progress in [Some(15), Some(18), Some(30), Some(1000), None] {
        assert_eq!(reward(progress), -1.0, "{progress:?}");
    }
    let holds = N2nRewardSettings {
        max_parameters: Some(1_700_000),
        max_macs: Some(1),
        min_top1: Some(0.92),
        ..free
    };
    assert_eq!(holds.of(&student, &teacher, None), plain);
    for broken in [
        N2nRewardSettings { max_macs: Some(0), ..holds.clone() },
        N2nRewardSettings { min_top1: Some(0.93), ..holds.clone() },
        N2nRewardSettings { max_parameters: Some(1_699_999), ..holds.clone() },
    ] {
        assert_eq!(broken.of(&student, &teacher, None), -1.0);
    }
}
