//! Rewards of the layer-wise games.
//!
//! AMC ("AutoML for Model Compression and Acceleration on Mobile Devices", He et al., ECCV 2018,
//! section 3.4) has two kinds. Under a budget that actions are clipped to, accuracy alone counts:
//! R_err = −Error. To find the smallest network of the same accuracy, cost counts as well:
//! R_FLOPs = −Error · log(FLOPs) and R_Param = −Error · log(#Param). Any reward can be combined with
//! any budget or with none.
//!
//! The paper leaves units open. Here Error is the share of the reward split that is classified
//! wrong, in [0, 1] (top-1; the released code uses top-5 by default), the logarithm is the natural
//! one, and its argument is the plain count: multiply-accumulates of one image (the paper's
//! "FLOPs"), or stored trainable parameters. The released code's `acc_reward` is the accuracy,
//! which is R_err + 1; its `acc_flops_reward` is `err-log-macs`. `err-log-params` was never
//! released. A candidate without errors has reward 0, whatever it costs.

use cgym_teachers::named;

use crate::{Outcome, fields::Table, table};

/// A reward by its name: `err`, `err-log-macs` or `err-log-params`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Reward {
    /// −Error, in [−1, 0].
    #[default]
    Error,
    /// −Error · ln(MACs).
    ErrorLogMacs,
    /// −Error · ln(parameters).
    ErrorLogParams,
}

named!(Reward, "name", [
    Error => "err",
    ErrorLogMacs => "err-log-macs",
    ErrorLogParams => "err-log-params",
]);

impl Reward {
    /// The reward of `outcome`: at most 0, greater is better.
    pub fn of(self, outcome: &Outcome) -> f64 {
        let error = 1.0 - outcome.top1;
        let weight = match self {
            Self::Error => 1.0,
            Self::ErrorLogMacs => (outcome.macs.max(1) as f64).ln(),
            Self::ErrorLogParams => (outcome.parameters.max(1) as f64).ln(),
        };
        // `0.0 -` instead of a sign: without errors the reward is 0 and not −0.
        0.0 - error * weight
    }
}

table! {
    /// `[reward]`: the reward of the last step; all other steps have reward 0.
    pub struct LayerwiseReward {
        /// err (minus the error), err-log-macs or err-log-params (times the logarithm of the cost).
        pub name: Reward = Reward::Error,
    }
}

impl Table for LayerwiseReward {}
