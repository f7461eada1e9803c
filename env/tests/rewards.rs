//! Any reward with any budget, or with none.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use cgym_env::{
    Action, BudgetUnit, Env, Outcome, ResetOptions, Reward, check_env, parse_budget,
    settings::{EnvSettings, Layer},
};
use common::{NO_OPTIONS, digits_network, outcome, outcome_of, outlined, play};

fn env(unit: BudgetUnit, share: Option<f64>, reward: Reward) -> Box<dyn Env> {
    let layer = Layer::of_id("AMC-ResNet8-Digits-v0")
        .with("budget", "unit", unit.as_str())
        .with("budget", "share", share)
        .with("reward", "name", reward.as_str());
    outlined(&EnvSettings::resolve(&layer).unwrap(), &digits_network("resnet8")).unwrap()
}

#[test]
fn every_reward_is_played_with_and_without_a_budget_of_every_unit() {
    for unit in BudgetUnit::all() {
        for &(reward, name) in Reward::NAMES {
            for share in [None, Some(0.5), Some(1.0)] {
                let mut env = env(unit, share, reward);
                let spec = env.spec().clone();
                assert_eq!((spec.reward.as_str(), spec.unit.as_str()), (name, unit.as_str()));
                assert_eq!(spec.budget, share);
                check_env(|| env.fork().unwrap()).unwrap();
                let steps = play(&mut *env, &NO_OPTIONS, || Action::scalar(0.9));
                let outcome = outcome(&steps);
                assert_eq!(steps.last().unwrap().reward(), reward.of(&outcome));
                assert!(env.admits(&outcome), "{unit} {name} {share:?}");
                assert!(share.is_none_or(|share| outcome.preserve_ratio <= share));
            }
        }
    }
}

#[test]
fn a_budget_bounds_what_is_admitted_even_where_an_episode_is_freed_of_it() {
    for &(reward, _) in Reward::NAMES {
        let mut env = env(BudgetUnit::MACS, Some(0.5), reward);
        let free = ResetOptions::with_budget(1.0);
        let whole = outcome(&play(&mut *env, &free, || Action::scalar(1.0)));
        assert_eq!(whole.preserve_ratio, 1.0);
        assert!(!env.admits(&whole));
        let just = Outcome { preserve_ratio: 0.5, ..whole.clone() };
        assert!(env.admits(&just));
        assert!(!env.admits(&Outcome { preserve_ratio: 0.5_f64.next_up(), ..whole }));
    }
}

#[test]
fn no_budget_admits_everything_and_clips_nothing() {
    for &(reward, _) in Reward::NAMES {
        let mut env = env(BudgetUnit::PARAMS, None, reward);
        assert_eq!(env.spec().budget, None);
        for action in [0.2, 0.5, 1.0] {
            let preview = env.preview(&NO_OPTIONS, &vec![Action::scalar(action); 3]).unwrap();
            assert!(!preview.clipped, "{action}");
            let outcome = outcome_of(&mut *env, action);
            assert!(env.admits(&outcome));
            assert_eq!(outcome.preserve_ratio, preview.preserve_ratio);
        }
        let whole = outcome_of(&mut *env, 1.0);
        assert_eq!((whole.preserve_ratio, whole.kept.as_slice()), (1.0, &[16, 32, 64][..]));
        assert!(env.admits(&Outcome { preserve_ratio: 2.0, ..whole }));
        // An episode may still have a budget of its own.
        let tight = ResetOptions::with_budget(0.5);
        assert!(env.preview(&tight, &vec![Action::scalar(1.0); 3]).unwrap().clipped);
        assert!(outcome(&play(&mut *env, &tight, || Action::scalar(1.0))).preserve_ratio <= 0.5);
    }
}

#[test]
fn a_spec_without_a_budget_says_so_in_json_too() {
    let spec = env(BudgetUnit::MACS, None, Reward::Error).spec().clone();
    let text = serde_json::to_string(&spec).unwrap();
    assert!(!text.contains("budget"), "{text}");
    assert_eq!(serde_json::from_str::<cgym_env::EnvSpec>(&text).unwrap(), spec);
    let spec = env(BudgetUnit::MACS, Some(0.5), Reward::Error).spec().clone();
    let text = serde_json::to_string(&spec).unwrap();
    assert!(text.contains("\"budget\":0.5"), "{text}");
    assert_eq!(serde_json::from_str::<cgym_env::EnvSpec>(&text).unwrap(), spec);
}

#[test]
fn budgets_in_short_are_a_unit_and_a_share_or_none() {
    assert_eq!(parse_budget("macs=0.5").unwrap(), Some((BudgetUnit::MACS, 0.5)));
    assert_eq!(parse_budget("params = 1").unwrap(), Some((BudgetUnit::PARAMS, 1.0)));
    assert_eq!(parse_budget("bytes=0.1").unwrap(), Some((BudgetUnit::BYTES, 0.1)));
    assert_eq!(parse_budget("none").unwrap(), None);
    for (wrong, expected) in [
        ("mac=0.5", "unknown name `mac`; did you mean `macs`?"),
        ("macs=0", "0 is not a share in (0, 1]"),
        ("macs=NaN", "NaN is not a share in (0, 1]"),
        ("macs=1.5", "1.5 is not a share in (0, 1]"),
        ("macs", "`macs` is not a budget; write macs=0.5, params=0.6, bytes=0.1 or none"),
        ("0.5", "`0.5` is not a budget; write macs=0.5, params=0.6, bytes=0.1 or none"),
    ] {
        let refusal = parse_budget(wrong).unwrap_err();
        assert!(refusal.ends_with(expected), "{refusal}");
    }
}
