//! `manifest.json`: the SHA-256 of every file of a folder, so that a flipped bit is noticed.
//!
//! ```json
//! {
//!   "format": "cgym-network-1",
//!   "about": { "episode": 12 },
//!   "files": { "graph.json": "9f2c…", "weights.safetensors": "03ab…" },
//!   "digest": "77e1…"
//! }
//! ```
//!
//! `format` says what kind of folder it is, `about` what the folder is of, and `digest` is the SHA-256 of
//! these three as a JSON array without white space, its keys sorted. The manifest is written last: a folder that has one is
//! whole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Error,
    files::{self, LOCK, TEMPORARY},
};

/// Name of the file.
pub const MANIFEST: &str = "manifest.json";

/// The contents of a `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest<A> {
    /// Kind and version of the folder.
    pub format: String,
    /// What the folder is of.
    pub about: A,
    /// SHA-256 of every file, keyed by its path in the folder, with slashes on every system.
    pub files: BTreeMap<String, String>,
    /// SHA-256 of the rest of the manifest.
    digest: String,
}

impl<A: Serialize + DeserializeOwned> Manifest<A> {
    /// Writes the manifest of all files below `folder`, after they are on the disk.
    ///
    /// # Errors
    /// [`Error::File`] for a file that cannot be read or written.
    pub fn seal(folder: &Path, format: &str, about: A) -> Result<Self, Error> {
        Self::seal_files(folder, format, about, files_in(folder)?)
    }

    /// [`Manifest::seal`] of some `files` of `folder`.
    ///
    /// # Errors
    /// As [`Manifest::seal`].
    pub fn seal_files(folder: &Path, format: &str, about: A, files: Vec<PathBuf>) -> Result<Self, Error> {
        let mut hashes = BTreeMap::new();
        for path in files {
            let bytes = fs::read(&path).map_err(|error| Error::file(&path, error))?;
            File::open(&path).and_then(|file| file.sync_all()).map_err(|error| Error::file(&path, error))?;
            hashes.insert(name_in(folder, &path), files::sha256(&bytes));
        }
        let mut manifest = Self { format: format.to_owned(), about, files: hashes, digest: String::new() };
        manifest.write(folder)?;
        Ok(manifest)
    }

    /// Writes the manifest into `folder` after a change.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written.
    pub fn write(&mut self, folder: &Path) -> Result<(), Error> {
        self.digest = self.own_digest(folder)?;
        files::write_json(&folder.join(MANIFEST), self)?;
        files::sync_folder(folder);
        Ok(())
    }

    fn own_digest(&self, folder: &Path) -> Result<String, Error> {
        // As a value, whose keys are sorted whatever type it is read as.
        let value = serde_json::to_value((&self.format, &self.about, &self.files));
        let value = value.map_err(|error| Error::file(&folder.join(MANIFEST), error))?;
        Ok(files::sha256(value.to_string().as_bytes()))
    }

    /// Reads the manifest of a folder of the kind `format`.
    ///
    /// # Errors
    /// [`Error::File`] where it is missing, damaged, or of another kind or version.
    pub fn read(folder: &Path, format: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Label {
            format: String,
        }
        let path = folder.join(MANIFEST);
        let Label { format: found } = files::read_json(&path)?;
        if found != format {
            let reason = format!("is of format `{found}`, expected `{format}`: of another version or kind");
            return Err(Error::file(&path, reason));
        }
        let manifest: Self = files::read_json(&path)?;
        match manifest.own_digest(folder)? == manifest.digest {
            true => Ok(manifest),
            false => Err(Error::file(&path, "is damaged: its digest is not that of its contents")),
        }
    }

    /// Reads the manifest of a folder and checks every file in it.
    ///
    /// # Errors
    /// [`Error::File`] with the first file that is missing or damaged.
    pub fn verify(folder: &Path, format: &str) -> Result<Self, Error> {
        let manifest = Self::read(folder, format)?;
        manifest.check(folder)?;
        Ok(manifest)
    }

