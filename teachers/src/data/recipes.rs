//! The download of one dataset into the cache.

pub(super) use super::facts::{Members, RemoteFile};

use super::DatasetName;
use super::facts::Source;

/// The files of one dataset's folder in the cache.
pub(super) struct Recipe<'a> {
    /// The dataset whose folder it becomes.
    pub(super) dataset: DatasetName,
    /// The addresses to try in turn; a file's name is appended to each.
    pub(super) servers: &'a [&'a str],
    /// The files to download.
    pub(super) files: &'a [RemoteFile<'a>],
    /// Given, each downloaded file is a gzipped tar archive that is unpacked.
    pub(super) members: Option<Members<'a>>,
}

/// The download of a dataset; `None` for a dataset that is not downloaded.
pub(super) fn recipe(dataset: DatasetName) -> Option<Recipe<'static>> {
    let Source::Files { download: Some(download), .. } = dataset.facts().source else { return None };
    Some(Recipe { dataset, servers: download.servers, files: download.files, members: download.members })
}
