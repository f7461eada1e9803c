//! REINFORCE (Williams, 1992) as N2N (Ashok et al., 2018) uses it, and an actor-critic variant.
//!
//! A policy gives each decision a distribution of actions. After every m episodes it takes one step
//! along (1/m) Σₖ Σₜ ∇ ln π(aₖₜ)·Aₖₜ. The advantage A of an episode is its own return less a baseline:
//! the mean return of the last updates, or the prediction of a value head (`actor-critic`). N2N's
//! released code instead gives all episodes of an update the same advantage, averages over one update
//! too many, and does not train the recurrent weights of its shrinkage policy.
//!
//! Gradients flow through the log-probability of the action that the agent chose. Where the environment
//! executed another one, that is the previous action in the input of the next decision.
//!
//! The agent is in this file, one update in `gradient.rs` and `objective.rs`, the networks in
//! `policy.rs`, `passes.rs` and `cells.rs`.

mod cells;
mod distribution;
mod gradient;
mod objective;
mod passes;
mod policy;
mod saving;
mod settings;
mod special;
#[cfg(test)]
mod tests;

use std::path::Path;

use cgym_env::{Action, ResetOptions};
use cgym_kernels::adam::Adam;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::{Agent, AgentContext, AgentError, Mode, Transition, reading::Reader, settings::recorded};
use cells::State as Memory;
use distribution::Actions;
pub use distribution::Distribution;
use gradient::policy_gradient;
use objective::{Step, leave_one_out};
use passes::Encoded;
pub use policy::PolicyKind;
use policy::{Batch, Policy, Shape};
use saving::State;
pub use settings::ReinforceSettings;

/// Name in the registry of the agent whose baseline is a moving average.
pub(crate) const REINFORCE: &str = "reinforce";
/// Name in the registry of the agent with a critic.
pub(crate) const ACTOR_CRITIC: &str = "actor-critic";

/// Learns a stochastic policy for discrete actions, or for boxes with finite bounds.
pub struct Reinforce {
    name: &'static str,
    settings: ReinforceSettings,
    reader: Reader,
    actions: Actions,
    policy: Policy,
    adam: Adam,
    state: State,
    /// The table that the policy read last while acting, and its encoding.
    encoded: Option<(Vec<f32>, Encoded)>,
    /// Recurrent state of the policy in the episode being played.
    memory: Vec<Memory>,
    /// The last action of the episode being played, as an input.
    previous: Vec<f32>,
    /// Figures of the last update.
    figures: Vec<(String, f64)>,
    /// Values of the last update for histograms.
    distributions: Vec<(String, Vec<f64>)>,
}

/// The input of the policy for one decision.
struct PolicyInput {
    /// Features of all rows; empty where the policy does not read rows.
    table: Vec<f32>,
    row: usize,
    /// What the policy reads beside the rows.
    decision: Vec<f32>,
}

impl Reinforce {
    /// A fresh agent on the CPU, its weights drawn from the seed of `context`.
    ///
    /// # Errors
    /// A setting out of its range, a policy that cannot read the observations, or an action space
    /// without finite bounds.
    pub fn new(settings: &ReinforceSettings, context: &AgentContext<'_>) -> Result<Self, AgentError> {
        Self::named(REINFORCE, settings, context)
    }

    /// As [`Reinforce::new`], with a critic by default; its name is `actor-critic`.
    ///
    /// # Errors
    /// As [`Reinforce::new`].
    pub fn actor_critic(
        settings: &ReinforceSettings,
        context: &AgentContext<'_>,
    ) -> Result<Self, AgentError> {
        Self::named(ACTOR_CRITIC, settings, context)
    }

