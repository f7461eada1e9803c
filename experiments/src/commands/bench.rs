//! `bench`: the speed of a network, of an agent, of whole episodes, or of a student's training.

mod agent;
mod episode;
mod network;
mod student;

use std::{fs, time::Instant};

use crate::Error;

const LEAST_REPEATS: usize = 3;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    command: BenchCommand,
}

/// What to measure.
#[derive(Debug, clap::Subcommand)]
enum BenchCommand {
    /// A network on random images, with random weights
    Network(Box<network::NetworkArgs>),
    /// An agent's decisions and updates, without evaluating candidates
    Agent(Box<agent::AgentArgs>),
    /// Whole episodes of an environment
    Episode(Box<episode::EpisodeArgs>),
    /// The training that N2N scores a student by, of the whole network
    Student(Box<student::StudentArgs>),
}

pub(super) fn bench(args: BenchArgs, json: bool) -> Result<(), Error> {
    match args.command {
        BenchCommand::Network(args) => network::bench(&args, json),
        BenchCommand::Agent(args) => agent::bench(&args, json),
        BenchCommand::Episode(args) => episode::bench(&args, json),
        BenchCommand::Student(args) => student::bench(&args, json),
    }
}

/// A time to measure for.
fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(seconds),
        _ => Err(format!("`{text}` is no time to measure for, give more than 0 seconds")),
    }
}

/// Does `work` until `seconds` are over, at least three times, and returns the time of each.
fn repeat(seconds: f64, mut work: impl FnMut() -> Result<(), Error>) -> Result<Vec<f64>, Error> {
    let started = Instant::now();
    let mut times = Vec::new();
    while times.len() < LEAST_REPEATS || started.elapsed().as_secs_f64() < seconds {
        let began = Instant::now();
        work()?;
        times.push(began.elapsed().as_secs_f64());
    }
    Ok(times)
}

/// The median; of an even number the greater middle value.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The most memory that this process has held so far, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

fn in_megabytes(bytes: Option<u64>) -> String {
    bytes.map_or("peak memory unknown".to_owned(), |bytes| format!("{:.0} MB at most", bytes as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_not_moved_by_one_slow_repeat() {
        assert_eq!(median(vec![2.0, 900.0, 1.0]), 2.0);
    }
}
