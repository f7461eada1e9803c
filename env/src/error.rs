//! What can go wrong in an environment.

/// An environment's refusal; the environment is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// The action is not in the action space.
    #[error("illegal action {action} at decision `{decision}`: expected {expected}")]
    IllegalAction {
        /// The action, printed.
        action: String,
        /// The decision it was for.
        decision: String,
        /// What would be legal.
        expected: String,
    },
    /// A step before the first reset or after the end.
    #[error("the episode is over: call reset before the next step")]
    NeedsReset,
    /// The environment can neither preview nor fork.
    #[error("`{id}` has no look-ahead: it can neither preview actions nor be forked")]
    NoLookAhead {
        /// Id of the environment.
        id: String,
    },
    /// No candidate meets the budget.
    #[error(
        "a budget of {share:.4} of the {unit} cannot be met: the least that can is {:.4}",
        (least * 1e4).ceil() / 1e4
    )]
    Infeasible {
        /// Share asked for.
        share: f64,
        /// `macs`, `params` or `bytes`.
        unit: String,
        /// Least reachable share; the message rounds it up, so that it can be met as printed.
        least: f64,
    },
    /// No such environment id.
    #[error("unknown environment `{id}`{suggestion}")]
    UnknownId {
        /// The id asked for.
        id: String,
        /// `; did you mean …?`, or empty.
        suggestion: String,
    },
    /// A setting outside its range.
    #[error("setting `{key}`: {reason}")]
    Setting {
        /// Name of the setting.
        key: String,
        /// What is wrong and what would mend it.
        reason: String,
    },
    /// A word that is not a value of a setting.
    #[error(transparent)]
    Name(#[from] cgym_teachers::UnknownName),
    /// A network, weights or data problem.
    #[error(transparent)]
    Teacher(#[from] cgym_teachers::Error),
}
