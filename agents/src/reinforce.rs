//! REINFORCE (Williams, 1992) as N2N (Ashok et al., 2018) uses it, and actor-critic beside it.
//!
//! A policy gives each decision a distribution of actions. After every m episodes it takes one step
//! along (1/m) Σₖ Σₜ ∇ ln π(aₖₜ)·Aₖₜ, in which each episode has its *own* advantage: its return less
//! a moving average of the last updates' mean returns, or less what a value head expects
//! (`actor-critic`). N2N's released code instead weighs all episodes of an update alike, averages
//! over one update too many, and leaves the recurrent weights of its shrinkage policy out.
//!
//! Gradients flow through the log-probability of what the agent chose; where the environment did
//! something else, that is what the next decision sees as the previous action.

mod cells;
mod distribution;
mod objective;
mod policy;
mod saving;
mod settings;
mod special;
#[cfg(test)]
mod tests;

use std::path::Path;

use burn::tensor::Device;
use cgym_env::{Action, ResetOptions};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::{
    Agent, AgentContext, AgentError, Mode, Transition, adam::Adam, parameters::numbers, reading::Reader,
    settings::recorded,
};
use cells::State as Memory;
use distribution::Actions;
pub use distribution::Distribution;
use objective::{Lesson, Step, leave_one_out, lesson};
pub use policy::PolicyKind;
use policy::{Batch, Encoded, Policy, Shape};
use saving::State;
pub use settings::ReinforceSettings;

/// Name in the registry, with a moving average for a baseline.
pub(crate) const REINFORCE: &str = "reinforce";
/// Name in the registry, with a critic.
pub(crate) const ACTOR_CRITIC: &str = "actor-critic";

/// Learns a stochastic policy for indices, or for boxes with finite bounds.
pub struct Reinforce {
    name: &'static str,
    settings: ReinforceSettings,
    reader: Reader,
    actions: Actions,
    policy: Policy,
    adam: Adam,
    state: State,
    /// The table that the policy read last while acting, and what it came to.
    encoded: Option<(Vec<f32>, Encoded)>,
    /// What the policy remembers of the episode being played.
    memory: Vec<Memory>,
    /// The last action of the episode being played, as an input.
    previous: Vec<f32>,
    /// Of the last update.
    figures: Vec<(String, f64)>,
    distributions: Vec<(String, Vec<f64>)>,
}

/// What a decision is made on.
struct Seen {
    /// Features of all rows; empty where the policy does not read them.
    table: Vec<f32>,
    row: usize,
    input: Vec<f32>,
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

    /// As [`Reinforce::new`], with a critic by default and under the name `actor-critic`.
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
        let policy = Policy::new(shape.clone(), &Device::flex(), &mut rng);
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

    /// What the policy sees of `observation` after the action `previous`.
    fn see(&self, observation: &[f32], previous: &[f32]) -> Result<Seen, AgentError> {
        self.reader.check(self.name, observation)?;
        let kind = self.policy.shape().kind;
        let mut input = self.reader.current(observation);
        match kind {
            PolicyKind::Bilstm => drop(input.drain(..self.reader.features())),
            PolicyKind::Mlp => input.extend(self.reader.mean(observation)),
            PolicyKind::Autoregressive | PolicyKind::EncoderDecoder => input.extend(previous),
        }
        if !kind.needs_table() {
            return Ok(Seen { table: Vec::new(), row: 0, input });
        }
        let table = self.reader.table(observation);
        if table.is_empty() {
            return Err(AgentError::Spaces {
                agent: self.name.to_owned(),
                reason: "an observation has no row of a layer: the mask is 0 everywhere".to_owned(),
            });
        }
        Ok(Seen { table, row: self.reader.row(observation), input })
    }

    /// Outputs for the next decision of the episode being played.
    fn outputs(&mut self, seen: Seen) -> Result<Vec<f32>, AgentError> {
        let tensors = self.policy.parameters.constant();
        let encoded = match self.encoded.take() {
            Some((table, encoded)) if table == seen.table => encoded,
            _ => self.policy.encode(tensors, &seen.table),
        };
        let batch = Batch { episodes: 1, inputs: seen.input, rows: vec![seen.row], tables: vec![0] };
        let tables = std::slice::from_ref(&encoded);
        let outputs = numbers(self.policy.outputs(tensors, tables, &batch, &mut self.memory));
        self.encoded = Some((seen.table, encoded));
        if outputs.len() == self.policy.shape().outputs && outputs.iter().all(|output| output.is_finite()) {
            Ok(outputs)
        } else {
            Err(AgentError::Diverged { what: "the policy's output".to_owned() })
        }
    }

