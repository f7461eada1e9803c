//! Checkpoints of work that goes on step by step: the last two, each in a folder with a manifest.
//!
//! `<folder>/<unit>-<number>/` is written under another name and then renamed. A checkpoint that is
//! damaged, or that does not carry the number of its folder, is passed over by [`Checkpoints::restore`].

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Error, files, manifest::Manifest};

/// Checkpoints that are kept.
const KEPT: usize = 2;

/// What a checkpoint's manifest says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About<A> {
    /// Steps done at the checkpoint.
    number: usize,
    /// What the steps are of.
    of: A,
}

/// The checkpoints in one folder.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    unit: &'static str,
    format: &'static str,
}

impl Checkpoints {
    /// Those in `folder`, which need not exist, after numbers of `unit`s: `episode` or `epoch`.
    pub fn new(folder: impl Into<PathBuf>, unit: &'static str, format: &'static str) -> Self {
        Self { folder: folder.into(), unit, format }
    }

    /// Writes the checkpoint after `number` steps by `fill` and removes all but the last two; also
    /// kept are those after a number in `keep`.
    ///
    /// # Errors
    /// What `fill` refuses, and [`Error::File`] when a file cannot be written; earlier checkpoints are kept then.
    pub fn save<A, E>(
        &self,
        number: usize,
        of: A,
        keep: &[usize],
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E>
    where
        A: Serialize + DeserializeOwned,
        E: From<Error>,
    {
        let path = self.folder.join(format!("{}-{number:06}", self.unit));
        let temporary = self.folder.join(format!(".{}-{number:06}.tmp", self.unit));
        let made = || -> Result<(), E> {
            fs::remove_dir_all(&temporary).ok();
            fs::create_dir_all(&temporary)
                .map_err(|error| Error::file(&temporary, format!("cannot be made: {error}")))?;
            fill(&temporary)?;
            Manifest::seal(&temporary, self.format, About { number, of })?;
            files::remove_folder(&path);
            fs::rename(&temporary, &path)
                .map_err(|error| Error::file(&path, format!("cannot be written: {error}")))?;
            Ok(())
        };
        if let Err(error) = made() {
            fs::remove_dir_all(&temporary).ok();
            return Err(error);
        }
        files::sync_folder(&self.folder);
        self.remove_leftovers();
        for (old, path) in self.list().into_iter().rev().skip(KEPT) {
            if !keep.contains(&old) {
                files::remove_folder(&path);
            }
        }
        Ok(())
    }

    /// All checkpoints in ascending order of their numbers, as their folders are named.
    pub fn list(&self) -> Vec<(usize, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut found: Vec<(usize, PathBuf)> = entries
            .filter_map(|entry| {
                let name = entry.file_name();
                let number = name.to_str()?.strip_prefix(self.unit)?.strip_prefix('-')?.parse().ok()?;
                Some((number, entry.path()))
            })
            .collect();
        found.sort();
        found
    }

    /// Checks every file of the checkpoint called `number` at `path`, and says what it is of.
    ///
    /// # Errors
    /// [`Error::File`] with the first file that does not fit.
    pub fn verify<A>(&self, number: usize, path: &Path) -> Result<A, Error>
    where
        A: Serialize + DeserializeOwned,
    {
        let manifest: Manifest<About<A>> = Manifest::verify(path, self.format)?;
        match manifest.about {
            About { number: own, of } if own == number => Ok(of),
            About { number: own, .. } => {
                Err(Error::file(path, format!("was saved as {} {own}: its folder was renamed", self.unit)))
            }
        }
    }

    /// Gives the newest intact checkpoint to `load`, with its number; the next older one where that
    /// refuses. Checkpoints that are passed over are told to `warn`. `None` where there is none.
    ///
    /// # Errors
    /// The first refusal of `load`, where no older checkpoint is taken.
    pub fn restore<A, T, E>(
        &self,
        warn: &mut dyn FnMut(String),
        mut load: impl FnMut(usize, &Path, A) -> Result<T, E>,
    ) -> Result<Option<T>, E>
    where
        A: Serialize + DeserializeOwned,
        E: std::fmt::Display,
    {
        self.remove_leftovers();
        let mut failed = None;
        for (number, path) in self.list().into_iter().rev() {
            let loaded = match self.verify(number, &path) {
                Ok(of) => load(number, &path, of),
                Err(error) => {
                    warn(format!("passing over a checkpoint: {error}"));
                    continue;
                }
            };
            match loaded {
                Ok(loaded) => return Ok(Some(loaded)),
                Err(error) => {
                    warn(format!("passing over a checkpoint: {error}"));
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Removes all checkpoints, and the folder where nothing else is in it.
    pub fn remove(&self) {
        self.remove_leftovers();
        for (_, path) in self.list() {
            files::remove_folder(&path);
        }
        fs::remove_dir(&self.folder).ok();
    }

    /// Removes what a stopped process left incomplete.
    fn remove_leftovers(&self) {
        let hidden = format!(".{}-", self.unit);
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&hidden) {
                fs::remove_dir_all(entry.path()).ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(checkpoints: &Checkpoints, number: usize) {
        let fill = |folder: &Path| files::write_atomically(&folder.join("state"), &[number as u8]);
        checkpoints.save(number, "task".to_owned(), &[2], fill).expect("saved");
    }

    fn newest(checkpoints: &Checkpoints) -> (Option<u8>, usize) {
        let mut warnings = 0;
        let read = |_: usize, path: &Path, of: String| {
            assert_eq!(of, "task");
            fs::read(path.join("state")).map(|bytes| bytes[0])
        };
        let found = checkpoints.restore(&mut |_| warnings += 1, read).expect("no refusal");
        (found, warnings)
    }

    #[test]
    fn the_newest_intact_one_is_restored() {
        let folder = tempfile::tempdir().expect("a folder");
        let checkpoints = Checkpoints::new(folder.path().join("checkpoints"), "epoch", "test-1");
        assert_eq!(newest(&checkpoints), (None, 0));
        (1..=5).for_each(|number| save(&checkpoints, number));
        let numbers: Vec<usize> = checkpoints.list().into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [2, 4, 5], "the last two, and the one to keep");
        fs::write(checkpoints.list()[2].1.join("state"), [9]).expect("written");
        // Of a process that was killed while it removed a checkpoint.
        let leftover = folder.path().join("checkpoints/.epoch-000003.old");
        fs::create_dir(&leftover).expect("made");
        assert_eq!(newest(&checkpoints), (Some(4), 1));
        assert!(!leftover.exists());
        checkpoints.remove();
        assert!(!folder.path().join("checkpoints").exists());
    }

    #[test]
    fn a_renamed_checkpoint_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let checkpoints = Checkpoints::new(folder.path(), "epoch", "test-1");
        (3..=4).for_each(|number| save(&checkpoints, number));
        fs::rename(folder.path().join("epoch-000004"), folder.path().join("epoch-000099")).expect("renamed");
        assert_eq!(newest(&checkpoints), (Some(3), 1));
    }
}
