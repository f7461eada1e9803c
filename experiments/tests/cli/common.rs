//! Running the binary.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

/// A search of seconds: few images, a small agent, many checkpoints.
pub const TINY: [&str; 19] = [
    "search",
    "--episodes",
    "14",
    "--set",
    "data.reward_images=40",
    "--set",
    "score.calibration_images=40",
    "--set",
    "score.points=2",
    "--set",
    "run.checkpoint_every=3",
    "--set",
    "agent.hidden=[8, 8]",
    "--set",
    "agent.warmup=4",
    "--set",
    "agent.batch=8",
    "--seed",
    "7",
];

/// What a finished command left behind.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        let object: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {:?}; {}", self.stdout, self.stderr));
        assert!(object.is_object(), "{}", self.stdout);
        object
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A fresh folder to run the binary in.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a writable folder");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cgym"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().expect("the binary").into()
    }

    /// The tiny search with more arguments.
    pub fn search(&self, more: &[&str]) -> Ended {
        self.run(&[&TINY, more].concat())
    }

    /// Starts a command and goes on.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary")
    }

    pub fn lines(&self, run: &str) -> usize {
        fs::read(self.path(run).join("episodes.jsonl"))
            .map_or(0, |bytes| bytes.iter().filter(|&&byte| byte == b'\n').count())
    }

    /// Waits until `run` has `lines` episodes; false where `child` ended before.
    pub fn wait_for(&self, run: &str, lines: usize, child: &mut Child) -> bool {
        while self.lines(run) < lines {
            if child.try_wait().expect("a child").is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Everything in which two runs must agree.
    pub fn result(&self, run: &str) -> RunResult {
        let read = |name: &str| {
            fs::read(self.path(run).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let summary: Value = serde_json::from_slice(&read("summary.json")).expect("JSON");
        RunResult {
            episodes: String::from_utf8(read("episodes.jsonl")).expect("text"),
            graph: read("best/graph.json"),
            weights: read("best/weights.safetensors"),
            rows: summary["rows"].clone(),
        }
    }

    /// The episodes of a run.
    pub fn episodes(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(run).join("episodes.jsonl")).expect("episodes");
        text.lines().map(|line| serde_json::from_str(line).expect("an episode")).collect()
    }

    /// A copy of a run that looks as if it had been stopped before its end.
    pub fn copy_unfinished(&self, run: &str, copy: &str) {
        copy_folder(&self.path(run), &self.path(copy));
        for file in ["summary.json", "baselines.jsonl"] {
            fs::remove_file(self.path(copy).join(file)).ok();
        }
    }
}

/// A command that ends with exit code 2, says `words` and leaves no run behind.
#[track_caller]
pub fn refused(place: &Place, arguments: &[&str], words: &[&str]) {
    let ended = place.run(arguments);
    assert_eq!(ended.code, Some(2), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "", "{arguments:?}");
    assert!(ended.stderr.contains("error: "), "{}", ended.stderr);
    for expected in words {
        assert!(ended.stderr.contains(expected), "{arguments:?}: `{expected}` in {}", ended.stderr);
    }
    assert!(!place.path("runs").exists(), "{arguments:?} left a run");
}

#[derive(PartialEq)]
pub struct RunResult {
    pub episodes: String,
    pub graph: Vec<u8>,
    pub weights: Vec<u8>,
    pub rows: Value,
}

impl RunResult {
    #[track_caller]
    pub fn assert_is(&self, other: &Self) {
        assert_eq!(self.episodes, other.episodes);
        assert_eq!(self.rows, other.rows);
        assert!(self.graph == other.graph && self.weights == other.weights, "the best networks differ");
    }
}

/// Flips one bit of the byte at `place` of a file.
pub fn flip(file: &Path, place: usize) {
    let mut bytes = fs::read(file).expect("a file");
    bytes[place] ^= 1;
    fs::write(file, bytes).expect("written");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
