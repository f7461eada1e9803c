//! A search as it is run: its folder, its checkpoints, its loop.

mod agent;
mod best;
pub mod checkpoint;
mod compare;
pub mod directory;
mod log;
mod search;

pub use agent::{agent, newest_agent};
pub use best::{BestEpisode, write_network};
pub use compare::{baselines, compare, recorded};
pub use directory::RunDirectory;
pub use log::EpisodeLog;
pub use search::{Setup, search};
