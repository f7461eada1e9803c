//! What can go wrong while a dataset is found, downloaded, read or split.

use std::io;
use std::path::{Path, PathBuf};

use super::DatasetName;

/// Everything that a user's data, options or network can do wrong.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The text is no [`DatasetName`].
    #[error(
        "no dataset is called `{given}`: did you mean `{nearest}`? (there are {})",
        DatasetName::ALL.map(DatasetName::as_str).join(", ")
    )]
    UnknownName {
        /// What was asked for.
        given: String,
        /// The dataset whose name is spelled most like it.
        nearest: DatasetName,
    },

    /// An option that this dataset cannot take, or lacks.
    #[error("{dataset}: {problem}")]
    Option {
        /// The dataset that was to be loaded.
        dataset: DatasetName,
        /// The option and what it should be.
        problem: String,
    },

    /// Files that a dataset consists of are not in the folder given.
    #[error("{dataset}: {} lacks {missing}; {}", directory.display(), dataset.layout())]
    Missing {
        /// The dataset that was to be loaded.
        dataset: DatasetName,
        /// The folder that was searched.
        directory: PathBuf,
        /// The files that are not there.
        missing: String,
    },

    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// A file or folder that is not in the layout it should be in.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what would mend it.
        problem: String,
    },

    /// One record of an otherwise well-formed file.
    #[error("{}: record {record}: {problem}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The record, counted from 0.
        record: usize,
        /// What is wrong and what would mend it.
        problem: String,
    },

    /// Parts that do not make up a dataset.
    #[error("dataset {name}: {problem}")]
    Dataset {
        /// The dataset's name.
        name: String,
        /// The part and what it should be.
        problem: String,
    },

    /// Split sizes that the dataset cannot fill.
    #[error("splits: {problem}")]
    Split {
        /// The size and the most that fits.
        problem: String,
    },

    /// No address served the official file.
    #[error("{dataset}: {file} could not be downloaded ({reasons}); {}", dataset.layout())]
    Download {
        /// The dataset that was to be downloaded.
        dataset: DatasetName,
        /// The file on the server.
        file: String,
        /// What happened at each address.
        reasons: String,
    },

    /// The cached copy was complete once and no longer is.
    #[error("the cached copy in {} is damaged ({problem}); delete that folder to download it again", directory.display())]
    Cache {
        /// The dataset's folder in the cache.
        directory: PathBuf,
        /// What reading it ran into.
        problem: Box<DataError>,
    },
}

impl DataError {
    /// For `map_err` on an input/output call about one path.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// A file that is not in its layout.
    pub(super) fn malformed(path: &Path, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), problem: problem.into() }
    }

    /// A record that is not in its layout.
    pub(super) fn record(path: &Path, record: usize, problem: impl Into<String>) -> Self {
        Self::Record { path: path.to_owned(), record, problem: problem.into() }
    }
}
