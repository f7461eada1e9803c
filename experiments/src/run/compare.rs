//! The policies that a search is compared with, and the test split at the very end.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use cgym_agents::{AgentContext, Schedule, make};
use cgym_env::{EpisodeRecord, Outcome};
use cgym_worlds::World;
use serde_json::Value;

use super::{
    best::{admitted, best},
    log::{BaselineLine, BaselineLog},
    remark::remark,
};
use crate::{
    Error,
    progress::Progress,
    report::{Row, Summary},
    seeds,
};

/// A policy with its episodes.
pub type Played = (String, Vec<EpisodeRecord>);

/// Outcomes in a `baselines.jsonl`; an incomplete line only costs its evaluation.
pub fn recorded(path: &Path) -> Vec<Outcome> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str::<BaselineLine>(line).ok()?.episode.outcome).collect()
}

/// Policies to play.
pub struct Baselines<'a> {
    /// Each with its hyper-parameters.
    pub policies: &'a [(&'a str, Value)],
    /// How many episodes, and of which kind.
    pub schedule: Schedule,
    /// Each policy draws from a seed by its name and this one.
    pub seed: u64,
}

impl Baselines<'_> {
    /// Plays every policy and records the episodes in `log`. Those that are recorded already are
    /// played again and compared. `None` when `stop` was set meanwhile.
    ///
    /// # Errors
    /// An unknown policy, a failed evaluation, a file that cannot be written, an episode unlike its record.
    pub fn play(
        &self,
        world: &World,
        mut log: Option<&mut BaselineLog>,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Played>>, Error> {
        let mut lines = 0;
        let played = self.each(world, stop, true, &mut |index, line| {
            lines = index + 1;
            log.as_mut().map_or(Ok(()), |log| write_down(log, index, line))
        })?;
        match (log, &played) {
            (Some(log), Some(_)) if lines < log.records().len() => Err(log.unlike(lines)),
            _ => Ok(played),
        }
    }

    /// The first line of `log`, counted from 0, that is not what the policies play; lines may be missing
    /// at the end.
    ///
    /// # Errors
    /// A failed evaluation.
    pub fn first_unlike(&self, world: &World, log: &BaselineLog) -> Result<Option<usize>, Error> {
        let recorded = log.records().len();
        let stop = AtomicBool::new(recorded == 0);
        let (mut unlike, mut lines) = (None, 0);
        self.each(world, &stop, false, &mut |index, line| {
            lines = index + 1;
            if index < recorded && unlike.is_none() && !log.is(index, &line)? {
                unlike = Some(index);
            }
            if lines >= recorded || unlike.is_some() {
                stop.store(true, Ordering::SeqCst);
            }
            Ok(())
        })?;
        Ok(unlike.or((lines < recorded).then_some(lines)))
    }

    /// Plays every policy, and gives each episode with its number in all to `visit`. `None` when `stop` was set
    /// meanwhile.
    fn each(
        &self,
        world: &World,
        stop: &AtomicBool,
        show: bool,
        visit: &mut dyn FnMut(usize, BaselineLine) -> Result<(), Error>,
    ) -> Result<Option<Vec<Played>>, Error> {
        let mut all = Vec::with_capacity(self.policies.len());
        let mut lines = 0;
        for (name, settings) in self.policies {
            let mut progress = show.then(|| Progress::new(name, self.schedule.episodes, 0));
            let mut env = world.env();
            let own = seeds::derive(self.seed, name, 0);
            let context = AgentContext { env: &*env, episodes: self.schedule.episodes, seed: own };
            let mut agent = make(name, settings, &context)?;
            let (mut records, mut best): (Vec<EpisodeRecord>, Option<usize>) = (Vec::new(), None);
            loop {
                let played = records.len() as u64;
                // A finished agent plays no further episode: nothing is left to stop.
                if self.schedule.next(&*agent, played).is_none() {
                    break;
                }
                if stop.load(Ordering::SeqCst) {
                    return Ok(None);
                }
                let episode = |number| seeds::derive(self.seed, "episode", number);
                let batch = match self.schedule.play(&mut *env, &mut *agent, played, episode, &mut ()) {
                    Err(error) if Error::is_stop(&error) => return Ok(None),
                    batch => batch?,
                };
                for record in batch.unwrap_or_default() {
                    let better = |best: usize| record.episodic_return > records[best].episodic_return;
                    if admitted(&*env, &record) && best.is_none_or(better) {
                        best = Some(records.len());
                    }
                    visit(lines, BaselineLine { policy: (*name).to_owned(), episode: record.clone() })?;
                    lines += 1;
                    records.push(record);
                    let best = best.map(|best| (best, &records[best]));
                    if let Some(progress) = &mut progress {
                        progress.set(records.len() as u64, &remark(best, env.spec()));
                    }
                }
            }
            all.push(((*name).to_owned(), records));
        }
        Ok(Some(all))
    }
}

/// Appends an episode to `log`, or compares it with what is recorded there as line `index`.
fn write_down(log: &mut BaselineLog, index: usize, line: BaselineLine) -> Result<(), Error> {
    if index >= log.records().len() {
        return log.append(line);
    }
    if log.is(index, &line)? { Ok(()) } else { Err(log.unlike(index)) }
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
