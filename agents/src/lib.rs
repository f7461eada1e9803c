//! Agents that decide what to remove from a network.
//!
//! An agent plays any [`cgym_env::Env`] through [`run_episode`], or several episodes at a time
//! through [`run_batch`]; [`make`] builds one by name:
//!
//! | name | what it does |
//! |---|---|
//! | `ddpg` | learns a policy from observations, AMC's deep deterministic policy gradient |
//! | `reinforce` | learns a stochastic policy from whole episodes, N2N's policy gradient |
//! | `actor-critic` | the same with a learned value of each decision for a baseline |
//! | `random` | draws every action uniformly |
//! | `uniform`, `shallow`, `deep` | one hand-crafted profile over depth, scaled to the budget |
//! | `greedy` | NetAdapt: lowers one decision a round, whichever costs least |
//! | `cem` | cross-entropy search over whole sequences of actions |
//!
//! Every random draw comes from a ChaCha8 generator that the agent owns and saves: the same seed
//! gives the same actions, bit for bit, at any number of threads of one machine.

mod adam;
mod batch;
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
mod settings;
mod truncated_normal;

pub use batch::run_batch;
pub use cem::{Cem, CemSettings};
pub use contract::{Agent, Mode, Transition, run_episode};
pub use ddpg::{Ddpg, DdpgSettings, Target};
pub use error::AgentError;
pub use greedy::{Greedy, GreedySettings};
pub use profile::{Profile, ProfileSettings, Shape};
pub use random::{Random, RandomSettings};
pub use registry::{AgentContext, make, names, resolve_settings};
pub use reinforce::{Distribution, PolicyKind, Reinforce, ReinforceSettings};
