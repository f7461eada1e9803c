//! AMC: one preserve ratio a layer, under a budget that cannot be broken (He et al., ECCV 2018).
//!
//! An episode walks the network from input to output and decides about one coupling group a step.
//! The action is the share of the group's channels that stays, which is the share of input
//! channels of the first layer that reads it. Only the last step evaluates the candidate and has a
//! reward; all others have reward 0.
//!
//! **Actions** lie in the box [`lower_bound`, 1], the same for every layer. AMC's (0, 1] would map
//! all below the bound to one and the same count, so that a random agent would draw it far too
//! often and a sigmoid actor would waste that part of its range and lose its gradient there.
//!
//! **Observations** are AMC's eleven features, see [`FEATURE_NAMES`].
//!
//! **Budget.** AMC's code counts a layer's channels and its neighbours' separately from residual
//! groups, clips before it rounds and never looks again, so that it overshoots. Here the cost is
//! an exact function of all groups ([`CostModel`]), and only legal counts are compared: the budget
//! holds after rounding, and one that cannot be met is refused before the first episode.

mod decision;
mod episode;
mod observation;
mod settings;
mod world;

use std::sync::Arc;

use cgym_teachers::{coupling::Coupling, graph::Graph};

pub use decision::Decision;
use episode::Episode;
pub use observation::{FEATURE_NAMES, FEATURES};
pub use settings::{AmcSettings, Scope};
use world::World;

use crate::{
    Action, Env, EnvError, EnvSpec, Info, Layout, Outcome, Preview, ResetOptions, Space, Step,
    cost_model::CostModel,
    evaluator::{Candidate, Evaluation, Evaluator},
};

/// AMC channel pruning of one network. Nothing in it is random: the seed of a reset is ignored.
#[derive(Clone)]
pub struct AmcEnv {
    world: Arc<World>,
    episode: Option<Episode>,
}

impl AmcEnv {
    /// The environment `id` that prunes `graph`, whose coupling is `coupling`, and has candidates
    /// scored by `evaluator`.
    ///
    /// # Errors
    /// [`EnvError::Setting`] for settings outside their range or a network with nothing to decide;
    /// [`EnvError::Infeasible`] for a target that cannot be met.
    pub fn new(
        id: &str,
        graph: &Graph,
        coupling: &Coupling,
        settings: &AmcSettings,
        evaluator: Arc<dyn Evaluator>,
    ) -> Result<Self, EnvError> {
        settings.check()?;
        let decisions = decision::decisions(graph, coupling, settings);
        if decisions.is_empty() {
            return Err(EnvError::Setting {
                key: "scope".to_owned(),
                reason: format!("`{}` has no channels to decide about in `{}`", graph.name, settings.scope),
            });
        }
        let groups: Vec<usize> = decisions.iter().map(|decision| decision.group).collect();
        let model = CostModel::new(graph, coupling, &groups)?;
        let features = observation::table(graph, &decisions, &model, settings.budget)?;
        let cost = model.form(settings.budget);
        let least: Vec<u64> = decisions.iter().map(|decision| decision.least as u64).collect();
        let world = World {
            spec: EnvSpec {
                id: id.to_owned(),
                decisions: decisions.iter().map(|decision| decision.name.clone()).collect(),
                reward: settings.reward.to_string(),
                unit: settings.budget.to_string(),
                budget: Some(settings.target),
                layout: Layout::Vector,
                settings: String::new(),
            },
            observation_space: Space::vector(FEATURES, 0.0, 1.0),
            action_space: Space::vector(1, settings.lower_bound as f32, 1.0),
            total: cost.value(model.atoms()),
            least: cost.value(&least),
            settings: settings.clone(),
            decisions,
            features,
            model,
            evaluator,
        };
        world.limit(&ResetOptions::default())?;
        Ok(Self { world: Arc::new(world), episode: None })
    }

