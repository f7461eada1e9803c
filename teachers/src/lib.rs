//! Networks as data, and what can be computed from them: shapes, costs, coupling, surgery, training
//! and fast evaluation.
//!
//! Architecture Invariant: nothing in this crate depends on reinforcement learning.

pub mod architecture;
pub mod checkpoints;
pub mod cost;
pub mod coupling;
pub mod data;
pub mod engine;
mod error;
pub mod files;
pub mod graph;
pub mod inherit;
pub mod manifest;
mod names;
pub mod pruner;
pub mod reconstruct;
pub mod remove;
mod repair;
pub mod shipped;
pub mod shrink;
pub mod sparse;
pub mod surgery;
pub mod train;
pub mod weights;
pub mod zoo;

pub use error::Error;
pub use names::{UnknownName, nearest};
