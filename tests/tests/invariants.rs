//! Invariants across all crates, tested with real networks, real accuracies and every agent.

use cgym_agents::{Agent, AgentContext, Mode, make, names, run_episode};
use cgym_env::{
    Env, EpisodeRecord, check_env,
    settings::{EnvSettings, Layer},
};
use cgym_worlds::World;

const ID: &str = "AMC-ResNet20-Digits-MACs50-v0";

/// An embedded world with 64 reward images and 100 calibration images.
fn world_of(layer: Layer) -> World {
    let layer = layer.with("data", "reward_images", 64).with("score", "calibration_images", 100);
    World::load(EnvSettings::resolve(&layer).expect("sound settings"), &mut |_| ()).expect("embedded")
}

fn world() -> World {
    world_of(Layer::of_id(ID).with("score", "points", 8))
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
    let world = world();
    check_env(|| world.env()).expect("conforms");
}

#[test]
fn every_agent_keeps_the_budget_and_its_episodes_replay() {
    let world = world();
    for name in names() {
        let mut env = world.env();
        let mut agent = agent(name, &*env, 3);
        for record in play(&mut *env, &mut *agent, 12) {
            let outcome = record.outcome.as_ref().expect("finished");
            let budget = record.options.budget.or(env.spec().budget).expect("a budget");
            assert!(outcome.preserve_ratio <= budget, "{name}: {} over {budget}", outcome.preserve_ratio);
            assert_eq!(record.validate(&mut *env).expect("replays"), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn an_outcome_is_what_the_physically_pruned_network_costs_and_scores() {
    let world = world();
    let mut env = world.env();
    let mut agent = agent("random", &*env, 5);
    for record in play(&mut *env, &mut *agent, 4) {
        let outcome = record.outcome.expect("finished");
        let network = world.network(&outcome).expect("its own");
        let cost = network.graph.cost().expect("counts");
        assert_eq!((cost.macs, cost.parameters), (outcome.macs, outcome.parameters));
        assert_eq!(cost.weight_bytes, outcome.bytes);
        let [top1, _] = world.score(&network.graph, &network.weights).expect("runs");
        assert_eq!(top1, outcome.top1);
        assert_eq!(record.episodic_return, top1 - 1.0);
    }
}

#[test]
fn the_same_seed_gives_the_same_episodes_at_any_number_of_threads() {
    let episodes = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
        pool.install(|| {
            let mut env = world().env();
            let mut agent = agent("ddpg", &*env, 7);
            serde_json::to_string(&play(&mut *env, &mut *agent, 6)).expect("writes")
        })
    };
    assert_eq!(episodes(1), episodes(3));
}

#[test]
fn a_candidate_is_evaluated_once() {
    let world = world();
    let outcomes = [(); 3].map(|()| {
        let mut env = world.env();
        let mut agent = agent("uniform", &*env, 1);
        play(&mut *env, &mut *agent, 1).remove(0).outcome
    });
    assert!(outcomes[0].is_some() && outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(world.evaluations(), 1);
}

#[test]
fn reconstruction_helps_a_pruned_network() {
    let outcome = |world: &World| {
        let mut env = world.env();
        let mut agent = agent("uniform", &*env, 1);
        play(&mut *env, &mut *agent, 1).remove(0).outcome.expect("finished")
    };
    let with = outcome(&world());
    let without = outcome(&world_of(Layer::of_id(ID).with("score", "refit", false)));
    assert_eq!(with.kept, without.kept);
    assert!(without.top1 < with.top1, "{} without, {} with", without.top1, with.top1);
}
