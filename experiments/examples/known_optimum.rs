//! REINFORCE, actor-critic and random search on a removal game whose optimum is known.
//!
//! Every one of the game's episodes is played once to find the best; then each agent plays a few
//! hundred, for ten seeds. Accuracies are made up from the architecture, so that all of it takes
//! seconds: `cargo run --release --example known_optimum [EPISODES] [SETTINGS]`, settings being
//! hyper-parameters of REINFORCE and actor-critic as a JSON object.

use std::{error::Error, sync::Arc};

use cgym_agents::{AgentContext, Mode, make, run_batch};
use cgym_env::{Env, MemoisedStudents, N2nEnv, N2nRules, Stage, SurrogateStudent, TeacherFigures, optimum};
use cgym_teachers::zoo::{self, ModelOptions};
use serde_json::{Value, json};

const MODEL: &str = "resnet8";
const EPISODES: u64 = 1000;
const SEEDS: u64 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let episodes = arguments.next().map_or(Ok(EPISODES), |number| number.parse())?;
    let settings = arguments.next().map_or(Ok(json!({})), |text| serde_json::from_str(&text))?;
    let graph = zoo::build(MODEL, &ModelOptions::new([1, 8, 8], 10))?;
    let cost = graph.cost()?;
    let teacher = TeacherFigures { top1: 0.95, parameters: cost.parameters, macs: cost.macs };
    let rules = N2nRules { stage: Stage::Removal, ..N2nRules::default() };
    let surrogate = Arc::new(MemoisedStudents::new(SurrogateStudent::new(&graph)?));
    let env = N2nEnv::new("N2N-Removal-Surrogate-v0", &graph, teacher, &rules, surrogate)?;
    let (_, best) = optimum(&env)?;
    let decisions = env.spec().steps();
    println!(
        "{MODEL}: {decisions} layers to keep or remove, optimum {best:.4} of {} episodes",
        1 << decisions
    );
    println!(
        "{episodes} episodes, {SEEDS} seeds; shares of the optimum, least and mean; seeds at 95 % or more\n"
    );
    println!("| agent | best found | seeds | last policy | seeds |\n|---|---|---|---|---|");
    for name in ["reinforce", "actor-critic", "random"] {
        let (mut found, mut last) = (Vec::new(), Vec::new());
        for seed in 1..=SEEDS {
            let own = if name == "random" { &Value::Null } else { &settings };
            let (greatest, policy) = play(&env, name, own, [episodes, seed])?;
            found.push(greatest / best);
            last.push(policy / best);
        }
        let cell = |shares: &[f64]| {
            let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let reached = shares.iter().filter(|share| **share >= 0.95).count();
            format!("{:.1} %, {:.1} % | {reached} of {SEEDS}", 100.0 * least, 100.0 * mean)
        };
        // Random search has no policy: what it ends with is the best that it has seen.
        let policy = if name == "random" { "– | –".to_owned() } else { cell(&last) };
        println!("| {name} | {} | {policy} |", cell(&found));
    }
    Ok(())
}

/// The greatest return among all episodes of a search, and that of the policy at its end.
fn play(
    env: &N2nEnv,
    name: &str,
    settings: &Value,
    [episodes, seed]: [u64; 2],
) -> Result<(f64, f64), Box<dyn Error>> {
    let context = AgentContext { env, episodes, seed };
    let mut agent = make(name, settings, &context)?;
    let (mut played, mut greatest) = (0, f64::NEG_INFINITY);
    while played < episodes {
        let count = (agent.batch() as u64).min(episodes - played);
        let seeds: Vec<u64> = (played..played + count).collect();
        for record in run_batch(env, &mut *agent, &seeds, Mode::Explore)? {
            greatest = greatest.max(record.episodic_return);
        }
        played += count;
    }
    let policy = run_batch(env, &mut *agent, &[episodes], Mode::Exploit)?;
    Ok((greatest, policy.first().map_or(f64::NEG_INFINITY, |record| record.episodic_return)))
}
