//! The command line: one module per command, with its arguments.

mod agents;
mod baselines;
mod bench;
mod compare;
mod describe;
mod distill;
mod envs;
mod export;
mod numbers;
mod report;
mod search;
mod sweep;
mod teacher;
pub(crate) mod transfer;
mod validate;

use std::{num::NonZero, path::Path, thread};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{Error, config::MOST_THREADS};

/// The variable by which rayon takes a number of threads.
const THREADS: &str = "RAYON_NUM_THREADS";

/// A reinforcement-learning gym whose world is a trained network and whose game is to make it smaller
#[derive(Debug, Parser)]
#[command(name = "cgym", version, arg_required_else_help = true)]
pub struct Cli {
    /// Print one JSON object and nothing else to the standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Search for the best network under a budget
    Search(Box<search::SearchArgs>),
    /// Continue an interrupted search, or extend a finished one
    Resume(search::ResumeArgs),
    /// Play recorded episodes again and print every difference
    Validate(validate::ValidateArgs),
    /// Write the best network of a run as graph.json and weights.safetensors
    Export(export::ExportArgs),
    /// Train the best network of a run to the end on the teacher's logits and the labels
    Distill(Box<distill::StudentArgs>),
    /// Train the best network of a run to the end on the labels alone
    Finetune(Box<distill::StudentArgs>),
    /// Train policies on one network and transfer them to another, beside runs from scratch
    Transfer(Box<transfer::TransferArgs>),
    /// Search with several agents, budgets and seeds, and compare them
    Sweep(Box<sweep::SweepArgs>),
    /// Compare runs that exist
    Compare(compare::CompareArgs),
    /// Score hand-crafted policies and searches without learning
    Baselines(Box<baselines::BaselinesArgs>),
    /// Write runs as one HTML page: results, curves, what is kept per layer, settings
    Report(report::ReportArgs),
    /// Measure the speed of a network, an agent, whole episodes or a student's training
    Bench(bench::BenchArgs),
    /// List environments
    Envs,
    /// List agents, or describe one with its hyper-parameters
    Agents(agents::AgentsArgs),
    /// Show an environment: spaces, layers, costs, budget, settings
    Describe(Box<describe::DescribeArgs>),
    /// Train, score and describe teachers
    Teacher(Box<teacher::TeacherArgs>),
}

/// Reads the command line of this process; ends the process where it is wrong or asks for help.
pub fn parse() -> Cli {
    let command = numbers::worded(Cli::command());
    let read = Cli::from_arg_matches(&command.clone().get_matches());
    read.unwrap_or_else(|error| error.format(&mut command.clone()).exit())
}

/// Does what the command line asks for.
///
/// # Errors
/// Whatever ends the command; [`Error::exit_code`] is the process's.
pub fn run(cli: Cli) -> Result<(), Error> {
    let json = cli.json;
    // Rayon would build a pool of any size, and ignore a word.
    threads_asked_by(std::env::var(THREADS).ok().as_deref())?;
    match cli.command {
        Command::Search(args) => search::search(&args, json),
        Command::Resume(args) => search::resume(&args, json),
        Command::Validate(args) => validate::validate(&args, json),
        Command::Export(args) => export::export(&args, json),
        Command::Distill(args) => distill::train(&args, distill::Lessons::Teacher, json),
        Command::Finetune(args) => distill::train(&args, distill::Lessons::Labels, json),
        Command::Transfer(args) => transfer::transfer(&args, json),
        Command::Sweep(args) => sweep::sweep(&args, json),
        Command::Compare(args) => compare::compare(&args, json),
        Command::Baselines(args) => baselines::baselines(&args, json),
        Command::Report(args) => report::report(&args, json),
        Command::Bench(args) => bench::bench(args, json),
        Command::Envs => envs::list(json),
        Command::Agents(args) => agents::agents(&args, json),
        Command::Describe(args) => describe::describe(&args, json),
        Command::Teacher(args) => teacher::run(*args, json),
    }
}

/// Refuses an existing folder that a command would write, before anything costly is computed.
fn refuse_existing(out: Option<&Path>) -> Result<(), Error> {
    match out {
        Some(path) if path.symlink_metadata().is_ok() => {
            Err(Error::file(path, "already exists and is never overwritten; give another --out"))
        }
        _ => Ok(()),
    }
}

/// Builds the pool of the whole process: with `threads`, else with as many as rayon's variable asks for,
/// else with one per core. It is built before the first interrupt is waited for.
fn use_threads(threads: Option<usize>) -> Result<(), Error> {
    let settings = crate::config::RunSettings { threads, ..Default::default() };
    cgym_env::settings::Table::check(&settings)?;
    let asked = threads_asked_by(std::env::var(THREADS).ok().as_deref())?;
    let cores = || thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.or(asked).unwrap_or_else(cores))
        .build_global()
        .map_err(|error| Error::Input(format!("threads: {error}")))
}

/// The number of threads that the value of rayon's variable asks for; 0 and no value ask for none.
fn threads_asked_by(value: Option<&str>) -> Result<Option<usize>, Error> {
    let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { return Ok(None) };
    match value.parse() {
        Ok(0) => Ok(None),
        Ok(count) if count <= MOST_THREADS => Ok(Some(count)),
        _ => Err(Error::Input(format!(
            "{THREADS}: `{value}` is not a number of threads from 1 to {MOST_THREADS}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn the_variable_of_rayon_has_the_range_of_the_flag() {
        let asked = super::threads_asked_by;
        assert_eq!(asked(Some(" 3")).ok(), Some(Some(3)));
        for none in [None, Some(""), Some("0")] {
            assert_eq!(asked(none).ok(), Some(None));
        }
        for wrong in ["100000", "1025", "-1", "many", "1.5"] {
            let refusal = asked(Some(wrong)).expect_err(wrong).to_string();
            assert!(refusal.contains(wrong) && refusal.contains("from 1 to 1024"), "{refusal}");
        }
    }

    #[test]
    fn the_help_of_search_is_one_screen() {
        let mut command = super::Cli::command();
        let search = command.find_subcommand_mut("search").expect("the command");
        let lines = search.render_help().to_string().lines().count();
        assert!(lines <= 40, "{lines} lines");
    }
}