    /// Checks that every file in the manifest is as it was.
    ///
    /// # Errors
    /// [`Error::File`] with the first that is not.
    pub fn check(&self, folder: &Path) -> Result<(), Error> {
        for (name, hash) in &self.files {
            let file = folder.join(name);
            let bytes = fs::read(&file).map_err(|error| Error::file(&file, error))?;
            if files::sha256(&bytes) != *hash {
                return Err(Error::file(&file, "is damaged: its SHA-256 is not the one in manifest.json"));
            }
        }
        Ok(())
    }

    /// Checks that the manifest covers `names`.
    ///
    /// # Errors
    /// [`Error::File`] with the first that it does not have.
    pub fn require(&self, folder: &Path, names: &[&str]) -> Result<(), Error> {
        match names.iter().find(|name| !self.files.contains_key(**name)) {
            Some(name) => Err(Error::file(&folder.join(MANIFEST), format!("does not list `{name}`"))),
            None => Ok(()),
        }
    }
}

/// All files below `folder`, without a manifest and a lock in itself, and without what a killed process
/// left half written.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).map_err(|error| Error::file(&inner, error))? {
            let path = entry.map_err(|error| Error::file(&inner, error))?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.retain(|path| *path != folder.join(MANIFEST) && *path != folder.join(LOCK));
    found.retain(|path| !path.as_os_str().to_string_lossy().ends_with(TEMPORARY));
    found.sort();
    Ok(found)
}

/// The path of `file` relative to `folder`, with slashes on every system.
fn name_in(folder: &Path, file: &Path) -> String {
    let inner = file.strip_prefix(folder).unwrap_or(file);
    inner.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = "test-1";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("inner")).expect("a folder");
        for (name, bytes) in [("a.bin", b"first".as_slice()), ("inner/b.bin", b"second")] {
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        Manifest::seal(folder.path(), FORMAT, 7_u64).expect("sealed");
        folder
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let whole = folder();
        let verify = |folder: &Path| Manifest::<u64>::verify(folder, FORMAT);
        let expected = verify(whole.path()).expect("intact");
        assert_eq!(expected.files.keys().collect::<Vec<_>>(), ["a.bin", "inner/b.bin"]);
        for name in ["a.bin", "inner/b.bin", MANIFEST] {
            let path = whole.path().join(name);
            let bytes = fs::read(&path).expect("readable");
            let damaged = |damage: &dyn Fn(&mut Vec<u8>)| {
                let mut changed = bytes.clone();
                damage(&mut changed);
                fs::write(&path, changed).expect("written");
                // White space in the manifest can change without changing what it says.
                let found = verify(whole.path());
                let harmless = found
                    .as_ref()
                    .is_ok_and(|found| *found == Manifest { about: found.about, ..expected.clone() });
                (found, harmless)
            };
            for bit in 0..8 * bytes.len() {
                let (found, harmless) = damaged(&|bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8));
                assert!(found.is_err() || name == MANIFEST && harmless, "{name}, bit {bit}");
            }
            for length in 0..bytes.len() - 1 {
                let (found, _) = damaged(&|bytes: &mut Vec<u8>| bytes.truncate(length));
                assert!(found.is_err(), "{name}, {length} bytes");
            }
            fs::write(&path, &bytes).expect("written");
        }
        verify(whole.path()).expect("intact again");
    }

    #[test]
    fn half_written_files_of_a_killed_process_are_left_out() {
        let folder = folder();
        for name in ["manifest.json.tmp", "inner/b.bin.tmp"] {
            fs::write(folder.path().join(name), "half").expect("written");
        }
        Manifest::seal(folder.path(), FORMAT, 7_u64).expect("sealed");
        let sealed = Manifest::<u64>::verify(folder.path(), FORMAT).expect("intact");
        assert_eq!(sealed.files.keys().collect::<Vec<_>>(), ["a.bin", "inner/b.bin"]);
    }

    #[test]
    fn another_kind_of_folder_is_named() {
        let refusal = Manifest::<u64>::verify(folder().path(), "test-2").expect_err("another kind");
        assert!(refusal.to_string().contains("is of format `test-1`"), "{refusal}");
    }
}
