//! Scorers: exact, memoised and by a formula.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use cgym_env::{
    Action, Constant, Env, Exact, Game, LayerwiseEnv, Material, Memoised, Score, Scorer, Scoring, Surrogate,
    check_env,
    method::{
        Kept, Method, MethodKind, Surgery,
        channels::{ChannelMethod, ChannelScore, ChannelSettings, Channels, Scope},
    },
    settings::{EnvSettings, Layer},
};
use cgym_teachers::{
    engine::{Convolution, Engine},
    pruner::Pruner,
};
use common::{
    NO_OPTIONS, Setup, digits_env, digits_network, game, header_of, outcome, outcome_of, play, untrained,
};

fn surgery(material: &Material, channels: &ChannelSettings) -> Arc<dyn Surgery> {
    let score = ChannelScore { refit: false, ..ChannelScore::default() };
    Channels::surgery(material, channels, &score).unwrap()
}

fn exact(material: &Material, channels: &ChannelSettings) -> Exact {
    Exact::new(surgery(material, channels), material.reward.clone(), Convolution::Fast)
}

fn all() -> ChannelSettings {
    ChannelSettings { scope: Scope::All, ..ChannelSettings::default() }
}

#[test]
fn an_untrained_network_is_pruned_physically_and_run() {
    let material = untrained("resnet8");
    let setup = Setup::default();
    let scorer = Arc::new(exact(&material, &setup.channels));
    let game = Arc::new(game(&material.network.graph, &setup).unwrap());
    let mut env = LayerwiseEnv::new(game.clone(), scorer.clone());
    let steps = play(&mut env, &NO_OPTIONS, || Action::scalar(0.4));
    let outcome = outcome(&steps);
    assert_eq!(outcome.kept, [6, 13, 26]);

    let method = ChannelMethod::new(&material.network.graph, &setup.channels).unwrap();
    let groups = method.cost_model().groups().iter().copied();
    let kept: Vec<(usize, usize)> = groups.zip(outcome.kept.iter().copied()).collect();
    let pruner = Pruner::new(material.network.graph.clone(), material.network.weights.clone()).unwrap();
    let (graph, weights) = pruner.prune(&kept).unwrap();
    assert_eq!(outcome.top1, Engine::new(&graph, &weights).unwrap().top1(&material.reward).unwrap());
    let cost = graph.cost().unwrap();
    assert_eq!(
        (outcome.macs, outcome.parameters, outcome.bytes),
        (cost.macs, cost.parameters, cost.weight_bytes)
    );
    assert!(outcome.preserve_ratio <= 0.5);
    assert_eq!(steps.last().unwrap().reward(), outcome.top1 - 1.0);
    check_env(|| Box::new(LayerwiseEnv::new(game.clone(), scorer.clone()))).unwrap();
}

#[test]
fn residual_groups_are_pruned_and_run_as_well() {
    let material = untrained("resnet8");
    let setup = Setup::with_channels(all());
    let game = game(&material.network.graph, &setup).unwrap();
    let env = LayerwiseEnv::new(Arc::new(game), Arc::new(exact(&material, &setup.channels)));
    assert_eq!(env.spec().steps(), 6);
    check_env(|| Box::new(env.clone())).unwrap();
}

