//! Errors of finding, downloading, reading and splitting a dataset.

use std::io;
use std::path::{Path, PathBuf};

use super::DatasetName;

/// An error of finding, downloading, reading or splitting a dataset.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A text that is not a [`DatasetName`].
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

    /// An option that this dataset does not accept, or that it needs and did not get.
    #[error("{dataset}: {problem}")]
    Option {
        /// The dataset that was to be loaded.
        dataset: DatasetName,
        /// The option and what it should be.
        problem: String,
    },

    /// Files of the dataset are missing from the folder.
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

    /// A file or folder that does not have the expected layout.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what would fix it.
        problem: String,
    },

    /// A malformed record in an otherwise well-formed file.
    #[error("{}: record {record}: {problem}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The record, counted from 0.
        record: usize,
        /// What is wrong and what would fix it.
        problem: String,
    },

    /// Parts that do not form a dataset.
    #[error("dataset {name}: {problem}")]
    Dataset {
        /// The dataset's name.
        name: String,
        /// The part and what it should be.
        problem: String,
    },

    /// Split sizes for which the dataset has too few images.
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

    /// The cached copy is damaged.
    #[error("the cached copy in {} is damaged ({problem}); delete that folder to download it again", directory.display())]
    Cache {
        /// The dataset's folder in the cache.
        directory: PathBuf,
        /// The error of reading it.
        problem: Box<DataError>,
    },
}

impl DataError {
    /// For `map_err` on an input/output call about one path.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// An error about the layout of a file.
    pub(super) fn malformed(path: &Path, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), problem: problem.into() }
    }

    /// An error about the layout of a record.
    pub(super) fn record(path: &Path, record: usize, problem: impl Into<String>) -> Self {
        Self::Record { path: path.to_owned(), record, problem: problem.into() }
    }
}