    /// The decisions of every episode in their order.
    pub fn decisions(&self) -> &[Decision] {
        &self.world.decisions
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &AmcSettings {
        &self.world.settings
    }

    /// Costs as functions of the atoms kept at each decision.
    pub fn cost_model(&self) -> &CostModel {
        &self.world.model
    }

    /// The least target that can be met.
    pub fn least_target(&self) -> f64 {
        self.world.share(self.world.least)
    }

    /// A recorded outcome as the evaluator's question and answer, to fill a
    /// [`Memoised`](crate::Memoised) with when a run is resumed.
    ///
    /// # Errors
    /// [`EnvError::Setting`] when the outcome is not one of this environment.
    pub fn recall(&self, outcome: &Outcome) -> Result<(Candidate, Evaluation), EnvError> {
        let world = &*self.world;
        let refuse = |reason: String| EnvError::Setting { key: "outcome".to_owned(), reason };
        if outcome.kept.len() != world.decisions.len() {
            return Err(refuse(format!(
                "keeps channels at {} decisions, `{}` has {}",
                outcome.kept.len(),
                world.spec.id,
                world.decisions.len()
            )));
        }
        let mut kept = Vec::with_capacity(outcome.kept.len());
        for (decision, &channels) in world.decisions.iter().zip(&outcome.kept) {
            let whole_atoms = channels.is_multiple_of(decision.channels_per_atom);
            if !whole_atoms || channels == 0 || channels > decision.channels() {
                return Err(refuse(format!(
                    "keeps {channels} channels at `{}`, which has {}",
                    decision.name,
                    decision.channels()
                )));
            }
            kept.push((channels / decision.channels_per_atom) as u64);
        }
        let cost = world.model.cost(&kept);
        if (cost.macs, cost.parameters) != (outcome.macs, outcome.parameters) {
            return Err(refuse(format!(
                "is of {} MACs and {} parameters, these channels make {} and {}",
                outcome.macs, outcome.parameters, cost.macs, cost.parameters
            )));
        }
        Ok((world.candidate(&kept), Evaluation { top1: outcome.top1, cost, loss: None }))
    }
}

impl Env for AmcEnv {
    fn spec(&self) -> &EnvSpec {
        &self.world.spec
    }

    fn observation_space(&self) -> &Space {
        &self.world.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.world.action_space
    }

    fn reset(&mut self, _seed: u64, options: &ResetOptions) -> Result<Vec<f32>, EnvError> {
        let world = &*self.world;
        let episode = Episode::new(&world.decisions, world.cost(), world.limit(options)?);
        let observation = world.observe(0, episode.cost(), 1.0);
        self.episode = Some(episode);
        Ok(observation)
    }

    fn step(&mut self, action: &Action) -> Result<Step, EnvError> {
        let world = &*self.world;
        let decisions = world.decisions.len();
        let running = self.episode.as_mut().filter(|episode| episode.taken < decisions);
        let episode = running.ok_or(EnvError::NeedsReset)?;
        let (taken, executed) = (episode.taken, world.execute(episode, action)?);
        let previous = world.preserve_ratio(taken, executed.atoms);
        let mut info = Info { executed: Some(Action::scalar(previous)), outcome: None, reason: None };
        if taken + 1 < decisions {
            episode.take(executed);
            let observation = world.observe(taken + 1, episode.cost(), previous);
            return Ok(Step::transition(observation, 0.0, info));
        }
        // A failed evaluation leaves the episode at its last decision.
        let mut finished = episode.clone();
        finished.take(executed);
        let outcome = world.outcome(&finished)?;
        *episode = finished;
        let reward = world.settings.reward.of(&outcome);
        let observation = world.observe(taken, episode.cost(), previous);
        info.outcome = Some(Box::new(outcome));
        Ok(Step::termination(observation, reward, info))
    }

    fn preview(&self, options: &ResetOptions, actions: &[Action]) -> Result<Preview, EnvError> {
        let world = &*self.world;
        if actions.len() != world.decisions.len() {
            return Err(EnvError::Setting {
                key: "actions".to_owned(),
                reason: format!("{} for {} decisions", actions.len(), world.decisions.len()),
            });
        }
        let mut episode = Episode::new(&world.decisions, world.cost(), world.limit(options)?);
        let mut executed = Vec::with_capacity(actions.len());
        let mut clipped = false;
        for (index, action) in actions.iter().enumerate() {
            let one = world.execute(&episode, action)?;
            episode.take(one);
            clipped |= one.clipped;
            executed.push(Action::scalar(world.preserve_ratio(index, one.atoms)));
        }
        Ok(Preview { executed, clipped, preserve_ratio: world.share(episode.cost()) })
    }

    fn fork(&self) -> Option<Box<dyn Env>> {
        Some(Box::new(self.clone()))
    }
}
