//! Environments whose world is a trained network and whose game is to make it smaller.
//!
//! An environment keeps the contract of [`Env`]. [`FAMILIES`] has one row per game;
//! [`settings::EnvSettings`] resolves an id, a file and flags to the settings of one environment,
//! and their [`Rules`] make it. Loading networks and data is the worlds crate's task.
//!
//! Architecture Invariant: nothing here reads files, and nothing knows agents.

mod budget;
mod check;
mod contract;
mod env_settings;
mod error;
mod family;
mod fields;
mod game;
mod id;
mod layer;
pub mod layerwise;
pub mod method;
pub mod n2n;
mod optimum;
mod play;
mod record;
mod registry;
mod reward;
mod score;
mod space;
mod tables;

pub use budget::{Budget, BudgetUnit, parse_budget};
pub use cgym_teachers::nearest;
pub use check::{CheckError, check_env};
pub use contract::{Action, Ending, Env, EnvSpec, Info, Layout, Outcome, Preview, ResetOptions, Step};
pub use error::EnvError;
pub use family::{Family, Header, Outline, Rules, SiteDescription, Tables, VERSION_0, Version};
pub use game::{Finished, Game, GameEnv, Interface};
pub use id::{DEFAULT_ID, ListedEnv, listed};
pub use layerwise::{Layerwise, LayerwiseEnv};
pub use method::{FEATURE_NAMES, FEATURES};
pub use n2n::{LAYER_FEATURES, N2nEnv, N2nGame};
pub use optimum::optimum;
pub use play::{Compressed, Material, Play, ScoreTimes, Scoring, TrainedNetwork};
pub use record::EpisodeRecord;
pub use registry::FAMILIES;
pub use reward::{LayerwiseReward, Reward};
pub use score::{
    Constant, Distilled, DistilledSetup, Exact, Maker, Memoised, Score, Scorer, Surrogate, SurrogateStudent,
};
pub use space::Space;

/// The splits of a dataset belong to the environment, so that runs of all seeds compare.
pub const SPLIT_SEED: u64 = 0;

/// Settings of an environment as tables, written once.
pub mod settings {
    pub use crate::env_settings::{EnvSettings, without_locations};
    pub use crate::fields::{Field, Fields, NoSettings, Table, read, write};
    pub use crate::layer::{Layer, TABLES};
    pub use crate::tables::{Data, ImageSize, Network};
}
