//! Playing episodes: the one loop that every run, benchmark and test of an agent uses.
//!
//! [`Schedule`] says which episodes come next, [`rollout`] plays them, [`run_episode`] plays a
//! single one. A whole search:
//!
//! ```
//! # use cgym_agents::{Agent, AgentError, Schedule};
//! # fn search(env: &mut dyn cgym_env::Env, agent: &mut dyn Agent) -> Result<(), AgentError> {
//! let schedule = Schedule { episodes: 100, exploit: true };
//! let mut played = 0;
//! while let Some(records) = schedule.play(env, agent, played, |number| number, &mut ())? {
//!     played += records.len() as u64;
//! }
//! # Ok(())
//! # }
//! ```

mod episode;
mod parallel;

use std::time::{Duration, Instant};

use cgym_env::{Env, EpisodeRecord};

use crate::{Agent, AgentError, Mode};
use episode::Episode;

/// Episodes that an agent without a batch of its own plays before it learns, so that their candidates
/// are scored side by side. An interrupted run waits for as many.
pub(crate) const SIDE_BY_SIDE: usize = 8;

/// What a part of an episode's time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The agent plans and chooses actions, with its look-ahead in copies of the environment.
    Act,
    /// The agent learns.
    Learn,
    /// The environment resets and steps, and scores candidates.
    Environment,
}

/// Receives the wall time that each phase of a rollout takes; `()` ignores it.
pub trait Observer {
    /// `time` more was spent on `phase`.
    fn spent(&mut self, phase: Phase, time: Duration);
}

impl Observer for () {
    fn spent(&mut self, _phase: Phase, _time: Duration) {}
}

/// Measures `work` and reports its time to `observer`.
fn timed<T>(observer: &mut dyn Observer, phase: Phase, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    observer.spent(phase, started.elapsed());
    result
}

/// The episodes of a run: exploring ones, and perhaps an exploiting one at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Exploring episodes; fewer are played where the agent finishes before.
    pub episodes: u64,
    /// Whether an exploiting episode follows, unless the agent is finished.
    pub exploit: bool,
}

impl Schedule {
    /// Mode and number of the episodes that are played next, after `played` ones; `None` at the
    /// end of the run.
    ///
    /// Exploring episodes come in the agent's batches, the last of which may be smaller. The
    /// answer depends on nothing but the agent and `played`, so that a resumed run continues as an
    /// uninterrupted one.
    pub fn next(&self, agent: &dyn Agent, played: u64) -> Option<(Mode, u64)> {
        if agent.finished() {
            return None;
        }
        match self.episodes.checked_sub(played)? {
            0 => self.exploit.then_some((Mode::Exploit, 1)),
            left => Some((Mode::Explore, (agent.batch() as u64).clamp(1, left))),
        }
    }

    /// Plays the episodes that [`Schedule::next`] names; `None` at the end of the run. `seed` maps
    /// the number of an episode, counted from 0, to the seed of its reset.
    ///
    /// # Errors
    /// As [`rollout`].
    pub fn play(
        &self,
        env: &mut dyn Env,
        agent: &mut dyn Agent,
        played: u64,
        seed: impl Fn(u64) -> u64,
        observer: &mut dyn Observer,
    ) -> Result<Option<Vec<EpisodeRecord>>, AgentError> {
        let Some((mode, count)) = self.next(agent, played) else { return Ok(None) };
        let seeds: Vec<u64> = (played..played + count).map(seed).collect();
        rollout(env, agent, &seeds, mode, observer).map(Some)
    }
}

/// Plays one episode per seed; in [`Mode::Explore`] the agent learns from all of them.
///
/// A single episode is played on `env`, and the agent learns from each step right after it. Of
/// several episodes the agent decides one after the other, each on a fork of `env` and up to its
/// last action. The last steps, which score the candidates, are then taken in threads. The agent
/// learns after that, episode by episode in the order of the seeds, so that no result depends on
/// the timing of threads. An environment that cannot fork plays the episodes itself, one after the
/// other, with the same results.
///
/// # Errors
/// The environment's or the agent's own; where several episodes fail, the error of the first.
pub fn rollout(
    env: &mut dyn Env,
    agent: &mut dyn Agent,
    seeds: &[u64],
    mode: Mode,
    observer: &mut dyn Observer,
) -> Result<Vec<EpisodeRecord>, AgentError> {
    if let [seed] = *seeds {
        return Ok(vec![episode::play_and_learn(env, agent, seed, mode, observer)?]);
    }
    let forks = timed(observer, Phase::Environment, || {
        seeds.iter().map(|_| env.fork()).collect::<Option<Vec<Box<dyn Env>>>>()
    });
    let episodes = match forks {
        Some(mut forks) => {
            let mut episodes = Vec::with_capacity(seeds.len());
            for (fork, &seed) in forks.iter_mut().zip(seeds) {
                episodes.push(Episode::decide(&mut **fork, agent, seed, mode, observer)?);
            }
            timed(observer, Phase::Environment, || parallel::score(&mut forks, &mut episodes))?;
            episodes
        }
        None => {
            let play = |&seed: &u64| Episode::play(env, agent, seed, mode, observer);
            seeds.iter().map(play).collect::<Result<Vec<_>, _>>()?
        }
    };
    if mode == Mode::Explore {
        for episode in &episodes {
            episode.learn(agent, observer)?;
        }
    }
    Ok(episodes.into_iter().map(Episode::into_record).collect())
}

/// Plays one episode.
///
/// # Errors
/// As [`rollout`].
pub fn run_episode(
    env: &mut dyn Env,
    agent: &mut dyn Agent,
    seed: u64,
    mode: Mode,
) -> Result<EpisodeRecord, AgentError> {
    episode::play_and_learn(env, agent, seed, mode, &mut ())
}
