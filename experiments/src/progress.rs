//! Progress of a command on stderr: a bar on a terminal, otherwise one line per tenth.

use std::io::IsTerminal;

use cgym_teachers::train::TrainingEvent;
use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

const STEPS: &str = "{prefix:>8} {bar:30} {pos}/{len} {elapsed}<{eta} {msg}";
const BYTES: &str = "{prefix:>8} {bar:30} {decimal_bytes}/{decimal_total_bytes} {elapsed}<{eta} {msg}";

/// The progress of a command: steps done, number of steps and a remark.
pub struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    total: u64,
    tenth: u64,
    written: fn(u64) -> String,
}

impl Progress {
    /// Starts at `done` of `total` steps.
    pub fn new(label: &str, total: u64, done: u64) -> Self {
        Self::with_style(label, total, done, STEPS, |count| count.to_string())
    }

    /// Starts at 0 of `total` bytes.
    pub fn of_bytes(label: &str, total: u64) -> Self {
        Self::with_style(label, total, 0, BYTES, |bytes| DecimalBytes(bytes).to_string())
    }

    fn with_style(label: &str, total: u64, done: u64, template: &str, written: fn(u64) -> String) -> Self {
        let tenth = 10 * done / total.max(1);
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_prefix(label.to_owned());
            bar.set_position(done);
            bar
        });
        Self { bar, label: label.to_owned(), total, tenth, written }
    }

    /// Shows an epoch of a training, or its warning.
    pub fn training(&mut self, event: &TrainingEvent<'_>) {
        match event {
            TrainingEvent::Warning(warning) => note(format!("warning: {warning}")),
            TrainingEvent::Epoch(epoch) => {
                let accuracy = 100.0 * epoch.top1;
                let remark = format!("loss {:.4}, {accuracy:.2} % of the held-out images", epoch.loss);
                self.set(epoch.epoch as u64, &remark);
            }
        }
    }

    /// Shows that `done` steps are done, with a remark.
    pub fn set(&mut self, done: u64, remark: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(remark.to_owned());
            bar.set_position(done.min(self.total));
            return;
        }
        let tenth = (10 * done / self.total.max(1)).min(10);
        if tenth > self.tenth {
            self.tenth = tenth;
            let (done, total) = ((self.written)(done.min(self.total)), (self.written)(self.total));
            let colon = if remark.is_empty() { "" } else { ": " };
            note(format!("{} {done}/{total}{colon}{remark}", self.label));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
