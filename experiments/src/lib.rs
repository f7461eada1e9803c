//! Runs and reports of compression-gym: configuration, teachers, searches that survive a stop.
//!
//! The `cgym` binary is a thin shell over this library. To play an environment from a program:
//!
//! ```no_run
//! use cgym_env::Env;
//!
//! let mut env = cgym::environment("AMC-ResNet20-Digits-MACs30-v0")?;
//! let first = env.reset(1, &Default::default())?;
//! # Ok::<(), cgym::Error>(())
//! ```
//!
//! Architecture Invariant: no maths here. Networks are the teachers' room, rewards and budgets the
//! environments', decisions the agents'.

mod agent_choice;
pub mod cli;
pub mod commands;
pub mod config;
pub mod curves;
pub mod device;
mod error;
pub mod files;
pub mod game;
pub mod interrupt;
pub mod play;
pub mod plot;
pub mod profile;
mod progress;
pub mod report;
pub mod run;
pub mod seeds;
pub mod settings;
pub mod statistics;
pub mod teacher;
pub mod tensorboard;
pub mod world;

pub use agent_choice::AgentChoice;
pub use error::Error;

/// The environment called `id`, with its teacher, data and an evaluator that remembers.
///
/// Teachers that do not ship with the project, and rules other than the id's, are asked for
/// through [`config::Config`] and [`world::World::load`].
///
/// # Errors
/// An unknown id, data that is not there, or a teacher that is not shipped.
pub fn environment(id: &str) -> Result<Box<dyn cgym_env::Env>, Error> {
    let settings = settings::Settings { env: Some(id.to_owned()), ..Default::default() };
    Ok(world::World::load(config::Config::from_settings(settings)?, &[])?.env)
}
