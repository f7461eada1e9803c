//! Reading and writing files so that a stop at any moment leaves old or new bytes, never half.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::Error;

/// What the name of a file ends with while it is written; a killed process leaves it.
pub const TEMPORARY: &str = ".tmp";

/// Replaces the file at `path` as a whole: a temporary file beside it, synced, then renamed.
///
/// # Errors
/// [`Error::File`] when it cannot be written; the old file is then still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY);
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
/// [`Error::File`] with the line that does not fit.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = fs::read(path).map_err(|error| Error::file(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::file(path, error))
}

/// Makes the folder `path` by `fill`, which is given another name to fill: `path` appears whole or
/// not at all. What stopped processes left half made beside it is removed.
///
/// # Errors
/// What `fill` refuses; [`Error::File`] where `path` exists or cannot be made.
pub fn make_folder<E: From<Error>>(path: &Path, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let refuse = |error: &dyn std::fmt::Display| Error::file(path, format!("cannot be made: {error}"));
    if path.symlink_metadata().is_ok() {
        return Err(refuse(&"it exists already").into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staging = Staging::new(path.parent().unwrap_or(Path::new("")), &name)?;
    fill(&staging.path)?;
    fs::remove_file(staging.path.join(LOCK)).map_err(|error| refuse(&error))?;
    staging.claim(path).map_err(|error| refuse(&error))?;
    Ok(())
}

/// Name of the file whose lock says that a process works in a folder.
pub const LOCK: &str = ".lock";

/// A folder under a name of its own, until it is whole and gets its real one. Dropped before, it is
/// removed.
pub struct Staging {
    path: PathBuf,
    lock: Option<File>,
}

impl Staging {
    /// A new, locked, empty folder in `parent`, which is made if missing. Such folders of processes
    /// that have ended are removed.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be made.
    pub fn new(parent: &Path, stem: &str) -> Result<Self, Error> {
        if !parent.as_os_str().is_empty() {
            fs::create_dir_all(parent)
                .map_err(|error| Error::file(parent, format!("cannot be made: {error}")))?;
        }
        remove_leftovers(parent);
        let path = parent.join(format!(".{stem}-{}{SUFFIX}", std::process::id()));
        fs::create_dir(&path).map_err(|error| Error::file(&path, format!("cannot be made: {error}")))?;
        let lock = lock(&path)?.ok_or_else(|| Error::file(&path, "is in use"))?;
        Ok(Self { path, lock: Some(lock) })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Renames the folder to `path`, which must not exist, and gives its lock.
    ///
    /// # Errors
    /// That of the system; the folder is then still there, or removed when this is dropped.
    pub fn claim(mut self, path: &Path) -> std::io::Result<Option<File>> {
        self.try_claim(path)?;
        Ok(self.lock.take())
    }

    /// Renames the folder to the first of `paths` that does not exist, and gives it with its lock.
    ///
    /// # Errors
    /// That of the system; `None` where all exist.
    pub fn claim_first(
        mut self,
        mut paths: impl Iterator<Item = PathBuf>,
    ) -> std::io::Result<Option<(PathBuf, Option<File>)>> {
        let free = paths.find_map(|path| match self.try_claim(&path) {
            Ok(()) => Some(Ok(path)),
            Err(_) if path.symlink_metadata().is_ok() => None,
            Err(error) => Some(Err(error)),
        });
        Ok(free.transpose()?.map(|path| (path, self.lock.take())))
    }

    fn try_claim(&self, path: &Path) -> std::io::Result<()> {
        // A rename would replace an empty folder.
        if path.symlink_metadata().is_ok() {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        }
        sync_folder(&self.path);
        fs::rename(&self.path, path)?;
        sync_folder(path.parent().unwrap_or(Path::new("")));
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.lock.is_some() {
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

const SUFFIX: &str = ".tmp";

/// Removes the [`Staging`] folders in `parent` whose process has ended.
fn remove_leftovers(parent: &Path) {
    let here = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    for entry in fs::read_dir(here).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_suffix(SUFFIX).and_then(|name| name.strip_prefix('.')?.rsplit_once('-'));
        let staged = number.is_some_and(|(_, process)| process.parse::<u32>().is_ok());
        if staged && entry.path().join(LOCK).is_file() && matches!(lock(&entry.path()), Ok(Some(_))) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Locks `folder` against other processes until the file is dropped; `None` where another has it.
///
/// # Errors
/// [`Error::File`] where the file [`LOCK`] is not one, or cannot be made or locked.
pub fn lock(folder: &Path) -> Result<Option<File>, Error> {
    let path = folder.join(LOCK);
    let opened = match path.symlink_metadata() {
        // A link could lead out of the folder.
        Ok(found) if !found.is_file() => return Err(Error::file(&path, "is no file; remove it")),
        Ok(_) => File::options().write(true).open(&path),
        Err(_) => File::create_new(&path),
    };
    let file = opened.map_err(|error| Error::file(&path, format!("cannot be opened: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::file(&path, format!("cannot be locked: {error}"))),
    }
}

/// Copies the files of the folder `from` into the new folder `to`; folders in it are left out.
///
/// # Errors
/// [`Error::File`] naming what cannot be read or written.
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
