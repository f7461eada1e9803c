//! Hyper-parameters of REINFORCE and actor-critic.

use cgym_env::Space;
use serde::{Deserialize, Serialize};

use super::{distribution::Distribution, policy::PolicyKind};
use crate::{AgentContext, AgentError, reading::Reader, settings::require};

/// Hyper-parameters of [`Reinforce`](super::Reinforce). Defaults are N2N's where it gives one, unless its
/// value is given too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforceSettings {
    /// Network of the policy; by default `bilstm` for two actions on tables, `autoregressive` for other
    /// actions on tables, and `mlp` on vectors.
    pub policy: Option<PolicyKind>,
    /// Whether a value head predicts the baseline of each decision; on for `actor-critic`, off for
    /// `reinforce`.
    pub critic: Option<bool>,
    /// Width of each hidden layer or LSTM state; 30.
    pub hidden: usize,
    /// Hidden layers, or stacked LSTM cells; 2.
    pub layers: usize,
    /// Adam's learning rate; 3e-3 (N2N's shrinkage: 0.1).
    pub learning_rate: f64,
    /// Episodes m per update; 5.
    pub rollouts: usize,
    /// Number of past updates whose mean returns are averaged to the baseline; 5. At the first update,
    /// and always with 0, the baseline of an episode is the mean return of the other episodes of its
    /// update (0 if there are none), which is unbiased too. A critic replaces this baseline.
    pub baseline: usize,
    /// Whether an update's advantages are shifted and scaled to mean 0 and deviation 1; off.
    pub normalize_advantages: bool,
    /// Weight of the entropy bonus, in nats per decision; 0.01 (N2N: none, so that the policy may become
    /// deterministic before it distinguishes layers).
    pub entropy: f64,
    /// Greatest norm of an update's gradient; unlimited by default.
    pub gradient_clip: Option<f64>,
    /// Discount γ in [0, 1]; 1.
    pub discount: f64,
    /// Weight of the critic's smooth L1 loss; 0.5.
    pub value_weight: f64,
    /// Density of continuous actions; `beta`. Discrete actions have softmax probabilities.
    pub distribution: Distribution,
    /// Whether the agent explores but never learns; off.
    pub frozen: bool,
}

impl Default for ReinforceSettings {
    fn default() -> Self {
        Self {
            policy: None,
            critic: None,
            hidden: 30,
            layers: 2,
            learning_rate: 3e-3,
            rollouts: 5,
            baseline: 5,
            normalize_advantages: false,
            entropy: 0.01,
            gradient_clip: None,
            discount: 1.0,
            value_weight: 0.5,
            distribution: Distribution::Beta,
            frozen: false,
        }
    }
}

impl ReinforceSettings {
    /// Checks every range and fills in the defaults that depend on the agent's name and the environment.
    pub(crate) fn resolve(mut self, name: &str, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let weight = |x: f64| x >= 0.0 && x.is_finite();
        require((1..=4096).contains(&self.hidden), "hidden", "must lie in 1..=4096")?;
        require((1..=16).contains(&self.layers), "layers", "must lie in 1..=16")?;
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
