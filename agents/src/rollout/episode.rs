//! One episode that is being played.

use cgym_env::{Action, Env, EpisodeRecord, Step};

use super::{Observer, Phase, timed};
use crate::{Agent, AgentError, Mode, Transition};

/// An episode, with what the agent needs to learn from it later.
pub(super) struct Episode {
    agent: String,
    record: EpisodeRecord,
    first: Vec<f32>,
    steps: Vec<Step>,
    /// The last action between [`Episode::decide`] and [`Episode::finish`].
    last: Option<Action>,
}

/// Plays an episode to its end; the agent learns from each step before the next.
pub(super) fn play_and_learn(
    env: &mut dyn Env,
    agent: &mut dyn Agent,
    seed: u64,
    mode: Mode,
    observer: &mut dyn Observer,
) -> Result<EpisodeRecord, AgentError> {
    let mut episode = Episode::begin(env, agent, seed, mode, observer)?;
    while episode.goes_on() {
        let action = episode.act(agent, mode, observer)?;
        timed(observer, Phase::Environment, || episode.step(env, action))?;
        if mode == Mode::Explore {
            episode.learn_step(episode.steps.len() - 1, agent, observer)?;
        }
        episode.tell_executed(agent, observer)?;
    }
    Ok(episode.record)
}

impl Episode {
    /// Starts an episode.
    fn begin(
        env: &mut dyn Env,
        agent: &mut dyn Agent,
        seed: u64,
        mode: Mode,
        observer: &mut dyn Observer,
    ) -> Result<Self, AgentError> {
        let options = timed(observer, Phase::Act, || agent.begin(mode))?;
        let first = timed(observer, Phase::Environment, || env.reset(seed, &options))?;
        let record = EpisodeRecord::new(env.spec(), seed, options);
        Ok(Self { agent: agent.name().to_owned(), record, first, steps: Vec::new(), last: None })
    }

    /// Plays an episode to its end without learning.
    pub(super) fn play(
        env: &mut dyn Env,
        agent: &mut dyn Agent,
        seed: u64,
        mode: Mode,
        observer: &mut dyn Observer,
    ) -> Result<Self, AgentError> {
        let mut episode = Self::decide(env, agent, seed, mode, observer)?;
        timed(observer, Phase::Environment, || episode.finish(env))?;
        Ok(episode)
    }

    /// Plays an episode up to its last action, which is chosen but not taken.
    pub(super) fn decide(
        env: &mut dyn Env,
        agent: &mut dyn Agent,
        seed: u64,
        mode: Mode,
        observer: &mut dyn Observer,
    ) -> Result<Self, AgentError> {
        let mut episode = Self::begin(env, agent, seed, mode, observer)?;
        let decisions = env.spec().steps();
        while episode.goes_on() {
            let action = episode.act(agent, mode, observer)?;
            if episode.steps.len() + 1 >= decisions {
                episode.last = Some(action);
                break;
            }
            timed(observer, Phase::Environment, || episode.step(env, action))?;
            episode.tell_executed(agent, observer)?;
        }
        Ok(episode)
    }

    /// Takes the last action, unless the episode ended before it.
    pub(super) fn finish(&mut self, env: &mut dyn Env) -> Result<(), AgentError> {
        if let Some(action) = self.last.take() {
            self.step(env, action)?;
        }
        if self.goes_on() {
            return Err(AgentError::Spaces {
                agent: self.agent.clone(),
                reason: format!(
                    "`{}` goes on after its {} decisions: such episodes are played one at a time",
                    self.record.env,
                    self.steps.len()
                ),
            });
        }
        Ok(())
    }

    /// Has the agent learn from every step.
    pub(super) fn learn(&self, agent: &mut dyn Agent, observer: &mut dyn Observer) -> Result<(), AgentError> {
        (0..self.steps.len()).try_for_each(|index| self.learn_step(index, agent, observer))
    }

    /// The record of the episode.
    pub(super) fn into_record(self) -> EpisodeRecord {
        self.record
    }

    fn goes_on(&self) -> bool {
        self.record.ending.is_none()
    }

    /// The observation before step `index`.
    fn observation(&self, index: usize) -> &[f32] {
        if index == 0 { &self.first } else { self.steps[index - 1].observation() }
    }

    fn act(
        &self,
        agent: &mut dyn Agent,
        mode: Mode,
        observer: &mut dyn Observer,
    ) -> Result<Action, AgentError> {
        timed(observer, Phase::Act, || agent.act(self.observation(self.steps.len()), mode))
    }

    fn step(&mut self, env: &mut dyn Env, action: Action) -> Result<(), AgentError> {
        let step = env.step(&action)?;
        let executed = step.info().executed.clone().unwrap_or_else(|| action.clone());
        self.record.push(action, executed, &step);
        self.steps.push(step);
        Ok(())
    }

    /// Tells the agent which action took effect, unless the episode is over.
    fn tell_executed(&self, agent: &mut dyn Agent, observer: &mut dyn Observer) -> Result<(), AgentError> {
        match self.record.executed.last() {
            Some(executed) if self.goes_on() => timed(observer, Phase::Act, || agent.executed(executed)),
            _ => Ok(()),
        }
    }

    fn learn_step(
        &self,
        index: usize,
        agent: &mut dyn Agent,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        let step = &self.steps[index];
        let transition = Transition {
            observation: self.observation(index),
            action: &self.record.actions[index],
            executed: &self.record.executed[index],
            reward: step.reward(),
            next_observation: step.observation(),
            ending: step.ending(),
            outcome: step.info().outcome.as_deref(),
        };
        timed(observer, Phase::Learn, || agent.learn(&transition))
    }
}
