//! Rewards of N2N (Ashok et al., ICLR 2018, section 3.4).
//!
//! With C = 1 − parameters of the student / parameters of the teacher, the reward is
//! R = C·(2 − C) · accuracy of the student / accuracy of the teacher. In both stages the teacher is
//! the original one: the released code measures the second stage against the result of the first.
//!
//! Under constraints the reward is R where all hold, else ε·(R + 1) − 1 with ε = (1 − e/15)⁴ for
//! e < 15 updates of the agent and 0 from then on. (The released code only clips this even power to
//! [0, 1], so that ε rises again after 15 updates and the constraint is gone after 30.)

use cgym_teachers::named;
use serde::{Deserialize, Serialize};

use crate::{
    EnvError, Outcome,
    fields::{Table, refuse},
    table,
};

/// The reward of a candidate that is no network, or no smaller one.
pub const DEGENERATE_REWARD: f64 = -1.0;

/// Updates after which a violated constraint has the least reward.
pub const EASING_UPDATES: u64 = 15;

/// A reward of N2N by its name: `n2n` or `n2n-constrained`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum N2nReward {
    /// Compression and accuracy.
    #[default]
    Plain,
    /// The same, reduced where constraints are violated.
    Constrained,
}

named!(N2nReward, "name", [Plain => "n2n", Constrained => "n2n-constrained"]);

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

table! {
    /// `[reward]` of N2N: the reward of the last step and the constraints on students.
    pub struct N2nRewardSettings {
        /// n2n (compression and accuracy) or n2n-constrained (reduced where constraints are violated).
        pub name: N2nReward = N2nReward::Plain,
        /// n2n-constrained: most trainable parameters of a student.
        pub max_parameters: Option<u64> = None,
        /// n2n-constrained: most multiply-accumulates of a student for one image.
        pub max_macs: Option<u64> = None,
        /// n2n-constrained: least share of the reward images that a student classifies correctly.
        pub min_top1: Option<f64> = None,
    }
}

impl Table for N2nRewardSettings {
    fn check(&self) -> Result<(), EnvError> {
        match (self.name, self.is_unconstrained()) {
            (N2nReward::Constrained, true) => {
                let reason = "`n2n-constrained` needs max_parameters, max_macs or min_top1";
                return Err(refuse("name", reason));
            }
            (N2nReward::Plain, false) => {
                let reason = "`n2n` has no constraints; choose `n2n-constrained` or leave them out";
                return Err(refuse("name", reason));
            }
            _ => (),
        }
        match self.min_top1 {
            Some(least) if !(0.0..=1.0).contains(&least) => {
                Err(refuse("min_top1", format!("{least} is not a share in [0, 1]")))
            }
            _ => Ok(()),
        }
    }
}

impl N2nRewardSettings {
    fn is_unconstrained(&self) -> bool {
        self.max_parameters.is_none() && self.max_macs.is_none() && self.min_top1.is_none()
    }

    /// Whether `outcome` meets all constraints.
    pub fn hold(&self, outcome: &Outcome) -> bool {
        self.max_parameters.is_none_or(|most| outcome.parameters <= most)
            && self.max_macs.is_none_or(|most| outcome.macs <= most)
            && self.min_top1.is_none_or(|least| outcome.top1 >= least)
    }
}

impl N2nRewardSettings {
    /// The reward of `outcome` after `progress` updates of the agent; with the strictest constraints
    /// if absent.
    pub fn of(&self, outcome: &Outcome, teacher: &TeacherFigures, progress: Option<u64>) -> f64 {
        let compression = 1.0 - outcome.parameters as f64 / teacher.parameters as f64;
        let reward = compression * (2.0 - compression) * outcome.top1 / teacher.top1;
        match self.name {
            N2nReward::Constrained if !self.hold(outcome) => ease(progress) * (reward + 1.0) - 1.0,
            _ => reward,
        }
    }
}

/// ε: the share of its reward that a candidate keeps while it violates a constraint.
fn ease(progress: Option<u64>) -> f64 {
    match progress {
        Some(updates) if updates < EASING_UPDATES => (1.0 - updates as f64 / EASING_UPDATES as f64).powi(4),
        _ => 0.0,
    }
}
