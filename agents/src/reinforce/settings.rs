//! Hyper-parameters of REINFORCE and actor-critic.

use cgym_env::{Space, table};

use super::{distribution::Distribution, policy::PolicyKind};
use crate::{AgentContext, AgentError, reading::Reader, settings::require};

table! {
    /// Hyper-parameters of [`Reinforce`](crate::Reinforce). Defaults are N2N's where it gives one, unless
    /// its value is given too.
    pub struct ReinforceSettings {
        /// Network of the policy: bilstm, autoregressive, encoder-decoder or mlp; if absent bilstm for two
        /// actions on tables, autoregressive for other actions on tables, and mlp on vectors.
        pub policy: Option<PolicyKind> = None,
        /// Predict the baseline of each decision by a value head; if absent on for actor-critic, off for
        /// reinforce.
        pub critic: Option<bool> = None,
        /// Width of each hidden layer or LSTM state, 1 to 1024.
        pub hidden: usize = 30,
        /// Hidden layers, or stacked LSTM cells, 1 to 8.
        pub layers: usize = 2,
        /// Adam's learning rate (N2N's shrinkage: 0.1).
        pub learning_rate: f64 = 3e-3,
        /// Episodes per update, 1 to 1024.
        pub rollouts: usize = 5,
        /// Number of past updates whose mean returns are averaged to the baseline. At the first update,
        /// and always with 0, the baseline of an episode is the mean return of the other episodes of its
        /// update (0 if there are none), which is unbiased too. A critic replaces this baseline.
        pub baseline: usize = 5,
        /// Shift and scale an update's advantages to mean 0 and deviation 1.
        pub normalize_advantages: bool = false,
        /// Weight of the entropy bonus, in nats per decision (N2N: none, so that the policy may become
        /// deterministic before it distinguishes layers).
        pub entropy: f64 = 0.01,
        /// Greatest norm of an update's gradient; unlimited if absent.
        pub gradient_clip: Option<f64> = None,
        /// Discount in [0, 1].
        pub discount: f64 = 1.0,
        /// Weight of the critic's smooth L1 loss.
        pub value_weight: f64 = 0.5,
        /// Density of continuous actions: beta or gaussian. Discrete actions have softmax probabilities.
        pub distribution: Distribution = Distribution::Beta,
        /// Explore but never learn.
        pub frozen: bool = false,
    }
}

impl ReinforceSettings {
    /// Checks every range and fills in the defaults that depend on the agent's name and the environment.
    pub(crate) fn resolve(mut self, name: &str, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let weight = |x: f64| x >= 0.0 && x.is_finite();
        require((1..=1024).contains(&self.hidden), "hidden", "must lie in 1..=1024")?;
        require((1..=8).contains(&self.layers), "layers", "must lie in 1..=8")?;
        require(positive(self.learning_rate), "learning_rate", "must be above 0")?;
        require((1..=1024).contains(&self.rollouts), "rollouts", "must lie in 1..=1024")?;
        require(self.baseline <= 100_000, "baseline", "must be at most 100000")?;
        require(weight(self.entropy), "entropy", "must be at least 0")?;
        require(self.gradient_clip.is_none_or(positive), "gradient_clip", "must be above 0")?;
        require((0.0..=1.0).contains(&self.discount), "discount", "must lie in [0, 1]")?;
        require(weight(self.value_weight), "value_weight", "must be at least 0")?;
        let reader = Reader::new(name, context.env)?;
        let policy = self.policy.unwrap_or(match (reader.is_table(), context.env.action_space()) {
            (false, _) => PolicyKind::Mlp,
            (true, Space::Discrete { count: 2 }) => PolicyKind::Bilstm,
            (true, _) => PolicyKind::Autoregressive,
        });
        if policy.needs_table() && !reader.is_table() {
            return Err(AgentError::Spaces {
                agent: name.to_owned(),
                reason: format!(
                    "policy `{}` needs observations that are tables of layers, these are vectors; \
                     `mlp` and `autoregressive` can play them",
                    policy.name()
                ),
            });
        }
        self.policy = Some(policy);
        self.critic = Some(self.critic.unwrap_or(name == super::ACTOR_CRITIC));
        Ok(self)
    }
}
