//! `bench agent`: an agent's decisions and updates, on the environment without weights and images.

use std::time::Instant;

use cgym_agents::{Agent, Schedule};
use cgym_env::ScoreTimes;
use serde_json::json;

use super::{LEAST_REPEATS, median, parse_seconds};
use crate::{Error, config::Config, flags::SettingFlags, loading, profile::Profile, report};

/// Arguments of `bench agent`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct AgentArgs {
    /// Seconds to repeat for; at least three batches of episodes are played
    #[arg(long, value_name = "S", default_value = "3", value_parser = parse_seconds)]
    seconds: f64,
    #[command(flatten)]
    settings: SettingFlags,
}

/// What the agent took for a batch of episodes that it learned from.
struct Batch {
    episodes: u64,
    updates: f64,
    act: f64,
    learn: f64,
}

pub(super) fn bench(args: &AgentArgs, json: bool) -> Result<(), Error> {
    measure(args, json).map_err(|error| args.settings.locate(error))
}

fn measure(args: &AgentArgs, json: bool) -> Result<(), Error> {
    let config = args.settings.resolve()?;
    crate::commands::use_threads(config.run.threads)?;
    let blueprint = loading::blueprint(&config)?;
    let batches = batches(&blueprint, &config, args.seconds)?;
    let over_batches = |figure: &dyn Fn(&Batch) -> f64| median(batches.iter().map(figure).collect());
    let act = over_batches(&|batch| batch.act / batch.episodes as f64);
    let update = over_batches(&|batch| batch.learn / batch.updates);
    let seconds = over_batches(&|batch| (batch.act + batch.learn) / batch.updates);
    let Batch { episodes, updates, .. } = batches[0];
    let threads = rayon::current_num_threads();
    let id = blueprint.settings().id();
    let value = json!({
        "env": id,
        "agent": config.agent,
        "steps": blueprint.outline().env.spec().steps(),
        "threads": threads,
        "repeats": batches.len(),
        "episodes": episodes,
        "updates": updates,
        "act_seconds": act,
        "update_seconds": update,
        "seconds": seconds,
    });
    report::print(json, &value, || {
        format!(
            "{id}, {}: {updates} updates after {episodes} episodes, medians of {} repeats; {threads} threads\n\
             {:.3} ms per update, {:.3} ms with its decisions; {:.3} ms of decisions per episode",
            config.agent,
            batches.len(),
            1e3 * update,
            1e3 * seconds,
            1e3 * act,
        )
    })
}

/// Plays searches without scoring candidates, and measures the batches that end with updates.
fn batches(blueprint: &cgym_worlds::Blueprint, config: &Config, seconds: f64) -> Result<Vec<Batch>, Error> {
    let outline = &*blueprint.outline().env;
    let schedule = Schedule { episodes: config.episodes(), exploit: false };
    let mut batches = Vec::new();
    let mut started = None;
    loop {
        let mut env = outline.fork().ok_or_else(|| {
            Error::Input(format!("env: `{}` has no copies to play without data", outline.spec().id))
        })?;
        let (mut agent, mut played, before) = (config.agent(outline)?, 0, batches.len());
        loop {
            let (mut profile, updates) = (Profile::default(), updates(&*agent));
            let records = profile.episodes(&ScoreTimes::default, |observer| {
                Ok(schedule
                    .play(&mut *env, &mut *agent, played, |index| index, observer)?
                    .unwrap_or_default())
            })?;
            if records.is_empty() {
                break;
            }
            played += profile.episodes;
            let updates = self::updates(&*agent) - updates;
            if updates == 0.0 {
                continue;
            }
            // The first batch with updates, which is not measured, allocates memory.
            let Some(started) = started else {
                started = Some(Instant::now());
                continue;
            };
            let Profile { episodes, agent_act: act, agent_learn: learn, .. } = profile;
            batches.push(Batch { episodes, updates, act, learn });
            if batches.len() >= LEAST_REPEATS && Instant::elapsed(&started).as_secs_f64() >= seconds {
                return Ok(batches);
            }
        }
        if batches.len() == before {
            let (agent, episodes) = (&config.agent, config.episodes());
            let reason =
                format!("agent: `{agent}` makes too few updates in {episodes} episodes to measure them");
            return Err(Error::Input(reason));
        }
    }
}

/// Updates that the agent has made, where it counts them.
fn updates(agent: &dyn Agent) -> f64 {
    let figures = agent.diagnostics();
    figures.iter().find(|(name, _)| name == "charts/updates").map_or(0.0, |(_, updates)| *updates)
}
