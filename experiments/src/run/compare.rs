//! The policies that a search is compared with, and the test split at the very end.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use cgym_agents::{AgentContext, Schedule, make};
use cgym_env::{EpisodeRecord, Outcome};
use cgym_worlds::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    best::{admitted, best},
    remark::remark,
};
use crate::{
    Error,
    progress::Progress,
    report::{Row, Summary},
    seeds,
};

/// One line of `baselines.jsonl`.
#[derive(Serialize, Deserialize)]
struct Line {
    policy: String,
    episode: EpisodeRecord,
}

/// A policy with its episodes.
pub type Played = (String, Vec<EpisodeRecord>);

/// Outcomes in a `baselines.jsonl`; an incomplete line only costs its evaluation.
pub fn recorded(path: &Path) -> Vec<Outcome> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()?.episode.outcome).collect()
}

/// Plays every policy of `policies`, each with its hyper-parameters, by `schedule`, and records the
/// episodes in `file`. Each policy draws from a seed by its name. `None` when `stop` was set
/// meanwhile.
///
/// # Errors
/// An unknown policy, a failed evaluation, or a file that cannot be written.
pub fn baselines(
    world: &World,
    policies: &[(&str, Value)],
    schedule: Schedule,
    seed: u64,
    file: Option<&Path>,
    stop: &AtomicBool,
) -> Result<Option<Vec<Played>>, Error> {
    let refuse = |error: std::io::Error| {
        Error::file(file.unwrap_or(Path::new("")), format!("cannot be written: {error}"))
    };
    let mut output = file.map(File::create).transpose().map_err(refuse)?;
    let mut all = Vec::with_capacity(policies.len());
    for (name, settings) in policies {
        let mut progress = Progress::new(name, schedule.episodes, 0);
        let mut env = world.env();
        let own = seeds::derive(seed, name, 0);
        let context = AgentContext { env: &*env, episodes: schedule.episodes, seed: own };
        let mut agent = make(name, settings, &context)?;
        let (mut records, mut best): (Vec<EpisodeRecord>, Option<usize>) = (Vec::new(), None);
        loop {
            let played = records.len() as u64;
            // A finished agent plays no further episode: nothing is left to stop.
            if schedule.next(&*agent, played).is_none() {
                break;
            }
            if stop.load(Ordering::SeqCst) {
                return Ok(None);
            }
            let episode = |number| seeds::derive(seed, "episode", number);
            let batch = schedule.play(&mut *env, &mut *agent, played, episode, &mut ())?;
            for record in batch.unwrap_or_default() {
                let better = |best: usize| record.episodic_return > records[best].episodic_return;
                if admitted(&*env, &record) && best.is_none_or(better) {
                    best = Some(records.len());
                }
                if let Some(output) = &mut output {
                    let line = Line { policy: (*name).to_owned(), episode: record.clone() };
                    let line =
                        serde_json::to_string(&line).map_err(|error| Error::Input(error.to_string()))?;
                    writeln!(output, "{line}").map_err(refuse)?;
                }
                records.push(record);
                let best = best.map(|best| (best, &records[best]));
                progress.set(records.len() as u64, &remark(best, env.spec()));
            }
        }
        all.push(((*name).to_owned(), records));
    }
    Ok(Some(all))
}

/// Fills the rows of `summary`: the teacher, then every policy with its best candidate. In a
/// finished summary each is run on the test split: the one place where that split is read.
///
/// # Errors
/// When a network gives no number.
pub fn compare(world: &World, summary: &mut Summary, policies: &[Played]) -> Result<(), Error> {
    let env = world.env();
    let mut rows = vec![Row::teacher(world)];
    let mut outcomes = Vec::new();
    for (name, records) in policies {
        let best = best(&*env, records).map(|best| &records[best]);
        let outcome = best.and_then(|best| best.outcome.as_ref());
        let evaluations = records.iter().filter(|record| record.outcome.is_some()).count();
        outcomes.extend(outcome.map(|outcome| (rows.len(), outcome)));
        let best_return = best.map(|best| best.episodic_return);
        rows.push(Row { best_return, ..Row::new(name, outcome, evaluations as u64) });
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
