//! The runs of a sweep as child processes: started, watched, interrupted together.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use cgym_worlds::files;

use super::plan::{Task, folder};
use crate::{Error, run::directory};

/// Bytes at the end of a log that are searched for its last line.
const TAIL: u64 = 8192;

/// What the folder of a run holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing yet.
    New,
    /// A run that can be resumed.
    Begun,
    /// A run that another process plays, such as a child of a sweep that was killed.
    Locked,
    /// A result.
    Finished,
}

/// What the folder of `task` holds now.
pub(super) fn stage(out: &Path, task: &Task) -> Stage {
    let path = folder(out, task);
    if directory::check(&path).is_err() {
        return Stage::New;
    }
    match (directory::result(&path), directory::is_locked(&path)) {
        (Ok(Some(_)), _) => Stage::Finished,
        (_, true) => Stage::Locked,
        // Whatever is wrong with it, the run itself says.
        (_, false) => Stage::Begun,
    }
}

/// A run that is being played.
pub(super) struct Running {
    /// Index of the task.
    pub(super) task: usize,
    child: Child,
    log: PathBuf,
    /// Length of the log before this start.
    start: u64,
}

impl Running {
    /// Starts `task`, or continues it.
    ///
    /// # Errors
    /// A configuration or log that cannot be written, or a process that cannot be started.
    pub(super) fn start(out: &Path, index: usize, task: &Task) -> Result<Self, Error> {
        let path = folder(out, task);
        let new = stage(out, task) == Stage::New;
        let program = std::env::current_exe()
            .map_err(|error| Error::Input(format!("the program of this process is not known: {error}")))?;
        let mut command = Command::new(&program);
        if new {
            let config = out.join("configs").join(format!("{}.toml", task.name));
            files::write_atomically(&config, task.config.to_toml()?.as_bytes())?;
            command.args(["search", "--config"]).arg(config).arg("--out").arg(path);
        } else {
            command.arg("resume").arg(path);
        }
        let threads = task.config.run.threads.unwrap_or(1);
        command.args(["--threads", &threads.to_string()]);
        let log = out.join("logs").join(format!("{}.log", task.name));
        let file = File::options().create(true).append(true).open(&log);
        let file = file.map_err(|error| Error::file(&log, format!("cannot be written: {error}")))?;
        let start = file.metadata().map_or(0, |metadata| metadata.len());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        // Ctrl-C reaches every process of a terminal's group. The sweep passes it on itself: a second
        // one would end a run before it has saved.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child =
            command.spawn().map_err(|error| Error::file(&program, format!("cannot be started: {error}")))?;
        Ok(Self { task: index, child, log, start })
    }

    /// How the process ended, if it has.
    pub(super) fn ended(&mut self) -> Option<std::io::Result<ExitStatus>> {
        self.child.try_wait().transpose()
    }

    /// Asks the process to save and end.
    pub(super) fn interrupt(&self) {
        // Elsewhere than on Unix the console interrupts all its processes.
        #[cfg(unix)]
        if let Ok(id) = i32::try_from(self.child.id()) {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM).ok();
        }
    }

    /// The last error in the log since this start; without one, how the process ended.
    pub(super) fn last_words(&self, status: std::io::Result<ExitStatus>) -> String {
        let text = tail(&self.log, self.start).unwrap_or_default();
        let error = text.lines().rev().find_map(|line| line.strip_prefix("error: "));
        let ended = || status.map_or_else(|error| error.to_string(), |status| status.to_string());
        error.map_or_else(ended, ToOwned::to_owned)
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }
}

fn tail(path: &Path, start: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(start.max(end.saturating_sub(TAIL))))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Counts the lines of a file that grows.
#[derive(Debug, Default)]
pub(super) struct Lines {
    offset: u64,
    count: u64,
}

impl Lines {
    /// Number of lines of `path` now; 0 where it is not there.
    pub(super) fn update(&mut self, path: &Path) -> u64 {
        self.read(path).ok();
        self.count
    }

    fn read(&mut self, path: &Path) -> std::io::Result<()> {
        let length = fs::metadata(path)?.len();
        if length < self.offset {
            *self = Self::default();
        }
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        self.offset += bytes.len() as u64;
        self.count += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_the_file_grows_and_again_when_it_was_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("episodes.jsonl");
        let mut lines = Lines::default();
        assert_eq!(lines.update(&path), 0);
        for (text, count) in [("a\nb\nc", 2), ("a\nb\nccc\nd\n", 4), ("a\n", 1), ("a\nb\n", 2)] {
            fs::write(&path, text).expect("written");
            assert_eq!(lines.update(&path), count, "{text:?}");
        }
    }

    #[test]
    fn only_what_was_logged_since_the_start_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        fs::write(&path, "error: of the last start\n").expect("written");
        assert_eq!(tail(&path, 25).expect("readable"), "");
        fs::write(&path, "error: of the last start\nerror: now\n").expect("written");
        assert_eq!(tail(&path, 25).expect("readable"), "error: now\n");
    }
}
