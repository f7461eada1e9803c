//! Sequences of actions as numbers: unit coordinates of boxes, one-hot vectors of indices.

use cgym_env::{Action, Space};
use rand::{Rng, RngExt};

use crate::{AgentError, bounds::Bounds, truncated_normal};

/// How the actions of a space are written as numbers in [0, 1].
pub(super) enum Domain {
    /// One number per dimension, drawn from a truncated normal distribution.
    Box(Bounds),
    /// One number per index: its probability, or 1 for the chosen index and 0 for the others.
    Discrete { count: usize },
}

impl Domain {
    pub(super) fn new(agent: &str, space: &Space) -> Result<Self, AgentError> {
        match space {
            Space::Discrete { count: 0 } => Err(AgentError::Spaces {
                agent: agent.to_owned(),
                reason: "the action space has no action".to_owned(),
            }),
            Space::Discrete { count } => Ok(Self::Discrete { count: *count }),
            Space::Box { .. } => Ok(Self::Box(Bounds::new(agent, space)?)),
        }
    }

    /// Numbers per action.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Box(bounds) => bounds.length(),
            Self::Discrete { count } => *count,
        }
    }

    /// Draws a sequence. The index of each decision is drawn independently with the probabilities
    /// `mean`; only boxes use `deviation`.
    pub(super) fn draw(&self, mean: &[f32], deviation: &[f32], rng: &mut impl Rng) -> Vec<f32> {
        match self {
            Self::Box(_) => {
                let numbers = mean.iter().zip(deviation);
                numbers
                    .map(|(&mean, &deviation)| {
                        truncated_normal::sample(mean.into(), deviation.into(), rng) as f32
                    })
                    .collect()
            }
            Self::Discrete { count } => {
                let mut one_hots = vec![0.0; mean.len()];
                for (one_hot, odds) in one_hots.chunks_exact_mut(*count).zip(mean.chunks_exact(*count)) {
                    let mut left = rng.random::<f32>() * odds.iter().sum::<f32>();
                    let drawn = odds.iter().position(|share| {
                        left -= share;
                        left < 0.0
                    });
                    one_hot[drawn.unwrap_or(count - 1)] = 1.0;
                }
                one_hots
            }
        }
    }

    /// The actions of a sequence. An index is the one of greatest probability; ties go to the first.
    pub(super) fn actions(&self, numbers: &[f32]) -> Vec<Action> {
        match self {
            Self::Box(bounds) => bounds.actions(numbers),
            Self::Discrete { count } => {
                let likeliest =
                    |odds: &[f32]| (0..*count).fold(0, |best, i| if odds[i] > odds[best] { i } else { best });
                numbers.chunks_exact(*count).map(|odds| Action::Discrete(likeliest(odds))).collect()
            }
        }
    }

    /// One action as numbers.
    pub(super) fn numbers(&self, agent: &str, action: &Action) -> Result<Vec<f32>, AgentError> {
        match (self, action) {
            (Self::Box(bounds), action) => bounds.units(agent, action),
            (Self::Discrete { count }, Action::Discrete(index)) if index < count => {
                Ok((0..*count).map(|other| f32::from(u8::from(other == *index))).collect())
            }
            (Self::Discrete { count }, other) => Err(AgentError::Spaces {
                agent: agent.to_owned(),
                reason: format!("expected an index below {count}, found {other:?}"),
            }),
        }
    }
}
