//! What a budget counts, and how much of it a share is.

use cgym_teachers::cost::Cost;
use serde::{Deserialize, Serialize};

use crate::{EnvError, names::named};

/// What a budget counts: `macs` or `params`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum BudgetUnit {
    /// Multiply-accumulates of convolutions and linear layers for one image.
    #[default]
    Macs,
    /// Trainable parameters.
    Params,
}

named!(BudgetUnit, "budget", [Macs => "macs", Params => "params"]);

/// The greatest whole cost whose share of `total` is at most `target`, compared as floats: whoever
/// divides the two finds the budget kept to the last bit.
///
/// # Errors
/// [`EnvError::Setting`] when `target` is not in (0, 1].
pub(crate) fn limit(target: f64, total: u64) -> Result<u64, EnvError> {
    if !(target > 0.0 && target <= 1.0) {
        return Err(EnvError::Setting {
            key: "target".to_owned(),
            reason: format!("{target} is not a share in (0, 1]"),
        });
    }
    let share = |cost: u64| cost as f64 / total as f64;
    let mut limit = (target * total as f64) as u64;
    while limit < total && share(limit + 1) <= target {
        limit += 1;
    }
    while limit > 0 && share(limit) > target {
        limit -= 1;
    }
    Ok(limit)
}

impl BudgetUnit {
    /// What it counts of `cost`.
    pub fn of(self, cost: &Cost) -> u64 {
        match self {
            Self::Macs => cost.macs,
            Self::Params => cost.parameters,
        }
    }
}
