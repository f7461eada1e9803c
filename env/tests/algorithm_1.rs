//! Algorithm 1 of AMC: how the budget bounds a walk over sites, for any monotone cost.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use cgym_env::{Action, Env, EnvError, LayerwiseEnv, Outcome, ResetOptions, check_env, method::Ladder};
use common::{
    NO_OPTIONS, outcome, play,
    toy::{Toy, ToyCost},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn keeps_what_the_remaining_layers_cannot_make_up_for() {
    let mut env = Toy::additive(&[100, 200, 700], 0.2).env(Some(0.3), false, 0.2).unwrap();
    let steps = play(&mut env, &NO_OPTIONS, || Action::scalar(0.9));
    let executed: Vec<f32> =
        steps.iter().map(|step| step.info().executed.as_ref().unwrap().to_floats()[0]).collect();
    assert_eq!(executed, [0.9, 0.35, 0.2]);
    let outcome = outcome(&steps);
    assert_eq!(outcome.kept, [90, 70, 140]);
    assert_eq!((outcome.kept.iter().sum::<usize>(), outcome.parameters), (300, 300));
    assert_eq!(outcome.preserve_ratio, 0.3);
    check_env(|| Box::new(env.clone())).unwrap();
}

#[test]
fn least_amounts_may_differ_from_layer_to_layer() {
    // Sparsity of at most 0.8 in the first two layers and of at most 0.98 in the last.
    let ladders = [(20, 100), (40, 200), (14, 700)].map(|(least, whole)| Ladder::multiples(least, 1, whole));
    let toy = Toy::new(ladders, |kept| kept.iter().sum());
    let mut env = toy.clone().env(Some(0.1), false, 0.02).unwrap();
    assert_eq!(walk(&mut env, &NO_OPTIONS, &[1.0; 3]).1, [46, 40, 14]);
    assert_eq!(walk(&mut env, &NO_OPTIONS, &[0.02; 3]).1, [20, 40, 14]);
    assert!(matches!(toy.env(Some(0.073), false, 0.02), Err(EnvError::Infeasible { .. })));
}

/// A game of few levels, so that everything in it can be enumerated.
struct Small {
    ladders: Vec<Ladder>,
    cost: ToyCost,
}

/// Random ladders and a random monotone cost: products of neighbours, squares, the greatest of two
/// amounts, and a jump.
fn small(rng: &mut ChaCha8Rng) -> Small {
    let sites = rng.random_range(1..=5);
    let ladder = |rng: &mut ChaCha8Rng| {
        let step = rng.random_range(1..=4);
        let whole = rng.random_range(1..=4 * step);
        Ladder::multiples(rng.random_range(1..=whole), step, whole)
    };
    let ladders: Vec<Ladder> = (0..sites).map(|_| ladder(rng)).collect();
    let linear: Vec<u64> = (0..sites).map(|_| rng.random_range(0..5)).collect();
    let square: Vec<u64> = (0..sites).map(|_| rng.random_range(0..3)).collect();
    let cross: Vec<u64> = (0..sites * sites).map(|_| rng.random_range(0..3)).collect();
    let (jump, at) = (rng.random_range(0..30), rng.random_range(0..20));
    let cost = move |kept: &[u64]| {
        let greatest = kept.iter().max().copied().unwrap_or(0);
        let mut cost = 1 + 3 * greatest + if kept.iter().sum::<u64>() > at { jump } else { 0 };
        for (i, &a) in kept.iter().enumerate() {
            cost += linear[i] * a + square[i] * a * a;
            cost +=
                kept[..i].iter().enumerate().map(|(j, &b)| cross[i * kept.len() + j] * a * b).sum::<u64>();
        }
        cost
    };
    Small { ladders, cost: Arc::new(cost) }
}

impl Small {
    fn env(&self, share: Option<f64>, exhaust: bool) -> LayerwiseEnv {
        let cost = self.cost.clone();
        Toy::new(self.ladders.clone(), move |kept| cost(kept)).env(share, exhaust, 1e-3).unwrap()
    }

    /// A share between the least that can be reached and 1.
    fn share(&self, rng: &mut ChaCha8Rng) -> f64 {
        let least = self.env(None, false).game().least_share();
        least + (1.0 - least) * rng.random::<f64>()
    }
}

/// Random preserve ratios, one per site of `env`.
fn actions(env: &LayerwiseEnv, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..env.sites()).map(|_| rng.random_range(1e-3..=1.0)).collect()
}

/// Plays these preserve ratios and gives the outcome and what is kept.
fn walk(env: &mut LayerwiseEnv, options: &ResetOptions, actions: &[f32]) -> (Outcome, Vec<u64>) {
    let mut next = actions.iter();
    let outcome = outcome(&play(env, options, || Action::scalar(*next.next().unwrap())));
    let kept = outcome.kept.iter().map(|&kept| kept as u64).collect();
    (outcome, kept)
}

fn amounts(ladder: &Ladder) -> Vec<u64> {
    (0..=ladder.whole()).filter(|&amount| ladder.contains(amount)).collect()
}

