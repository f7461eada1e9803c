//! The distribution of actions that a policy's outputs define: probabilities, samples, derivatives.
//!
//! All of it is computed in `f64` on the host; a network only receives derivatives with respect to its
//! outputs.

use cgym_env::{Action, Space};
use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution as _};
use serde::{Deserialize, Serialize};

use super::special::{digamma, ln_gamma, normal_below, normal_density, normal_entropy};
use crate::{AgentError, bounds::Bounds, truncated_normal};

/// Densities of continuous actions, in unit coordinates and independent between dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// The normal density truncated to [0, 1]. Its centre is the sigmoid of the first output; the
    /// logarithm of its deviation is the second output less 1.2. The deviation is clamped to [0.01, 1].
    Gaussian,
    /// The beta density; both parameters are 1 + softplus of an output, so that it has one peak
    /// and is finite everywhere.
    Beta,
}

/// Least distance from 0 and 1 at which the beta density is evaluated.
const EDGE: f64 = 1e-6;
/// Step of the central differences.
const DIFFERENCE: f64 = 1e-5;

/// The actions of a space, and their distribution.
#[derive(Debug, Clone)]
pub(super) enum Actions {
    /// Softmax over indices.
    Discrete { count: usize },
    /// A density in each dimension.
    Continuous { bounds: Bounds, distribution: Distribution },
}

impl Actions {
    /// The actions of `space`.
    ///
    /// # Errors
    /// [`AgentError::Spaces`] for a space without actions, or a box without finite bounds.
    pub(super) fn new(agent: &str, space: &Space, distribution: Distribution) -> Result<Self, AgentError> {
        match space {
            Space::Discrete { count: 0 } => Err(AgentError::Spaces {
                agent: agent.to_owned(),
                reason: "the action space has no action".to_owned(),
            }),
            Space::Discrete { count } => Ok(Self::Discrete { count: *count }),
            Space::Box { .. } => Ok(Self::Continuous { bounds: Bounds::new(agent, space)?, distribution }),
        }
    }

