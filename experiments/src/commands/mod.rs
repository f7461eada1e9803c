//! One file a command: from flags to what is printed.

mod baselines;
mod bench;
mod distill;
mod envs;
mod export;
mod search;
mod teacher;
mod transfer;
mod validate;

use crate::{
    Error,
    cli::{Cli, Command},
    config::check_threads,
};

/// Does what the command line asks for.
///
/// # Errors
/// Whatever ends the command; [`Error::exit_code`] is the process's.
pub fn run(cli: Cli) -> Result<(), Error> {
    let json = cli.json;
    match cli.command {
        Command::Search(args) => search::search(args, json),
        Command::Resume { run, threads } => search::resume(&run, threads, json),
        Command::Validate { run, sample } => validate::validate(&run, sample, json),
        Command::Export { run, out } => export::export(&run, &out, json),
        Command::Distill(args) => distill::train(*args, distill::Lessons::Teacher, json),
        Command::Finetune(args) => distill::train(*args, distill::Lessons::Labels, json),
        Command::Transfer(args) => transfer::transfer(*args, json),
        Command::Baselines(args) => baselines::baselines(args, json),
        Command::Bench(args) => bench::bench(*args, json),
        Command::Envs => envs::list(json),
        Command::Describe { id, config, settings } => envs::describe(id, config.as_deref(), *settings, json),
        Command::Teacher { command } => teacher::run(command, json),
    }
}

/// Sets the number of threads for the whole process; one a core where absent.
fn use_threads(threads: Option<usize>) -> Result<(), Error> {
    check_threads(threads)?;
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::Input(format!("threads: {error}")))
}
