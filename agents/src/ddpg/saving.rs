//! DDPG's checkpoint: all networks, the moments of their optimisers, the replay memory and the state.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Ddpg, NAME, Plan, replay::Row};
use crate::{
    AgentError,
    checkpoint::{self, Checkpoint},
};

/// The part of a checkpoint that is not arrays.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    pub(super) rng: ChaCha8Rng,
    /// Exploring episodes finished.
    pub(super) episodes: u64,
    pub(super) updates: u64,
    /// Moving average of returns.
    pub(super) baseline: Option<f64>,
    /// Steps of the running episode; until it ends, `value` is the reward of the step.
    pub(super) pending: Vec<Row>,
    pub(super) plan: Plan,
    /// Moving average of the mean action of exploring episodes; only with `fill_budget`.
    pub(super) level: Option<f32>,
    /// Returns of all exploring episodes.
    pub(super) returns: Vec<f64>,
    pub(super) replay_next: usize,
    pub(super) actor_time: u64,
    pub(super) critic_time: u64,
    /// Widths of the actor's layers, from observation to action.
    pub(super) widths: Vec<usize>,
}

impl Ddpg {
    /// Writes everything that learning and acting depend on.
    pub(super) fn write(&self, directory: &Path) -> Result<(), AgentError> {
        let state = &self.state;
        let state = State {
            rng: state.rng.clone(),
            pending: state.pending.clone(),
            plan: state.plan.clone(),
            returns: self.history.returns().to_vec(),
            widths: state.widths.clone(),
            replay_next: self.replay.next,
            actor_time: self.actor_adam.time,
            critic_time: self.critic_adam.time,
            ..*state
        };
        let [actor_first, actor_second] = &self.actor_adam.moments;
        let [critic_first, critic_second] = &self.critic_adam.moments;
        let mut arrays: Vec<(&str, &[f32])> = vec![
            ("actor", self.actor.values()),
            ("critic", self.critic.values()),
            ("actor_first_moment", actor_first),
            ("actor_second_moment", actor_second),
            ("critic_first_moment", critic_first),
            ("critic_second_moment", critic_second),
            ("replay", &self.replay.rows),
            ("history", self.history.actions()),
        ];
        if let Some([actor, critic]) = &self.targets {
            arrays.extend([("actor_target", actor.values()), ("critic_target", critic.values())]);
        }
        checkpoint::write(directory, NAME, &state, &arrays)
    }

    /// Restores what [`Ddpg::write`] wrote.
    pub(super) fn read(&mut self, directory: &Path) -> Result<(), AgentError> {
        let mut read = Checkpoint::<State>::read(directory, NAME)?;
        self.check_widths(&read)?;
        let (actor_size, critic_size) = (self.actor.values().len(), self.critic.values().len());
        // Everything is read before anything is changed: a refused checkpoint changes nothing.
        let actor = read.array("actor", actor_size)?;
        let critic = read.array("critic", critic_size)?;
        let actor_moments =
            [read.array("actor_first_moment", actor_size)?, read.array("actor_second_moment", actor_size)?];
        let critic_moments = [
            read.array("critic_first_moment", critic_size)?,
            read.array("critic_second_moment", critic_size)?,
        ];
        let rows = read.array_of_any_length("replay")?;
        let played = read.array_of_any_length("history")?;
        if !self.history.accepts(&played, &read.state.returns) {
            return Err(read.refuse("`history` does not fit: another environment".to_owned()));
        }
        if !self.replay.accepts(&rows, read.state.replay_next) {
            return Err(
                read.refuse("`replay` does not fit: other settings or another environment".to_owned())
            );
        }
        if let Some([target_actor, target_critic]) = &mut self.targets {
            let actor = read.array("actor_target", actor_size)?;
            let critic = read.array("critic_target", critic_size)?;
            target_actor.set(&actor);
            target_critic.set(&critic);
        }
        self.actor.set(&actor);
        self.critic.set(&critic);
        (self.actor_adam.moments, self.actor_adam.time) = (actor_moments, read.state.actor_time);
        (self.critic_adam.moments, self.critic_adam.time) = (critic_moments, read.state.critic_time);
        (self.replay.rows, self.replay.next) = (rows, read.state.replay_next);
        self.history.restore(played, std::mem::take(&mut read.state.returns));
        let widths = std::mem::take(&mut self.state.widths);
        self.state = State { widths, ..read.state };
        self.losses = None;
        Ok(())
    }

    /// Reads actor and critic only, from a checkpoint of a run on any network. Target networks become
    /// copies of them; everything else is unchanged.
    pub(super) fn read_policy(&mut self, directory: &Path) -> Result<(), AgentError> {
        let mut read = Checkpoint::<State>::read(directory, NAME)?;
        self.check_widths(&read)?;
        let actor = read.array("actor", self.actor.values().len())?;
        let critic = read.array("critic", self.critic.values().len())?;
        self.actor.set(&actor);
        self.critic.set(&critic);
        if self.targets.is_some() {
            self.targets = Some([self.actor.clone(), self.critic.clone()]);
        }
        Ok(())
    }

    /// Refuses networks of other widths; these may have the same number of parameters.
    fn check_widths(&self, read: &Checkpoint<State>) -> Result<(), AgentError> {
        let (saved, own) = (&read.state.widths, &self.state.widths);
        if saved == own {
            return Ok(());
        }
        Err(read.refuse(format!(
            "its actor has layers of {saved:?} numbers, this agent's of {own:?}, from observation to action: \
             set `hidden` to the same widths and play an environment with the same kind of observations"
        )))
    }
}
