//! Playing a policy to its end, and which of its episodes is the best.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use cgym_agents::{Agent, AgentContext, Mode, make, run_batch};
use cgym_env::{Env, EpisodeRecord};
use serde_json::Value;

use crate::{Error, seeds};

/// How the next episode is to be played; `None` when there is none.
///
/// An agent explores until it is finished or has played its episodes; one that is not finished
/// then plays the best it knows, once. It hangs on nothing but the agent and the number of
/// episodes played, so that a resumed run goes on alike.
pub fn next_mode(agent: &dyn Agent, played: u64, episodes: u64) -> Option<Mode> {
    match played {
        _ if agent.finished() => None,
        _ if played < episodes => Some(Mode::Explore),
        _ if played == episodes => Some(Mode::Exploit),
        _ => None,
    }
}

/// How many episodes are played before the agent learns from them, `played` being over.
pub fn batch(agent: &dyn Agent, played: u64, episodes: u64, mode: Mode) -> u64 {
    match mode {
        Mode::Explore => (agent.batch() as u64).min(episodes - played).max(1),
        Mode::Exploit => 1,
    }
}

/// Plays the episodes with these numbers of the run with seed `run`; their candidates are scored
/// side by side.
///
/// # Errors
/// The environment's or the agent's own.
pub fn episodes(
    env: &mut dyn Env,
    agent: &mut dyn Agent,
    run: u64,
    numbers: Range<u64>,
    mode: Mode,
) -> Result<Vec<EpisodeRecord>, Error> {
    let seeds: Vec<u64> = numbers.map(|index| seeds::derive(run, "episode", index)).collect();
    Ok(run_batch(env, agent, &seeds, mode)?)
}

/// Whether the episode made a candidate that `env` admits.
pub fn admitted(env: &dyn Env, record: &EpisodeRecord) -> bool {
    record.outcome.as_ref().is_some_and(|outcome| env.admits(outcome))
}

/// The episode of greatest return among those whose candidate `env` admits; the first of equals.
pub fn best(env: &dyn Env, records: &[EpisodeRecord]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, record) in records.iter().enumerate().filter(|(_, record)| admitted(env, record)) {
        if best.is_none_or(|best| record.episodic_return > records[best].episodic_return) {
            best = Some(index);
        }
    }
    best
}

/// One policy to compare with.
pub struct Policy<'a> {
    /// Name in the registry of agents.
    pub name: &'a str,
    /// Hyper-parameters.
    pub settings: &'a Value,
    /// Episodes at most.
    pub episodes: u64,
    /// Whether the policy also plays the best it knows at the end.
    pub exploits: bool,
}

/// Plays `policy` on a fork of `env`; `None` when `stop` was set meanwhile.
///
/// # Errors
/// An agent that cannot play here, or `each`'s refusal of an episode.
pub fn policy(
    env: &dyn Env,
    policy: &Policy<'_>,
    run: u64,
    stop: &AtomicBool,
    each: &mut dyn FnMut(&EpisodeRecord) -> Result<(), Error>,
) -> Result<Option<Vec<EpisodeRecord>>, Error> {
    let mut env = env.fork();
    let seed = seeds::derive(run, policy.name, 0);
    let context = AgentContext { env: &*env, episodes: policy.episodes, seed };
    let mut agent = make(policy.name, policy.settings, &context)?;
    let mut records = Vec::new();
    while let Some(mode) = next_mode(&*agent, records.len() as u64, policy.episodes) {
        if mode == Mode::Exploit && !policy.exploits {
            break;
        }
        if stop.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let first = records.len() as u64;
        let count = batch(&*agent, first, policy.episodes, mode);
        for record in episodes(&mut *env, &mut *agent, run, first..first + count, mode)? {
            each(&record)?;
            records.push(record);
        }
    }
    Ok(Some(records))
}
