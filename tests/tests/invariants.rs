//! Invariants across all crates, tested with real networks, real accuracies and every agent.

use std::sync::Arc;

use cgym_agents::{Agent, AgentContext, Mode, make, names, run_episode};
use cgym_env::{AmcEnv, Env, EnvConfig, EpisodeRecord, Exact, Memoised, check_env};
use cgym_teachers::{
    data::{DatasetName, LoadOptions, SplitSizes, Splits, load},
    engine::{Engine, Images},
    pruner::Pruner,
    reconstruct::Sampling,
    shipped,
    zoo::{ModelOptions, build},
};

const ID: &str = "AMC-ResNet20-Digits-MACs50-v0";

struct Room {
    env: AmcEnv,
    pruner: Arc<Pruner>,
    reward: Arc<Images>,
    evaluator: Arc<Memoised<Exact>>,
}

/// The embedded environment with 64 reward images.
fn room() -> Room {
    let source = load(DatasetName::Digits, &LoadOptions::default(), &mut |_, _| ()).expect("embedded");
    let splits = Splits::new(&source, &SplitSizes { calibration: 100, reward: 64, seed: 0 }).expect("fits");
    let graph = build("resnet20", &ModelOptions::new([1, 8, 8], 10)).expect("builds");
    let weights = shipped::weights("resnet20", "digits", &graph).expect("whole").expect("shipped");
    let calibration = Images::new(&source.train, &splits.calibration).expect("fits");
    let sampling = Sampling { points: 8, seed: 0 };
    let pruner = Pruner::new(graph, weights).expect("fits").with_reconstruction(&calibration, sampling);
    let pruner = Arc::new(pruner.expect("collects"));
    let reward = Arc::new(Images::new(&source.train, &splits.reward).expect("fits"));
    let evaluator = Arc::new(Memoised::new(Exact::new(pruner.clone(), reward.clone())));
    let config = EnvConfig::from_id(ID).expect("registered");
    let env = config.make(pruner.graph(), pruner.coupling(), evaluator.clone()).expect("feasible");
    Room { env, pruner, reward, evaluator }
}

fn agent(name: &str, env: &dyn Env, seed: u64) -> Box<dyn Agent> {
    make(name, &serde_json::Value::Null, &AgentContext { env, episodes: 12, seed }).expect("makes")
}

fn play(env: &mut dyn Env, agent: &mut dyn Agent, episodes: u64) -> Vec<EpisodeRecord> {
    let mut records = Vec::new();
    while (records.len() as u64) < episodes && !agent.finished() {
        let seed = records.len() as u64;
        records.push(run_episode(env, agent, seed, Mode::Explore).expect("plays"));
    }
    records
}

#[test]
fn the_exact_environment_passes_the_conformance_suite() {
    let room = room();
    check_env(|| room.env.fork()).expect("conforms");
}

#[test]
fn every_agent_keeps_the_budget_and_its_episodes_replay() {
    let room = room();
    for name in names() {
        let mut env = room.env.fork();
        let mut agent = agent(name, &*env, 3);
        for record in play(&mut *env, &mut *agent, 12) {
            let outcome = record.outcome.as_ref().expect("finished");
            let target = record.options.target.unwrap_or(env.spec().target);
            assert!(outcome.preserve_ratio <= target, "{name}: {} over {target}", outcome.preserve_ratio);
            assert_eq!(record.validate(&mut *env).expect("replays"), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn an_outcome_is_what_the_physically_pruned_network_costs_and_scores() {
    let room = room();
    let mut env = room.env.fork();
    let mut agent = agent("random", &*env, 5);
    for record in play(&mut *env, &mut *agent, 4) {
        let outcome = record.outcome.expect("finished");
        let (candidate, _) = room.env.recall(&outcome).expect("its own");
        let (graph, weights) = room.pruner.prune(&candidate).expect("prunes");
        let cost = graph.cost().expect("counts");
        assert_eq!((cost.macs, cost.parameters), (outcome.macs, outcome.parameters));
        let top1 = Engine::new(&graph, &weights).expect("compiles").top1(&room.reward).expect("runs");
        assert_eq!(top1, outcome.top1);
        assert_eq!(record.episodic_return, top1 - 1.0);
    }
}

#[test]
fn the_same_seed_gives_the_same_episodes_at_any_number_of_threads() {
    let episodes = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
        pool.install(|| {
            let room = room();
            let mut env = room.env.fork();
            let mut agent = agent("ddpg", &*env, 7);
            serde_json::to_string(&play(&mut *env, &mut *agent, 6)).expect("writes")
        })
    };
    assert_eq!(episodes(1), episodes(3));
}

#[test]
fn a_candidate_is_evaluated_once() {
    let room = room();
    for _ in 0..3 {
        let mut env = room.env.fork();
        let mut agent = agent("uniform", &*env, 1);
        play(&mut *env, &mut *agent, 1);
    }
    assert_eq!((room.evaluator.evaluations(), room.evaluator.hits()), (1, 2));
}

#[test]
fn reconstruction_helps_a_pruned_network() {
    let room = room();
    let plain = Pruner::new(room.pruner.graph().clone(), room.pruner.weights().clone()).expect("fits");
    let mut env = room.env.fork();
    let mut agent = agent("uniform", &*env, 1);
    let outcome = play(&mut *env, &mut *agent, 1).remove(0).outcome.expect("finished");
    let (candidate, _) = room.env.recall(&outcome).expect("its own");
    let (graph, weights) = plain.prune(&candidate).expect("prunes");
    let without = Engine::new(&graph, &weights).expect("compiles").top1(&room.reward).expect("runs");
    assert!(without < outcome.top1, "{without} without, {} with", outcome.top1);
}
