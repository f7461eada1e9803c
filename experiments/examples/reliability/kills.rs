//! Commands that are killed at random moments and go on.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::Failure;

/// A command that takes seconds; `OUT` stands for its folder and `RUN` for a finished run.
struct Kind {
    name: &'static str,
    command: &'static str,
    /// What goes on after a kill, where that is another command.
    resume: Option<&'static str>,
}

const TINY: &str = "--set data.reward_images=40 --set score.calibration_images=40 --set score.points=2 \
                    --set run.checkpoint_every=7 --set agent.hidden=[8,8] --set agent.warmup=4 --set agent.batch=8";
const N2N: &str = "--set score.training_images=300 --set score.epochs=1 --set data.reward_images=40 \
                   --set run.checkpoint_every=2";

fn kinds() -> Vec<(Kind, String)> {
    let kind = |name, command, resume| Kind { name, command, resume };
    vec![
        (kind("search, AMC", "search --episodes 40 --out OUT", Some("resume OUT")), TINY.to_owned()),
        (
            kind(
                "search, N2N",
                "search --env N2N-Removal-ResNet20-Digits-v0 --episodes 10 --set agent.rollouts=2 --out OUT",
                Some("resume OUT"),
            ),
            N2N.to_owned(),
        ),
        (kind("baselines", "baselines --agents uniform,random --episodes 60 --out OUT", None), {
            "--set data.reward_images=40 --set score.calibration_images=40 --set score.points=2".to_owned()
        }),
        (kind("distill", "distill RUN --epochs 4 --batch 64 --out OUT", None), String::new()),
        (kind("finetune", "finetune RUN --epochs 4 --batch 64 --out OUT", None), String::new()),
        (kind("teacher train", "teacher train --model lenet5 --epochs 6 --out OUT", None), String::new()),
        (
            kind(
                "transfer",
                "transfer --from resnet8 --to resnet14 --seeds 1 --episodes 6 --teacher-epochs 1 \
                 --set agent.rollouts=2 --first 2 --out OUT",
                None,
            ),
            N2N.to_owned(),
        ),
        (
            kind(
                "sweep",
                "sweep --agents random,cem --budgets macs=0.3,0.5 --seeds 1..2 --episodes 20 --out OUT",
                None,
            ),
            "--set data.reward_images=40 --set score.calibration_images=40 --set score.points=2".to_owned(),
        ),
    ]
}

pub fn measure(kills: usize, only: Option<&str>, cgym: &Path, seed: u64) -> Result<bool, Failure> {
    let cgym = std::path::absolute(cgym)?;
    let home = std::env::temp_dir().join(format!("cgym-kills-{}", std::process::id()));
    fs::create_dir_all(&home)?;
    let run = home.join("run");
    let settings: Vec<&str> = TINY.split_whitespace().collect();
    let made = Command::new(&cgym)
        .args(["search", "--episodes", "14", "--no-baselines", "--out"])
        .arg(&run)
        .args(settings)
        .output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut kinds = kinds();
    kinds.retain(|(kind, _)| only.is_none_or(|only| kind.name == only));
    let mut sound = true;
    println!("{:<16} {:>6} {:>8} {:>12} {:>9}", "command", "kills", "results", "same bytes", "seconds");
    for (kind, settings) in &kinds {
        let wanted = kills.div_ceil(kinds.len().max(1));
        let whole = home.join("whole");
        let place = Place { cgym: &cgym, run: &run, settings };
        let started = Instant::now();
        let ended = place.start(kind.command, &whole)?.wait_with_output()?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            return Err(format!("{}: {said}", kind.name).into());
        }
        let expected = contents(&whole)?;
        let length = started.elapsed();
        let (mut killed, mut results, mut same) = (0, 0, 0);
        while killed < wanted {
            let out = home.join("broken");
            killed += place.break_often(kind, &out, length, &mut rng)?;
            results += 1;
            let found = contents(&out)?;
            same += usize::from(found == expected);
            if found != expected {
                let mut names = expected.keys().chain(found.keys());
                let differs = names.find(|name| expected.get(*name) != found.get(*name));
                println!("  {}: {differs:?} differs; kept in {}", kind.name, out.display());
                return Ok(false);
            }
            fs::remove_dir_all(&out)?;
        }
        fs::remove_dir_all(&whole)?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{:<16} {killed:>6} {results:>8} {same:>12} {seconds:>9.0}", kind.name);
        sound &= same == results;
    }
    fs::remove_dir_all(&home)?;
    Ok(sound)
}

