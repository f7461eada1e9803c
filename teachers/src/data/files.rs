//! Finding and reading files.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{DataError, DatasetName};

/// The paths of `files` in the first of `root` and its `folders` that holds any of them.
pub(super) fn locate<const N: usize>(
    dataset: DatasetName,
    root: &Path,
    folders: &[&str],
    files: [&str; N],
    find: impl Fn(&Path, &str) -> Option<PathBuf>,
) -> Result<[PathBuf; N], DataError> {
    let candidates = std::iter::once(root.to_owned()).chain(folders.iter().map(|f| root.join(f)));
    for directory in candidates {
        let found = files.map(|file| find(&directory, file));
        let missing: Vec<&str> =
            files.iter().zip(&found).filter_map(|(file, found)| found.is_none().then_some(*file)).collect();
        if missing.is_empty() {
            return Ok(found.map(Option::unwrap_or_default));
        }
        if missing.len() < N {
            return Err(DataError::Missing { dataset, directory, missing: missing.join(", ") });
        }
    }
    Err(DataError::Missing {
        dataset,
        directory: root.to_owned(),
        missing: if root.is_dir() {
            "the dataset's files".to_owned()
        } else {
            "all files: there is no such folder".to_owned()
        },
    })
}

/// Reads a whole file and unpacks it if it is gzipped.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = std::fs::read(path).map_err(DataError::io(path))?;
    if bytes.starts_with(&[0x1f, 0x8b]) { gunzip(&bytes, path) } else { Ok(bytes) }
}

/// Unpacks gzipped bytes; `path` is the file that an error names.
pub(super) fn gunzip(bytes: &[u8], path: &Path) -> Result<Vec<u8>, DataError> {
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut unpacked).map_err(|error| {
        DataError::malformed(path, format!("the gzip data is truncated or damaged ({error}); fetch it again"))
    })?;
    Ok(unpacked)
}