    /// Learns from all finished episodes.
    fn update(&mut self) -> Result<(), AgentError> {
        let episodes = std::mem::take(&mut self.state.finished);
        let tables = std::mem::take(&mut self.state.tables);
        let returns: Vec<f64> =
            episodes.iter().map(|episode| episode.iter().map(|step| step.reward).sum()).collect();
        let baselines = self.baselines(&returns);
        let (policy, actions, settings) = (&self.policy, &self.actions, &self.settings);
        let (lesson, mut gradient) =
            policy_gradient(policy, actions, settings, &episodes, &tables, &baselines)?;
        if let Some(clip) = self.settings.gradient_clip {
            let norm = gradient.iter().map(|slope| f64::from(*slope).powi(2)).sum::<f64>().sqrt();
            let factor = (clip / norm.max(f64::MIN_POSITIVE)).min(1.0) as f32;
            gradient.iter_mut().for_each(|slope| *slope *= factor);
        }
        let rate = self.settings.learning_rate;
        self.policy.parameters.change(|parameters| self.adam.step(parameters, &gradient, rate));
        self.encoded = None;
        self.state.updates += 1;
        self.state.recent.push(returns.iter().sum::<f64>() / returns.len().max(1) as f64);
        let old = self.state.recent.len().saturating_sub(self.settings.baseline);
        self.state.recent.drain(..old);
        (self.figures, self.distributions) = (lesson.figures, lesson.distributions);
        Ok(())
    }

    /// What each episode's return is compared with.
    fn baselines(&self, returns: &[f64]) -> Vec<f64> {
        let recent = &self.state.recent;
        if recent.is_empty() {
            return leave_one_out(returns);
        }
        vec![recent.iter().sum::<f64>() / recent.len() as f64; returns.len()]
    }
}

/// What `episodes` teach, and the gradient of the loss in the order of the flat parameters: one
/// forward and one backward pass.
fn policy_gradient(
    policy: &Policy,
    actions: &Actions,
    settings: &ReinforceSettings,
    episodes: &[Vec<Step>],
    tables: &[Vec<f32>],
    baselines: &[f64],
) -> Result<(Lesson, Vec<f32>), AgentError> {
    let tensors = policy.parameters.tracked();
    let encoded: Vec<Encoded> = tables.iter().map(|table| policy.encode(&tensors, table)).collect();
    let batch = side_by_side(episodes, policy.shape().input);
    let outputs = policy.outputs(&tensors, &encoded, &batch, &mut Vec::new());
    let values = numbers(outputs.clone().inner());
    let lesson = lesson(actions, settings, episodes, baselines, &values);
    let diverged = |what: &str| Err(AgentError::Diverged { what: what.to_owned() });
    if let Some((name, _)) = lesson.figures.iter().find(|(_, figure)| !figure.is_finite()) {
        return diverged(name);
    }
    // As far as its gradient goes the loss is linear in the outputs.
    let slopes = tensors.input(lesson.gradient.clone(), policy.shape().outputs);
    let gradient = tensors.gradient(&(outputs * slopes).sum());
    if gradient.iter().any(|slope| !slope.is_finite()) {
        return diverged("the policy's gradient");
    }
    Ok((lesson, gradient))
}

/// `episodes` step by step, the shorter ones filled up with zeros.
fn side_by_side(episodes: &[Vec<Step>], width: usize) -> Batch {
    let steps = episodes.iter().map(Vec::len).max().unwrap_or(0);
    let (mut inputs, mut rows) = (Vec::new(), Vec::new());
    for index in 0..steps {
        for episode in episodes {
            let end = inputs.len() + width;
            inputs.extend(episode.get(index).into_iter().flat_map(|step| &step.input));
            inputs.resize(end, 0.0);
            rows.push(episode.get(index).map_or(0, |step| step.row));
        }
    }
    let tables = episodes.iter().map(|episode| episode.first().map_or(0, |step| step.table)).collect();
    Batch { episodes: episodes.len(), inputs, rows, tables }
}

impl Agent for Reinforce {
    fn name(&self) -> &str {
        self.name
    }

    fn settings(&self) -> Value {
        recorded(&self.settings)
    }

    /// Exploring episodes tell the environment how often the policy was updated: N2N's constraints
    /// get stricter with it.
    fn begin(&mut self, mode: Mode) -> Result<ResetOptions, AgentError> {
        self.memory.clear();
        self.previous = self.actions.start();
        // An episode that was broken off teaches nothing.
        self.state.running.clear();
        self.state.previous = self.actions.start();
        // One that never updates plays by the rules as they end.
        let learns = mode == Mode::Explore && !self.settings.frozen;
        let progress = learns.then_some(self.state.updates);
        Ok(ResetOptions { progress, ..ResetOptions::default() })
    }

    fn act(&mut self, observation: &[f32], mode: Mode) -> Result<Action, AgentError> {
        let seen = self.see(observation, &self.previous)?;
        let outputs = self.outputs(seen)?;
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
        let Seen { table, row, input } = self.see(transition.observation, &self.state.previous)?;
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
        state.running.push(Step { table, row, input, choice, reward: transition.reward });
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
