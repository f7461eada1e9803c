//! `episodes.jsonl`: one finished episode per line, append-only.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use cgym_env::EpisodeRecord;

use cgym_worlds::files::sha256;

use crate::Error;

/// The episodes of a run, in memory and in `episodes.jsonl`.
pub struct EpisodeLog {
    file: File,
    path: PathBuf,
    /// The contents of the file.
    bytes: Vec<u8>,
    /// The end of each line in `bytes`.
    ends: Vec<usize>,
    records: Vec<EpisodeRecord>,
}

impl EpisodeLog {
    /// Opens the file to append episodes. An incomplete last line, as a killed process leaves it, is
    /// removed.
    ///
    /// # Errors
    /// [`Error::File`] with the first line that is not a record.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut log = Self::read(path)?;
        let refuse = |error: std::io::Error| Error::file(path, format!("cannot be written: {error}"));
        log.file = File::options().append(true).open(path).map_err(refuse)?;
        log.file.set_len(log.bytes.len() as u64).map_err(refuse)?;
        Ok(log)
    }

    /// Reads the file without changing it; an incomplete last line is ignored.
    ///
    /// # Errors
    /// [`Error::File`] with the first line that is not a record.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if !path.is_file() {
            return Err(Error::file(path, "is not a file"));
        }
        let file = File::open(path).map_err(|error| Error::file(path, error))?;
        let mut bytes = fs::read(path).map_err(|error| Error::file(path, error))?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        bytes.truncate(whole);
        let mut log = Self { file, path: path.to_owned(), bytes, ends: Vec::new(), records: Vec::new() };
        let mut start = 0;
        while start < whole {
            let length = log.bytes[start..].iter().position(|&byte| byte == b'\n').unwrap_or(0) + 1;
            let record = serde_json::from_slice(&log.bytes[start..start + length]).map_err(|error| {
                Error::file(path, format!("line {} is not an episode: {error}", log.ends.len() + 1))
            })?;
            start += length;
            log.ends.push(start);
            log.records.push(record);
        }
        Ok(log)
    }

    /// The episodes so far.
    pub fn records(&self) -> &[EpisodeRecord] {
        &self.records
    }

    /// SHA-256 of the first `episodes` lines; `None` if there are fewer.
    pub fn digest(&self, episodes: usize) -> Option<String> {
        let end = if episodes == 0 { 0 } else { *self.ends.get(episodes - 1)? };
        Some(sha256(&self.bytes[..end]))
    }

    /// Whether line `index` is byte for byte the line of `record`.
    ///
    /// # Errors
    /// If the record cannot be written as JSON.
    pub fn is(&self, index: usize, record: &EpisodeRecord) -> Result<bool, Error> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Ok(self.bytes[start..self.ends[index]]
            == line(record).map_err(|error| Error::file(&self.path, error))?)
    }

    /// Appends an episode and flushes it.
    ///
    /// # Errors
    /// [`Error::File`], for example on a full disk; the earlier lines stay intact.
    pub fn append(&mut self, record: EpisodeRecord) -> Result<(), Error> {
        let line = line(&record).map_err(|error| Error::file(&self.path, error))?;
        if let Err(error) = self.file.write_all(&line).and_then(|()| self.file.flush()) {
            self.file.set_len(self.bytes.len() as u64).ok();
            return Err(Error::file(
                &self.path,
                format!(
                    "episode {} cannot be written: {error}; the {} episodes before it are saved, `cgym resume` \
                     continues after them",
                    self.records.len(),
                    self.records.len()
                ),
            ));
        }
        self.bytes.extend_from_slice(&line);
        self.ends.push(self.bytes.len());
        self.records.push(record);
        Ok(())
    }

    /// Waits until all episodes are on the disk.
    ///
    /// # Errors
    /// [`Error::File`], for example on a full disk.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|error| Error::file(&self.path, format!("cannot be written: {error}")))
    }
}

fn line(record: &EpisodeRecord) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgym_env::{Action, EnvSpec, Layout, ResetOptions};

    fn record(seed: u64) -> EpisodeRecord {
        let spec = EnvSpec {
            id: "env".to_owned(),
            decisions: Vec::new(),
            reward: "err".to_owned(),
            unit: "macs".to_owned(),
            budget: None,
            layout: Layout::Vector,
            settings: String::new(),
        };
        let mut record = EpisodeRecord::new(&spec, seed, ResetOptions::default());
        record.actions.push(Action::scalar(0.1 + seed as f32));
        record
    }

    #[test]
    fn a_torn_last_line_is_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("episodes.jsonl");
        fs::write(&path, b"").expect("written");
        let mut log = EpisodeLog::open(&path).expect("a log");
        log.append(record(1)).expect("appended");
        log.append(record(2)).expect("appended");
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..whole.len() - 3]).expect("written");
        let mut log = EpisodeLog::open(&path).expect("a log");
        assert_eq!(log.records(), [record(1)]);
        log.append(record(2)).expect("appended");
        assert_eq!(fs::read(&path).expect("read"), whole);
        assert!(log.is(1, &record(2)).expect("JSON") && !log.is(1, &record(1)).expect("JSON"));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("episodes.jsonl");
        fs::write(&path, b"{}\n").expect("written");
        let refusal = EpisodeLog::open(&path).map(|_| ()).expect_err("no record").to_string();
        assert!(refusal.contains("episodes.jsonl: line 1 is not an episode"), "{refusal}");
    }

    #[test]
    fn a_full_disk_is_told_and_nothing_is_half_recorded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("episodes.jsonl");
        fs::write(&path, b"").expect("written");
        let mut log = EpisodeLog::open(&path).expect("a log");
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        log.file = full;
        let refusal = log.append(record(1)).expect_err("a full disk").to_string();
        assert!(refusal.contains("episode 0 cannot be written"), "{refusal}");
        assert!(log.records().is_empty());
    }
}
