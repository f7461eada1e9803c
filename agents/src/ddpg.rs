//! Deep deterministic policy gradient (Lillicrap et al., 2016) as AMC (He et al., 2018) uses it.
//!
//! An actor network maps an observation to an action. A critic network learns the value of actions,
//! and the actor follows the critic's gradient. Where this differs from AMC's released code:
//!
//! - every transition is learned from, with the action that was executed;
//! - the critic learns the return itself by default, without bootstrapping (setting `target`);
//! - a step's value is the return less what the other steps' actions explain of it (`credit`);
//! - one number is added to all actions of an episode, the greatest for which the budget clips
//!   none of them (`fill_budget`);
//! - the decay of the exploration depends on the number of episodes and ends at a floor (`sigma_share`,
//!   `sigma_floor`).
//!
//! The algorithm is in this file and in `update.rs`; the other modules are its parts.

mod credit;
mod exploration;
mod network;
mod replay;
mod saving;
mod settings;
#[cfg(test)]
mod tests;
mod update;

use std::path::Path;

use cgym_env::{Action, Ending, Env, ResetOptions};
use cgym_kernels::adam::Adam;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Agent, AgentContext, AgentError, Mode, Transition,
    bounds::Bounds,
    budget::{fits_unclipped, lacks_look_ahead, largest, look_ahead},
    reading::Reader,
    settings::recorded,
};

use credit::History;
use exploration::Exploration;
use network::{Network, Pass, squash};
use replay::{Replay, Row};
use saving::State;
pub use settings::{Credit, DdpgSettings, Target};
use update::Workspace;

pub(crate) const NAME: &str = "ddpg";
/// How to play an environment without look-ahead, as the end of an error message.
const REMEDY: &str = "; with fill_budget = false it needs none";

/// Learns a policy for continuous actions in a box with finite bounds.
///
/// Its networks work in unit coordinates: 0 is the least value of an action, 1 the greatest.
pub struct Ddpg {
    settings: DdpgSettings,
    bounds: Bounds,
    /// Reads the current row and the cursor of an observation that is a table.
    reader: Reader,
    exploration: Exploration,
    actor: Network,
    critic: Network,
    /// Target networks of actor and critic; only bootstrapping has them.
    targets: Option<[Network; 2]>,
    actor_adam: Adam,
    critic_adam: Adam,
    replay: Replay,
    history: History,
    /// A copy of the environment for planning how far to shift an episode's actions; `None` without
    /// `fill_budget`. No candidate is evaluated in it.
    planner: Option<Box<dyn Env>>,
    state: State,
    workspace: Workspace,
    /// Mean critic and actor loss of the last episode with updates.
    losses: Option<[f64; 2]>,
}

/// How the actions of the running episode differ from the policy's.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Plan {
    /// Seed of the exploration noise, one stream per step; no noise where absent.
    noise: Option<u64>,
    /// Added to every action, in unit coordinates, so that the episode uses its budget.
    shift: f32,
    step: usize,
}

impl Ddpg {
    /// A fresh agent on the CPU, its weights drawn from the seed of `context`.
    ///
    /// # Errors
    /// A setting out of its range, an action space that is not a box with finite bounds, or
    /// `fill_budget` in an environment without look-ahead.
    pub fn new(settings: &DdpgSettings, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let settings = settings.clone().resolve(context)?;
        let bounds = Bounds::new(NAME, context.env.action_space())?;
        let planner = if settings.fill_budget { Some(look_ahead(NAME, context.env, REMEDY)?) } else { None };
        let mut rng = ChaCha8Rng::seed_from_u64(context.seed);
        let reader = Reader::new(NAME, context.env)?;
        let (observation, action) = (reader.width(), bounds.length());
        let [first, second] = settings.hidden;
        let actor = Network::actor([observation, first, second, action], &mut rng);
        let critic = Network::critic([observation, action], settings.hidden, &mut rng);
        let targets = (settings.target == Target::Bootstrap).then(|| [actor.clone(), critic.clone()]);
        Ok(Self {
            exploration: Exploration::new(&settings, settings.warmup.unwrap_or(0), context.episodes),
            actor_adam: Adam::new(actor.values().len()),
            critic_adam: Adam::new(critic.values().len()),
            replay: Replay::new(observation, action, settings.replay.unwrap_or(1)),
            history: History::new(
                action * context.env.spec().steps(),
                action,
                settings.credit_memory.unwrap_or(f64::INFINITY),
            ),
            planner,
            state: State {
                rng,
                episodes: 0,
                updates: 0,
                baseline: None,
                pending: Vec::new(),
                plan: Plan::default(),
                level: None,
                returns: Vec::new(),
                replay_next: 0,
                actor_time: 0,
                critic_time: 0,
                widths: vec![observation, first, second, action],
            },
            workspace: Workspace::default(),
            losses: None,
            settings,
            bounds,
            reader,
            actor,
            critic,
            targets,
        })
    }

    /// The policy's action for `observation`, in unit coordinates.
    fn policy(&self, observation: &[f32]) -> Result<Vec<f32>, AgentError> {
        let mut pass = Pass::default();
        self.actor.forward(&[&self.reader.current(observation)], 1, &mut pass);
        let mut units = pass.output;
        squash(&mut units);
        if units.len() == self.bounds.length() && units.iter().all(|unit| unit.is_finite()) {
            Ok(units)
        } else {
            Err(AgentError::Diverged { what: "the actor's action".to_owned() })
        }
    }

    /// The action of `plan` for `observation`: the policy's, plus noise, plus the shift.
    fn planned(&self, observation: &[f32], plan: &Plan) -> Result<Action, AgentError> {
        let mut units = self.policy(observation)?;
        if let Some(seed) = plan.noise {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(plan.step as u64);
            units = self.exploration.explore(self.state.episodes, &units, &mut rng);
        }
        units.iter_mut().for_each(|unit| *unit += plan.shift);
        Ok(self.bounds.action(&units))
    }

