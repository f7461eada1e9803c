//! The cache folder of downloaded datasets.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{DataError, DatasetName};

/// The folder that holds a dataset's files, downloaded first if it does not exist.
pub(super) fn obtain(dataset: DatasetName, progress: &mut dyn FnMut(u64, u64)) -> Result<PathBuf, DataError> {
    let root =
        root_from(std::env::var_os("CGYM_CACHE"), std::env::var_os("XDG_CACHE_HOME"), std::env::home_dir())
            .ok_or_else(|| DataError::Option {
            dataset,
            problem: format!("no cache folder is known: set CGYM_CACHE, or {}", dataset.layout()),
        })?;
    // The folder is renamed into place only when it is complete.
    let directory = root.join(dataset.as_str());
    if directory.is_dir() {
        return Ok(directory);
    }
    download(dataset, &root, progress)?;
    Ok(directory)
}

/// `CGYM_CACHE`, else `compression-gym` in the user's cache folder. Empty variables count as unset,
/// and so does a relative `XDG_CACHE_HOME`, as its specification requires.
pub(super) fn root_from(
    own: Option<OsString>,
    xdg: Option<OsString>,
    home: Option<PathBuf>,
) -> Option<PathBuf> {
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        return Some(PathBuf::from(own));
    }
    xdg.map(PathBuf::from)
        .filter(|xdg| xdg.is_absolute())
        .or_else(|| home.filter(|home| home.is_absolute()).map(|home| home.join(".cache")))
        .map(|cache| cache.join("compression-gym"))
}

#[cfg(feature = "download")]
fn download(
    dataset: DatasetName,
    root: &std::path::Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), DataError> {
    use super::{download, recipes};
    let Some(recipe) = recipes::recipe(dataset) else {
        return Ok(());
    };
    download::fetch(&recipe, root, &download::Http::new(), progress)
}

#[cfg(not(feature = "download"))]
fn download(
    dataset: DatasetName,
    _root: &std::path::Path,
    _progress: &mut dyn FnMut(u64, u64),
) -> Result<(), DataError> {
    Err(DataError::Download {
        dataset,
        file: "the dataset".to_owned(),
        reasons: "this program was built without the feature `download`".to_owned(),
    })
}
