//! The command line: one module per command, with its arguments.

mod agents;
mod baselines;
mod bench;
mod compare;
mod describe;
mod distill;
mod envs;
mod export;
mod search;
mod sweep;
mod teacher;
mod transfer;
mod validate;

use clap::{Parser, Subcommand};

use crate::Error;

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
    /// Continue an interrupted search
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
    /// Measure the speed of a network, an agent, whole episodes or a student's training
    Bench(bench::BenchArgs),
    /// List environments
    Envs,
    /// List agents
    Agents,
    /// Show an environment: spaces, layers, costs, budget, settings
    Describe(Box<describe::DescribeArgs>),
    /// Train, score and describe teachers
    Teacher(teacher::TeacherArgs),
}

/// Does what the command line asks for.
///
/// # Errors
/// Whatever ends the command; [`Error::exit_code`] is the process's.
pub fn run(cli: Cli) -> Result<(), Error> {
    let json = cli.json;
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
        Command::Bench(args) => bench::bench(args, json),
        Command::Envs => envs::list(json),
        Command::Agents => agents::list(json),
        Command::Describe(args) => describe::describe(&args, json),
        Command::Teacher(args) => teacher::run(args, json),
    }
}

/// Sets the number of threads of the whole process; one per core if absent.
fn use_threads(threads: Option<usize>) -> Result<(), Error> {
    let settings = crate::config::RunSettings { threads, ..Default::default() };
    cgym_env::settings::Table::check(&settings)?;
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::Input(format!("threads: {error}")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_search_is_one_screen() {
        let mut command = super::Cli::command();
        let search = command.find_subcommand_mut("search").expect("the command");
        let lines = search.render_help().to_string().lines().count();
        assert!(lines <= 40, "{lines} lines");
    }
}
