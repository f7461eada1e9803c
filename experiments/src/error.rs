//! What can go wrong in a command, and the exit code that says so.

use std::path::{Path, PathBuf};

use cgym_agents::AgentError;
use cgym_env::EnvError;
use cgym_worlds::WorldError;

/// A command's refusal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag, key or name that cannot be used; the text says what would fix it.
    #[error("{0}")]
    Input(String),
    /// A file or folder that cannot be read, written or used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what would fix it.
        reason: String,
    },
    /// The command was carried out, and what it checked is not as it should be.
    #[error("{0}")]
    Check(String),
    /// Ctrl-C or another signal stopped the command; what it had is saved.
    #[error("stopped")]
    Stopped,
    /// A world that cannot be loaded.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A network, weights or data problem.
    #[error(transparent)]
    Teacher(#[from] cgym_teachers::Error),
    /// The environment's refusal.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The agent's refusal.
    #[error(transparent)]
    Agent(AgentError),
}

impl Error {
    /// An error about one file or folder.
    pub fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }

    /// Whether `error` only says that the command was stopped.
    pub fn is_stop(error: &AgentError) -> bool {
        matches!(error, AgentError::Env(EnvError::Teacher(cgym_teachers::Error::Stopped)))
    }

    /// 1 where the run itself failed, 2 where its input, or the disk it was given, was wrong, 130 or 143
    /// where it was stopped.
    pub fn exit_code(&self) -> u8 {
        use cgym_teachers::Error::NotFinite;
        match self {
            Self::Stopped => crate::interrupt::exit_code(),
            Self::Check(_)
            | Self::Teacher(NotFinite(_))
            | Self::World(
                WorldError::Teacher(NotFinite(_)) | WorldError::Env(EnvError::Teacher(NotFinite(_))),
            )
            | Self::Env(EnvError::Teacher(NotFinite(_)))
            | Self::Agent(AgentError::Diverged { .. } | AgentError::Env(EnvError::Teacher(NotFinite(_)))) => {
                1
            }
            _ => 2,
        }
    }
}

impl From<AgentError> for Error {
    /// A hyper-parameter is a setting like others, in the table `[agent]`.
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Setting { key, reason } => {
                WorldError::setting(&format!("agent.{key}"), reason).into()
            }
            other => Self::Agent(other),
        }
    }
}

impl From<cgym_teachers::data::DataError> for Error {
    fn from(error: cgym_teachers::data::DataError) -> Self {
        Self::Teacher(error.into())
    }
}
