//! Hyper-parameters of DDPG.

use serde::{Deserialize, Serialize};

use crate::{AgentContext, AgentError, settings::require};

/// What the critic is trained to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The discounted return from the step on, less the baseline, divided by the standard deviation
    /// of all returns. Nothing is bootstrapped.
    MonteCarlo,
    /// As AMC's released code: the episode's return at every step, less the baseline, plus the
    /// discounted value that the target networks give the next state. Values therefore grow with the
    /// number of steps left.
    Bootstrap,
}

/// The baseline that is subtracted from the return of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credit {
    /// As AMC: a moving average of returns, the same for every step.
    Shared,
    /// The return that a ridge regression over the episodes so far predicts from the actions of all
    /// other steps.
    Residual,
}

/// Hyper-parameters of [`Ddpg`](super::Ddpg). Defaults are AMC's, unless AMC's value is given too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DdpgSettings {
    /// Widths of the two hidden layers of actor and critic; 300 and 300.
    pub hidden: [usize; 2],
    /// Adam's learning rate for the actor; 3e-4 (AMC: 1e-4, for 800 episodes).
    pub actor_learning_rate: f64,
    /// Adam's learning rate for the critic; 1e-3.
    pub critic_learning_rate: f64,
    /// What the critic is trained to predict; `monte-carlo` (AMC: `bootstrap`).
    pub target: Target,
    /// Which baseline is subtracted from the return of a step; `residual` (AMC: `shared`).
    pub credit: Credit,
    /// Age in episodes at which an episode has the weight 1/e in the regression of `residual`; by
    /// default a quarter of the episodes, at least 10.
    pub credit_memory: Option<f64>,
    /// Whether one number is added to all actions of an episode, the greatest for which the budget
    /// clips none of them; on (AMC: off, so that the budget clips the actions of late layers). Needs
    /// look-ahead. Off in environments without a budget.
    pub fill_budget: bool,
    /// Discount γ in [0, 1]; 1.
    pub discount: f64,
    /// Weight of the trained networks in each update of the target networks, in (0, 1]; 0.01. Only
    /// `bootstrap` has target networks.
    pub tau: f64,
    /// Transitions in a minibatch; 64.
    pub batch: usize,
    /// Transitions in the replay memory; by default those of a third of the episodes, at least of 20
    /// (AMC: 2000).
    pub replay: Option<usize>,
    /// Episodes of uniform actions before the first update; by default the lesser of 100 and a quarter
    /// of the episodes, none with `frozen` (AMC: 100).
    pub warmup: Option<u64>,
    /// Standard deviation of actions around the untrained policy during warm-up; uniform actions where
    /// absent (AMC: uniform).
    pub warmup_sigma: Option<f64>,
    /// Whether the critic, but not the actor, learns during warm-up; off.
    pub warmup_critic: bool,
    /// Updates per new transition, made at the end of the episode; 4 (AMC: 1).
    pub updates_per_step: usize,
    /// Standard deviation of the truncated normal exploration after warm-up, as a share of the action
    /// range; 0.5.
    pub sigma: f64,
    /// Least standard deviation of the exploration; 0.1 (AMC: none, so that late episodes repeat each
    /// other).
    pub sigma_floor: f64,
    /// Share of the episodes after warm-up at whose end the standard deviation reaches its floor; 0.75.
    pub sigma_share: f64,
    /// Factor on the standard deviation per episode after warm-up; by default the one that `sigma_share`
    /// implies (AMC: 0.95, whatever the number of episodes).
    pub sigma_decay: Option<f64>,
    /// Weight of the past in the moving average of returns, the baseline of `credit = "shared"`, in
    /// [0, 1); 0.95 per episode (AMC: 0.5 per minibatch).
    pub baseline_decay: f64,
    /// Whether the agent explores but never learns; off. It measures a policy taken from another
    /// network.
    pub frozen: bool,
}

impl Default for DdpgSettings {
    fn default() -> Self {
        Self {
            hidden: [300, 300],
            actor_learning_rate: 3e-4,
            critic_learning_rate: 1e-3,
            target: Target::MonteCarlo,
            credit: Credit::Residual,
            credit_memory: None,
            fill_budget: true,
            discount: 1.0,
            tau: 0.01,
            batch: 64,
            replay: None,
            warmup: None,
            warmup_sigma: None,
            warmup_critic: false,
            updates_per_step: 4,
            sigma: 0.5,
            sigma_floor: 0.1,
            sigma_share: 0.75,
            sigma_decay: None,
            baseline_decay: 0.95,
            frozen: false,
        }
    }
}

impl DdpgSettings {
    /// Checks every range and fills in the defaults that depend on the environment and the number of
    /// episodes.
    pub(crate) fn resolve(mut self, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let rate = |x: f64| x > 0.0 && x.is_finite();
        let width = |&width: &usize| (1..=8192).contains(&width);
        require(self.hidden.iter().all(width), "hidden", "widths must lie in 1..=8192")?;
        require(rate(self.actor_learning_rate), "actor_learning_rate", "must be above 0")?;
        require(rate(self.critic_learning_rate), "critic_learning_rate", "must be above 0")?;
        require((0.0..=1.0).contains(&self.discount), "discount", "must lie in [0, 1]")?;
        require(self.tau > 0.0 && self.tau <= 1.0, "tau", "must lie in (0, 1]")?;
        require((1..=65_536).contains(&self.batch), "batch", "must lie in 1..=65536")?;
        require(self.updates_per_step <= 1000, "updates_per_step", "must be at most 1000")?;
        // A bootstrapped value is one of the whole return, so its baseline must be too.
        require(
            self.target == Target::MonteCarlo || self.credit == Credit::Shared,
            "target",
            "`bootstrap` needs credit = \"shared\"",
        )?;
        require(rate(self.sigma), "sigma", "must be above 0")?;
        require(
            self.sigma_floor >= 0.0 && self.sigma_floor.is_finite(),
            "sigma_floor",
            "must be at least 0",
        )?;
        require((0.0..=1.0).contains(&self.sigma_share), "sigma_share", "must lie in [0, 1]")?;
        require(self.warmup_sigma.is_none_or(rate), "warmup_sigma", "must be above 0")?;
        let decay = self.sigma_decay.unwrap_or(1.0);
        require(decay > 0.0 && decay <= 1.0, "sigma_decay", "must lie in (0, 1]")?;
        require((0.0..1.0).contains(&self.baseline_decay), "baseline_decay", "must lie in [0, 1)")?;
        let share = |parts: u64, least: u64| (context.episodes / parts).max(least);
        let memory = self.credit_memory.unwrap_or(share(4, 10) as f64);
        require(memory > 0.0 && memory.is_finite(), "credit_memory", "must be above 0")?;
        self.credit_memory = Some(memory);
        let replay = self.replay.unwrap_or(context.env.spec().steps().saturating_mul(share(3, 20) as usize));
        require(replay > 0, "replay", "must be at least 1")?;
        self.replay = Some(replay);
        self.fill_budget &= context.env.spec().budget.is_some();
        let warmup = if self.frozen { 0 } else { (context.episodes / 4).min(100) };
        self.warmup = Some(self.warmup.unwrap_or(warmup));
        Ok(self)
    }
}
