//! Compression methods: what the layer-wise game decides about.
//!
//! A method divides a network into *sites*. At each site one amount is kept of a whole: channels of
//! a coupling group, weights of a layer. The legal amounts form a [`Ladder`]. The cost is an exact
//! integer function of all amounts that never falls when an amount grows; the budget needs nothing
//! else. [`Surgery::apply`] makes the candidate.
//!
//! A new method is one module that implements [`MethodKind`] and [`Method`], and one row in
//! [`FAMILIES`](crate::FAMILIES). [`check_method`] tests it.

pub mod channels;
mod check;
pub mod features;
mod ladder;
pub mod weights;

use std::sync::Arc;

use cgym_teachers::{
    Error,
    cost::Cost,
    engine::Convolution,
    graph::{Graph, NodeIndex},
    weights::Weights,
};

pub use check::check_method;
pub use features::{FEATURE_NAMES, FEATURES};
pub use ladder::Ladder;

use crate::{
    Budget, BudgetUnit, EnvError,
    family::{VERSION_0, Version},
    fields::Table,
    layer::Layer,
    play::Material,
};

/// The amount kept at each site, in their order: a candidate of the layer-wise game.
pub type Kept = Vec<u64>;

/// What a scorer remembers a candidate by.
pub(crate) fn identity(kept: &Kept) -> String {
    kept.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// One decision: how much of a whole is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Name of the layer decided about.
    pub name: String,
    /// Node of that layer.
    pub layer: NodeIndex,
    /// Legal amounts.
    pub ladder: Ladder,
    /// What one amount counts for in an outcome's `kept`: the channels of an atom; 1 elsewhere.
    pub per_amount: u64,
}

impl Site {
    /// Everything that could be kept, in the outcome's unit.
    pub fn whole(&self) -> u64 {
        self.ladder.whole() * self.per_amount
    }

    /// The legal amount that `preserve_ratio` asks for: to the nearest whole number in the
    /// outcome's unit, half to even, then up to the next legal amount, as AMC's code rounds.
    pub fn round(&self, preserve_ratio: f32) -> u64 {
        let asked = (self.whole() as f64 * f64::from(preserve_ratio)).round_ties_even() as u64;
        self.ladder.at_or_above(asked.div_ceil(self.per_amount))
    }

    /// Amount over whole.
    pub fn preserve_ratio(&self, amount: u64) -> f32 {
        amount as f32 / self.ladder.whole() as f32
    }
}

/// A cost as an integer function of the amounts kept at all sites, which never falls when an
/// amount grows.
pub trait CostFunction: Send + Sync {
    /// The cost with these amounts.
    fn total(&self, kept: &[u64]) -> u64;

    /// The cost with `amount` at `site` in place of `kept[site]`, where `total` is the cost of
    /// `kept`.
    fn with(&self, kept: &[u64], _total: u64, site: usize, amount: u64) -> u64 {
        let mut changed = kept.to_vec();
        changed[site] = amount;
        self.total(&changed)
    }
}

/// A method applied to one network, before there are weights or images.
pub trait Method: Send + Sync {
    /// The decisions in their order.
    fn sites(&self) -> &[Site];

    /// The cost in one of the method's units.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for a unit that the method cannot count.
    fn cost(&self, unit: BudgetUnit) -> Result<&dyn CostFunction, EnvError>;

    /// Everything that a candidate costs.
    fn full_cost(&self, kept: &[u64]) -> Cost;

    /// The static features of every site, see [`FEATURE_NAMES`].
    ///
    /// # Errors
    /// A graph that cannot be measured.
    fn features(&self, unit: BudgetUnit) -> Result<Vec<[f32; FEATURES]>, Error>;
}

/// Makes candidates of one network with its weights.
pub trait Surgery: Send + Sync {
    /// The network with these amounts kept, and what is left of its weights as it was.
    ///
    /// # Errors
    /// Amounts that the network does not allow.
    fn cut(&self, kept: &[u64]) -> Result<(Graph, Weights), Error>;

    /// Adapts the `weights` of [`Surgery::cut`] to what is missing; by default they stay as they are.
    ///
    /// # Errors
    /// As [`Surgery::cut`].
    fn refit(&self, _kept: &[u64], _weights: &mut Weights) -> Result<(), Error> {
        Ok(())
    }

    /// The candidate: cut and refitted.
    ///
    /// # Errors
    /// As [`Surgery::cut`].
    fn apply(&self, kept: &[u64]) -> Result<(Graph, Weights), Error> {
        let (graph, mut weights) = self.cut(kept)?;
        self.refit(kept, &mut weights)?;
        Ok((graph, weights))
    }

    /// The name and content of the file of a candidate that was trained further, as
    /// [`Surgery::coded`] for the candidate itself.
    ///
    /// # Errors
    /// Weights that do not fit the graph.
    fn recoded(&self, _graph: &Graph, _weights: &Weights) -> Result<Option<(&'static str, Vec<u8>)>, Error> {
        Ok(None)
    }

    /// The name and content of the file that a candidate is stored in, where the method has a
    /// coding of its own. Its length is the candidate's bytes.
    ///
    /// # Errors
    /// As [`Surgery::apply`].
    fn coded(
        &self,
        _kept: &[u64],
        _graph: &Graph,
        _weights: &Weights,
    ) -> Result<Option<(&'static str, Vec<u8>)>, Error> {
        Ok(None)
    }
}

/// A kind of compression: everything that does not depend on the network.
pub trait MethodKind: Send + Sync + 'static {
    /// The method's keys of `[game]`.
    type Settings: Table + Send + Sync;
    /// The method's keys of `[score]`.
    type Score: Table + Send + Sync;

    /// `game.name`.
    const NAME: &'static str;
    /// First word or words of its ids.
    const ID_WORD: &'static str;
    /// What is decided, in one line.
    const DESCRIPTION: &'static str;
    /// What one unit of an outcome's `kept` is called.
    const KEPT_UNIT: &'static str;
    /// Units that it can count costs in.
    const UNITS: &'static [BudgetUnit];
    /// Ids that are listed, each with a line of description.
    const LISTED: &'static [(&'static str, &'static str)];
    /// Versions, the newest last.
    const VERSIONS: &'static [Version] = VERSION_0;

    /// Defaults for `model` that differ from the tables' own.
    fn defaults(_model: &str) -> Layer {
        Layer::default()
    }

    /// Least preserve ratio of the action space, in (0, 1].
    fn lower_bound(settings: &Self::Settings, budget: &Budget) -> f64;

    /// The method on `graph`.
    ///
    /// # Errors
    /// A network without anything to decide.
    fn method(graph: &Graph, settings: &Self::Settings, budget: &Budget)
    -> Result<Arc<dyn Method>, EnvError>;

    /// How the convolutions of candidates are computed.
    fn convolution(score: &Self::Score) -> Convolution;

    /// Calibration images that surgery uses: `None` for the dataset's own number, 0 for none.
    fn calibration_images(score: &Self::Score) -> Option<usize>;

    /// `score` with that number written down.
    fn with_calibration_images(score: &Self::Score, images: usize) -> Self::Score;

    /// What makes candidates.
    ///
    /// # Errors
    /// Images or weights that do not fit the network.
    fn surgery(
        material: &Material,
        settings: &Self::Settings,
        score: &Self::Score,
    ) -> Result<Arc<dyn Surgery>, EnvError>;
}
