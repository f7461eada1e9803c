//! Deep deterministic policy gradient (Lillicrap et al., 2016) as AMC (He et al., 2018) uses it.
//!
//! An actor maps an observation to an action, a critic learns what actions are worth, and the
//! actor climbs the critic. Where this differs from AMC's released code: every transition is
//! learned from, with the action that was executed; the critic by default learns the return itself
//! instead of bootstrapping; the exploration's decay hangs on the number of episodes and ends at a
//! floor; an episode's actions are shifted alike until they use the whole budget; and a step is
//! credited with what the other steps' actions do not explain, lately. `fill_budget`, `credit` and
//! `target` turn these off.

mod credit;
mod exploration;
mod network;
mod replay;
mod saving;
mod settings;

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use cgym_env::{Action, Ending, Env, ResetOptions};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Agent, AgentContext, AgentError, Mode, Transition,
    adam::Adam,
    bounds::Bounds,
    budget::{fits_unclipped, lacks_look_ahead, largest, look_ahead},
    reading::Reader,
    settings::recorded,
};

use credit::History;
use exploration::Exploration;
use network::Network;
use replay::{Replay, Row};
use saving::State;
pub use settings::{Credit, DdpgSettings, Target};

pub(crate) const NAME: &str = "ddpg";
/// How to play an environment without look-ahead, as the end of an error message.
const REMEDY: &str = "; with fill_budget = false it needs none";

/// Learns a policy for any box of continuous actions with finite bounds.
///
/// The networks see actions in unit coordinates: 0 is an action's least value, 1 its greatest.
pub struct Ddpg {
    settings: DdpgSettings,
    bounds: Bounds,
    /// Of a table it reads the current row and the cursor.
    reader: Reader,
    device: Device,
    exploration: Exploration,
    actor: Network,
    critic: Network,
    /// Slow twins of actor and critic, for bootstrapping only.
    targets: Option<[Network; 2]>,
    actor_adam: Adam,
    critic_adam: Adam,
    replay: Replay,
    history: History,
    /// A copy of the environment for planning episodes; `None` where they are not planned. It never
    /// evaluates a candidate.
    planner: Option<Box<dyn Env>>,
    state: State,
    /// Mean critic and actor loss of the last episode with updates.
    losses: Option<[f64; 2]>,
}

/// How the running episode strays from the policy.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Plan {
    /// Seed of the exploration noise, one stream a step; the policy itself where absent.
    noise: Option<u64>,
    /// Added to every unit action so that the episode uses its budget.
    shift: f32,
    step: usize,
}

impl Ddpg {
    /// A fresh agent on the CPU, its weights drawn from the seed of `context`.
    ///
    /// # Errors
    /// A setting out of its range, or an action space that is not a box with finite bounds.
    pub fn new(settings: &DdpgSettings, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        let settings = settings.clone().resolve(context)?;
        let bounds = Bounds::new(NAME, context.env.action_space())?;
        let planner = if settings.fill_budget { Some(look_ahead(NAME, context.env, REMEDY)?) } else { None };
        let device = Device::flex();
        keep_freed_memory();
        let mut rng = ChaCha8Rng::seed_from_u64(context.seed);
        let reader = Reader::new(NAME, context.env)?;
        let (observation, action) = (reader.width(), bounds.length());
        let [first, second] = settings.hidden;
        let actor = Network::actor([observation, first, second, action], &device, &mut rng);
        let critic = Network::critic([observation, action], settings.hidden, &device, &mut rng);
        let targets = (settings.target == Target::Bootstrap).then(|| [actor.twin(), critic.twin()]);
        Ok(Self {
            exploration: Exploration::new(&settings, settings.warmup.unwrap_or(0), context.episodes),
            actor_adam: Adam::new(actor.parameters().len()),
            critic_adam: Adam::new(critic.parameters().len()),
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
            losses: None,
            settings,
            bounds,
            reader,
            device,
            actor,
            critic,
            targets,
        })
    }

    /// The policy's action for `observation`, in unit coordinates.
    fn policy(&self, observation: &[f32]) -> Result<Vec<f32>, AgentError> {
        let batch = self.tensor(self.reader.current(observation), self.reader.width());
        let units = self.actor.constant().policy(batch).into_data().try_to_vec::<f32>().unwrap_or_default();
        if units.len() == self.bounds.length() && units.iter().all(|unit| unit.is_finite()) {
            Ok(units)
        } else {
            Err(AgentError::Diverged { what: "the actor's action".to_owned() })
        }
    }

