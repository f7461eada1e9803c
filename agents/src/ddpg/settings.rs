//! Hyper-parameters of DDPG.

use cgym_env::table;
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

/// Most transitions of a replay memory: 540 MB of AMC's observations.
const MOST_REPLAY: usize = 5_000_000;

table! {
    /// Hyper-parameters of [`Ddpg`](crate::Ddpg). Defaults are AMC's, unless AMC's value is given too.
    pub struct DdpgSettings {
        /// Widths of the two hidden layers of actor and critic, each 1 to 4096.
        pub hidden: [usize; 2] = [300, 300],
        /// Adam's learning rate for the actor (AMC: 1e-4, for 800 episodes).
        pub actor_learning_rate: f64 = 3e-4,
        /// Adam's learning rate for the critic.
        pub critic_learning_rate: f64 = 1e-3,
        /// What the critic is trained to predict: monte-carlo or bootstrap (AMC: bootstrap).
        pub target: Target = Target::MonteCarlo,
        /// Which baseline is subtracted from the return of a step: residual or shared (AMC: shared).
        pub credit: Credit = Credit::Residual,
        /// Age in episodes at which an episode has the weight 1/e in the regression of residual; if
        /// absent a quarter of the episodes, at least 10.
        pub credit_memory: Option<f64> = None,
        /// Add one number to all actions of an episode, the greatest for which the budget clips none of
        /// them (AMC: off, so that the budget clips the actions of late layers). Needs look-ahead. Off in
        /// environments without a budget.
        pub fill_budget: bool = true,
        /// Discount in [0, 1].
        pub discount: f64 = 1.0,
        /// Weight of the trained networks in each update of the target networks, in (0, 1]. Only
        /// bootstrap has target networks.
        pub tau: f64 = 0.01,
        /// Transitions in a minibatch, 1 to 4096.
        pub batch: usize = 64,
        /// Transitions in the replay memory, 1 to 5,000,000; if absent those of a third of the episodes, at
        /// least of 20 (AMC: 2000).
        pub replay: Option<usize> = None,
        /// Episodes of uniform actions before the first update; if absent the lesser of 100 and a quarter
        /// of the episodes, none with frozen (AMC: 100).
        pub warmup: Option<u64> = None,
        /// Standard deviation of actions around the untrained policy during warm-up; uniform actions if
        /// absent (AMC: uniform).
        pub warmup_sigma: Option<f64> = None,
        /// Train the critic, but not the actor, during warm-up.
        pub warmup_critic: bool = false,
        /// Updates per new transition, at most 1000, made at the end of the episode (AMC: 1).
        pub updates_per_step: usize = 4,
        /// Standard deviation of the truncated normal exploration after warm-up, as a share of the action
        /// range.
        pub sigma: f64 = 0.5,
        /// Least standard deviation of the exploration (AMC: none, so that late episodes repeat each
        /// other).
        pub sigma_floor: f64 = 0.1,
        /// Share of the episodes after warm-up at whose end the standard deviation reaches its floor.
        pub sigma_share: f64 = 0.75,
        /// Factor on the standard deviation per episode after warm-up; if absent the one that sigma_share
        /// implies (AMC: 0.95, whatever the number of episodes).
        pub sigma_decay: Option<f64> = None,
        /// Weight of the past in the moving average of returns per episode, the baseline of shared, in
        /// [0, 1) (AMC: 0.5 per minibatch).
        pub baseline_decay: f64 = 0.95,
        /// Explore but never learn; it measures a policy taken from another network.
        pub frozen: bool = false,
    }
}

impl DdpgSettings {
    /// Checks every range and fills in the defaults that depend on the environment and the number of
    /// episodes.
    pub(crate) fn resolve(mut self, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let rate = |x: f64| x > 0.0 && x.is_finite();
        let width = |&width: &usize| (1..=4096).contains(&width);
        require(self.hidden.iter().all(width), "hidden", "widths must lie in 1..=4096")?;
        require(rate(self.actor_learning_rate), "actor_learning_rate", "must be above 0")?;
        require(rate(self.critic_learning_rate), "critic_learning_rate", "must be above 0")?;
        require((0.0..=1.0).contains(&self.discount), "discount", "must lie in [0, 1]")?;
        require(self.tau > 0.0 && self.tau <= 1.0, "tau", "must lie in (0, 1]")?;
        require((1..=4096).contains(&self.batch), "batch", "must lie in 1..=4096")?;
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
        let third = context.env.spec().steps().saturating_mul(share(3, 20) as usize).min(MOST_REPLAY);
        let replay = self.replay.unwrap_or(third);
        require((1..=MOST_REPLAY).contains(&replay), "replay", "must lie in 1..=5000000")?;
        self.replay = Some(replay);
        self.fill_budget &= context.env.spec().budget.is_some();
        let warmup = if self.frozen { 0 } else { (context.episodes / 4).min(100) };
        self.warmup = Some(self.warmup.unwrap_or(warmup));
        Ok(self)
    }
}
