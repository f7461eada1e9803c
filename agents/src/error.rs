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
    /// The agent cannot play these spaces.
    #[error("agent `{agent}` cannot play here: {reason}")]
    Spaces {
        /// Name of the agent.
        agent: String,
        /// What it needs.
        reason: String,
    },
    /// A hyper-parameter outside its range.
    #[error("setting `{key}`: {reason}")]
    Setting {
        /// Name of the hyper-parameter.
        key: String,
        /// What is wrong and what would mend it.
        reason: String,
    },
    /// A loss or a parameter stopped being a number.
    #[error("learning diverged: {what} is not finite; a lower learning rate may mend it")]
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
    /// The environment's own.
    #[error(transparent)]
    Env(#[from] cgym_env::EnvError),
}
