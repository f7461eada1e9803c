//! The rules of the layer-wise game with one network, generic over the method.

use std::sync::Arc;

use super::walk::{Executed, Walk};
use crate::{
    Action, BudgetUnit, EnvError, EnvSpec, Layout, Outcome, ResetOptions, Reward, Space,
    budget::limit,
    family::Header,
    fields::{Table, refuse},
    game::{Finished, Game, Interface},
    method::{
        CostFunction, FEATURES, Kept, Method, Site,
        features::{PREVIOUS, REDUCED},
    },
    score::Score,
};

/// One network, one method, and the rules that the network is compressed by.
pub struct Layerwise {
    interface: Interface,
    method: Arc<dyn Method>,
    unit: BudgetUnit,
    exhaust: bool,
    reward: Reward,
    lower_bound: f64,
    features: Vec<[f32; FEATURES]>,
    /// Cost of the whole network in the budget's unit.
    total: u64,
    /// Least reachable cost in the budget's unit.
    least: u64,
}

impl Layerwise {
    /// The game that compresses a network by `method`, with preserve ratios of `lower_bound` or more.
    ///
    /// # Errors
    /// [`EnvError::Infeasible`] for a budget that cannot be met; a unit that the method cannot count.
    pub fn new(
        header: &Header,
        method: Arc<dyn Method>,
        reward: Reward,
        lower_bound: f64,
    ) -> Result<Self, EnvError> {
        let budget = &header.budget;
        budget.check()?;
        if !(lower_bound > 0.0 && lower_bound <= 1.0) {
            return Err(refuse("lower_bound", format!("{lower_bound} is not a preserve ratio in (0, 1]")));
        }
        let sites = method.sites();
        let cost = method.cost(budget.unit)?;
        let amounts = |amount: fn(&Site) -> u64| sites.iter().map(amount).collect::<Kept>();
        let total = cost.total(&amounts(|site| site.ladder.whole()));
        let least = cost.total(&amounts(|site| site.ladder.least()));
        let game = Self {
            interface: Interface {
                spec: EnvSpec {
                    id: header.id.clone(),
                    decisions: sites.iter().map(|site| site.name.clone()).collect(),
                    reward: reward.to_string(),
                    unit: budget.unit.to_string(),
                    budget: budget.share,
                    layout: Layout::Vector,
                    settings: header.settings.clone(),
                },
                observation_space: Space::vector(FEATURES, 0.0, 1.0),
                action_space: Space::vector(1, lower_bound as f32, 1.0),
            },
            features: method.features(budget.unit)?,
            unit: budget.unit,
            exhaust: budget.exhaust,
            reward,
            lower_bound,
            total,
            least,
            method,
        };
        game.limit(&ResetOptions::default())?;
        Ok(game)
    }

    /// The method applied to the network.
    pub fn method(&self) -> &Arc<dyn Method> {
        &self.method
    }

    /// The least share of the whole network's cost that candidates can reach.
    pub fn least_share(&self) -> f64 {
        self.share(self.least)
    }

    fn cost(&self) -> Result<&dyn CostFunction, EnvError> {
        self.method.cost(self.unit)
    }

    fn share(&self, cost: u64) -> f64 {
        cost as f64 / self.total as f64
    }

    /// The cost that an episode with `options` may reach.
    fn limit(&self, options: &ResetOptions) -> Result<u64, EnvError> {
        let share = options.budget.or(self.interface.spec.budget).unwrap_or(1.0);
        let limit = limit(share, self.total)?;
        if limit < self.least {
            return Err(EnvError::Infeasible {
                share,
                unit: self.interface.spec.unit.clone(),
                least: self.share(self.least),
            });
        }
        Ok(limit)
    }

    /// The preserve ratio of `amount`; within the action space, so that it can be played.
    fn preserve_ratio_of(&self, site: usize, amount: u64) -> f32 {
        self.method.sites()[site].preserve_ratio(amount).max(self.lower_bound as f32)
    }
}

