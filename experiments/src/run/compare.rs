//! The policies that a search is compared with, and the test split at the very end.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::atomic::AtomicBool,
};

use cgym_env::{EpisodeRecord, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, play,
    progress::Progress,
    report::{Row, Summary},
    world::World,
};

/// One line of `baselines.jsonl`.
#[derive(Serialize, Deserialize)]
struct Line {
    policy: String,
    episode: EpisodeRecord,
}

/// A policy with its episodes.
pub type Played = (String, Vec<EpisodeRecord>);

/// Outcomes in a `baselines.jsonl`; lines that are not whole only cost their evaluations.
pub fn recorded(path: &Path) -> Vec<Outcome> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()?.episode.outcome).collect()
}

/// Plays every policy of `names` for at most `episodes` episodes, and records them in `file`; the
/// configuration's hyper-parameters are those of the policy that it names as its agent. `None` when `stop` was set meanwhile.
///
/// # Errors
/// An unknown policy, a failed evaluation, or a file that cannot be written.
pub fn baselines(
    world: &World,
    names: &[String],
    episodes: u64,
    exploits: bool,
    file: Option<&Path>,
    stop: &AtomicBool,
) -> Result<Option<Vec<Played>>, Error> {
    let refuse = |error: std::io::Error| {
        Error::file(file.unwrap_or(Path::new("")), format!("cannot be written: {error}"))
    };
    let mut output = file.map(File::create).transpose().map_err(refuse)?;
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let mut progress = Progress::new(name, episodes, 0);
        let (mut played, mut best) = (0, f64::NEG_INFINITY);
        let own = *name == world.config.agent;
        let settings = if own { &world.config.agent_settings } else { &Value::Null };
        let policy = play::Policy { name, settings, episodes, exploits };
        let records = play::policy(&*world.env, &policy, world.config.seed, stop, &mut |record| {
            played += 1;
            if play::admitted(&*world.env, record) {
                best = best.max(record.episodic_return);
            }
            progress.set(played, &format!("best {best:.4}"));
            let Some(output) = &mut output else { return Ok(()) };
            let line = Line { policy: name.clone(), episode: record.clone() };
            let line = serde_json::to_string(&line).map_err(|error| Error::Input(error.to_string()))?;
            writeln!(output, "{line}").map_err(refuse)
        })?;
        match records {
            Some(records) => all.push((name.clone(), records)),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// Fills the rows of `summary`: the teacher, then every policy with its best candidate. Where
/// all is played, each is run on the test split: the one place where it is touched.
///
/// # Errors
/// When a network gives no number.
pub fn compare(world: &World, summary: &mut Summary, policies: &[Played]) -> Result<(), Error> {
    let mut rows = vec![Row::teacher(world)];
    let mut outcomes = Vec::new();
    for (name, records) in policies {
        let outcome = play::best(&*world.env, records).and_then(|best| records[best].outcome.as_ref());
        let evaluations = records.iter().filter(|record| record.outcome.is_some()).count();
        outcomes.extend(outcome.map(|outcome| (rows.len(), outcome)));
        rows.push(Row::new(name, outcome, evaluations as u64));
    }
    if summary.finished {
        let (teacher, scores) =
            world.test(&outcomes.iter().map(|(_, outcome)| *outcome).collect::<Vec<_>>())?;
        rows[0].test_top1 = Some(teacher);
        for ((row, _), score) in outcomes.iter().zip(scores) {
            rows[*row].test_top1 = Some(score);
        }
    }
    summary.rows = rows;
    Ok(())
}
