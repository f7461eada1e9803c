//! Whole episodes of the digits environment on one thread, every candidate evaluated anew; and
//! steps where candidates cost next to nothing.

use std::{hint::black_box, sync::Arc};

use cgym::{config::Config, settings::Settings, world::World};
use cgym_agents::{Agent, AgentContext, Mode, make, run_episode};
use cgym_env::{AmcEnv, Env, Evaluator, Surrogate};
use criterion::{Criterion, Throughput};
use serde_json::{Value, json};

fn agent(name: &str, settings: &Value, env: &AmcEnv) -> Box<dyn Agent> {
    make(name, settings, &AgentContext { env, episodes: 400, seed: 1 }).expect("an agent")
}

fn bench(criterion: &mut Criterion, id: &str, env: &mut AmcEnv, mut agent: Box<dyn Agent>) {
    let mut group = criterion.benchmark_group("episode");
    group.throughput(Throughput::Elements(env.spec().steps() as u64));
    let mut index = 0;
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            index += 1;
            black_box(run_episode(env, &mut *agent, index, Mode::Explore).expect("an episode"))
        });
    });
    group.finish();
}

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let config = Config::from_settings(Settings::default()).expect("the default environment");
    let world = World::load(config, &[]).expect("the embedded world");
    let game = world.game.amc().expect("channel pruning");
    let mut env = game.env_with(game.exact.clone()).expect("an environment");
    let random = agent("random", &Value::Null, &env);
    bench(&mut criterion, "exact/random", &mut env, random);
    let ddpg = agent("ddpg", &json!({ "warmup": 1 }), &env);
    bench(&mut criterion, "exact/ddpg", &mut env, ddpg);

    let environment = &world.config.environment;
    let graph =
        cgym::teacher::build(environment.model(), Default::default(), ([1, 8, 8], 10)).expect("a network");
    let coupling = cgym_teachers::coupling::Coupling::of(&graph).expect("its coupling");
    let surrogate: Arc<dyn Evaluator> = Arc::new(Surrogate::new(&graph, &coupling).expect("a surrogate"));
    let mut env = game.env_with(surrogate).expect("an environment");
    let random = agent("random", &Value::Null, &env);
    bench(&mut criterion, "surrogate/random", &mut env, random);
    criterion.final_summary();
}
