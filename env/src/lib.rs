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
mod error;
mod family;
mod game;
mod id;
pub mod layerwise;
pub mod method;
pub mod n2n;
mod optimum;
mod record;
mod reward;
mod score;
pub mod settings;
mod space;

pub use budget::{Budget, BudgetUnit, parse_budget};
pub use cgym_teachers::nearest;
pub use check::{CheckError, check_env};
pub use contract::{Action, Ending, Env, EnvSpec, Info, Layout, Outcome, Preview, ResetOptions, Step};
pub use error::EnvError;
pub use family::{
    Compressed, FAMILIES, Family, Header, Material, Outline, Play, Rules, Scoring, SiteDescription, Tables,
    TrainedNetwork, VERSION_0, Version,
};
pub use game::{Finished, Game, GameEnv};
pub use id::{DEFAULT_ID, ListedEnv, listed};
pub use layerwise::{FEATURE_NAMES, FEATURES, Layerwise, LayerwiseEnv};
pub use n2n::{LAYER_FEATURES, N2nEnv, N2nGame};
pub use optimum::optimum;
pub use record::EpisodeRecord;
pub use reward::{LayerwiseReward, Reward};
pub use score::{
    Constant, Distilled, DistilledSetup, Exact, Maker, Memoised, Score, ScoreTimes, Scorer, Surrogate,
    SurrogateStudent,
};
pub use space::Space;

/// The splits of a dataset belong to the environment, so that runs of all seeds compare.
pub const SPLIT_SEED: u64 = 0;
