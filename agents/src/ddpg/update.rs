//! One update of critic and actor from a minibatch of the replay memory.

use burn::tensor::Tensor;

use super::{Credit, Ddpg, Target};
use crate::AgentError;

impl Ddpg {
    /// One step of the critic and, where `move_actor`, of the actor; returns both losses.
    pub(super) fn update(&mut self, move_actor: bool) -> Result<[f64; 2], AgentError> {
        let batch = self.replay.sample(self.settings.batch, &mut self.state.rng);
        let baseline = self.state.baseline.unwrap_or(0.0) as f32;
        let observations = self.tensor(batch.observations, self.reader.width());
        let actions = self.tensor(batch.actions, self.bounds.length());
        let explained = |row: usize| match self.settings.credit {
            Credit::Shared => baseline,
            Credit::Residual => self.history.others(batch.episodes[row], batch.steps[row]),
        };
        // Divided by the deviation of returns, so that nothing depends on the scale of rewards.
        let scale = match self.settings.target {
            Target::MonteCarlo => 1.0 / self.history.spread() as f32,
            Target::Bootstrap => 1.0,
        };
        let advantages =
            batch.values.iter().enumerate().map(|(row, value)| scale * (value - explained(row))).collect();
        let mut targets = self.tensor(advantages, 1);
        if let Some([actor, critic]) = &self.targets {
            let next = self.tensor(batch.next_observations, self.reader.width());
            let next_values = critic.constant().value(next.clone(), actor.constant().policy(next));
            targets = targets + next_values * self.tensor(batch.bootstraps, 1);
        }

        let critic = self.critic.tracked();
        let error = critic.value(observations.clone(), actions) - targets;
        let loss = (error.clone() * error).mean();
        let critic_loss = finite("the critic's loss", &loss)?;
        let gradient = critic.gradient(&loss);
        let rate = self.settings.critic_learning_rate;
        self.critic.change(|parameters| self.critic_adam.step(parameters, &gradient, rate));

        let mut actor_loss = 0.0;
        if move_actor {
            let actor = self.actor.tracked();
            // The critic knows executed actions, so it evaluates the policy's actions as they are executed.
            let policy = actor.policy(observations.clone());
            let loss = match self.state.level {
                None => self.critic.constant().value(observations, policy).mean().neg(),
                // Filling the budget shifts all actions alike, so returns do not depend on the mean of
                // the policy's actions. The critic evaluates them with their mean moved to that of
                // executed actions, and a squared penalty pulls their own mean there.
                Some(level) => {
                    let mean = policy.clone().mean();
                    let played = policy - mean.clone().reshape([1, 1]) + level;
                    let drift = mean - level;
                    let values = self.critic.constant().value(observations, played);
                    values.mean().neg() + drift.clone() * drift
                }
            };
            actor_loss = finite("the actor's loss", &loss)?;
            let gradient = actor.gradient(&loss);
            let rate = self.settings.actor_learning_rate;
            self.actor.change(|parameters| self.actor_adam.step(parameters, &gradient, rate));
        }

        if let Some([actor, critic]) = &mut self.targets {
            actor.follow(&self.actor, self.settings.tau as f32);
            critic.follow(&self.critic, self.settings.tau as f32);
        }
        self.state.updates += 1;
        Ok([critic_loss, actor_loss])
    }
}

/// The loss as a number.
///
/// # Errors
/// [`AgentError::Diverged`] where it is not finite.
fn finite(what: &str, loss: &Tensor<1>) -> Result<f64, AgentError> {
    let value = f64::from(loss.clone().into_scalar::<f32>());
    if value.is_finite() { Ok(value) } else { Err(AgentError::Diverged { what: what.to_owned() }) }
}
