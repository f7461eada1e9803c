//! What a student is worth (Ashok et al., ICLR 2018, section 3.4).
//!
//! With C = 1 − parameters of the student / parameters of the teacher, the reward is
//! R = C·(2 − C) · accuracy of the student / accuracy of the teacher. In both stages the teacher is
//! the original one: the released code measures the second stage against the result of the first.
//!
//! Under constraints it is R where all hold, else ε·(R + 1) − 1 with ε = (1 − e/15)⁴ for e < 15
//! updates of the agent and 0 from then on. (The released code clips this even power to [0, 1]
//! only, so that ε rises again after 15 updates and the constraint is gone after 30.)

use serde::{Deserialize, Serialize};

use crate::{EnvError, Outcome, names::named};

/// What a candidate that is no network, or no smaller one, is worth.
pub const DEGENERATE_REWARD: f64 = -1.0;

/// Updates after which a broken constraint is worth the least.
pub const EASING_UPDATES: u64 = 15;

/// A reward of N2N by its name: `n2n` or `n2n-constrained`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum N2nReward {
    /// Compression and accuracy.
    #[default]
    Plain,
    /// The same, less where constraints are broken.
    Constrained,
}

named!(N2nReward, "reward", [Plain => "n2n", Constrained => "n2n-constrained"]);

/// The original teacher that students are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeacherFigures {
    /// Share of the reward split classified right, in (0, 1].
    pub top1: f64,
    /// Trainable parameters.
    pub parameters: u64,
    /// Multiply-accumulates for one image.
    pub macs: u64,
}

impl TeacherFigures {
    pub(super) fn check(&self) -> Result<(), EnvError> {
        if self.top1 > 0.0 && self.top1 <= 1.0 && self.parameters > 0 && self.macs > 0 {
            return Ok(());
        }
        let reason = format!("{self:?} cannot be measured against: all have to be above 0, top1 at most 1");
        Err(EnvError::Setting { key: "teacher".to_owned(), reason })
    }
}

/// What a student has to keep to; what is absent does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constraints {
    /// Most trainable parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parameters: Option<u64>,
    /// Most multiply-accumulates for one image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_macs: Option<u64>,
    /// Least share of the reward split classified right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_top1: Option<f64>,
}

impl Constraints {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `outcome` keeps to all of them.
    pub fn hold(&self, outcome: &Outcome) -> bool {
        self.max_parameters.is_none_or(|most| outcome.parameters <= most)
            && self.max_macs.is_none_or(|most| outcome.macs <= most)
            && self.min_top1.is_none_or(|least| outcome.top1 >= least)
    }
}

impl N2nReward {
    /// The reward of `outcome` after `progress` updates of the agent; all of them where absent.
    pub fn of(
        self,
        outcome: &Outcome,
        teacher: &TeacherFigures,
        constraints: &Constraints,
        progress: Option<u64>,
    ) -> f64 {
        let compression = 1.0 - outcome.parameters as f64 / teacher.parameters as f64;
        let reward = compression * (2.0 - compression) * outcome.top1 / teacher.top1;
        match self {
            Self::Constrained if !constraints.hold(outcome) => ease(progress) * (reward + 1.0) - 1.0,
            _ => reward,
        }
    }
}

/// ε: how much of its reward a candidate keeps that breaks a constraint.
fn ease(progress: Option<u64>) -> f64 {
    match progress {
        Some(updates) if updates < EASING_UPDATES => (1.0 - updates as f64 / EASING_UPDATES as f64).powi(4),
        _ => 0.0,
    }
}
