//! One update of critic and actor from a minibatch of the replay memory.

use super::{
    Credit, Ddpg, Target,
    network::{Network, Pass, squash},
};
use crate::{AgentError, parameters::transpose};

/// The memory of an update, which the next one uses again.
#[derive(Default)]
pub(super) struct Workspace {
    actor: Pass,
    critic: Pass,
    gradient: Vec<f32>,
}

impl Ddpg {
    /// One step of the critic and, where `move_actor`, of the actor; returns both losses.
    pub(super) fn update(&mut self, move_actor: bool) -> Result<[f64; 2], AgentError> {
        let count = self.settings.batch;
        let batch = self.replay.sample(count, &mut self.state.rng);
        let baseline = self.state.baseline.unwrap_or(0.0) as f32;
        let observations = columns(&batch.observations, count);
        let actions = columns(&batch.actions, count);
        let explained = |row: usize| match self.settings.credit {
            Credit::Shared => baseline,
            Credit::Residual => self.history.others(batch.episodes[row], batch.steps[row]),
        };
        // Divided by the deviation of returns, so that nothing depends on the scale of rewards.
        let scale = match self.settings.target {
            Target::MonteCarlo => 1.0 / self.history.spread() as f32,
            Target::Bootstrap => 1.0,
        };
        let advantage = |(row, value): (usize, &f32)| scale * (value - explained(row));
        let mut targets: Vec<f32> = batch.values.iter().enumerate().map(advantage).collect();
        let Workspace { actor: actor_pass, critic: critic_pass, gradient } = &mut self.workspace;
        if let Some([actor, critic]) = &self.targets {
            let next = columns(&batch.next_observations, count);
            actor.forward(&[&next], count, actor_pass);
            squash(&mut actor_pass.output);
            critic.forward(&[&next, &actor_pass.output], count, critic_pass);
            let next_values = critic_pass.output.iter().zip(&batch.bootstraps);
            for (target, (value, weight)) in targets.iter_mut().zip(next_values) {
                *target += value * weight;
            }
        }

        let inputs = [&observations[..], &actions[..]];
        self.critic.forward(&inputs, count, critic_pass);
        let (loss, slopes) = squared_error(&critic_pass.output, &targets);
        let critic_loss = finite("the critic's loss", loss)?;
        self.critic.backward(&slopes, critic_pass);
        self.critic.gradient(&inputs, &slopes, critic_pass, gradient);
        let rate = self.settings.critic_learning_rate;
        self.critic_adam.step(self.critic.parameters.values_mut(), gradient, rate);

        let mut actor_loss = 0.0;
        if move_actor {
            self.actor.forward(&[&observations], count, actor_pass);
            squash(&mut actor_pass.output);
            let (loss, slopes) =
                policy_loss(&self.critic, &observations, &actor_pass.output, self.state.level, critic_pass);
            actor_loss = finite("the actor's loss", loss)?;
            let through = slopes.iter().zip(&actor_pass.output);
            let slopes: Vec<f32> = through.map(|(slope, unit)| slope * unit * (1.0 - unit)).collect();
            self.actor.backward(&slopes, actor_pass);
            self.actor.gradient(&[&observations], &slopes, actor_pass, gradient);
            let rate = self.settings.actor_learning_rate;
            self.actor_adam.step(self.actor.parameters.values_mut(), gradient, rate);
        }

        if let Some([actor, critic]) = &mut self.targets {
            actor.follow(&self.actor, self.settings.tau as f32);
            critic.follow(&self.critic, self.settings.tau as f32);
        }
        self.state.updates += 1;
        Ok([critic_loss, actor_loss])
    }
}

/// The mean squared difference of critic's `values` and `targets`, and its derivatives with respect to
/// the values.
pub(super) fn squared_error(values: &[f32], targets: &[f32]) -> (f64, Vec<f32>) {
    let count = values.len() as f32;
    let errors: Vec<f32> = values.iter().zip(targets).map(|(value, target)| value - target).collect();
    let loss = mean(errors.iter().map(|error| error * error));
    (loss, errors.iter().map(|error| 2.0 * error / count).collect())
}

/// The actor's loss, and its derivatives with respect to the policy's actions `policy`, `[numbers][rows]`.
///
/// The critic knows executed actions, so it evaluates the policy's actions as they are executed.
/// Filling the budget shifts all actions alike, so returns do not depend on the mean of the policy's
/// actions. With a `level`, the mean of executed actions, the critic evaluates the policy's actions
/// with their mean moved there, and a squared penalty pulls their own mean there.
pub(super) fn policy_loss(
    critic: &Network,
    observations: &[f32],
    policy: &[f32],
    level: Option<f32>,
    pass: &mut Pass,
) -> (f64, Vec<f32>) {
    let own = mean(policy.iter().copied()) as f32;
    let shift = level.map_or(0.0, |level| level - own);
    let played: Vec<f32> = policy.iter().map(|unit| unit + shift).collect();
    let rows = played.len() / critic.inputs(1);
    critic.forward(&[observations, &played], rows, pass);
    let values = mean(pass.output.iter().copied());
    critic.backward(&vec![-1.0 / rows as f32; rows], pass);
    let mut slopes = critic.input_slopes(1, pass);
    if level.is_none() {
        return (-values, slopes);
    }
    // The mean is subtracted from each action, and the penalty depends on the mean alone.
    let common = mean(slopes.iter().copied()) as f32 + 2.0 * shift / policy.len() as f32;
    slopes.iter_mut().for_each(|slope| *slope -= common);
    (f64::from(shift).powi(2) - values, slopes)
}

/// Rows of a minibatch as `[numbers][rows]`.
fn columns(values: &[f32], rows: usize) -> Vec<f32> {
    transpose(values, [rows, values.len() / rows])
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f64 {
    let count = values.len() as f64;
    values.map(f64::from).sum::<f64>() / count
}

/// The loss as it is.
///
/// # Errors
/// [`AgentError::Diverged`] where it is not finite.
fn finite(what: &str, loss: f64) -> Result<f64, AgentError> {
    if loss.is_finite() { Ok(loss) } else { Err(AgentError::Diverged { what: what.to_owned() }) }
}
