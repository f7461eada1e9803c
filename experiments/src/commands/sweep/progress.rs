//! Progress of a sweep on the error output: lines of the running runs on a terminal, otherwise one
//! line per finished run.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    children::Lines,
    plan::{Task, folder},
};
use crate::output::note;

const RUN: &str = "{prefix} {bar:20} {pos}/{len} {elapsed}<{eta}";
const ALL: &str = "{pos}/{len} runs {elapsed} {msg}";
/// Time from one look at the episodes to the next.
const PERIOD: Duration = Duration::from_millis(300);

/// A run as far as it is known.
struct Part {
    name: String,
    episodes: PathBuf,
    lines: Lines,
    /// Episodes at the most.
    length: u64,
    /// Episodes there were before.
    before: u64,
    now: u64,
    finished: bool,
}

/// What is shown.
pub(super) struct Progress {
    parts: Vec<Part>,
    started: Instant,
    looked: Instant,
    terminal: Option<(MultiProgress, ProgressBar)>,
    bars: BTreeMap<usize, ProgressBar>,
}

impl Progress {
    pub(super) fn new(out: &Path, tasks: &[Task]) -> Self {
        let parts: Vec<Part> = tasks
            .iter()
            .map(|task| {
                let episodes = folder(out, task).join("episodes.jsonl");
                let mut lines = Lines::default();
                let now = lines.update(&episodes);
                let (name, length) = (task.name.clone(), task.episodes());
                Part { name, episodes, lines, length, before: now, now, finished: false }
            })
            .collect();
        let terminal = io::stderr().is_terminal().then(|| {
            let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let bar = multi.add(ProgressBar::new(parts.len() as u64));
            bar.set_style(style(ALL));
            (multi, bar)
        });
        let now = Instant::now();
        Self { parts, started: now, looked: now, terminal, bars: BTreeMap::new() }
    }

    /// Says something above the progress.
    pub(super) fn say(&self, text: &str) {
        match &self.terminal {
            Some((multi, _)) => drop(multi.println(text)),
            None => note(text),
        }
    }

    /// Says once more on a terminal what was written to it meanwhile: the lines of the progress have
    /// replaced it.
    pub(super) fn repeat(&self, text: &str) {
        if let Some((multi, _)) = &self.terminal {
            multi.println(text).ok();
        }
    }

    /// Run `index` has a result that is from an earlier start.
    pub(super) fn keep(&mut self, index: usize) {
        let part = &mut self.parts[index];
        (part.finished, part.before) = (true, part.now);
        self.show_total();
    }

    /// Run `index` has been started.
    pub(super) fn start(&mut self, index: usize) {
        let Some((multi, total)) = &self.terminal else { return };
        let part = &self.parts[index];
        let bar = multi.insert_before(total, ProgressBar::new(part.length));
        bar.set_style(style(RUN));
        bar.set_prefix(part.name.clone());
        bar.set_position(part.now.min(part.length));
        self.bars.insert(index, bar);
    }

    /// Looks at the episodes of the runs that are being played, now and then.
    pub(super) fn look(&mut self) {
        if self.looked.elapsed() < PERIOD {
            return;
        }
        self.looked = Instant::now();
        for (index, bar) in &self.bars {
            let part = &mut self.parts[*index];
            part.now = part.lines.update(&part.episodes);
            bar.set_position(part.now.min(part.length));
        }
        self.show_total();
    }

    /// Run `index` has ended, with a result or without.
    pub(super) fn end(&mut self, index: usize, finished: bool, remark: &str) {
        if let (Some(bar), Some((multi, _))) = (self.bars.remove(&index), &self.terminal) {
            bar.finish_and_clear();
            multi.remove(&bar);
        }
        let part = &mut self.parts[index];
        part.now = part.lines.update(&part.episodes);
        part.finished = finished;
        if !finished {
            return self.say(&format!("{} failed: {remark}", self.parts[index].name));
        }
        let done = self.parts.iter().filter(|part| part.finished).count();
        let eta = self
            .remaining(self.started.elapsed())
            .map(|eta| format!(" (eta {})", duration(eta)))
            .unwrap_or_default();
        self.say(&format!("{done}/{} {}: {remark}{eta}", self.parts.len(), self.parts[index].name));
        self.show_total();
    }

    /// Clears the lines of the terminal.
    pub(super) fn clear(&mut self) {
        if let Some((multi, _)) = &self.terminal {
            multi.clear().ok();
        }
        self.terminal = None;
        self.bars.clear();
    }

    fn show_total(&self) {
        let Some((_, bar)) = &self.terminal else { return };
        bar.set_position(self.parts.iter().filter(|part| part.finished).count() as u64);
        bar.set_message(
            self.remaining(self.started.elapsed())
                .map(|eta| format!("eta {}", duration(eta)))
                .unwrap_or_default(),
        );
    }

    /// Time until the end at the speed so far; `None` where nothing was played yet or nothing is left.
    fn remaining(&self, elapsed: Duration) -> Option<Duration> {
        let left = |part: &Part| if part.finished { 0 } else { part.length.saturating_sub(part.now) };
        let left: u64 = self.parts.iter().map(left).sum();
        // A run that ended by itself has saved the episodes that it did not play.
        let end = |part: &Part| if part.finished { part.length.max(part.now) } else { part.now };
        let done = |part: &Part| if part.before == part.now { 0 } else { end(part) - part.before };
        let done: u64 = self.parts.iter().map(done).sum();
        let unfinished = self.parts.iter().any(|part| !part.finished);
        (done > 0 && unfinished).then(|| elapsed.mul_f64(left as f64 / done as f64))
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `40 s`, `14 min`, `3.2 h`.
fn duration(of: Duration) -> String {
    match of.as_secs() {
        seconds @ 0..=89 => format!("{seconds} s"),
        seconds @ 90..=5399 => format!("{:.0} min", seconds as f64 / 60.0),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(before: u64, now: u64, finished: bool) -> Part {
        let (name, episodes) = ("a".to_owned(), PathBuf::new());
        Part { name, episodes, lines: Lines::default(), length: 10, before, now, finished }
    }

    fn remaining(parts: Vec<Part>) -> Option<f64> {
        let now = Instant::now();
        let progress = Progress { parts, started: now, looked: now, terminal: None, bars: BTreeMap::new() };
        progress.remaining(Duration::from_secs(100)).map(|eta| eta.as_secs_f64().round())
    }

    #[test]
    fn the_end_is_estimated_from_what_was_played_since_the_start() {
        assert_eq!(remaining(vec![part(0, 0, false)]), None);
        assert_eq!(remaining(vec![part(0, 10, true), part(0, 0, false)]), Some(100.0));
        // Kept runs took no time, and a run that ended by itself leaves nothing to play.
        assert_eq!(remaining(vec![part(10, 10, true), part(0, 5, true), part(0, 0, false)]), Some(100.0));
        assert_eq!(remaining(vec![part(6, 8, false)]), Some(100.0));
        assert_eq!(remaining(vec![part(0, 10, true)]), None);
    }

    #[test]
    fn durations_have_a_unit_that_suits_them() {
        let words = [5, 100, 840, 7200].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(words, ["5 s", "2 min", "14 min", "2.0 h"]);
    }
}
