//! Reading and writing files so that a stop at any moment leaves old or new bytes, never half.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::WorldError as Error;

/// Replaces the file at `path` as a whole: a temporary file beside it, synced, then renamed.
///
/// # Errors
/// [`WorldError::File`](crate::WorldError::File) when it cannot be written; the old file is then still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let written = || -> std::io::Result<()> {
        let mut file = File::create(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    };
    written().map_err(|error| {
        fs::remove_file(temporary).ok();
        Error::file(path, format!("cannot be written: {error}"))
    })
}

/// [`write_atomically`] of `value` as indented JSON and a newline.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| Error::file(path, error))?;
    bytes.push(b'\n');
    write_atomically(path, &bytes)
}

/// Reads a JSON file.
///
/// # Errors
/// [`WorldError::File`](crate::WorldError::File) with the line that does not fit.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = fs::read(path).map_err(|error| Error::file(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::file(path, error))
}

/// Makes the folder `path` by `fill`, which is given another name to fill: `path` appears whole or
/// not at all.
///
/// # Errors
/// What `fill` refuses; [`WorldError::File`](crate::WorldError::File) where `path` or the other name exists or cannot be made.
pub fn make_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}-{}.tmp", std::process::id()));
    let refuse = |error| Error::file(path, format!("cannot be made: {error}"));
    let parent = path.parent().unwrap_or(Path::new(""));
    if !parent.as_os_str().is_empty() {
        fs::create_dir_all(parent).map_err(refuse)?;
    }
    fs::create_dir(&temporary).map_err(refuse)?;
    let made = fill(&temporary).and_then(|()| fs::rename(&temporary, path).map_err(refuse));
    if made.is_err() {
        fs::remove_dir_all(&temporary).ok();
    }
    made
}

/// Copies the files of the folder `from` into the new folder `to`; folders in it are left out.
///
/// # Errors
/// [`WorldError::File`](crate::WorldError::File) naming what cannot be read or written.
pub fn copy_files(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir(to).map_err(|error| Error::file(to, format!("cannot be made: {error}")))?;
    for entry in fs::read_dir(from).map_err(|error| Error::file(from, error))? {
        let path = entry.map_err(|error| Error::file(from, error))?.path();
        let (Some(name), true) = (path.file_name(), path.is_file()) else { continue };
        let bytes = fs::read(&path).map_err(|error| Error::file(&path, error))?;
        write_atomically(&to.join(name), &bytes)?;
    }
    Ok(())
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Two lower-case digits a byte.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes a folder; stopped half-way it is gone under its name all the same. What an earlier
/// stop left of it is removed too.
pub fn remove_folder(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.old"));
    fs::remove_dir_all(&aside).ok();
    if fs::rename(path, &aside).is_ok() {
        fs::remove_dir_all(&aside).ok();
    }
}

/// Asks the system to put a folder's entries on the disk; not every file system can.
pub fn sync_folder(path: &Path) {
    if let Ok(folder) = File::open(path) {
        folder.sync_all().ok();
    }
}
