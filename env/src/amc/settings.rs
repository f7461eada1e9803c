//! Settings of the AMC environment.

use serde::{Deserialize, Serialize};

use crate::{BudgetUnit, EnvError, Reward, names::named};

/// Which coupling groups are decided about: `inner` or `all`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// Groups that one layer alone produces and no residual sum passes through.
    #[default]
    Inner,
    /// Every group that can lose channels, residual ones included.
    All,
}

named!(Scope, "scope", [Inner => "inner", All => "all"]);

/// Rules of the game, whichever network it is played with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AmcSettings {
    /// What the budget counts.
    pub budget: BudgetUnit,
    /// Share of the teacher's cost that a candidate may keep, in (0, 1].
    pub target: f64,
    /// Reward of the last step.
    pub reward: Reward,
    /// Groups decided about.
    pub scope: Scope,
    /// Least preserve ratio of every decision, in (0, 1]; AMC's 0.2.
    pub lower_bound: f64,
    /// Kept channels are a multiple of this, or all.
    pub channel_multiple: usize,
    /// Whether decisions are also raised, so that the layers left can still use the budget up.
    pub fill_budget: bool,
}

impl Default for AmcSettings {
    fn default() -> Self {
        Self {
            budget: BudgetUnit::Macs,
            target: 0.5,
            reward: Reward::Error,
            scope: Scope::Inner,
            lower_bound: 0.2,
            channel_multiple: 1,
            fill_budget: false,
        }
    }
}

impl AmcSettings {
    /// Refuses what no network could be played with. Whether the target can be met is seen when
    /// the network is there.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for the first setting outside its range.
    pub fn check(&self) -> Result<(), EnvError> {
        let refuse = |key: &str, reason: String| Err(EnvError::Setting { key: key.to_owned(), reason });
        let share = |value: f64| value > 0.0 && value <= 1.0;
        if !share(self.target) {
            return refuse("target", format!("{} is not a share in (0, 1]", self.target));
        }
        if !share(self.lower_bound) || self.lower_bound as f32 <= 0.0 {
            return refuse("lower_bound", format!("{} is not a preserve ratio in (0, 1]", self.lower_bound));
        }
        if self.channel_multiple == 0 {
            return refuse(
                "channel_multiple",
                "0 channels have no multiples; 1 allows every count".to_owned(),
            );
        }
        Ok(())
    }
}
