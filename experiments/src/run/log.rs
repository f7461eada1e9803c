//! Files of one JSON object per line, append-only: `episodes.jsonl` and `baselines.jsonl`.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use cgym_env::EpisodeRecord;
use cgym_worlds::files::sha256;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Error;

/// An object that is one line of a log.
pub trait Line: Serialize + DeserializeOwned + Clone {
    /// The episode of the line.
    fn episode(&mut self) -> &mut EpisodeRecord;
    /// The same, to read.
    fn as_episode(&self) -> &EpisodeRecord;
}

impl Line for EpisodeRecord {
    fn episode(&mut self) -> &mut EpisodeRecord {
        self
    }

    fn as_episode(&self) -> &EpisodeRecord {
        self
    }
}

/// One line of `baselines.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineLine {
    /// Name of the policy.
    pub policy: String,
    /// An episode that it played.
    pub episode: EpisodeRecord,
}

impl Line for BaselineLine {
    fn episode(&mut self) -> &mut EpisodeRecord {
        &mut self.episode
    }

    fn as_episode(&self) -> &EpisodeRecord {
        &self.episode
    }
}

/// The episodes of a run, in memory and in `episodes.jsonl`.
pub type EpisodeLog = Log<EpisodeRecord>;
/// The episodes of baselines, in memory and in `baselines.jsonl`.
pub type BaselineLog = Log<BaselineLine>;

/// A log in memory and in its file. Every line carries the digest of the run's settings.
pub struct Log<L> {
    file: File,
    path: PathBuf,
    /// The digests of the run's settings, the latest last; see [`Config::digests`](crate::config::Config::digests).
    runs: Vec<String>,
    /// The contents of the file.
    bytes: Vec<u8>,
    /// The end of each line in `bytes`.
    ends: Vec<usize>,
    lines: Vec<L>,
    stage_ends: Vec<usize>,
}

impl<L: Line> Log<L> {
    /// Opens the file to append lines. An incomplete last line, as a killed process leaves it, is
    /// removed.
    ///
    /// # Errors
    /// [`Error::File`] with the first line that is no object of the log, or of another run.
    pub fn open(path: &Path, runs: Vec<String>) -> Result<Self, Error> {
        let mut log = Self::read(path, runs)?;
        let refuse = |error: std::io::Error| Error::file(path, format!("cannot be written: {error}"));
        log.file = File::options().append(true).open(path).map_err(refuse)?;
        log.file.set_len(log.bytes.len() as u64).map_err(refuse)?;
        Ok(log)
    }