#[test]
fn costs_are_those_of_surgery_whatever_scores() {
    let material = untrained("resnet8");
    let method = ChannelMethod::new(&material.network.graph, &all()).unwrap();
    let five: Kept = vec![5; method.sites().len()];
    let (pruned, _) = surgery(&material, &all()).apply(&five).unwrap();
    assert_eq!(method.full_cost(&five), pruned.cost().unwrap());
    let whole: Kept = method.sites().iter().map(|site| site.ladder.whole()).collect();
    assert_eq!(method.full_cost(&whole), material.network.graph.cost().unwrap());

    let game = Arc::new(game(&material.network.graph, &Setup::with_channels(all())).unwrap());
    let scorers: [Arc<dyn Scorer<Kept>>; 3] = [
        Arc::new(exact(&material, &all())),
        Arc::new(Surrogate::new(method.sites())),
        Arc::new(Constant(0.5)),
    ];
    let costs = scorers.map(|scorer| {
        let outcome = outcome_of(&mut LayerwiseEnv::new(game.clone(), scorer), 0.7);
        (outcome.macs, outcome.parameters, outcome.bytes, outcome.preserve_ratio, outcome.kept)
    });
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

#[test]
fn the_surrogate_is_its_formula() {
    let method = ChannelMethod::new(&digits_network("resnet20"), &ChannelSettings::default()).unwrap();
    let surrogate = Surrogate::new(method.sites());
    let top1 = |kept: &Kept| surrogate.score(kept).unwrap().top1;
    let whole: Kept = method.sites().iter().map(|site| site.ladder.whole()).collect();
    assert!((top1(&whole) - 0.95).abs() < 1e-12);
    let half: Kept = whole.iter().map(|whole| whole / 2).collect();
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let sensitivities: f64 = (1..=half.len()).map(|site| 0.05 + 0.95 * (site as f64 * golden).fract()).sum();
    assert!((top1(&half) - (0.1 + 0.85 * (-sensitivities / 4.0).exp())).abs() < 1e-12);
    let mut less = whole.clone();
    for site in 0..whole.len() {
        let before = top1(&less);
        less[site] -= 1;
        assert!(top1(&less) < before);
    }
}

#[test]
fn impossible_candidates_are_refused_by_every_scorer_and_not_remembered() {
    let material = untrained("resnet8");
    let channels = ChannelSettings::default();
    let method = ChannelMethod::new(&material.network.graph, &channels).unwrap();
    let surrogate = Surrogate::new(method.sites());
    let memory = Memoised::new(exact(&material, &channels));
    for impossible in [vec![1; 4], vec![1; 2], vec![0, 1, 1], vec![999, 1, 1], Vec::new()] {
        assert!(surrogate.score(&impossible).is_err(), "{impossible:?}");
        assert!(memory.score(&impossible).is_err(), "{impossible:?}");
    }
    assert_eq!((memory.hits(), memory.evaluations()), (0, 0));
    assert!(memory.known().is_empty());
}

#[test]
fn a_memory_scores_every_candidate_once_by_any_number_of_threads() {
    let game = Arc::new(game(&digits_network("resnet20"), &Setup::default()).unwrap());
    let surrogate = || Surrogate::new(game.method().sites());
    let memory = Arc::new(Memoised::new(surrogate()));
    let env = LayerwiseEnv::new(game.clone(), memory.clone());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut env = env.fork().unwrap();
            scope.spawn(move || {
                for action in [0.25, 0.5, 0.75, 1.0] {
                    play(&mut *env, &NO_OPTIONS, || Action::scalar(action));
                }
            });
        }
    });
    assert_eq!((memory.hits(), memory.evaluations()), (12, 4));
    let resumed = Memoised::new(surrogate());
    let mut env = env.clone();
    for action in [0.25, 0.5, 0.75, 1.0] {
        let outcome = outcome_of(&mut env, action);
        resumed.remember(&game.recall(&outcome).unwrap(), Score { top1: outcome.top1, loss: None });
    }
    assert_eq!(resumed.known(), memory.known());
    let (identity, score) = &memory.known()[0];
    let candidate: Kept = identity.split(',').map(|amount| amount.parse().unwrap()).collect();
    assert_eq!(resumed.score(&candidate).unwrap(), *score);
    assert_eq!((resumed.hits(), resumed.evaluations()), (1, 0));
}

#[test]
fn a_played_game_shares_one_memory_and_makes_its_networks_again() {
    let material = untrained("resnet8");
    let layer = Layer::of_id("AMC-ResNet8-Digits-MACs50-v0").with("score", "points", 2);
    let settings = EnvSettings::resolve(&layer).unwrap();
    let played = settings.rules.play(&header_of(&settings), &material).unwrap();
    let first = outcome_of(&mut *played.env(Scoring::Memoised), 0.4);
    assert_eq!(outcome_of(&mut *played.env(Scoring::Memoised), 0.4), first);
    assert_eq!(played.evaluations(), 1);
    assert_eq!(outcome_of(&mut *played.env(Scoring::Always), 0.4), first);
    assert_eq!(played.evaluations(), 1);
    assert_eq!(outcome_of(&mut *played.env(Scoring::Constant(0.25)), 0.4).top1, 0.25);
    check_env(|| played.env(Scoring::Memoised)).unwrap();

    let network = played.network(&first).unwrap();
    assert_eq!(network, played.network(&first).unwrap());
    let top1 = Engine::new(&network.graph, &network.weights).unwrap().top1(&material.reward).unwrap();
    assert_eq!((top1, network.graph.cost().unwrap().weight_bytes), (first.top1, first.bytes));

    let resumed = settings.rules.play(&header_of(&settings), &material).unwrap();
    resumed.remember(std::slice::from_ref(&first)).unwrap();
    assert_eq!(outcome_of(&mut *resumed.env(Scoring::Memoised), 0.4), first);
    assert_eq!(resumed.evaluations(), 0);
    let mut foreign = first;
    foreign.parameters += 1;
    assert!(resumed.remember(&[foreign.clone()]).is_err());
    assert!(resumed.network(&foreign).is_err());
}

#[test]
fn a_constant_scorer_makes_every_candidate_equal() {
    let env = digits_env("resnet8", &Setup::default());
    let mut env = LayerwiseEnv::new(env.game().clone(), Arc::new(Constant(0.75)));
    assert_eq!([0.2, 1.0].map(|action| outcome_of(&mut env, action).top1), [0.75, 0.75]);
}