impl Game for Layerwise {
    type Episode = Walk;
    type Choice = Executed;
    type Candidate = Kept;

    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn start(&self, options: &ResetOptions) -> Result<Walk, EnvError> {
        Ok(Walk::new(self.method.sites(), self.cost()?, self.limit(options)?))
    }

    fn taken(&self, walk: &Walk) -> usize {
        walk.taken
    }

    fn choose(&self, walk: &Walk, action: &Action) -> Result<Executed, EnvError> {
        let site = &self.method.sites()[walk.taken];
        match action {
            Action::Continuous(values) if self.interface.action_space.contains(values) => {
                Ok(walk.execute(site, self.cost()?, values[0], self.exhaust))
            }
            _ => Err(EnvError::IllegalAction {
                action: format!("{action:?}"),
                decision: site.name.clone(),
                expected: format!("one preserve ratio in [{}, 1], as `Continuous`", self.lower_bound),
            }),
        }
    }

    fn executed(&self, walk: &Walk, choice: &Executed) -> (Action, bool) {
        (Action::scalar(self.preserve_ratio_of(walk.taken, choice.amount)), choice.clipped)
    }

    fn take(&self, walk: &mut Walk, choice: Executed) {
        let previous = self.preserve_ratio_of(walk.taken, choice.amount);
        walk.take(choice, previous);
    }

    fn observe(&self, walk: &Walk) -> Vec<f32> {
        let mut observation = self.features[walk.taken.min(self.features.len() - 1)];
        observation[REDUCED] = (1.0 - self.share(walk.cost())) as f32;
        observation[PREVIOUS] = walk.previous;
        observation.to_vec()
    }

    fn preserve_ratio(&self, walk: &Walk) -> Result<f64, EnvError> {
        Ok(self.share(walk.cost()))
    }

    fn finish(&self, walk: &Walk) -> Result<Finished<Kept>, EnvError> {
        Ok(Finished::Candidate(walk.kept().to_vec()))
    }

    fn outcome(&self, walk: &Walk, kept: &Kept, score: Score) -> Result<Outcome, EnvError> {
        let cost = self.method.full_cost(kept);
        let in_units = |(site, amount): (&Site, &u64)| (amount * site.per_amount) as usize;
        Ok(Outcome {
            top1: score.top1,
            macs: cost.macs,
            parameters: cost.parameters,
            bytes: cost.weight_bytes,
            preserve_ratio: self.share(walk.cost()),
            kept: self.method.sites().iter().zip(kept).map(in_units).collect(),
            architecture: None,
            loss: score.loss,
        })
    }

    fn reward(&self, _walk: &Walk, outcome: &Outcome) -> f64 {
        self.reward.of(outcome)
    }

    fn recall(&self, outcome: &Outcome) -> Result<Kept, EnvError> {
        let sites = self.method.sites();
        if outcome.kept.len() != sites.len() {
            let reason = format!(
                "has {} decisions, `{}` has {}",
                outcome.kept.len(),
                self.interface.spec.id,
                sites.len()
            );
            return Err(refuse("outcome", reason));
        }
        let mut kept = Kept::with_capacity(sites.len());
        for (site, &units) in sites.iter().zip(&outcome.kept) {
            let (units, per_amount) = (units as u64, site.per_amount);
            let amount = units / per_amount;
            if !units.is_multiple_of(per_amount) || amount == 0 || amount > site.ladder.whole() {
                let reason = format!("keeps {units} at `{}`, which has {}", site.name, site.whole());
                return Err(refuse("outcome", reason));
            }
            kept.push(amount);
        }
        let cost = self.method.full_cost(&kept);
        let made = [cost.macs, cost.parameters, cost.weight_bytes];
        let recorded = [outcome.macs, outcome.parameters, outcome.bytes];
        if made != recorded {
            let reason = format!("has MACs, parameters and bytes {recorded:?}, what it keeps makes {made:?}");
            return Err(refuse("outcome", reason));
        }
        Ok(kept)
    }
}
