//! Hyper-parameters of REINFORCE and actor-critic.

use cgym_env::Space;
use serde::{Deserialize, Serialize};

use super::{distribution::Distribution, policy::PolicyKind};
use crate::{AgentContext, AgentError, reading::Reader, settings::require};

/// Hyper-parameters of [`Reinforce`](super::Reinforce); the defaults are N2N's where it gives any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforceSettings {
    /// Which network decides. By default `bilstm` for keeping or removing the rows of a table,
    /// `autoregressive` for other actions on tables, and `mlp` on vectors.
    pub policy: Option<PolicyKind>,
    /// Whether a value head learns each decision's baseline; on for `actor-critic`, else off.
    pub critic: Option<bool>,
    /// Width of each hidden layer or LSTM state; 30.
    pub hidden: usize,
    /// Hidden layers, or LSTM cells on each other; 2.
    pub layers: usize,
    /// Adam's learning rate; 3e-3 (N2N's shrinkage: 0.1).
    pub learning_rate: f64,
    /// Episodes m of an update, decided before any is learned from; 5.
    pub rollouts: usize,
    /// Updates whose mean returns are averaged to the baseline; 5. At the first update, or always
    /// with 0, each episode's baseline is the mean return of the others in its update (0 without
    /// others): it has no bias either and needs no past. A critic replaces it.
    pub baseline: usize,
    /// Whether an update's advantages are shifted and scaled to mean 0 and deviation 1; off.
    pub normalize_advantages: bool,
    /// Weight of the policy's entropy, in nats a decision, in what is climbed; 0.01 (N2N: none, so that
    /// a policy may be certain of all decisions alike before it tells them apart).
    pub entropy: f64,
    /// Greatest norm of an update's gradient; none.
    pub gradient_clip: Option<f64>,
    /// Discount γ in [0, 1]; 1.
    pub discount: f64,
    /// Weight of the critic's smooth L1 loss; 0.5.
    pub value_weight: f64,
    /// Density of continuous actions; `beta`. Discrete ones are softmax.
    pub distribution: Distribution,
    /// Whether the policy only acts and never learns; off.
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
    /// Checks every range and fills the defaults in that hang on the agent's name and environment.
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
                    "policy `{}` needs observations that are a table of layers, these are vectors: \
                     `mlp` and `autoregressive` play them",
                    policy.name()
                ),
            });
        }
        self.policy = Some(policy);
        self.critic = Some(self.critic.unwrap_or(name == super::ACTOR_CRITIC));
        Ok(self)
    }
}
