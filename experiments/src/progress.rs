//! How far a command is, on the error output: a bar on a terminal, a line a tenth elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Episodes played of how many, with a remark.
pub struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    total: u64,
    tenth: u64,
}

impl Progress {
    /// Begins at `done` of `total` steps.
    pub fn new(label: &str, total: u64, done: u64) -> Self {
        let tenth = 10 * done / total.max(1);
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let template = "{prefix:>8} {bar:30} {pos}/{len} {elapsed}<{eta} {msg}";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_prefix(label.to_owned());
            bar.set_position(done);
            bar
        });
        Self { bar, label: label.to_owned(), total, tenth }
    }

    /// `done` steps are over.
    pub fn set(&mut self, done: u64, remark: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(remark.to_owned());
            bar.set_position(done.min(self.total));
            return;
        }
        let tenth = (10 * done / self.total.max(1)).min(10);
        if tenth > self.tenth {
            self.tenth = tenth;
            eprintln!("{} {}/{}: {remark}", self.label, done.min(self.total), self.total);
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