    fn named(
        name: &'static str,
        settings: &ReinforceSettings,
        context: &AgentContext<'_>,
    ) -> Result<Self, AgentError> {
        let settings = settings.clone().resolve(name, context)?;
        let reader = Reader::new(name, context.env)?;
        let actions = Actions::new(name, context.env.action_space(), settings.distribution)?;
        let kind = settings.policy.unwrap_or(PolicyKind::Mlp);
        let features = reader.features();
        let input = match kind {
            PolicyKind::Bilstm => reader.cursor_width(),
            PolicyKind::Autoregressive | PolicyKind::EncoderDecoder => {
                reader.width() + actions.encoded_width()
            }
            PolicyKind::Mlp => reader.width() + features,
        };
        let shape = Shape {
            kind,
            hidden: settings.hidden,
            layers: settings.layers,
            features,
            input,
            outputs: actions.outputs() + usize::from(settings.critic == Some(true)),
            actions: actions.describe(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(context.seed);
        let policy = Policy::new(shape.clone(), &mut rng);
        Ok(Self {
            name,
            adam: Adam::new(policy.parameters.values().len()),
            state: State {
                rng,
                updates: 0,
                recent: Vec::new(),
                tables: Vec::new(),
                finished: Vec::new(),
                running: Vec::new(),
                previous: actions.start(),
                shape,
                adam_time: 0,
            },
            previous: actions.start(),
            settings,
            reader,
            actions,
            policy,
            encoded: None,
            memory: Vec::new(),
            figures: Vec::new(),
            distributions: Vec::new(),
        })
    }

    /// The policy's input for `observation` after the action `previous`.
    fn policy_input(&self, observation: &[f32], previous: &[f32]) -> Result<PolicyInput, AgentError> {
        self.reader.check(self.name, observation)?;
        let kind = self.policy.shape().kind;
        let mut decision = self.reader.current(observation);
        match kind {
            PolicyKind::Bilstm => drop(decision.drain(..self.reader.features())),
            PolicyKind::Mlp => decision.extend(self.reader.mean(observation)),
            PolicyKind::Autoregressive | PolicyKind::EncoderDecoder => decision.extend(previous),
        }
        if !kind.needs_table() {
            return Ok(PolicyInput { table: Vec::new(), row: 0, decision });
        }
        let table = self.reader.table(observation);
        if table.is_empty() {
            return Err(AgentError::Spaces {
                agent: self.name.to_owned(),
                reason: "an observation has no row of a layer: the mask is 0 everywhere".to_owned(),
            });
        }
        Ok(PolicyInput { table, row: self.reader.row(observation), decision })
    }

    /// Outputs for the next decision of the episode being played.
    fn outputs(&mut self, input: PolicyInput) -> Result<Vec<f32>, AgentError> {
        let encoded = match self.encoded.take() {
            Some((table, encoded)) if table == input.table => encoded,
            _ => self.policy.encode(&input.table),
        };
        let batch = Batch { episodes: 1, inputs: input.decision, rows: vec![input.row], tables: vec![0] };
        let tables = std::slice::from_ref(&encoded);
        let outputs = self.policy.forward(tables, &batch, &mut self.memory).outputs;
        self.encoded = Some((input.table, encoded));
        if outputs.len() == self.policy.shape().outputs && outputs.iter().all(|output| output.is_finite()) {
            Ok(outputs)
        } else {
            Err(AgentError::Diverged { what: "the policy's output".to_owned() })
        }
    }

    /// Makes one update from all finished episodes.
    fn update(&mut self) -> Result<(), AgentError> {
        let episodes = std::mem::take(&mut self.state.finished);
        let tables = std::mem::take(&mut self.state.tables);
        let returns: Vec<f64> =
            episodes.iter().map(|episode| episode.iter().map(|step| step.reward).sum()).collect();
        let baselines = self.baselines(&returns);
        let (policy, actions, settings) = (&self.policy, &self.actions, &self.settings);
        let (update, mut gradient) =
            policy_gradient(policy, actions, settings, &episodes, &tables, &baselines)?;
        if let Some(clip) = self.settings.gradient_clip {
            let norm = gradient.iter().map(|slope| f64::from(*slope).powi(2)).sum::<f64>().sqrt();
            let factor = (clip / norm.max(f64::MIN_POSITIVE)).min(1.0) as f32;
            gradient.iter_mut().for_each(|slope| *slope *= factor);
        }
        let rate = self.settings.learning_rate;
        self.adam.step(self.policy.parameters.values_mut(), &gradient, rate);
        self.encoded = None;
        self.state.updates += 1;
        self.state.recent.push(returns.iter().sum::<f64>() / returns.len().max(1) as f64);
        let old = self.state.recent.len().saturating_sub(self.settings.baseline);
        self.state.recent.drain(..old);
        (self.figures, self.distributions) = (update.figures, update.distributions);
        Ok(())
    }

    /// The baseline of each episode.
    fn baselines(&self, returns: &[f64]) -> Vec<f64> {
        let recent = &self.state.recent;
        if recent.is_empty() {
            return leave_one_out(returns);
        }
        vec![recent.iter().sum::<f64>() / recent.len() as f64; returns.len()]
    }
}

impl Agent for Reinforce {
    fn name(&self) -> &str {
        self.name
    }

    fn settings(&self) -> Value {
        recorded(&self.settings)
    }

    /// The options of an exploring episode contain the number of updates: N2N's constraints become
    /// stricter with it.
    fn begin(&mut self, mode: Mode) -> Result<ResetOptions, AgentError> {
        self.memory.clear();
        self.previous = self.actions.start();
        // Steps of an unfinished episode are dropped.
        self.state.running.clear();
        self.state.previous = self.actions.start();
        // A policy that never updates is held to the strictest constraints.
        let learns = mode == Mode::Explore && !self.settings.frozen;
        let progress = learns.then_some(self.state.updates);
        Ok(ResetOptions { progress, ..ResetOptions::default() })
    }

    fn act(&mut self, observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        let input = self.policy_input(observation, &self.previous)?;
        let outputs = self.outputs(input)?;
        let own = &outputs[..self.actions.outputs()];
        let action = match mode {
            Mode::Explore => self.actions.sample(own, &mut self.state.rng),
            Mode::Exploit => self.actions.best(own),
        };
        self.previous = self.actions.encode(self.name, &action)?;
        Ok(action)
    }

    fn executed(&mut self, executed: &Action) -> Result<(), AgentError> {
        self.previous = self.actions.encode(self.name, executed)?;
        Ok(())
    }

    fn learn(&mut self, transition: &Transition<'_>) -> Result<(), AgentError> {
        let PolicyInput { table, row, decision } =
            self.policy_input(transition.observation, &self.state.previous)?;
        let choice = self.actions.choice(self.name, transition.action)?;
        self.state.previous = self.actions.encode(self.name, transition.executed)?;
        if !transition.reward.is_finite() {
            return Err(AgentError::Diverged { what: "the environment's reward".to_owned() });
        }
        if self.settings.frozen {
            return Ok(());
        }
        let state = &mut self.state;
        let known = state.tables.iter().position(|known| *known == table);
        let table = known.unwrap_or_else(|| {
            state.tables.push(table);
            state.tables.len() - 1
        });
        state.running.push(Step { table, row, input: decision, choice, reward: transition.reward });
        if transition.ending.is_some() {
            state.finished.push(std::mem::take(&mut state.running));
            state.previous = self.actions.start();
            if state.finished.len() >= self.settings.rollouts {
                return self.update();
            }
        }
        Ok(())
    }

    fn batch(&self) -> usize {
        self.settings.rollouts
    }

    fn diagnostics(&self) -> Vec<(String, f64)> {
        let updates = ("charts/updates".to_owned(), self.state.updates as f64);
        self.figures.iter().cloned().chain([updates]).collect()
    }

    fn distributions(&self) -> Vec<(String, Vec<f64>)> {
        self.distributions.clone()
    }

    fn save(&self, directory: &Path) -> Result<(), AgentError> {
        self.write(directory)
    }

    fn load(&mut self, directory: &Path) -> Result<(), AgentError> {
        self.read(directory)
    }

    fn load_policy(&mut self, directory: &Path) -> Result<(), AgentError> {
        let (_, policy) = self.read_policy(directory)?;
        self.adopt(&policy);
        Ok(())
    }
}
