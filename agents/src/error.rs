//! What can go wrong with an agent.

use std::path::PathBuf;

/// An agent's refusal.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No such agent.
    #[error("unknown agent `{name}`{suggestion}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// `; did you mean …?`, or the list.
        suggestion: String,
    },
    /// The agent cannot play an environment like this.
    #[error("agent `{agent}` cannot play here: {reason}")]
    Spaces {
        /// Name of the agent.
        agent: String,
        /// What the agent needs.
        reason: String,
    },
    /// The agent plans with previews and forks, which the environment lacks.
    #[error(
        "agent `{agent}` needs look-ahead, but `{env}` can neither preview actions nor be forked{remedy}"
    )]
    LookAhead {
        /// Name of the agent.
        agent: String,
        /// Id of the environment.
        env: String,
        /// The setting that turns planning off, as the end of a sentence; empty where there is none.
        remedy: &'static str,
    },
    /// A hyper-parameter outside its range.
    #[error("setting `{key}`: {reason}")]
    Setting {
        /// Name of the hyper-parameter.
        key: String,
        /// What is wrong and what would fix it.
        reason: String,
    },
    /// A loss or a parameter is infinite or not a number.
    #[error("learning diverged: {what} is not finite; try a lower learning rate")]
    Diverged {
        /// The figure.
        what: String,
    },
    /// A checkpoint file that cannot be used.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An error of the environment.
    #[error(transparent)]
    Env(#[from] cgym_env::EnvError),
}
