//! Spaces: the sets of legal observations and actions.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::Action;

/// A set of arrays or indices that can be sampled uniformly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Space {
    /// Arrays of `shape` in row-major order; element `i` lies in `[low[i], high[i]]`.
    Box {
        /// Least value of each element.
        low: Vec<f32>,
        /// Greatest value of each element.
        high: Vec<f32>,
        /// Axes of the array.
        shape: Vec<usize>,
    },
    /// The indices `0..count`.
    Discrete {
        /// Number of choices.
        count: usize,
    },
}

impl Space {
    /// A one-dimensional box of `length` elements with the same bounds.
    pub fn vector(length: usize, low: f32, high: f32) -> Self {
        Self::Box { low: vec![low; length], high: vec![high; length], shape: vec![length] }
    }

    /// Number of floats of a member of the space: the product of the axes of a box, 1 for an index.
    pub fn length(&self) -> usize {
        match self {
            Self::Box { low, .. } => low.len(),
            Self::Discrete { .. } => 1,
        }
    }

    /// Whether `values` is in this box; always false for [`Space::Discrete`].
    pub fn contains(&self, values: &[f32]) -> bool {
        match self {
            Self::Box { low, high, .. } => {
                values.len() == low.len()
                    && values.iter().zip(low.iter().zip(high)).all(|(v, (l, h))| l <= v && v <= h)
            }
            Self::Discrete { .. } => false,
        }
    }

    /// Whether `action` is in this space. NaN never is.
    pub fn contains_action(&self, action: &Action) -> bool {
        match (self, action) {
            (Self::Box { .. }, Action::Continuous(values)) => self.contains(values),
            (Self::Discrete { count }, Action::Discrete(index)) => index < count,
            _ => false,
        }
    }

    /// Draws an action uniformly.
    pub fn sample(&self, rng: &mut impl Rng) -> Action {
        match self {
            Self::Box { low, high, .. } => Action::Continuous(
                low.iter().zip(high).map(|(&l, &h)| l + (h - l) * rng.random::<f32>()).collect(),
            ),
            Self::Discrete { count } => Action::Discrete(rng.random_range(0..*count)),
        }
    }
}