struct Place<'a> {
    cgym: &'a Path,
    run: &'a Path,
    settings: &'a str,
}

impl Place<'_> {
    fn start(&self, command: &str, out: &Path) -> Result<Child, Failure> {
        let mut words: Vec<PathBuf> = Vec::new();
        let settings = if command.starts_with("resume") { "" } else { self.settings };
        for word in command.split_whitespace().chain(settings.split_whitespace()) {
            words.push(match word {
                "OUT" => out.to_owned(),
                "RUN" => self.run.to_owned(),
                other => other.into(),
            });
        }
        Ok(Command::new(self.cgym).args(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?)
    }

    /// Runs a command to its end with as many kills as happen; their number.
    fn break_often(
        &self,
        kind: &Kind,
        out: &Path,
        length: Duration,
        rng: &mut ChaCha8Rng,
    ) -> Result<usize, Failure> {
        let mut kills = 0;
        loop {
            let command = match kind.resume {
                Some(resume) if out.exists() => resume,
                _ => kind.command,
            };
            let mut child = self.start(command, out)?;
            // After some kills the command may end, however slowly it gets there.
            let most = if kills < 6 { 1.1 } else { 4.0 };
            sleep(length.mul_f64(rng.random_range(0.0..most)));
            if child.try_wait()?.is_none() {
                child.kill()?;
                child.wait()?;
                kills += 1;
                continue;
            }
            let ended = child.wait_with_output()?;
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            // Killed after its last file, a command finds its work done.
            if ended.status.success() || said.contains("is finished and never overwritten") {
                return Ok(kills);
            }
            // The processes of a killed sweep go on until they notice; it waits for their runs.
            if !said.contains("another process") {
                return Err(format!("{} after {kills} kills: {said}", kind.name).into());
            }
            sleep(Duration::from_millis(300));
        }
    }
}

/// All files below a folder by their names, without times and places.
///
/// Of the checkpoints of a search only the last counts: one more is written after a resume.
fn contents(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut found = all_contents(folder)?;
    let names: Vec<String> = found.keys().cloned().collect();
    let parts = |name: &str| {
        let (before, after) = name.split_once("checkpoints/episode-")?;
        Some((before.to_owned(), after.split_once('/')?.0.to_owned()))
    };
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for (before, number) in names.iter().filter_map(|name| parts(name)) {
        let greatest = last.entry(before).or_default();
        *greatest = number.max(std::mem::take(greatest));
    }
    found.retain(|name, _| parts(name).is_none_or(|(before, number)| last.get(&before) == Some(&number)));
    Ok(found)
}

fn all_contents(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name != ".lock" && !name.starts_with("events.out.tfevents") && !name.ends_with(".log") {
                let key = path.strip_prefix(folder)?.display().to_string();
                found.insert(key, without_times(&name, fs::read(&path)?, folder));
            }
        }
    }
    Ok(found)
}

/// The bytes of a file; of a result as JSON, what it says besides seconds, places and digests of files
/// that have these.
fn without_times(name: &str, bytes: Vec<u8>, folder: &Path) -> Vec<u8> {
    let results = ["summary.json", "train.json", "transfer.json", "result.json", "manifest.json"];
    let place = folder.display().to_string();
    if name == "result.csv" || name == "config.toml" {
        // Times and absolute paths stand in them.
        let text = String::from_utf8_lossy(&bytes).replace(&place, "OUT");
        let lines: Vec<String> = text
            .lines()
            .map(|line| if name == "result.csv" { without_seconds(line) } else { line.to_owned() })
            .collect();
        return lines.join("\n").into_bytes();
    }
    if !results.contains(&name) {
        return bytes;
    }
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(mut value) => {
            strip(&mut value);
            value.to_string().replace(&place, "OUT").into_bytes()
        }
        Err(_) => bytes,
    }
}

/// A line of a table without its last three cells, the estimate of the seconds.
fn without_seconds(line: &str) -> String {
    line.rsplitn(4, ',').last().unwrap_or(line).to_owned()
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| {
                !["seconds", "evaluated", "run", "out", "path", "digest"].contains(&key.as_str())
                    && !key.ends_with("summary.json")
                    // It has absolute paths.
                    && !key.ends_with("config.toml")
                    && !key.ends_with("train.json")
            });
            object.values_mut().for_each(strip);
        }
        Value::Array(all) => all.iter_mut().for_each(strip),
        _ => {}
    }
}