    /// The greatest shift for which the budget clips no action of the running episode. Each trial plays
    /// all steps but the last in a fork, so that no candidate is evaluated.
    fn shift_that_fits(&self, planner: &dyn Env) -> Result<f32, AgentError> {
        let fits = |shift: f64| -> Result<bool, AgentError> {
            let mut env = planner.fork().ok_or_else(|| lacks_look_ahead(NAME, planner, REMEDY))?;
            let mut observation = env.reset(0, &ResetOptions::default())?;
            let mut plan = Plan { shift: shift as f32, ..self.state.plan.clone() };
            let mut actions = Vec::new();
            loop {
                let action = self.planned(&observation, &plan)?;
                actions.push(action.clone());
                plan.step += 1;
                if plan.step >= env.spec().steps() {
                    return fits_unclipped(&*env, &actions);
                }
                observation = env.step(&action)?.into_observation();
            }
        };
        Ok(largest(-1.0, 1.0, fits)?.unwrap_or(0.0) as f32)
    }

    /// Stores the finished episode and makes its updates.
    fn end_episode(&mut self) -> Result<(), AgentError> {
        let mut rows = std::mem::take(&mut self.state.pending);
        let episodic_return: f64 = rows.iter().map(|row| f64::from(row.value)).sum();
        let mut to_go = 0.0;
        for row in rows.iter_mut().rev() {
            to_go = f64::from(row.value) + self.settings.discount * to_go;
            row.value = match self.settings.target {
                Target::MonteCarlo => to_go as f32,
                Target::Bootstrap => episodic_return as f32,
            };
            row.episode = self.history.len() as u32;
            self.replay.push(row);
        }
        let played: Vec<f32> = rows.iter().flat_map(|row| row.action.iter().copied()).collect();
        self.history.push(&played, episodic_return);
        if self.settings.fill_budget {
            let mean = played.iter().sum::<f32>() / played.len().max(1) as f32;
            self.state.level = Some(self.state.level.map_or(mean, |level| 0.8 * level + 0.2 * mean));
        }
        let weight = self.settings.baseline_decay;
        let past = self.state.baseline.unwrap_or(episodic_return);
        self.state.baseline = Some(weight * past + (1.0 - weight) * episodic_return);

        let warming_up = self.exploration.warming_up(self.state.episodes);
        self.state.episodes += 1;
        let updates = rows.len() * self.settings.updates_per_step;
        if updates == 0 || (warming_up && !self.settings.warmup_critic) {
            return Ok(());
        }
        if self.settings.credit == Credit::Residual {
            self.history.fit();
        }
        let mut sums = [0.0; 2];
        for _ in 0..updates {
            let losses = self.update(!warming_up)?;
            sums = [sums[0] + losses[0], sums[1] + losses[1]];
        }
        self.losses = Some(sums.map(|sum| sum / updates as f64));
        Ok(())
    }
}

impl Agent for Ddpg {
    fn name(&self) -> &str {
        NAME
    }

    fn settings(&self) -> Value {
        recorded(&self.settings)
    }

    fn begin(&mut self, mode: Mode) -> Result<ResetOptions, AgentError> {
        self.state.pending.clear();
        let noise = (mode == Mode::Explore).then(|| self.state.rng.random());
        self.state.plan = Plan { noise, ..Plan::default() };
        if let Some(planner) = &self.planner {
            self.state.plan.shift = self.shift_that_fits(&**planner)?;
        }
        Ok(ResetOptions::default())
    }

    fn act(&mut self, observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        self.reader.check(NAME, observation)?;
        debug_assert_eq!(mode == Mode::Explore, self.state.plan.noise.is_some());
        let action = self.planned(observation, &self.state.plan)?;
        self.state.plan.step += 1;
        Ok(action)
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        self.reader.check(NAME, transition.observation)?;
        self.reader.check(NAME, transition.next_observation)?;
        if !transition.reward.is_finite() {
            return Err(AgentError::Diverged { what: "the environment's reward".to_owned() });
        }
        let action = self.bounds.units(NAME, transition.executed)?;
        if self.settings.frozen {
            self.state.episodes += u64::from(transition.ending.is_some());
            return Ok(());
        }
        let ended = transition.ending == Some(Ending::Terminated);
        self.state.pending.push(Row {
            observation: self.reader.current(transition.observation),
            action,
            next_observation: self.reader.current(transition.next_observation),
            value: transition.reward as f32,
            episode: 0,
            step: self.state.pending.len() as u32,
            bootstrap: if ended { 0.0 } else { self.settings.discount as f32 },
        });
        if transition.ending.is_some() { self.end_episode() } else { Ok(()) }
    }

    fn diagnostics(&self) -> Vec<(String, f64)> {
        let sigma = self.exploration.sigma(self.state.episodes);
        let mut figures = vec![
            ("charts/exploration_sigma", sigma),
            ("charts/updates", self.state.updates as f64),
            ("charts/replay", self.replay.len() as f64),
            ("charts/budget_shift", f64::from(self.state.plan.shift)),
        ];
        figures.extend(self.state.baseline.map(|baseline| ("charts/baseline", baseline)));
        if let Some([critic, actor]) = self.losses {
            figures.extend([("losses/critic", critic), ("losses/actor", actor)]);
        }
        figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn save(&self, directory: &Path) -> Result<(), AgentError> {
        self.write(directory)
    }

    fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
        self.read(directory)
    }

    fn load_policy(&mut self, directory: &Path) -> Result<(), AgentError> {
        self.read_policy(directory)
    }
}
