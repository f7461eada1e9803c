//! Channel pruning, AMC's coarse-grained method (He et al., ECCV 2018).
//!
//! A site is a coupling group: channels that can only be removed together, because a residual sum,
//! a depth-wise or a grouped convolution ties them. The preserve ratio is the share of the group's
//! channels that stays, which is the share of input channels of the first layer that reads it.
//! Channels are chosen by magnitude; layers that lost inputs are refitted to their original outputs
//! by least squares.
//!
//! AMC's code counts a layer's channels and its neighbours' separately from residual groups, clips
//! before it rounds and never checks again, so that it overshoots. Here the cost is an exact
//! quadratic form in the counts of all groups ([`CostModel`]), and only legal counts are compared.

mod cost_model;
mod sites;

use std::sync::Arc;

use cgym_teachers::{
    Error,
    cost::Cost,
    coupling::Coupling,
    engine::{Convolution, Images},
    graph::Graph,
    named,
    pruner::Pruner,
    reconstruct::Sampling,
    weights::Weights,
};

pub use cost_model::{CostModel, uniform_groups};

use super::{CostFunction, FEATURES, Method, MethodKind, Site, Surgery, features::static_features};
use crate::{
    Budget, BudgetUnit, EnvError, SPLIT_SEED,
    fields::{Table, refuse},
    layer::Layer,
    play::Material,
    table,
};

/// Which coupling groups are decided about: `inner` or `all`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// Groups that one layer alone produces and no residual sum passes through.
    #[default]
    Inner,
    /// Every group that can lose channels, residual ones included.
    All,
}

named!(Scope, "scope", [Inner => "inner", All => "all"]);

table! {
    /// `[game]` of channel pruning.
    pub struct ChannelSettings {
        /// Coupling groups that are decided about: inner (produced by one layer) or all (residual
        /// sums too).
        pub scope: Scope = Scope::Inner,
        /// Least preserve ratio of every action, in (0, 1].
        pub lower_bound: f64 = 0.2,
        /// Kept channels are a multiple of this, or all; 8 for the MobileNets.
        pub channel_multiple: usize = 1,
    }
}

impl Table for ChannelSettings {
    fn check(&self) -> Result<(), EnvError> {
        let bound = self.lower_bound;
        if !(bound > 0.0 && bound <= 1.0) || bound as f32 <= 0.0 {
            return Err(refuse("lower_bound", format!("{bound} is not a preserve ratio in (0, 1]")));
        }
        if self.channel_multiple == 0 {
            return Err(refuse("channel_multiple", "0 channels have no multiples; 1 allows every count"));
        }
        Ok(())
    }
}

table! {
    /// `[score]` of channel pruning: how a candidate is made before it is scored.
    pub struct ChannelScore {
        /// Refit layers that lost inputs to their original outputs by least squares.
        pub refit: bool = true,
        /// Images that layers are refitted on; the dataset's own number if absent.
        pub calibration_images: Option<usize> = None,
        /// Output pixels sampled per calibration image, at least 1.
        pub points: usize = 10,
        /// fast (fewer multiplications, by Winograd's algorithm) or direct.
        pub convolution: Convolution = Convolution::Fast,
    }
}

impl Table for ChannelScore {
    fn check(&self) -> Result<(), EnvError> {
        if self.refit && self.calibration_images == Some(0) {
            return Err(refuse(
                "calibration_images",
                "0 images leave nothing to refit on; give at least 1, or refit = false",
            ));
        }
        if self.points == 0 {
            return Err(refuse("points", "0 is too few, give at least 1"));
        }
        Ok(())
    }
}

/// Channel pruning.
pub struct Channels;

impl MethodKind for Channels {
    type Settings = ChannelSettings;
    type Score = ChannelScore;

