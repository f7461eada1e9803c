//! `bench --env`: whole episodes, and steps alone.

use std::{hint::black_box, sync::Arc};

use cgym_agents::{AgentContext, make};
use cgym_env::{Action, Env, Evaluation, Evaluator, ResetOptions, Space};
use cgym_teachers::cost::Cost;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{in_megabytes, median, peak_memory, repeat};
use crate::{
    Error,
    cli::BenchArgs,
    commands::search::{game, load},
    config::Config,
    play,
    profile::Profile,
    report,
    world::World,
};

/// Episodes that are timed as one: a single one is over too soon.
const EPISODES_AT_ONCE: usize = 200;

pub(super) fn bench(args: BenchArgs, json: bool) -> Result<(), Error> {
    let config = Config::resolve(args.settings, args.config.as_deref())?;
    super::super::use_threads(config.threads)?;
    // An agent that is not there is refused before anything is loaded.
    let env = game(&config)?;
    make(
        &config.agent,
        &config.agent_settings,
        &AgentContext { env: &*env, episodes: config.episodes, seed: 0 },
    )?;
    let world = load(config, &[])?;
    let mut episodes = episodes(&world, args.seconds)?;
    episodes.sort_by(|a, b| a.seconds().total_cmp(&b.seconds()));
    let episode = episodes[episodes.len() / 2];
    let steps_per_second = steps_per_second(&world, args.seconds)?;
    let (config, peak) = (&world.config, peak_memory());
    let threads = rayon::current_num_threads();
    let value = json!({
        "env": config.environment.id(),
        "agent": config.agent,
        "reward_images": config.environment.reward_size(),
        "threads": threads,
        "repeats": episodes.len(),
        "seconds": episode.seconds(),
        "steps": episode.steps,
        "agent_act": episode.agent_act,
        "agent_learn": episode.agent_learn,
        "environment": episode.environment,
        "prune": episode.prune,
        "compile": episode.compile,
        "evaluate": episode.evaluate,
        "steps_per_second": steps_per_second,
        "peak_memory_bytes": peak,
    });
    report::print(json, &value, || {
        let mut text = format!(
            "{}, {}: the median of {} episodes; {threads} threads, {}\n",
            config.environment.id(),
            config.agent,
            episodes.len(),
            in_megabytes(peak),
        );
        text += &episode.table();
        text + &format!("{steps_per_second:.0} steps/s where candidates need no evaluation\n")
    })
}

/// Where the time of each episode of a search went, every candidate evaluated anew; searches that
/// are over are begun again.
fn episodes(world: &World, seconds: f64) -> Result<Vec<Profile>, Error> {
    let (config, game) = (&world.config, world.game.amc()?);
    let mut env = game.env_with(game.exact.clone())?;
    let new_agent = || {
        let context = AgentContext { env: &*world.env, episodes: config.episodes, seed: config.seed };
        make(&config.agent, &config.agent_settings, &context)
    };
    let (mut agent, mut played) = (new_agent()?, 0);
    let mut profiles = Vec::new();
    repeat(seconds, || {
        let mode = match play::next_mode(&*agent, played, config.episodes) {
            Some(mode) => mode,
            None => {
                (agent, played) = (new_agent()?, 0);
                cgym_agents::Mode::Explore
            }
        };
        let mut profile = Profile::default();
        profile.episodes(&mut *agent, &|| world.game.times(), |agent| {
            play::episodes(&mut env, agent, config.seed, played..played + 1, mode)
        })?;
        profiles.push(profile);
        played += 1;
        Ok(())
    })?;
    Ok(profiles)
}

/// Answers at once, so that steps alone are timed.
struct Nothing;

impl Evaluator for Nothing {
    fn evaluate(&self, _kept: &[(usize, usize)]) -> Result<Evaluation, cgym_teachers::Error> {
        Ok(Evaluation { top1: 0.5, cost: Cost::default(), loss: None })
    }
}

/// Steps a second on one thread, resets included, with random actions.
fn steps_per_second(world: &World, seconds: f64) -> Result<f64, Error> {
    let mut env = world.game.amc()?.env_with(Arc::new(Nothing))?;
    let mut rng = ChaCha8Rng::seed_from_u64(world.config.seed);
    let low = match env.action_space() {
        Space::Box { low, .. } => low.first().copied(),
        Space::Discrete { .. } => None,
    };
    let least = low.unwrap_or(0.0);
    let steps = EPISODES_AT_ONCE * env.spec().steps();
    let actions: Vec<Action> = (0..steps).map(|_| Action::scalar(rng.random_range(least..=1.0))).collect();
    let times = repeat(seconds.min(1.0), || {
        for episode in actions.chunks(env.spec().steps()) {
            black_box(env.reset(0, &ResetOptions::default())?);
            for action in episode {
                black_box(env.step(action)?);
            }
        }
        Ok(())
    })?;
    Ok(steps as f64 / median(times).max(f64::MIN_POSITIVE))
}
