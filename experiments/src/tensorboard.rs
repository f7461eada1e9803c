//! Event files for TensorBoard. A failure to write them never ends a search.
//!
//! An event file is a sequence of records: length (`u64`), masked CRC-32C of the length, an
//! `Event` message, masked CRC-32C of the message, all little-endian. `tensorboard-rs` frames the
//! records and `tensorboard-proto` defines the messages. The writers of `tensorboard-rs` are not
//! used, because they panic on a full disk and support neither text nor hyper-parameters.
//!
//! A run directory contains one event file for each time that the run was started or resumed. Each
//! begins with a session start at its first step, and TensorBoard discards the events of earlier
//! files from that step on. A search that is killed at episode 57 and resumed from its checkpoint
//! of episode 50 therefore shows every episode once.

mod hparam;
mod messages;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    time::{Duration, SystemTime},
};

use protobuf::Message;
use tensorboard_proto::{event::Event, summary::Summary_Value};
use tensorboard_rs::record_writer::RecordWriter;

pub use hparam::HParam;
pub use messages::Outcome;

const PREFIX: &str = "events.out.tfevents.";

/// Receives the warning of a log, which gives at most one.
type Warn = Box<dyn FnOnce(&str) + Send>;

/// The TensorBoard log of a run.
///
/// No method fails or panics. The first failure (a folder that cannot be written, a full disk)
/// gives one warning and turns logging off.
pub struct TensorBoard {
    records: Option<RecordWriter<BufWriter<Box<dyn Write + Send>>>>,
    warn: Option<Warn>,
    place: String,
    first_step: usize,
}

impl TensorBoard {
    /// Starts the log of a new run in `directory`, which is created if absent. The warning goes to
    /// stderr.
    ///
    /// Older event files in the folder are kept, but TensorBoard does not show them.
    pub fn create(directory: &Path) -> Self {
        Self::create_from(directory, 0)
    }

    /// Continues the log in `directory` at step `first_step`.
    ///
    /// TensorBoard discards the steps from `first_step` on that earlier files contain.
    pub fn create_from(directory: &Path, first_step: usize) -> Self {
        Self::open(directory, first_step, |warning| crate::output::note(format!("warning: {warning}")))
    }

    /// [`create_from`](Self::create_from) with a receiver of the warning, which is called at most once.
    pub fn open(directory: &Path, first_step: usize, warn: impl FnOnce(&str) + Send + 'static) -> Self {
        let sink = new_event_file(directory).map(|file| Box::new(file) as Box<dyn Write + Send>);
        Self::over(sink, directory.display().to_string(), first_step, Box::new(warn))
    }

    /// Starts a log that writes to `sink`.
    fn over(sink: io::Result<Box<dyn Write + Send>>, place: String, first_step: usize, warn: Warn) -> Self {
        let mut log = Self { records: None, warn: Some(warn), place, first_step };
        match sink {
            Ok(sink) => log.records = Some(RecordWriter::new(BufWriter::new(sink))),
            Err(error) => log.give_up(&error),
        }
        log.write(messages::file_version(), 0);
        log.write(messages::session_start(), first_step);
        log.flush();
        log
    }

    /// Logs one number, which is stored as `f32` and may be NaN or infinite.
    pub fn scalar(&mut self, tag: &str, value: f64, step: usize) {
        self.write_value(messages::scalar(tag, value), step);
    }

    /// Logs a histogram of `values`, without those that are not finite as `f32`.
    pub fn histogram(&mut self, tag: &str, values: &[f64], step: usize) {
        if let Some(value) = messages::histogram(tag, values) {
            self.write_value(value, step);
        }
    }

    /// Logs a text, which TensorBoard renders as Markdown, at the first step of this log.
    pub fn text(&mut self, tag: &str, text: &str) {
        self.write_value(messages::text(tag, text), self.first_step);
    }

    /// Logs the hyper-parameters of the run, for TensorBoard's table of runs.
    ///
    /// `metrics` are the tags of the scalars that the table shows beside `hparams`, which are its columns
    /// in their order.
    pub fn hparams(&mut self, hparams: &[(String, HParam)], metrics: &[&str]) {
        let started = since_epoch().as_secs_f64();
        for value in [messages::experiment(hparams, metrics), messages::session_info(hparams, started)] {
            self.write(messages::hparams_event(value), self.first_step);
        }
    }

    /// Writes the buffer to the file, so that TensorBoard can read it.
    pub fn flush(&mut self) {
        if let Some(Err(error)) = self.records.as_mut().map(RecordWriter::flush) {
            self.give_up(&error);
        }
    }

    /// Logs the outcome of the run, for TensorBoard's table of runs, and closes the file.
    ///
    /// TensorBoard keeps the first outcome in a folder. Drop the log of a run that may be resumed,
    /// instead of finishing it.
    pub fn finish(mut self, outcome: Outcome) {
        let ended = since_epoch().as_secs_f64();
        self.write(messages::hparams_event(messages::session_end(outcome, ended)), self.first_step);
    }

    fn write_value(&mut self, value: Summary_Value, step: usize) {
        self.write(messages::summary(value), step);
    }

    fn write(&mut self, mut event: Event, step: usize) {
        let Some(records) = &mut self.records else { return };
        event.set_wall_time(since_epoch().as_secs_f64());
        event.set_step(i64::try_from(step).unwrap_or(i64::MAX));
        let written =
            event.write_to_bytes().map_err(io::Error::other).and_then(|bytes| records.write(&bytes));
        if let Err(error) = written {
            self.give_up(&error);
        }
    }

    /// Turns logging off: a reader stops at an incomplete record, so later records would be lost.
    fn give_up(&mut self, error: &io::Error) {
        self.records = None;
        if let Some(warn) = self.warn.take() {
            warn(&format!("{}: cannot log for TensorBoard ({error}); continuing without it", self.place));
        }
    }
}

impl Drop for TensorBoard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Creates an event file that TensorBoard reads after those already in `directory`.
///
/// TensorBoard reads event files in the order of their names, which begin with a time. The time of
/// the new file is later than all others, even within one second or after the clock was set back.
fn new_event_file(directory: &Path) -> io::Result<File> {
    fs::create_dir_all(directory)?;
    let stamps = fs::read_dir(directory)?.filter_map(|entry| stamp(entry.ok()?.file_name().to_str()?));
    let mut stamp = since_epoch().as_secs().max(stamps.max().map_or(0, |latest| latest + 1));
    loop {
        let name = format!("{PREFIX}{stamp:010}.cgym.{}", std::process::id());
        match File::create_new(directory.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => stamp += 1,
            made => return made,
        }
    }
}

/// The time in the name of an event file, in seconds, as ten digits like TensorBoard's writers use.
fn stamp(name: &str) -> Option<u64> {
    let (digits, _) = name.strip_prefix(PREFIX)?.split_once('.')?;
    if digits.len() == 10 { digits.parse().ok() } else { None }
}

/// Time since 1970; zero if the clock is set to an earlier time.
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
