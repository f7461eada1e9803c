//! Agents that decide how far each part of a network is compressed.
//!
//! An agent is anything that implements [`Agent`]; it plays any [`cgym_env::Env`] in a [`rollout`].
//! [`make`] builds the agents of this crate by name, [`describe`] lists them. Each is a module and
//! one row of the table in `registry.rs`.
//!
//! Every random draw comes from a ChaCha8 generator that the agent owns and saves: the same seed
//! gives the same actions, bit for bit, at any number of threads on one machine.

mod bounds;
mod budget;
mod cem;
mod checkpoint;
mod contract;
mod ddpg;
mod error;
mod greedy;
mod parameters;
mod profile;
mod random;
mod reading;
mod registry;
mod reinforce;
mod rollout;
mod settings;
mod truncated_normal;

pub use cem::{Cem, CemSettings};
pub use contract::{Agent, Mode, Transition};
pub use ddpg::{Credit, Ddpg, DdpgSettings, Target};
pub use error::AgentError;
pub use greedy::{Greedy, GreedySettings};
pub use profile::{Profile, ProfileSettings, Shape};
pub use random::{Random, RandomSettings};
pub use registry::{AgentContext, AgentFacts, describe, fields, make, names, resolve_settings};
pub use reinforce::{Distribution, PolicyKind, Reinforce, ReinforceSettings};
pub use rollout::{Observer, Phase, Schedule, rollout, run_episode};
