//! Agents that decide what to remove from a network.

mod contract;
mod error;

pub use contract::{Agent, Mode, Transition, run_episode};
pub use error::AgentError;