    /// [`Log::open`] of a file that is made if missing.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_or_create(path: &Path, runs: Vec<String>) -> Result<Self, Error> {
        if path.symlink_metadata().is_err() {
            File::create_new(path).map_err(|error| Error::file(path, format!("cannot be made: {error}")))?;
        }
        Self::open(path, runs)
    }

    /// Reads the file without changing it; an incomplete last line is ignored.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn read(path: &Path, runs: Vec<String>) -> Result<Self, Error> {
        if !path.is_file() {
            return Err(Error::file(path, "is not a file"));
        }
        let file = File::open(path).map_err(|error| Error::file(path, error))?;
        let mut bytes = fs::read(path).map_err(|error| Error::file(path, error))?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        bytes.truncate(whole);
        let path = path.to_owned();
        let mut log =
            Self { file, path, runs, bytes, ends: Vec::new(), lines: Vec::new(), stage_ends: Vec::new() };
        let (mut start, mut stage) = (0, 0);
        while start < whole {
            let length = log.bytes[start..].iter().position(|&byte| byte == b'\n').unwrap_or(0) + 1;
            let number = log.ends.len() + 1;
            let line: L = serde_json::from_slice(&log.bytes[start..start + length]).map_err(|error| {
                Error::file(&log.path, format!("line {number} is not an episode: {error}"))
            })?;
            let run = &line.as_episode().run;
            stage += log.runs[stage..].iter().position(|known| known == run).ok_or_else(|| {
                let reason =
                    format!("line {number} was recorded with other settings than those of config.toml");
                Error::file(&log.path, reason)
            })?;
            start += length;
            log.ends.push(start);
            log.lines.push(line);
        }
        let before = |stage: &String| log.lines.iter().filter(|line| line.as_episode().run == *stage).count();
        let earlier = &log.runs[..log.runs.len().saturating_sub(1)];
        log.stage_ends = earlier
            .iter()
            .map(before)
            .scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .collect();
        Ok(log)
    }

    /// The lines so far.
    pub fn records(&self) -> &[L] {
        &self.lines
    }

    /// The digest of the run's settings.
    pub fn run(&self) -> &str {
        self.runs.last().map_or("", String::as_str)
    }

    /// The digests of the run's settings before each time that it was extended, then [`Log::run`].
    pub fn runs(&self) -> &[String] {
        &self.runs
    }

    /// Numbers of lines after which the run was extended.
    pub fn stage_ends(&self) -> &[usize] {
        &self.stage_ends
    }

    /// SHA-256 of the first `count` lines; `None` if there are fewer.
    pub fn digest(&self, count: usize) -> Option<String> {
        let end = if count == 0 { 0 } else { *self.ends.get(count - 1)? };
        Some(sha256(&self.bytes[..end]))
    }

    /// Whether line `index` is, to the byte, that of `line`.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn is(&self, index: usize, line: &L) -> Result<bool, Error> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let run = &self.lines[index].as_episode().run;
        Ok(self.bytes[start..self.ends[index]] == self.text(line, run)?)
    }

    /// The refusal of line `index`, which was played again and came out differently.
    pub fn unlike(&self, index: usize) -> Error {
        Error::Check(format!(
            "{}: line {}: played again it is unlike its record; was the run directory changed, or is this another \
             version or processor? `cgym validate` lists the differences",
            self.path.display(),
            index + 1
        ))
    }

    /// Appends a line and flushes it.
    ///
    /// # Errors
    /// [`Error::File`], for example on a full disk; the earlier lines stay intact.
    pub fn append(&mut self, mut line: L) -> Result<(), Error> {
        let text = self.text(&line, self.run())?;
        if let Err(error) = self.file.write_all(&text).and_then(|()| self.file.flush()) {
            self.file.set_len(self.bytes.len() as u64).ok();
            return Err(Error::file(
                &self.path,
                format!(
                    "episode {} cannot be written: {error}; the {} episodes before it are saved, `cgym resume` \
                     continues after them",
                    self.lines.len(),
                    self.lines.len()
                ),
            ));
        }
        line.episode().run = self.run().to_owned();
        self.bytes.extend_from_slice(&text);
        self.ends.push(self.bytes.len());
        self.lines.push(line);
        Ok(())
    }

    /// Waits until all lines are on the disk.
    ///
    /// # Errors
    /// [`Error::File`], for example on a full disk.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|error| Error::file(&self.path, format!("cannot be written: {error}")))
    }

    /// The line as it stands in the file, with the digest `run`.
    fn text(&self, line: &L, run: &str) -> Result<Vec<u8>, Error> {
        let mut line = line.clone();
        line.episode().run = run.to_owned();
        let mut text = serde_json::to_vec(&line).map_err(|error| Error::file(&self.path, error))?;
        text.push(b'\n');
        Ok(text)
    }
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
        let mut log = EpisodeLog::open(&path, vec!["a".to_owned()]).expect("a log");
        log.append(record(1)).expect("appended");
        log.append(record(2)).expect("appended");
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..whole.len() - 3]).expect("written");
        let mut log = EpisodeLog::open(&path, vec!["a".to_owned()]).expect("a log");
        assert_eq!(log.records().len(), 1);
        assert_eq!(log.records()[0].actions, record(1).actions);
        log.append(record(2)).expect("appended");
        assert_eq!(fs::read(&path).expect("read"), whole);
        assert!(log.is(1, &record(2)).expect("JSON") && !log.is(1, &record(1)).expect("JSON"));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("episodes.jsonl");
        fs::write(&path, b"{}\n").expect("written");
        let refusal =
            EpisodeLog::open(&path, vec!["a".to_owned()]).map(|_| ()).expect_err("no record").to_string();
        assert!(refusal.contains("episodes.jsonl: line 1 is not an episode"), "{refusal}");
    }

    #[test]
    fn a_full_disk_is_told_and_nothing_is_half_recorded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("episodes.jsonl");
        fs::write(&path, b"").expect("written");
        let mut log = EpisodeLog::open(&path, vec!["a".to_owned()]).expect("a log");
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        log.file = full;
        let refusal = log.append(record(1)).expect_err("a full disk").to_string();
        assert!(refusal.contains("episode 0 cannot be written"), "{refusal}");
        assert!(log.records().is_empty());
    }
}
