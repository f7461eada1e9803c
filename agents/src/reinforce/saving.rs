//! The checkpoint: parameters, Adam's moments, episodes of the next update, random state.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Reinforce, objective::Step, policy::Shape};
use crate::{
    AgentError,
    checkpoint::{self, Checkpoint},
};

/// The part of a checkpoint that is not arrays.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) rng: ChaCha8Rng,
    pub(super) updates: u64,
    /// Mean returns of the last updates, the newest at the end.
    pub(super) recent: Vec<f64>,
    /// The distinct tables of the steps in `finished` and `running`.
    pub(super) tables: Vec<Vec<f32>>,
    /// Whole episodes that the next update learns from.
    pub(super) finished: Vec<Vec<Step>>,
    /// Steps of the episode whose transitions are being received.
    pub(super) running: Vec<Step>,
    /// The last executed action of `running`, as an input.
    pub(super) previous: Vec<f32>,
    /// Dimensions of the policy.
    pub(super) shape: Shape,
    pub(super) adam_time: u64,
}

impl Reinforce {
    /// Writes everything that learning and acting depend on.
    pub(super) fn write(&self, directory: &Path) -> Result<(), AgentError> {
        let state = State { adam_time: self.adam.time, ..self.state.clone() };
        let [first, second] = &self.adam.moments;
        let arrays: [(&str, &[f32]); 3] =
            [("policy", self.policy.parameters.values()), ("first_moment", first), ("second_moment", second)];
        checkpoint::write(directory, self.name, &state, &arrays)
    }

    /// Restores what [`Reinforce::write`] wrote.
    pub(super) fn read(&mut self, directory: &Path) -> Result<(), AgentError> {
        let (mut read, policy) = self.read_policy(directory)?;
        let moments = [read.array("first_moment", policy.len())?, read.array("second_moment", policy.len())?];
        self.adopt(&policy);
        (self.adam.moments, self.adam.time) = (moments, read.state.adam_time);
        self.state = read.state;
        self.figures.clear();
        self.distributions.clear();
        Ok(())
    }

    /// A checkpoint and the parameters in it, checked to fit this policy.
    pub(super) fn read_policy(&self, directory: &Path) -> Result<(Checkpoint<State>, Vec<f32>), AgentError> {
        let mut read = Checkpoint::<State>::read(directory, self.name)?;
        if let Some(difference) = difference(&read.state.shape, self.policy.shape()) {
            return Err(read.refuse(difference));
        }
        let policy = read.array("policy", self.policy.parameters.values().len())?;
        Ok((read, policy))
    }

    /// Replaces the parameters of the policy by `policy`.
    pub(super) fn adopt(&mut self, policy: &[f32]) {
        self.policy.parameters.values_mut().copy_from_slice(policy);
        self.encoded = None;
    }
}

/// The first difference between the dimensions of a saved policy and those of this one.
fn difference(saved: &Shape, own: &Shape) -> Option<String> {
    let setting = |key: &str, saved: String, own: String| {
        (saved != own).then(|| {
            format!("its policy has {key} = {saved}, this agent's {own}: set `{key}` to the same value")
        })
    };
    let size = |what: &str, saved: usize, own: usize| {
        (saved != own).then(|| {
            format!(
                "its policy has {saved} {what}, this agent's {own}: trained on another kind of environment"
            )
        })
    };
    setting("policy", saved.kind.name().to_owned(), own.kind.name().to_owned())
        .or_else(|| setting("hidden", saved.hidden.to_string(), own.hidden.to_string()))
        .or_else(|| setting("layers", saved.layers.to_string(), own.layers.to_string()))
        .or_else(|| {
            (saved.actions != own.actions).then(|| {
                format!("its policy draws actions from {}, this agent's from {}", saved.actions, own.actions)
            })
        })
        .or_else(|| size("features of a layer", saved.features, own.features))
        .or_else(|| size("inputs per decision", saved.input, own.input))
        .or_else(|| size("outputs, the critic's included", saved.outputs, own.outputs))
}
