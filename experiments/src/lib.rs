//! Runs and reports of compression-gym: searches that survive a stop, and the `cgym` command.
//!
//! One call runs any agent with a run directory, checkpoints, TensorBoard, baselines and a table:
//!
//! ```no_run
//! let world = cgym::world("AMC-ResNet20-Digits-MACs30-v0")?;
//! let agent = cgym::agent("cem", &world, 100, 1)?;
//! let summary = cgym::search(&world, agent, &cgym::Run::new("runs/mine").episodes(100))?;
//! println!("{}", summary.table());
//! # Ok::<(), cgym::Error>(())
//! ```
//!
//! `experiments/examples/custom_agent.rs` does the same with an agent of its own.
//!
//! Architecture Invariant: rewards, costs and budgets are computed by the environments, networks by
//! the teachers, decisions by the agents; this crate runs, records and reports them.

pub mod chart;
pub mod commands;
pub mod config;
pub mod curves;
pub mod device;
mod error;
pub mod flags;
pub mod group;
pub mod interrupt;
pub mod loading;
pub mod output;
pub mod profile;
mod progress;
pub mod report;
pub mod run;
pub mod seeds;
pub mod statistics;
pub mod tensorboard;
pub mod terminal;

use cgym_agents::{Agent, AgentContext, make};
use cgym_env::settings::EnvSettings;
use cgym_worlds::World;
use serde_json::Value;

pub use error::Error;
pub use report::Summary;
pub use run::{Run, search};

/// The world called `id`, with its shipped or downloaded network and data.
///
/// # Errors
/// An unknown id, data that is not there, or a teacher that is not shipped.
pub fn world(id: &str) -> Result<World, Error> {
    Ok(World::load(EnvSettings::from_id(id)?, &mut loading::observer())?)
}

/// A built-in agent for `world` with default hyper-parameters and `episodes` exploring episodes.
///
/// # Errors
/// An unknown agent, or one that cannot play the world's environment.
pub fn agent(name: &str, world: &World, episodes: u64, seed: u64) -> Result<Box<dyn Agent>, Error> {
    let seed = seeds::derive(seed, "agent", 0);
    Ok(make(name, &Value::Null, &AgentContext { env: &*world.env(), episodes, seed })?)
}
