//! Measures reliability: kills, damaged files, random steps, illegal actions.
//!
//! ```sh
//! cargo build --release
//! cargo run --release --example reliability -- kills --kills 200
//! cargo run --release --example reliability -- damage --flips 1000
//! cargo run --release --example reliability -- steps --steps 1000000
//! cargo run --release --example reliability -- illegal --actions 10000
//! ```
//!
//! Each prints a table and ends with exit code 1 where something is not as it should be.
//! `docs/reliability.md` has the results.

mod damage;
mod illegal;
mod kills;
mod steps;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
struct Arguments {
    /// Seed of everything random
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Kills commands at random moments, goes on with them, and compares every byte of the result
    Kills {
        /// How many kills
        #[arg(long, default_value_t = 200)]
        kills: usize,
        /// Only the command of this name, such as sweep
        #[arg(long)]
        only: Option<String>,
        /// The binary
        #[arg(long, default_value = "target/release/cgym")]
        cgym: PathBuf,
    },
    /// Flips bits in every file of a finished and of an unfinished run, and cuts them
    Damage {
        /// Flipped bits per file
        #[arg(long, default_value_t = 1000)]
        flips: usize,
    },
    /// Takes random steps in environments of every family and checks their invariants
    Steps {
        /// How many steps in all
        #[arg(long, default_value_t = 1_000_000)]
        steps: usize,
    },
    /// Takes illegal actions of every kind, which must change nothing
    Illegal {
        /// How many of each kind
        #[arg(long, default_value_t = 10_000)]
        actions: usize,
    },
}

fn main() -> ExitCode {
    let Arguments { seed, measure } = Arguments::parse();
    let measured = match measure {
        Measure::Kills { kills, only, cgym } => kills::measure(kills, only.as_deref(), &cgym, seed),
        Measure::Damage { flips } => damage::measure(flips, seed),
        Measure::Steps { steps } => steps::measure(steps, seed),
        Measure::Illegal { actions } => illegal::measure(actions, seed),
    };
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