    /// Name of the distribution and its size, which must be equal where a policy is taken over.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Discrete { count } => format!("softmax over {count}"),
            Self::Continuous { bounds, distribution } => {
                let name = match distribution {
                    Distribution::Gaussian => "gaussian",
                    Distribution::Beta => "beta",
                };
                format!("{name} in {} dimensions", bounds.length())
            }
        }
    }

    /// Number of network outputs per decision.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Discrete { count } => *count,
            Self::Continuous { bounds, .. } => 2 * bounds.length(),
        }
    }

    /// Numbers per action in an input.
    pub(super) fn encoded_width(&self) -> usize {
        match self {
            Self::Discrete { count } => *count,
            Self::Continuous { bounds, .. } => bounds.length(),
        }
    }

    /// The previous action in the input of the first decision: the last index or the upper bounds, which
    /// keep everything.
    pub(super) fn start(&self) -> Vec<f32> {
        match self {
            Self::Discrete { count } => one_hot(*count, count - 1),
            Self::Continuous { bounds, .. } => vec![1.0; bounds.length()],
        }
    }

    /// `action` in an input: a one-hot vector of its index, or its unit coordinates.
    pub(super) fn encode(&self, agent: &str, action: &Action) -> Result<Vec<f32>, AgentError> {
        Ok(match self {
            Self::Discrete { count } => one_hot(*count, self.choice(agent, action)?[0] as usize),
            Self::Continuous { .. } => self.choice(agent, action)?,
        })
    }

    /// `action` as an argument of densities: its index, or its unit coordinates.
    pub(super) fn choice(&self, agent: &str, action: &Action) -> Result<Vec<f32>, AgentError> {
        match (self, action) {
            (Self::Discrete { count }, Action::Discrete(index)) if index < count => Ok(vec![*index as f32]),
            (Self::Discrete { count }, other) => Err(AgentError::Spaces {
                agent: agent.to_owned(),
                reason: format!("expected an index below {count}, found {other:?}"),
            }),
            (Self::Continuous { bounds, .. }, action) => {
                let units = bounds.units(agent, action)?;
                Ok(units.into_iter().map(|unit| unit.clamp(0.0, 1.0)).collect())
            }
        }
    }

    /// Draws an action.
    pub(super) fn sample(&self, outputs: &[f32], rng: &mut impl Rng) -> Action {
        match self {
            Self::Discrete { .. } => {
                let mut left: f64 = rng.random();
                let probabilities = softmax(&wide(outputs));
                let drawn = probabilities.iter().position(|probability| {
                    left -= probability;
                    left < 0.0
                });
                // The rounded probabilities may sum to less than 1.
                Action::Discrete(drawn.unwrap_or(probabilities.len() - 1))
            }
            Self::Continuous { bounds, distribution } => {
                let units: Vec<f32> = outputs
                    .chunks_exact(2)
                    .map(|pair| distribution.sample(f64::from(pair[0]), f64::from(pair[1]), rng) as f32)
                    .collect();
                bounds.action(&units)
            }
        }
    }

    /// The index of greatest probability, or the mean.
    pub(super) fn best(&self, outputs: &[f32]) -> Action {
        match self {
            Self::Discrete { .. } => {
                let better =
                    |best: usize, index: usize| if outputs[index] > outputs[best] { index } else { best };
                Action::Discrete((0..outputs.len()).fold(0, better))
            }
            Self::Continuous { bounds, .. } => {
                let units = self.means(&wide(outputs)).into_iter().map(|mean| mean as f32);
                bounds.action(&units.collect::<Vec<f32>>())
            }
        }
    }

    /// Mean of each number of an action: the expected index divided by the greatest, or unit
    /// coordinates.
    pub(super) fn means(&self, outputs: &[f64]) -> Vec<f64> {
        match self {
            Self::Discrete { count } => {
                let expected: f64 = softmax(outputs).iter().enumerate().map(|(i, p)| i as f64 * p).sum();
                vec![expected / (count - 1).max(1) as f64]
            }
            Self::Continuous { distribution, .. } => {
                outputs.chunks_exact(2).map(|pair| distribution.mean(pair[0], pair[1])).collect()
            }
        }
    }

    /// Log-probability of `choice`, or its log-density in unit coordinates.
    pub(super) fn log_probability(&self, outputs: &[f64], choice: &[f32]) -> f64 {
        match self {
            Self::Discrete { .. } => log_softmax(outputs)[choice[0] as usize],
            Self::Continuous { distribution, .. } => {
                let pairs = outputs.chunks_exact(2).zip(choice);
                pairs.map(|(pair, &unit)| distribution.log_density(pair[0], pair[1], unit.into())).sum()
            }
        }
    }

    /// Entropy in nats; for densities the differential one of unit actions.
    pub(super) fn entropy(&self, outputs: &[f64]) -> f64 {
        match self {
            Self::Discrete { .. } => log_softmax(outputs).iter().map(|log| -log * log.exp()).sum(),
            Self::Continuous { distribution, .. } => {
                outputs.chunks_exact(2).map(|pair| distribution.entropy(pair[0], pair[1])).sum()
            }
        }
    }

    /// Derivatives of [`Actions::log_probability`] and [`Actions::entropy`] with respect to the
    /// outputs. Those of densities are central differences, whose error of about 1e-10 is far below
    /// that of an `f32`.
    pub(super) fn derivatives(&self, outputs: &[f64], choice: &[f32]) -> [Vec<f64>; 2] {
        match self {
            Self::Discrete { .. } => {
                let (logs, entropy) = (log_softmax(outputs), self.entropy(outputs));
                let chosen = |index: usize| f64::from(u8::from(index == choice[0] as usize));
                let each = || logs.iter().enumerate();
                let log_probability = each().map(|(index, log)| chosen(index) - log.exp()).collect();
                [log_probability, each().map(|(_, log)| -log.exp() * (log + entropy)).collect()]
            }
            Self::Continuous { .. } => {
                let slope = |of: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
                    let moved = |index: usize, by: f64| {
                        let mut moved = outputs.to_vec();
                        moved[index] += by;
                        of(&moved)
                    };
                    let difference = |index| moved(index, DIFFERENCE) - moved(index, -DIFFERENCE);
                    (0..outputs.len()).map(|index| difference(index) / (2.0 * DIFFERENCE)).collect()
                };
                [slope(&|at| self.log_probability(at, choice)), slope(&|at| self.entropy(at))]
            }
        }
    }
}

