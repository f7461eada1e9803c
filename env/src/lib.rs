//! Environments whose world is a trained network and whose game is to make it smaller.

mod amc;
mod budget;
mod check;
mod contract;
mod cost_model;
mod error;
mod evaluator;
mod family;
mod memory;
mod n2n;
mod names;
mod optimum;
mod record;
mod registry;
mod reward;
mod space;

pub use amc::{AmcEnv, AmcSettings, Decision, FEATURE_NAMES, FEATURES, Scope};
pub use budget::BudgetUnit;
pub use cgym_teachers::nearest;
pub use check::{CheckError, check_env};
pub use contract::{Action, Ending, Env, EnvSpec, Info, Layout, Outcome, Preview, ResetOptions, Step};
pub use cost_model::{CostModel, uniform_groups};
pub use error::EnvError;
pub use evaluator::{Candidate, Evaluation, EvaluationTimes, Evaluator, Exact, Memoised, Surrogate};
pub use family::Family;
pub use n2n::{
    Constraints, DEGENERATE_REWARD, Distilled, DistilledSetup, EASING_UPDATES, LAYER_FEATURES, LayerDecision,
    MemoisedStudents, N2nConfig, N2nEnv, N2nOverrides, N2nReward, N2nRules, Stage, StudentEvaluator,
    SurrogateStudent, TeacherFigures,
};
pub use optimum::optimum;
pub use record::EpisodeRecord;
pub use registry::{DEFAULT_ID, EnvConfig, EnvOverrides, RegisteredEnv, registered};
pub use reward::Reward;
pub use space::Space;
