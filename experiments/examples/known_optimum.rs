//! REINFORCE, actor-critic and random search on N2N layer removal with a known optimum.
//!
//! All episodes of the game are played once to find the optimum. Then each agent plays 1000 episodes
//! by default, for each of ten seeds. A surrogate computes accuracies from the architecture, so that
//! nothing is trained.
//!
//! `cargo run --release --example known_optimum [EPISODES] [SETTINGS]`, where SETTINGS are
//! hyper-parameters of REINFORCE and actor-critic as a JSON object.

use std::error::Error;

use cgym_agents::{AgentContext, Schedule, make};
use cgym_env::{
    Budget, Env, Header, N2nEnv, N2nGame,
    n2n::{N2nRewardSettings, Stage, TeacherFigures},
    optimum,
};
use cgym_teachers::zoo::{self, ModelOptions};
use serde_json::{Value, json};

const MODEL: &str = "resnet8";
const EPISODES: u64 = 1000;
const SEEDS: u64 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let episodes = arguments.next().map_or(Ok(EPISODES), |number| number.parse())?;
    let settings = arguments.next().map_or(Ok(json!({})), |text| serde_json::from_str(&text))?;
    let mut env = environment()?;
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
            let (greatest, policy) = play(&mut env, name, own, [episodes, seed])?;
            found.push(greatest / best);
            last.push(policy / best);
        }
        let cell = |shares: &[f64]| {
            let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let reached = shares.iter().filter(|share| **share >= 0.95).count();
            format!("{:.1} %, {:.1} % | {reached} of {SEEDS}", 100.0 * least, 100.0 * mean)
        };
        // Random search has no policy: its result is the best that it has found.
        let policy = if name == "random" { "– | –".to_owned() } else { cell(&last) };
        println!("| {name} | {} | {policy} |", cell(&found));
    }
    Ok(())
}

fn environment() -> Result<N2nEnv, Box<dyn Error>> {
    let graph = zoo::build(MODEL, &ModelOptions::new([1, 8, 8], 10))?;
    let cost = graph.cost()?;
    let teacher = TeacherFigures { top1: 0.95, parameters: cost.parameters, macs: cost.macs };
    let header = Header {
        id: "N2N-Removal-Surrogate-v0".to_owned(),
        settings: String::new(),
        budget: Budget::default(),
    };
    let reward = N2nRewardSettings::default();
    Ok(N2nEnv::surrogate(N2nGame::new(&header, &graph, teacher, Stage::Removal, &reward, None)?)?)
}

/// The greatest return among the exploring episodes of a search, and that of the policy at its end.
fn play(
    env: &mut N2nEnv,
    name: &str,
    settings: &Value,
    [episodes, seed]: [u64; 2],
) -> Result<(f64, f64), Box<dyn Error>> {
    let mut agent = make(name, settings, &AgentContext { env, episodes, seed })?;
    let schedule = Schedule { episodes, exploit: true };
    let mut returns = Vec::new();
    while let Some(records) =
        schedule.play(env, &mut *agent, returns.len() as u64, |number| number, &mut ())?
    {
        returns.extend(records.iter().map(|record| record.episodic_return));
    }
    let policy = returns.pop().unwrap_or(f64::NEG_INFINITY);
    Ok((returns.into_iter().fold(f64::NEG_INFINITY, f64::max), policy))
}
