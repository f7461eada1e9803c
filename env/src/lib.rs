//! Environments whose world is a trained network and whose game is to make it smaller.

mod contract;
mod error;
mod record;
mod space;

pub use contract::{Action, Ending, Env, EnvSpec, Info, Outcome, Preview, ResetOptions, Step};
pub use error::EnvError;
pub use record::EpisodeRecord;
pub use space::Space;
