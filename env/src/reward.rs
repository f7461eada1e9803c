//! What a finished candidate is worth.
//!
//! AMC ("AutoML for Model Compression and Acceleration on Mobile Devices", He et al., ECCV 2018,
//! section 3.4) has two kinds. Under a budget that the actions are clipped to, accuracy is all
//! that counts: R_err = −Error. To find the smallest network of the same accuracy, cost counts as
//! well: R_FLOPs = −Error · log(FLOPs) and R_Param = −Error · log(#Param).
//!
//! The paper leaves units open; here Error is the share of the reward split classified wrong, in
//! [0, 1] (top-1, where the released code takes top-5 by default), the logarithm is the natural
//! one, and its argument is the plain count: multiply-accumulates of one image (the paper's
//! "FLOPs"), or trainable parameters. The released code's `acc_reward` is accuracy itself, which
//! is R_err + 1; its `acc_flops_reward` is `err-log-macs`. `err-log-params` was never released.
//! A faultless candidate is worth 0 whatever it costs.

use serde::{Deserialize, Serialize};

use crate::{Outcome, names::named};

/// A reward by its name: `err`, `err-log-macs` or `err-log-params`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

named!(Reward, "reward", [
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
        // `0.0 -` and not a sign: a faultless candidate is worth 0 and not −0.
        0.0 - error * weight
    }
}
