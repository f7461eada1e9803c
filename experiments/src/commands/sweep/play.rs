//! Playing a plan: as many runs at once as there are jobs, until all have ended or a stop.

use std::{
    collections::VecDeque,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    children::{Running, Stage, stage},
    plan::{Task, folder},
    progress::Progress,
};
use crate::group;

/// What is finished before a sweep stops.
pub(super) const TASK: &str = "the current episode of each run";
/// Time from one look at the children to the next.
const PERIOD: Duration = Duration::from_millis(30);
/// Time from one look at a locked run to the next.
const LOCK_PERIOD: Duration = Duration::from_secs(1);

/// A run that failed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Failure {
    pub(super) run: String,
    pub(super) reason: String,
}

/// How a sweep ended.
pub(super) struct Ended {
    pub(super) failed: Vec<Failure>,
    /// Whether it was stopped before every run had ended.
    pub(super) interrupted: bool,
}

struct Sweep<'a> {
    out: &'a Path,
    tasks: &'a [Task],
    progress: Progress,
    waiting: VecDeque<usize>,
    running: Vec<Running>,
    /// Runs that another process plays.
    locked: Vec<usize>,
    failed: Vec<Failure>,
}

/// Plays all `tasks` in `out`, `jobs` at once. A run that fails is told, and the others go on.
pub(super) fn play(out: &Path, tasks: &[Task], jobs: usize, stop: &AtomicBool) -> Ended {
    let mut sweep = Sweep {
        out,
        tasks,
        progress: Progress::new(out, tasks),
        waiting: VecDeque::new(),
        running: Vec::new(),
        locked: Vec::new(),
        failed: Vec::new(),
    };
    sweep.sort();
    let mut looked = Instant::now();
    let mut told = false;
    while !sweep.done(told) {
        if stop.load(Ordering::SeqCst) && !told {
            told = true;
            sweep.running.iter().for_each(Running::interrupt);
            sweep.progress.repeat(&format!("finishing {TASK}; once more to stop now"));
        }
        // A run of another process takes a core as well.
        while !told && sweep.running.len() + sweep.locked.len() < jobs {
            let Some(index) = sweep.waiting.pop_front() else { break };
            sweep.start(index);
        }
        sweep.collect(told);
        if looked.elapsed() >= LOCK_PERIOD {
            looked = Instant::now();
            sweep.look_at_locked();
        }
        sweep.progress.look();
        std::thread::sleep(PERIOD);
    }
    let unfinished = tasks.iter().filter(|task| stage(out, task) != Stage::Finished).count();
    sweep.progress.clear();
    Ended { interrupted: told && unfinished > sweep.failed.len(), failed: sweep.failed }
}

impl Sweep<'_> {
    /// Keeps what is finished and tells how much that is.
    fn sort(&mut self) {
        let (mut kept, mut begun) = (0, 0);
        for (index, task) in self.tasks.iter().enumerate() {
            match stage(self.out, task) {
                Stage::Finished => {
                    kept += 1;
                    self.progress.keep(index);
                    continue;
                }
                Stage::Begun => begun += 1,
                Stage::Locked | Stage::New => {}
            }
            self.waiting.push_back(index);
        }
        if kept + begun > 0 {
            self.progress.say(&format!("{kept} of {} runs are finished, {begun} begun", self.tasks.len()));
        }
    }

    fn done(&self, stopped: bool) -> bool {
        self.running.is_empty() && (stopped || (self.waiting.is_empty() && self.locked.is_empty()))
    }

    fn start(&mut self, index: usize) {
        let task = &self.tasks[index];
        if stage(self.out, task) == Stage::Locked {
            self.progress.say(&format!("{}: another process plays this run; waiting for it", task.name));
            self.locked.push(index);
            return;
        }
        match Running::start(self.out, index, task) {
            Ok(running) => {
                self.running.push(running);
                self.progress.start(index);
            }
            Err(error) => self.fail(index, error.to_string()),
        }
    }

    fn fail(&mut self, index: usize, reason: String) {
        self.progress.end(index, false, &reason);
        self.failed.push(Failure { run: self.tasks[index].name.clone(), reason });
    }

    /// Takes the runs that have ended out of those that are playing.
    fn collect(&mut self, stopped: bool) {
        let mut index = 0;
        while index < self.running.len() {
            let Some(status) = self.running[index].ended() else {
                index += 1;
                continue;
            };
            let ended = self.running.swap_remove(index);
            let task = ended.task;
            match stage(self.out, &self.tasks[task]) {
                Stage::Finished => self.finish(task),
                // It was told to stop, or another process was a moment faster.
                _ if stopped => {}
                Stage::Locked => self.waiting.push_front(task),
                Stage::Begun | Stage::New => {
                    let reason = format!("{} ({})", ended.last_words(status), ended.log().display());
                    self.fail(task, reason);
                }
            }
        }
    }

    fn finish(&mut self, index: usize) {
        let run = group::read(&folder(self.out, &self.tasks[index]));
        match run {
            Ok(run) => {
                let top1 = run.row.and_then(|row| row.reward_top1);
                let remark = top1.map(|top1| format!("{:.2} %", 100.0 * top1));
                self.progress.end(index, true, remark.as_deref().unwrap_or("no admissible candidate"));
            }
            Err(error) => self.fail(index, error.to_string()),
        }
    }

    fn look_at_locked(&mut self) {
        let (out, tasks) = (self.out, self.tasks);
        let (still, free): (Vec<usize>, Vec<usize>) =
            self.locked.drain(..).partition(|&index| stage(out, &tasks[index]) == Stage::Locked);
        self.locked = still;
        for index in free {
            match stage(out, &tasks[index]) {
                Stage::Finished => self.finish(index),
                _ => self.waiting.push_front(index),
            }
        }
    }
}
