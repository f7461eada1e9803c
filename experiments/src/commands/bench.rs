//! `bench`: the speed of a network, or of whole episodes.

mod episode;
mod network;

use std::{fs, time::Instant};

use crate::{Error, cli::BenchArgs};

const LEAST_REPEATS: usize = 3;

pub(super) fn bench(args: BenchArgs, json: bool) -> Result<(), Error> {
    if !(args.seconds.is_finite() && args.seconds > 0.0) {
        return Err(Error::Input(format!("seconds: {} is no time to measure for, give more", args.seconds)));
    }
    match args.settings.env.is_some() || args.config.is_some() {
        true => episode::bench(args, json),
        false => network::bench(args, json),
    }
}

/// Does `work` until `seconds` are over, three times at least, and tells what each took.
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

/// The middle one, the greater of two.
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