impl Distribution {
    /// Centre and deviation of the normal distribution before truncation.
    fn normal(first: f64, second: f64) -> (f64, f64) {
        (1.0 / (1.0 + (-first).exp()), (second - 1.2).exp().clamp(0.01, 1.0))
    }

    /// Both parameters of the beta distribution.
    fn beta(first: f64, second: f64) -> (f64, f64) {
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        (1.0 + softplus(first), 1.0 + softplus(second))
    }

    fn sample(self, first: f64, second: f64, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Gaussian => {
                let (mean, deviation) = Self::normal(first, second);
                truncated_normal::sample(mean, deviation, rng)
            }
            Self::Beta => {
                let (alpha, beta) = Self::beta(first, second);
                // Only infinite parameters are refused; the mean replaces the draw then.
                Beta::new(alpha, beta).map_or(alpha / (alpha + beta), |beta| beta.sample(rng))
            }
        }
    }

    fn mean(self, first: f64, second: f64) -> f64 {
        match self {
            Self::Gaussian => {
                let (mean, deviation) = Self::normal(first, second);
                let (low, high) = ((0.0 - mean) / deviation, (1.0 - mean) / deviation);
                let mass = normal_below(high) - normal_below(low);
                mean + deviation * (normal_density(low) - normal_density(high)) / mass
            }
            Self::Beta => {
                let (alpha, beta) = Self::beta(first, second);
                alpha / (alpha + beta)
            }
        }
    }

    fn log_density(self, first: f64, second: f64, unit: f64) -> f64 {
        match self {
            Self::Gaussian => {
                let (mean, deviation) = Self::normal(first, second);
                let mass = normal_below((1.0 - mean) / deviation) - normal_below(-mean / deviation);
                let z = (unit - mean) / deviation;
                -0.5 * z * z - 0.5 * std::f64::consts::TAU.ln() - deviation.ln() - mass.ln()
            }
            Self::Beta => {
                let (alpha, beta) = Self::beta(first, second);
                let unit = unit.clamp(EDGE, 1.0 - EDGE);
                (alpha - 1.0) * unit.ln() + (beta - 1.0) * (1.0 - unit).ln() - ln_beta(alpha, beta)
            }
        }
    }

    fn entropy(self, first: f64, second: f64) -> f64 {
        match self {
            Self::Gaussian => {
                let (mean, deviation) = Self::normal(first, second);
                let (low, high) = ((0.0 - mean) / deviation, (1.0 - mean) / deviation);
                let mass = normal_below(high) - normal_below(low);
                let ends = low * normal_density(low) - high * normal_density(high);
                normal_entropy() + (deviation * mass).ln() + ends / (2.0 * mass)
            }
            Self::Beta => {
                let (alpha, beta) = Self::beta(first, second);
                ln_beta(alpha, beta) - (alpha - 1.0) * digamma(alpha) - (beta - 1.0) * digamma(beta)
                    + (alpha + beta - 2.0) * digamma(alpha + beta)
            }
        }
    }
}

fn ln_beta(alpha: f64, beta: f64) -> f64 {
    ln_gamma(alpha) + ln_gamma(beta) - ln_gamma(alpha + beta)
}

fn one_hot(count: usize, index: usize) -> Vec<f32> {
    (0..count).map(|other| f32::from(u8::from(other == index))).collect()
}

/// `outputs` in double precision.
pub(super) fn wide(outputs: &[f32]) -> Vec<f64> {
    outputs.iter().map(|&output| output.into()).collect()
}

/// Probabilities of the indices with these logits.
pub(super) fn softmax(logits: &[f64]) -> Vec<f64> {
    log_softmax(logits).into_iter().map(f64::exp).collect()
}

/// Logarithms of [`softmax`], without overflow.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let greatest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = logits.iter().map(|logit| (logit - greatest).exp()).sum::<f64>().ln() + greatest;
    logits.iter().map(|logit| logit - total).collect()
}