    const NAME: &'static str = "channels";
    const ID_WORD: &'static str = "AMC";
    const DESCRIPTION: &'static str = "AMC's channel pruning: the share of channels that each layer keeps";
    const KEPT_UNIT: &'static str = "channels";
    const UNITS: &'static [BudgetUnit] = &[BudgetUnit::MACS, BudgetUnit::PARAMS, BudgetUnit::BYTES];
    const LISTED: &'static [(&'static str, &'static str)] = &[
        (
            "AMC-ResNet20-Digits-MACs30-v0",
            "30 % of the MACs of ResNet-20 on 8x8 digits: no download, 100 episodes in seconds",
        ),
        ("AMC-ResNet20-Digits-MACs50-v0", "half the MACs of the same network"),
        ("AMC-ResNet20-Digits-Params60-v0", "60 % of the parameters of ResNet-20 on 8x8 digits"),
        ("AMC-ResNet20-Digits-v0", "the same network without a budget, for rewards that count costs"),
        ("AMC-ResNet8-Digits-MACs50-v0", "three decisions: the smallest residual network"),
        ("AMC-LeNet5-Digits-MACs50-v0", "four decisions, two of them on linear layers"),
        ("AMC-LeNet5-MNIST-MACs50-v0", "LeNet-5 on MNIST"),
        ("AMC-LeNet5-FashionMNIST-Params60-v0", "LeNet-5 under a parameter budget"),
        ("AMC-Plain20-CIFAR10-MACs50-v0", "AMC's Plain-20: 18 decisions without shortcuts"),
        ("AMC-ResNet20-CIFAR10-MACs50-v0", "nine residual blocks on CIFAR-10"),
        ("AMC-ResNet56-CIFAR10-MACs50-v0", "AMC's CIFAR-10 benchmark: 27 blocks at half the MACs"),
        ("AMC-ResNet56-CIFAR10-Params60-v0", "the same network at 60 % of its parameters"),
        ("AMC-VGG16-CIFAR10-MACs50-v0", "VGG-16 with batch-norm, all layers coupled in a chain"),
        ("AMC-MobileNetV1-CIFAR10-MACs50-v0", "depth-wise pairs, channels in multiples of 8"),
        ("AMC-MobileNetV2-CIFAR10-MACs50-v0", "inverted residuals, channels in multiples of 8"),
        ("AMC-ResNet18-CIFAR100-MACs50-v0", "eight wide blocks and 100 classes"),
        ("AMC-MobileNetV1-Folder-MACs50-v0", "MobileNet-V1 on your own folder of images"),
    ];

    fn defaults(model: &str) -> Layer {
        match model.starts_with("mobilenet") {
            true => Layer::default().with("game", "channel_multiple", 8),
            false => Layer::default(),
        }
    }

    fn lower_bound(settings: &ChannelSettings, _budget: &Budget) -> f64 {
        settings.lower_bound
    }

    fn method(
        graph: &Graph,
        settings: &ChannelSettings,
        _budget: &Budget,
    ) -> Result<Arc<dyn Method>, EnvError> {
        Ok(Arc::new(ChannelMethod::new(graph, settings)?))
    }

    fn convolution(score: &ChannelScore) -> Convolution {
        score.convolution
    }

    fn calibration_images(score: &ChannelScore) -> Option<usize> {
        if score.refit { score.calibration_images } else { Some(score.calibration_images.unwrap_or(0)) }
    }

    fn with_calibration_images(score: &ChannelScore, images: usize) -> ChannelScore {
        ChannelScore { calibration_images: Some(images), ..score.clone() }
    }

    fn surgery(
        material: &Material,
        settings: &ChannelSettings,
        score: &ChannelScore,
    ) -> Result<Arc<dyn Surgery>, EnvError> {
        let network = &*material.network;
        let method = ChannelMethod::new(&network.graph, settings)?;
        let mut pruner = Pruner::new(network.graph.clone(), network.weights.clone())?;
        if score.refit {
            let calibration = Images::new(&material.train, &material.splits.calibration)?;
            let sampling =
                Sampling { points: score.points, seed: SPLIT_SEED, convolution: score.convolution };
            pruner = pruner.with_reconstruction(&calibration, sampling)?;
        }
        Ok(Arc::new(ChannelSurgery { pruner, groups: method.model.groups().to_vec() }))
    }
}

/// Channel pruning of one network.
pub struct ChannelMethod {
    graph: Graph,
    sites: Vec<Site>,
    model: CostModel,
}

impl ChannelMethod {
    /// The coupling groups of `graph` that are in scope.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for a network without any, or for settings outside their range.
    pub fn new(graph: &Graph, settings: &ChannelSettings) -> Result<Self, EnvError> {
        settings.check()?;
        let coupling = Coupling::of(graph)?;
        let (groups, sites): (Vec<usize>, Vec<Site>) =
            sites::sites(graph, &coupling, settings).into_iter().unzip();
        if sites.is_empty() {
            let reason = format!("`{}` has no channels to decide about in `{}`", graph.name, settings.scope);
            return Err(refuse("game.scope", reason));
        }
        let model = CostModel::new(graph, &coupling, &groups)?;
        Ok(Self { graph: graph.clone(), sites, model })
    }

    /// Costs as functions of the atoms kept at each site.
    pub fn cost_model(&self) -> &CostModel {
        &self.model
    }
}

impl Method for ChannelMethod {
    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn cost(&self, unit: BudgetUnit) -> Result<&dyn CostFunction, EnvError> {
        let unknown = || refuse("budget.unit", format!("channel pruning cannot count {unit}"));
        self.model.form(unit).ok_or_else(unknown)
    }

    fn full_cost(&self, kept: &[u64]) -> Cost {
        self.model.cost(kept)
    }

    fn features(&self, unit: BudgetUnit) -> Result<Vec<[f32; FEATURES]>, Error> {
        static_features(&self.graph, &self.sites, self.model.touching(), unit)
    }
}

/// Prunes one network with its weights.
struct ChannelSurgery {
    pruner: Pruner,
    groups: Vec<usize>,
}

impl ChannelSurgery {
    /// Indices of groups with the atoms to keep.
    fn pairs(&self, kept: &[u64]) -> Result<Vec<(usize, usize)>, Error> {
        if kept.len() != self.groups.len() {
            return Err(Error::Channels {
                group: format!("{} sites", self.groups.len()),
                reason: format!("{kept:?} does not say how much of each is kept"),
            });
        }
        Ok(self.groups.iter().zip(kept).map(|(&group, &atoms)| (group, atoms as usize)).collect())
    }
}

impl Surgery for ChannelSurgery {
    fn cut(&self, kept: &[u64]) -> Result<(Graph, Weights), Error> {
        self.pruner.cut(&self.pairs(kept)?)
    }

    fn refit(&self, kept: &[u64], weights: &mut Weights) -> Result<(), Error> {
        self.pruner.refit(&self.pairs(kept)?, weights)
    }
}
