//! `bench episode`: whole episodes, and steps alone.

use std::hint::black_box;

use cgym_agents::Schedule;
use cgym_env::{Action, ResetOptions, Scoring};
use cgym_worlds::World;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{in_megabytes, median, parse_seconds, peak_memory, repeat};
use crate::{Error, config::Config, flags::SettingFlags, loading, profile::Profile, report};

/// Episodes that are timed as one: a single one is over too soon.
const EPISODES_AT_ONCE: usize = 200;

/// Arguments of `bench episode`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct EpisodeArgs {
    /// Seconds to repeat for; at least three episodes are played
    #[arg(long, value_name = "S", default_value = "3", value_parser = parse_seconds)]
    seconds: f64,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn bench(args: &EpisodeArgs, json: bool) -> Result<(), Error> {
    measure(args, json).map_err(|error| args.settings.locate(error))
}

fn measure(args: &EpisodeArgs, json: bool) -> Result<(), Error> {
    let config = args.settings.resolve()?;
    crate::commands::use_threads(config.run.threads)?;
    let blueprint = loading::blueprint(&config)?;
    // An agent that does not exist is refused before anything is loaded.
    config.agent(&*blueprint.outline().env)?;
    let world = loading::load(blueprint)?;
    let mut episodes = episodes(&world, &config, args.seconds)?;
    episodes.sort_by(|a, b| a.seconds().total_cmp(&b.seconds()));
    let episode = episodes[episodes.len() / 2];
    let steps_per_second = steps_per_second(&world, &config, args.seconds)?;
    let peak = peak_memory();
    let threads = rayon::current_num_threads();
    let value = json!({
        "env": world.settings().id(),
        "settings": world.hash(),
        "agent": config.agent,
        "reward_images": world.splits().reward.len(),
        "threads": threads,
        "repeats": episodes.len(),
        "seconds": episode.seconds(),
        "steps": episode.steps,
        "agent_act": episode.agent_act,
        "agent_learn": episode.agent_learn,
        "environment": episode.environment,
        "prune": episode.prune,
        "refit": episode.refit,
        "train": episode.train,
        "compile": episode.compile,
        "evaluate": episode.evaluate,
        "steps_per_second": steps_per_second,
        "peak_memory_bytes": peak,
    });
    report::print(json, &value, || {
        let mut text = format!(
            "{}, {}: an episode, the median of {} batches; {threads} threads, {}\n",
            world.settings().id(),
            config.agent,
            episodes.len(),
            in_megabytes(peak),
        );
        text += &episode.table();
        text + &format!("{steps_per_second:.0} steps/s where candidates need no evaluation\n")
    })
}

/// Where the time of the episodes of a search went, every candidate scored anew: the mean episode of
/// each batch that the agent decides before it learns. A search that is over is started again.
fn episodes(world: &World, config: &Config, seconds: f64) -> Result<Vec<Profile>, Error> {
    let mut env = world.env_with(Scoring::Always);
    let schedule = Schedule { episodes: config.episodes(), exploit: true };
    let (mut agent, mut played) = (config.agent(&*env)?, 0);
    let mut profiles = Vec::new();
    repeat(seconds, || {
        if schedule.next(&*agent, played).is_none() {
            (agent, played) = (config.agent(&*env)?, 0);
        }
        let mut profile = Profile::default();
        let records = profile.episodes(&|| world.times(), |observer| {
            Ok(schedule.play(&mut *env, &mut *agent, played, |index| index, observer)?.unwrap_or_default())
        })?;
        profiles.push(profile.per_episode());
        played += records.len() as u64;
        Ok(())
    })?;
    Ok(profiles)
}

/// Steps per second on one thread, resets included, with random actions.
fn steps_per_second(world: &World, config: &Config, seconds: f64) -> Result<f64, Error> {
    let mut env = world.env_with(Scoring::Constant(0.5));
    let mut rng = ChaCha8Rng::seed_from_u64(config.run.seed);
    let steps = EPISODES_AT_ONCE * env.spec().steps();
    let space = env.action_space().clone();
    let actions: Vec<Action> = (0..steps).map(|_| space.sample(&mut rng)).collect();
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
