//! From an environment's id to a playable world.
//!
//! A [`World`] is loaded once from resolved settings: data, weights and the network to compress. It
//! makes environments that share one scorer and its memory, and it knows how to make, score and
//! save the networks that outcomes stand for. Front ends (the `cgym` command, Python) stand on it.
//!
//! ```no_run
//! use cgym_env::settings::EnvSettings;
//! use cgym_worlds::World;
//!
//! let settings = EnvSettings::from_id("AMC-ResNet20-Digits-MACs30-v0")?;
//! let world = World::load(settings, &mut |_| ())?;
//! let mut env = world.env();
//! let first = env.reset(1, &Default::default())?;
//! # Ok::<(), cgym_worlds::WorldError>(())
//! ```
//!
//! Architecture Invariant: no command line, no plots, no TensorBoard, nothing is printed.

mod error;
pub mod network;
pub mod preprocessing;
mod settings_file;
mod world;

pub use cgym_teachers::files;
pub use error::WorldError;
pub use settings_file::{SettingsFile, parse_value, to_toml};
pub use world::{Blueprint, Event, Observer, World};
