//! Playing several episodes of which nothing is learned until all are decided.

use std::{
    num::NonZero,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread::{self, ScopedJoinHandle},
};

use cgym_env::{Action, Env, EpisodeRecord, Step};

use crate::{Agent, AgentError, Mode, Transition, run_episode};

/// Plays an episode a seed on forks of `env`, and scores their candidates side by side.
///
/// The agent decides episode after episode, each to its last action. The last steps, which score
/// the candidates, are then taken in threads. What is learned comes after that, episode by
/// episode in the order of the seeds, so nothing depends on the timing of threads. A single
/// episode is played by [`run_episode`].
///
/// # Errors
/// The environment's or the agent's own; of several episodes' that of the first.
pub fn run_batch(
    env: &dyn Env,
    agent: &mut dyn Agent,
    seeds: &[u64],
    mode: Mode,
) -> Result<Vec<EpisodeRecord>, AgentError> {
    if let [seed] = *seeds {
        return Ok(vec![run_episode(&mut *env.fork(), agent, seed, mode)?]);
    }
    let mut episodes = Vec::with_capacity(seeds.len());
    for &seed in seeds {
        episodes.push(Episode::decide(env.fork(), agent, seed, mode)?);
    }
    score(&mut episodes)?;
    if mode == Mode::Explore {
        for episode in &episodes {
            episode.teach(agent)?;
        }
    }
    Ok(episodes.into_iter().map(|episode| episode.record).collect())
}

/// Takes the last step of every episode, as many at a time as there are cores.
fn score(episodes: &mut [Episode]) -> Result<(), AgentError> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(episodes.len());
    let waiting = Mutex::new(episodes.iter_mut().enumerate());
    let work = || {
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let scored = std::iter::from_fn(next).map(|(index, episode)| (index, episode.score()));
        scored.collect::<Vec<_>>()
    };
    let mut scored = thread::scope(|scope| {
        let scorers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let join =
            |scorer: ScopedJoinHandle<'_, _>| scorer.join().unwrap_or_else(|panic| resume_unwind(panic));
        scorers.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    scored.sort_by_key(|(index, _)| *index);
    scored.into_iter().try_for_each(|(_, result)| result)
}

/// An episode on an environment of its own.
struct Episode {
    env: Box<dyn Env>,
    agent: String,
    record: EpisodeRecord,
    first: Vec<f32>,
    /// What each step answered.
    steps: Vec<Step>,
    /// The last action, until it is taken.
    last: Option<Action>,
}

impl Episode {
    /// Plays up to the last action, which is chosen but not taken.
    fn decide(
        mut env: Box<dyn Env>,
        agent: &mut dyn Agent,
        seed: u64,
        mode: Mode,
    ) -> Result<Self, AgentError> {
        let options = agent.begin(mode)?;
        let record = EpisodeRecord::new(&env.spec().id, seed, options);
        let first = env.reset(seed, &options)?;
        let decisions = env.spec().steps();
        let name = agent.name().to_owned();
        let mut episode = Self { env, agent: name, record, first, steps: Vec::new(), last: None };
        while episode.record.ending.is_none() {
            let action = agent.act(episode.observation(episode.steps.len()), mode)?;
            if episode.steps.len() + 1 >= decisions {
                episode.last = Some(action);
                break;
            }
            episode.take(action)?;
            if let (None, Some(executed)) = (episode.record.ending, episode.record.executed.last()) {
                agent.executed(executed)?;
            }
        }
        Ok(episode)
    }

    /// What was seen before step `index`.
    fn observation(&self, index: usize) -> &[f32] {
        if index == 0 { &self.first } else { self.steps[index - 1].observation() }
    }

    fn take(&mut self, action: Action) -> Result<(), AgentError> {
        let step = self.env.step(&action)?;
        let executed = step.info().executed.clone().unwrap_or_else(|| action.clone());
        self.record.push(action, executed, &step);
        self.steps.push(step);
        Ok(())
    }

    /// Takes the last action, unless the episode ended before it.
    fn score(&mut self) -> Result<(), AgentError> {
        if let Some(action) = self.last.take() {
            self.take(action)?;
        }
        match self.record.ending {
            Some(_) => Ok(()),
            None => Err(AgentError::Spaces {
                agent: self.agent.clone(),
                reason: format!(
                    "`{}` goes on after its {} decisions: such episodes are played one at a time",
                    self.record.env,
                    self.steps.len()
                ),
            }),
        }
    }

    /// Has the agent learn from every step.
    fn teach(&self, agent: &mut dyn Agent) -> Result<(), AgentError> {
        let choices = self.record.actions.iter().zip(&self.record.executed);
        for (index, (step, (action, executed))) in self.steps.iter().zip(choices).enumerate() {
            agent.learn(&Transition {
                observation: self.observation(index),
                action,
                executed,
                reward: step.reward(),
                next_observation: step.observation(),
                ending: step.ending(),
                outcome: step.info().outcome.as_deref(),
            })?;
        }
        Ok(())
    }
}
