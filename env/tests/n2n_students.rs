//! Students of N2N: scored once, recalled from records, and the best of all.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use cgym_env::{
    EnvError, Game, Memoised, Outcome, Score, Scorer, SurrogateStudent, n2n::DEGENERATE_REWARD, optimum,
};
use cgym_teachers::{Error, architecture, graph::Graph};
use common::{
    NO_OPTIONS, digits_network,
    n2n::{Diverges, env_of, env_with, last, removal, shrinkage, without},
    outcome, play, random_action,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Counts how often it is asked.
struct Counting(SurrogateStudent, AtomicU64);

impl Scorer<Graph> for Counting {
    fn score(&self, child: &Graph) -> Result<Score, Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.score(child)
    }

    fn identity(&self, child: &Graph) -> String {
        self.0.identity(child)
    }
}

#[test]
fn a_student_is_trained_once_by_any_number_of_threads() {
    let graph = digits_network("resnet8");
    let counting = Counting(SurrogateStudent::new(&graph).unwrap(), AtomicU64::new(0));
    let memory = Arc::new(Memoised::new(counting));
    let env = env_with(&graph, &removal(), memory.clone());
    let names = ["layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv2"];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut env = env.clone();
            scope.spawn(move || {
                for name in names {
                    let actions = without(&env, &[name]);
                    last(&mut env, &NO_OPTIONS, &actions);
                }
            });
        }
    });
    // Two equal convolutions of one block: without either, it is the same architecture.
    let trained = memory.inner().1.load(Ordering::Relaxed);
    assert_eq!((memory.evaluations(), memory.hits()), (trained, 12 - trained));
    assert!(trained == 3 || trained == 2, "{trained}");
    let resumed = Memoised::new(Diverges);
    for name in names {
        let child = env.game().child(&without(&env, &[name])).unwrap();
        resumed.remember(&child, memory.score(&child).unwrap());
    }
    assert_eq!(resumed.known(), memory.known());
    let child = env.game().child(&without(&env, &names[..1])).unwrap();
    assert_eq!(resumed.score(&child).unwrap(), memory.score(&child).unwrap());
}

#[test]
fn a_recorded_outcome_is_recalled_and_a_forged_one_refused() {
    let graph = digits_network("resnet8");
    let mut env = env_of(&graph, &removal());
    let actions = without(&env, &["layer1.0.conv2"]);
    let outcome = outcome(&[last(&mut env, &NO_OPTIONS, &actions)]);
    let child = env.game().recall(&outcome).unwrap();
    assert_eq!(Some(architecture::hash(&child)), outcome.architecture);
    assert_eq!(child.cost().unwrap().parameters, outcome.parameters);
    let surrogate = SurrogateStudent::new(&graph).unwrap();
    assert_eq!(surrogate.score(&child).unwrap().top1, outcome.top1);
    for forged in [
        Outcome { parameters: outcome.parameters + 1, ..outcome.clone() },
        Outcome { architecture: None, ..outcome.clone() },
        Outcome { kept: vec![1; 3], ..outcome.clone() },
        Outcome { kept: vec![7; outcome.kept.len()], ..outcome },
    ] {
        assert!(env.game().recall(&forged).is_err());
    }
}

#[test]
fn the_optimum_of_a_small_game_is_what_no_other_episode_beats() {
    let graph = digits_network("lenet5");
    let mut env = env_of(&graph, &removal());
    assert!(env.game().decisions().len() <= 12);
    let (actions, best) = optimum(&env).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let fork = env.clone();
    for _ in 0..50 {
        let steps = play(&mut env, &NO_OPTIONS, || random_action(&fork, &mut rng));
        assert!(steps.last().unwrap().reward() <= best);
    }
    let mut replayed = actions.iter().cloned();
    let steps = play(&mut env, &NO_OPTIONS, || replayed.next().unwrap());
    assert_eq!(steps.last().unwrap().reward(), best);
    assert!(best > DEGENERATE_REWARD);
    assert!(matches!(optimum(&env_of(&graph, &shrinkage())), Err(EnvError::Setting { .. })));
}