    /// What `plan` does at `observation`: the policy, noise, the shift.
    fn planned(&self, observation: &[f32], plan: &Plan) -> Result<Action, AgentError> {
        let mut units = self.policy(observation)?;
        if let Some(seed) = plan.noise {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(plan.step as u64);
            units = self.exploration.stray(self.state.episodes, &units, &mut rng);
        }
        units.iter_mut().for_each(|unit| *unit += plan.shift);
        Ok(self.bounds.action(&units))
    }

    /// The greatest shift under which a fork of the environment plays the episode with nothing
    /// clipped by the budget. All but the last step are played, so nothing is evaluated.
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

    /// Rows of `width` numbers on the device.
    fn tensor(&self, values: Vec<f32>, width: usize) -> Tensor<2> {
        let rows = values.len() / width;
        Tensor::from_data(TensorData::new(values, [rows, width]), &self.device)
    }

    /// Stores the episode just ended and learns from memory.
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

    /// One step of the critic and, where `move_actor`, of the actor; gives both losses.
    fn update(&mut self, move_actor: bool) -> Result<[f64; 2], AgentError> {
        let batch = self.replay.sample(self.settings.batch, &mut self.state.rng);
        let baseline = self.state.baseline.unwrap_or(0.0) as f32;
        let observations = self.tensor(batch.observations, self.reader.width());
        let actions = self.tensor(batch.actions, self.bounds.length());
        let explained = |row: usize| match self.settings.credit {
            Credit::Shared => baseline,
            Credit::Residual => self.history.others(batch.episodes[row], batch.steps[row]),
        };
        // In units of the spread of returns, so that nothing hangs on the scale of rewards.
        let scale = match self.settings.target {
            Target::MonteCarlo => 1.0 / self.history.spread() as f32,
            Target::Bootstrap => 1.0,
        };
        let advantages =
            batch.values.iter().enumerate().map(|(row, value)| scale * (value - explained(row))).collect();
        let mut targets = self.tensor(advantages, 1);
        if let Some([actor, critic]) = &self.targets {
            let next = self.tensor(batch.next_observations, self.reader.width());
            let next_values = critic.constant().value(next.clone(), actor.constant().policy(next));
            targets = targets + next_values * self.tensor(batch.bootstraps, 1);
        }

        let critic = self.critic.tracked();
        let error = critic.value(observations.clone(), actions) - targets;
        let loss = (error.clone() * error).mean();
        let critic_loss = finite("the critic's loss", &loss)?;
        let gradient = critic.gradient(&loss);
        let rate = self.settings.critic_learning_rate;
        self.critic.change(|parameters| self.critic_adam.step(parameters, &gradient, rate));

        let mut actor_loss = 0.0;
        if move_actor {
            let actor = self.actor.tracked();
            // The critic knows executed actions: it is asked about the policy as it is played.
            let policy = actor.policy(observations.clone());
            let loss = match self.state.level {
                None => self.critic.constant().value(observations, policy).mean().neg(),
                // The shift gives all actions alike what the budget leaves, and returns say nothing
                // of what they have in common: the critic is asked about differences only, and
                // the mean is drawn to where it is played.
                Some(level) => {
                    let mean = policy.clone().mean();
                    let played = policy - mean.clone().reshape([1, 1]) + level;
                    let drift = mean - level;
                    let values = self.critic.constant().value(observations, played);
                    values.mean().neg() + drift.clone() * drift
                }
            };
            actor_loss = finite("the actor's loss", &loss)?;
            let gradient = actor.gradient(&loss);
            let rate = self.settings.actor_learning_rate;
            self.actor.change(|parameters| self.actor_adam.step(parameters, &gradient, rate));
        }

        if let Some([actor, critic]) = &mut self.targets {
            actor.follow(&self.actor, self.settings.tau as f32);
            critic.follow(&self.critic, self.settings.tau as f32);
        }
        self.state.updates += 1;
        Ok([critic_loss, actor_loss])
    }
}

/// Makes glibc's allocator keep freed tensors instead of handing them back to the kernel.
///
/// It returns blocks above a threshold at once, and every new tensor of 300 × 300 then costs 88
/// page faults, a third of an update. Freeing one block of nearly 32 MiB, the most that it will
/// learn from, moves the threshold up there. Elsewhere this does nothing.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(31 << 20)));
}

/// The loss as a number, refused unless finite.
fn finite(what: &str, loss: &Tensor<1>) -> Result<f64, AgentError> {
    let value = f64::from(loss.clone().into_scalar::<f32>());
    if value.is_finite() { Ok(value) } else { Err(AgentError::Diverged { what: what.to_owned() }) }
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
