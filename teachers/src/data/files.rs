//! Finding and reading files.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

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

/// A file that is read in pieces and unpacked on the way if it is gzipped, so that no more of it is
/// in memory than was asked for.
pub(super) struct Source<'a> {
    path: &'a Path,
    gzipped: bool,
    read: Box<dyn Read + 'a>,
}

impl<'a> Source<'a> {
    /// The file at `path`.
    pub(super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::io(path))?;
        Self::new(BufReader::new(file), path)
    }

    /// The contents of a file; `path` is the one that errors name.
    pub(super) fn new(mut contents: impl BufRead + 'a, path: &'a Path) -> Result<Self, DataError> {
        let start = contents.fill_buf().map_err(DataError::io(path))?;
        let gzipped = start.starts_with(&[0x1f, 0x8b]);
        let read: Box<dyn Read> =
            if gzipped { Box::new(GzDecoder::new(contents)) } else { Box::new(contents) };
        Ok(Self { path, gzipped, read })
    }

    /// The path that errors name.
    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    /// The next bytes: `most` of them, or all that are left.
    pub(super) fn take(&mut self, most: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        match self.read.by_ref().take(most as u64).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) if self.gzipped => Err(DataError::malformed(
                self.path,
                format!("the gzip data is truncated or damaged ({error}); fetch it again"),
            )),
            Err(error) => Err(DataError::io(self.path)(error)),
        }
    }
}
