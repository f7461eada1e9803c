//! What can go wrong on the way from an id to a world.

use std::path::{Path, PathBuf};

use cgym_env::EnvError;

/// A world's refusal.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A setting that cannot be used; the text says what would fix it.
    #[error("{key}: {reason}")]
    Setting {
        /// Path of the setting, like `network.weights`.
        key: String,
        /// What is wrong and what would fix it.
        reason: String,
    },
    /// A file or folder that cannot be read, written or used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what would fix it.
        reason: String,
    },
    /// A network, weights or data problem.
    #[error(transparent)]
    Teacher(#[from] cgym_teachers::Error),
    /// The environment's refusal.
    #[error(transparent)]
    Env(#[from] EnvError),
}

impl WorldError {
    /// An error about one file or folder.
    pub fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }

    /// An error about one setting.
    pub fn setting(key: &str, reason: impl Into<String>) -> Self {
        Self::Setting { key: key.to_owned(), reason: reason.into() }
    }
}

impl From<cgym_teachers::data::DataError> for WorldError {
    fn from(error: cgym_teachers::data::DataError) -> Self {
        Self::Teacher(error.into())
    }
}
