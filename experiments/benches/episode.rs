//! Episodes of the digits environment on one thread, with every candidate scored anew and with a
//! constant score.

use std::hint::black_box;

use cgym_agents::{Agent, AgentContext, Mode, make, run_episode};
use cgym_env::{Env, Scoring};
use criterion::{Criterion, Throughput};
use serde_json::{Value, json};

fn agent(name: &str, settings: &Value, env: &dyn Env) -> Box<dyn Agent> {
    make(name, settings, &AgentContext { env, episodes: 400, seed: 1 }).expect("an agent")
}

fn bench(criterion: &mut Criterion, id: &str, mut env: Box<dyn Env>, mut agent: Box<dyn Agent>) {
    let mut group = criterion.benchmark_group("episode");
    group.throughput(Throughput::Elements(env.spec().steps() as u64));
    let mut index = 0;
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            index += 1;
            black_box(run_episode(&mut *env, &mut *agent, index, Mode::Explore).expect("an episode"))
        });
    });
    group.finish();
}

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let world = cgym::world(cgym_env::DEFAULT_ID).expect("the embedded world");
    let env = world.env_with(Scoring::Always);
    let random = agent("random", &Value::Null, &*env);
    bench(&mut criterion, "exact/random", env, random);
    let env = world.env_with(Scoring::Always);
    let ddpg = agent("ddpg", &json!({ "warmup": 1 }), &*env);
    bench(&mut criterion, "exact/ddpg", env, ddpg);
    let env = world.env_with(Scoring::Constant(0.5));
    let random = agent("random", &Value::Null, &*env);
    bench(&mut criterion, "constant/random", env, random);
    criterion.final_summary();
}
