//! Methods without a network: any ladders with any cost.

use std::sync::Arc;

use cgym_env::{
    Budget, BudgetUnit, EnvError, FEATURES, Layerwise, LayerwiseEnv, Reward,
    method::{CostFunction, Ladder, Method, Site},
};
use cgym_teachers::{Error, cost::Cost};

use super::header;

/// A cost of all amounts.
pub type ToyCost = Arc<dyn Fn(&[u64]) -> u64 + Send + Sync>;

/// A method whose sites and cost are given. It counts the same in every unit.
#[derive(Clone)]
pub struct Toy {
    pub sites: Vec<Site>,
    pub cost: ToyCostFunction,
}

/// The cost of a toy, each time computed anew.
#[derive(Clone)]
pub struct ToyCostFunction(pub ToyCost);

impl CostFunction for ToyCostFunction {
    fn total(&self, kept: &[u64]) -> u64 {
        (self.0)(kept)
    }
}

impl Toy {
    /// Sites with these ladders.
    pub fn new(
        ladders: impl IntoIterator<Item = Ladder>,
        cost: impl Fn(&[u64]) -> u64 + Send + Sync + 'static,
    ) -> Self {
        let site = |(index, ladder)| Site { name: format!("layer{index}"), layer: 0, ladder, per_amount: 1 };
        let sites = ladders.into_iter().enumerate().map(site).collect();
        Self { sites, cost: ToyCostFunction(Arc::new(cost)) }
    }

    /// Layers of these sizes of which each weight costs 1 and at least the share `least` stays.
    pub fn additive(sizes: &[u64], least: f64) -> Self {
        let ladder = |&size: &u64| Ladder::multiples((size as f64 * least).ceil() as u64, 1, size);
        Self::new(sizes.iter().map(ladder), |kept| kept.iter().sum())
    }

    /// An environment that plays it.
    pub fn env(self, share: Option<f64>, exhaust: bool, lower_bound: f64) -> Result<LayerwiseEnv, EnvError> {
        let budget = Budget { unit: BudgetUnit::PARAMS, share, exhaust };
        let game = Layerwise::new(&header(&budget), Arc::new(self), Reward::Error, lower_bound)?;
        Ok(LayerwiseEnv::surrogate(game))
    }
}

impl Method for Toy {
    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn cost(&self, _unit: BudgetUnit) -> Result<&dyn CostFunction, EnvError> {
        Ok(&self.cost)
    }

    fn full_cost(&self, kept: &[u64]) -> Cost {
        let total = self.cost.total(kept);
        Cost { macs: total, parameters: total, weight_bytes: total, activation_bytes: 0 }
    }

    fn features(&self, _unit: BudgetUnit) -> Result<Vec<[f32; FEATURES]>, Error> {
        Ok(vec![[0.0; FEATURES]; self.sites.len()])
    }
}
