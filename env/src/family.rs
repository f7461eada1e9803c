//! Families of environments: what ids, settings, worlds and commands know of a game.

use std::sync::Arc;

use cgym_teachers::{cost::Cost, engine::Convolution, graph::Graph};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Budget, BudgetUnit, Env, EnvError,
    fields::Field,
    layer::Layer,
    play::{Material, Play},
};

/// A version of a game's dynamics and rewards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The number after `-v`.
    pub number: u32,
    /// Defaults that this version has instead of the tables' own: paths and JSON values.
    pub settings: &'static [(&'static str, &'static str)],
}

impl Version {
    /// Its defaults.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for a row that is no path and JSON value.
    pub fn layer(&self) -> Result<Layer, EnvError> {
        let mut layer = Layer::default();
        for (path, value) in self.settings {
            let value = serde_json::from_str(value)
                .map_err(|error| EnvError::Setting { key: (*path).to_owned(), reason: error.to_string() })?;
            layer.set_path(path, value)?;
        }
        Ok(layer)
    }
}

/// The first version, with the tables' own defaults.
pub const VERSION_0: &[Version] = &[Version { number: 0, settings: &[] }];

/// The tables that are a game's own, as given or with every key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    /// `[game]` without name and version.
    pub game: Map<String, Value>,
    /// `[reward]`.
    pub reward: Map<String, Value>,
    /// `[score]`.
    pub score: Map<String, Value>,
}

/// A game that environments can be made of.
pub trait Family: Send + Sync {
    /// `game.name`.
    fn name(&self) -> &'static str;

    /// First word or words of its ids.
    fn id_word(&self) -> &'static str;

    /// What is decided in it, in one line.
    fn description(&self) -> &'static str;

    /// Versions, the newest last.
    fn versions(&self) -> &'static [Version] {
        VERSION_0
    }

    /// Ids that are listed, each with a line of description.
    fn listed(&self) -> &'static [(&'static str, &'static str)];

    /// Units that a budget may have; empty where the game has no budget.
    fn units(&self) -> &'static [BudgetUnit];

    /// Whether actions are indices rather than numbers.
    fn is_discrete(&self) -> bool;

    /// Defaults for `model` that differ from the tables' own.
    fn defaults(&self, _model: &str) -> Layer {
        Layer::default()
    }

    /// Keys of `[game]`, `[reward]` and `[score]`.
    fn fields(&self) -> [&'static [Field]; 3];

    /// Reads and checks the game's own tables.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for an unknown key or a value outside its range.
    fn rules(&self, given: &Tables, budget: &Budget) -> Result<Box<dyn Rules>, EnvError>;
}

/// What an environment is called and limited by.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Id.
    pub id: String,
    /// Hash of the resolved settings and of what is in their files.
    pub settings: String,
    /// Budget.
    pub budget: Budget,
}

/// One decision in a description.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SiteDescription {
    /// What is decided about.
    pub layer: String,
    /// What is kept of it at most.
    pub whole: u64,
    /// What is kept of it at least.
    pub least: u64,
    /// From one level to the next.
    pub step: u64,
    /// What is counted: channels, weights; the words of a choice elsewhere.
    pub unit: &'static str,
}

/// An environment without data: everything but true accuracies.
pub struct Outline {
    /// The environment, scored by a formula.
    pub env: Box<dyn Env>,
    /// Cost of the whole network.
    pub whole: Cost,
    /// Share of that cost that can be reached at least, in the budget's unit; `None` where the game
    /// has no budget.
    pub least_share: Option<f64>,
    /// Every decision.
    pub sites: Vec<SiteDescription>,
    /// What an action means.
    pub action: String,
    /// Names of the observation's features.
    pub features: Vec<&'static str>,
}

/// Checked settings of one game.
pub trait Rules: Send + Sync {
    /// The game's own tables with every key.
    fn tables(&self) -> Tables;

    /// Images beside the reward split that candidates are made with: `None` for the dataset's own
    /// number, 0 for none.
    fn training_images(&self) -> Option<usize>;

    /// The same rules with that number written down.
    fn with_training_images(&self, images: usize) -> Box<dyn Rules>;

    /// How the convolutions of candidates are computed.
    fn convolution(&self) -> Convolution;

    /// Whether candidates are made with all images outside the reward split.
    fn uses_all_training_images(&self) -> bool {
        false
    }

    /// Whether candidates are measured against the model of the zoo even where the network to
    /// compress comes from a folder.
    fn measures_against_model(&self) -> bool {
        false
    }

    /// Whether the weights of the network to compress decide what candidates score.
    fn uses_network_weights(&self) -> bool {
        true
    }

    /// The environment without data. `teacher` is the model of the zoo, `network` what is compressed.
    ///
    /// # Errors
    /// Settings that the network does not allow, a budget that cannot be met among them.
    fn outline(&self, header: &Header, teacher: &Graph, network: &Graph) -> Result<Outline, EnvError>;

    /// The game with data.
    ///
    /// # Errors
    /// As [`Rules::outline`]; images or weights that do not fit the network.
    fn play(&self, header: &Header, material: &Material) -> Result<Arc<dyn Play>, EnvError>;
}