/// The costs of all candidates that start with `taken`.
fn costs_from(small: &Small, taken: &[u64]) -> Vec<u64> {
    match small.ladders.get(taken.len()) {
        None => vec![(small.cost)(taken)],
        Some(ladder) => {
            let after = |&amount: &u64| costs_from(small, &[taken, &[amount]].concat());
            amounts(ladder).iter().flat_map(after).collect()
        }
    }
}

/// What Algorithm 1 keeps, found by enumerating everything that could follow.
fn reference(small: &Small, actions: &[f32], share: f64, exhaust: bool) -> (Vec<u64>, bool) {
    let whole: Vec<u64> = small.ladders.iter().map(Ladder::whole).collect();
    let total = (small.cost)(&whole) as f64;
    let meets = |cost: u64| cost as f64 / total <= share;
    // The budget in whole units of cost: reached by what costs this or more.
    let limit = (0..=total as u64).filter(|&cost| meets(cost)).max().unwrap();
    let (mut kept, mut clipped) = (Vec::new(), false);
    for (ladder, action) in small.ladders.iter().zip(actions) {
        let legal = amounts(ladder);
        let asked = (ladder.whole() as f64 * f64::from(*action)).round_ties_even() as u64;
        let asked = *legal.iter().find(|&&amount| amount >= asked).unwrap();
        let after = |amount| costs_from(small, &[&kept[..], &[amount]].concat());
        let can_reach = |amount: u64| after(amount).into_iter().any(|cost| cost >= limit);
        let can_meet = |amount: u64| after(amount).into_iter().any(meets);
        let mut amount = asked;
        if exhaust && !can_reach(amount) {
            let raised = legal.iter().find(|&&other| other > asked && can_reach(other));
            amount = *raised.unwrap_or(&ladder.whole());
        }
        amount = *legal.iter().rev().find(|&&other| other <= amount && can_meet(other)).unwrap();
        clipped |= amount < asked;
        kept.push(amount);
    }
    (kept, clipped)
}

#[test]
fn every_walk_is_that_of_a_reference_that_enumerates_all_amounts() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut lowered, mut raised) = (0, 0);
    for round in 0..400 {
        let (small, exhaust) = (small(&mut rng), round % 2 == 1);
        let share = small.share(&mut rng);
        let mut env = small.env(Some(share), exhaust);
        let actions = actions(&env, &mut rng);
        let (outcome, kept) = walk(&mut env, &NO_OPTIONS, &actions);
        let (expected, clipped) = reference(&small, &actions, share, exhaust);
        assert_eq!(kept, expected, "round {round}, share {share}, {:?}, {actions:?}", small.ladders);
        assert!(outcome.preserve_ratio <= share && env.admits(&outcome));
        let all: Vec<Action> = actions.iter().map(|&action| Action::scalar(action)).collect();
        let preview = env.preview(&NO_OPTIONS, &all).unwrap();
        assert_eq!((preview.clipped, preview.preserve_ratio), (clipped, outcome.preserve_ratio));
        lowered += u32::from(clipped);
        let (_, unbounded) = walk(&mut small.env(None, false), &NO_OPTIONS, &actions);
        raised += u32::from(kept.iter().zip(&unbounded).any(|(kept, unbounded)| kept > unbounded));
    }
    assert!(lowered > 50 && raised > 50, "{lowered} lowered, {raised} raised");
}

#[test]
fn an_action_is_lowered_only_when_one_level_more_could_not_meet_the_budget() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut lowered = 0;
    for _ in 0..300 {
        let small = small(&mut rng);
        let share = small.share(&mut rng);
        let mut env = small.env(None, false);
        let actions = actions(&env, &mut rng);
        let (_, kept) = walk(&mut env, &ResetOptions::with_budget(share), &actions);
        let total = *costs_from(&small, &[]).iter().max().unwrap();
        for (index, site) in env.method().sites().iter().enumerate() {
            let asked = site.round(actions[index]);
            assert!(kept[index] <= asked, "nothing is raised without exhaust");
            if kept[index] < asked {
                lowered += 1;
                let legal = amounts(&site.ladder);
                let above = legal.iter().find(|&&amount| amount > kept[index]).unwrap();
                let after = costs_from(&small, &[&kept[..index], &[*above]].concat());
                assert!(after.iter().all(|&cost| cost as f64 / total as f64 > share));
            }
        }
    }
    assert!(lowered > 50, "{lowered}");
}

#[test]
fn a_walk_over_many_levels_is_that_of_a_linear_scan() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    for _ in 0..50 {
        let sizes: Vec<u64> = (0..6).map(|_| rng.random_range(1..100_000)).collect();
        let mut env = Toy::additive(&sizes, 0.02).env(Some(0.2), false, 0.02).unwrap();
        let least: Vec<u64> = env.method().sites().iter().map(|site| site.ladder.least()).collect();
        let actions: Vec<f32> = (0..6).map(|_| rng.random_range(0.02..=1.0)).collect();
        let (_, kept) = walk(&mut env, &NO_OPTIONS, &actions);
        let limit = sizes.iter().sum::<u64>() / 5;
        let mut spent = 0;
        for (site, &kept) in kept.iter().enumerate() {
            let left = limit - spent - least[site + 1..].iter().sum::<u64>();
            let asked = env.method().sites()[site].round(actions[site]);
            assert_eq!(kept, asked.min(left));
            spent += kept;
        }
    }
}
