//! Errors of environments.

/// An error of an environment; the environment is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// An action that is not in the action space.
    #[error("illegal action {action} at decision `{decision}`: expected {expected}")]
    IllegalAction {
        /// The action, printed.
        action: String,
        /// The decision that the action was for.
        decision: String,
        /// The legal actions.
        expected: String,
    },
    /// A step before the first reset or after the end of an episode.
    #[error("the episode is over: call reset before the next step")]
    NeedsReset,
    /// Look-ahead in an environment that lacks it.
    #[error("`{id}` has no look-ahead: it can neither preview actions nor be forked")]
    NoLookAhead {
        /// Id of the environment.
        id: String,
    },
    /// A budget that no candidate meets.
    #[error(
        "a budget of {share:.4} of the {unit} cannot be met: the least that can is {:.4}",
        (least * 1e4).ceil() / 1e4
    )]
    Infeasible {
        /// The budget, as a share of the whole network's cost.
        share: f64,
        /// `macs`, `params` or `bytes`.
        unit: String,
        /// Least share that can be met; the message rounds it up, so that the printed share can be met.
        least: f64,
    },
    /// An id that does not exist.
    #[error("unknown environment `{id}`{suggestion}")]
    UnknownId {
        /// The unknown id.
        id: String,
        /// `; did you mean …?`, or empty.
        suggestion: String,
    },
    /// An unknown setting, or one with an invalid value.
    #[error("setting `{key}`: {reason}")]
    Setting {
        /// Path of the setting, like `game.lower_bound`.
        key: String,
        /// What is wrong and how to fix it.
        reason: String,
    },
    /// A name that is not among the values of a setting.
    #[error(transparent)]
    Name(#[from] cgym_teachers::UnknownName),
    /// An error about a network, weights or data.
    #[error(transparent)]
    Teacher(#[from] cgym_teachers::Error),
}
