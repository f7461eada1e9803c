//! Evaluators: exact, memoised and made up.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use cgym_env::{
    Action, AmcEnv, AmcSettings, Env, Evaluator, Exact, Memoised, ResetOptions, Scope, Surrogate, check_env,
};
use cgym_teachers::{
    data::{self, DatasetName, LoadOptions},
    engine::{Engine, Images},
    pruner::Pruner,
    weights::Weights,
};
use common::{play, teacher};

fn exact() -> (Arc<Pruner>, Exact) {
    let (graph, _) = teacher("resnet8", [1, 8, 8], 10);
    let weights = Weights::initialise(&graph, 1);
    let pruner = Arc::new(Pruner::new(graph, weights).unwrap());
    let digits = data::load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).unwrap();
    let images = Images::new(&digits.train, &(0..200).collect::<Vec<_>>()).unwrap();
    (pruner.clone(), Exact::new(pruner, Arc::new(images)))
}

#[test]
fn an_untrained_network_is_pruned_physically_and_run() {
    let (pruner, evaluator) = exact();
    let evaluator = Arc::new(evaluator);
    let settings = AmcSettings::default();
    let make = || AmcEnv::new("AMC-Test-v0", pruner.graph(), pruner.coupling(), &settings, evaluator.clone());
    let mut env = make().unwrap();
    let steps = play(&mut env, &ResetOptions::default(), || Action::scalar(0.4));
    let outcome = steps.last().unwrap().info().outcome.clone().unwrap();
    assert_eq!(outcome.kept, [6, 13, 26]);

    let kept: Vec<(usize, usize)> =
        env.decisions().iter().zip(&outcome.kept).map(|(decision, &kept)| (decision.group, kept)).collect();
    let (graph, weights) = pruner.prune(&kept).unwrap();
    let digits = data::load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).unwrap();
    let images = Images::new(&digits.train, &(0..200).collect::<Vec<_>>()).unwrap();
    assert_eq!(outcome.top1, Engine::new(&graph, &weights).unwrap().top1(&images).unwrap());
    let cost = graph.cost().unwrap();
    assert_eq!((outcome.macs, outcome.parameters), (cost.macs, cost.parameters));
    assert!(outcome.preserve_ratio <= 0.5);
    assert_eq!(steps.last().unwrap().reward(), outcome.top1 - 1.0);
    check_env(|| Box::new(make().unwrap())).unwrap();
}

#[test]
fn residual_groups_are_pruned_and_run_as_well() {
    let (pruner, evaluator) = exact();
    let settings = AmcSettings { scope: Scope::All, ..AmcSettings::default() };
    let (graph, coupling) = (pruner.graph(), pruner.coupling());
    let env = AmcEnv::new("AMC-Test-v0", graph, coupling, &settings, Arc::new(evaluator)).unwrap();
    assert_eq!(env.spec().steps(), 6);
    check_env(|| env.fork()).unwrap();
}

#[test]
fn the_surrogate_counts_what_the_exact_evaluator_counts() {
    let (pruner, exact) = exact();
    let surrogate = Surrogate::new(pruner.graph(), pruner.coupling()).unwrap();
    let groups = (0..pruner.coupling().groups.len()).filter(|&g| pruner.coupling().groups[g].removable);
    let candidate: Vec<(usize, usize)> = groups.map(|group| (group, 5)).collect();
    assert_eq!(surrogate.evaluate(&candidate).unwrap().cost, exact.evaluate(&candidate).unwrap().cost);
    let whole = surrogate.evaluate(&[]).unwrap();
    assert_eq!(whole.cost, pruner.graph().cost().unwrap());
    assert!((whole.top1 - 0.95).abs() < 1e-12);
    assert!(surrogate.evaluate(&candidate).unwrap().top1 < whole.top1);
}

#[test]
fn impossible_candidates_are_refused_by_every_evaluator_and_not_remembered() {
    let (pruner, exact) = exact();
    let surrogate = Surrogate::new(pruner.graph(), pruner.coupling()).unwrap();
    let memory = Memoised::new(exact);
    for impossible in [(999, 1), (0, 0), (0, 999)] {
        assert!(surrogate.evaluate(&[impossible]).is_err(), "{impossible:?}");
        assert!(memory.evaluate(&[impossible]).is_err(), "{impossible:?}");
    }
    assert_eq!((memory.hits(), memory.evaluations()), (0, 0));
    assert!(memory.known().is_empty());
}

#[test]
fn a_memory_evaluates_every_candidate_once_by_any_number_of_threads() {
    let (graph, coupling) = teacher("resnet20", [1, 8, 8], 10);
    let memory = Arc::new(Memoised::new(Surrogate::new(&graph, &coupling).unwrap()));
    let env = AmcEnv::new("AMC-Test-v0", &graph, &coupling, &AmcSettings::default(), memory.clone()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut env = env.fork();
            scope.spawn(move || {
                for action in [0.25, 0.5, 0.75, 1.0] {
                    play(&mut *env, &ResetOptions::default(), || Action::scalar(action));
                }
            });
        }
    });
    assert_eq!((memory.hits(), memory.evaluations()), (12, 4));
    let resumed = Memoised::with_known(Surrogate::new(&graph, &coupling).unwrap(), memory.known());
    assert_eq!(resumed.known(), memory.known());
    let (candidate, evaluation) = &memory.known()[0];
    assert_eq!(resumed.evaluate(candidate).unwrap(), *evaluation);
    assert_eq!((resumed.hits(), resumed.evaluations()), (1, 0));
}
