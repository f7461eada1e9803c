//! Continuous actions in unit coordinates: 0 is an action's least value, 1 its greatest.

use cgym_env::{Action, Space};

use crate::AgentError;

/// The finite bounds of a box of actions.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Bounds {
    /// The bounds of `space`, which must be a box with finite ones.
    pub(crate) fn new(agent: &str, space: &Space) -> Result<Self, AgentError> {
        let refuse =
            |reason: &str| Err(AgentError::Spaces { agent: agent.to_owned(), reason: reason.to_owned() });
        match space {
            Space::Discrete { .. } => {
                refuse("it needs a continuous action space (a box), this one is discrete")
            }
            Space::Box { low, high, .. } if low.is_empty() || low.len() != high.len() => {
                refuse("the action space has no dimension")
            }
            Space::Box { low, high, .. }
                if !low.iter().zip(high).all(|(l, h)| l.is_finite() && h.is_finite() && l <= h) =>
            {
                refuse("every action needs finite bounds, the lower not above the upper")
            }
            Space::Box { low, high, .. } => Ok(Self { low: low.clone(), high: high.clone() }),
        }
    }

    /// Dimensions of one action.
    pub(crate) fn length(&self) -> usize {
        self.low.len()
    }

    /// The action at `units`, each clamped to [0, 1].
    pub(crate) fn action(&self, units: &[f32]) -> Action {
        let scale = |(unit, (low, high)): (&f32, (&f32, &f32))| {
            (low + unit.clamp(0.0, 1.0) * (high - low)).clamp(*low, *high)
        };
        Action::Continuous(units.iter().zip(self.low.iter().zip(&self.high)).map(scale).collect())
    }

    /// The action with the same `unit` in every dimension.
    pub(crate) fn even_action(&self, unit: f64) -> Action {
        self.action(&vec![unit as f32; self.length()])
    }

    /// The actions at a flat list of units, as many units per action as it has dimensions.
    pub(crate) fn actions(&self, units: &[f32]) -> Vec<Action> {
        units.chunks_exact(self.length()).map(|chunk| self.action(chunk)).collect()
    }

    /// `action` in unit coordinates; outside [0, 1] where rounding moved it out of the bounds.
    pub(crate) fn units(&self, agent: &str, action: &Action) -> Result<Vec<f32>, AgentError> {
        match action {
            Action::Continuous(values)
                if values.len() == self.length() && values.iter().all(|value| value.is_finite()) =>
            {
                let unit = |(value, (low, high)): (&f32, (&f32, &f32))| {
                    if high > low { (value - low) / (high - low) } else { 0.0 }
                };
                Ok(values.iter().zip(self.low.iter().zip(&self.high)).map(unit).collect())
            }
            other => Err(AgentError::Spaces {
                agent: agent.to_owned(),
                reason: format!("expected an action of {} finite numbers, found {other:?}", self.length()),
            }),
        }
    }
}

/// Checks that `observation` has the `expected` length and is finite.
pub(crate) fn check_observation(agent: &str, observation: &[f32], expected: usize) -> Result<(), AgentError> {
    let refuse = |reason: String| Err(AgentError::Spaces { agent: agent.to_owned(), reason });
    if observation.len() != expected {
        return refuse(format!("an observation has {} numbers, expected {expected}", observation.len()));
    }
    // Without an early end the loop is vectorised; almost all observations are finite.
    if observation.iter().fold(true, |finite, value| finite & value.is_finite()) {
        return Ok(());
    }
    match observation.iter().position(|value| !value.is_finite()) {
        Some(index) => refuse(format!("element {index} of an observation is {}", observation[index])),
        None => Ok(()),
    }
}
