//! The four policies: networks from an observation to the parameters of a distribution of actions.
//!
//! No array's shape depends on the number of layers or decisions, so a trained policy can play other
//! networks.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::cells::{Cell, Linear};
use crate::parameters::Parameters;

/// The network of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// N2N's removal policy π(a | h₋, h₊, x): a bidirectional LSTM over all layers, read at the
    /// current one together with the cursor. Tables only.
    Bilstm,
    /// N2N's shrinkage policy π(a | a₋₁, h₋₁, x): stacked LSTM cells, one step per decision, on the
    /// current row or vector and the previous executed action.
    Autoregressive,
    /// An LSTM over all layers, last one first, whose final state is the initial state of an
    /// autoregressive policy. Tables only.
    EncoderDecoder,
    /// A multilayer perceptron with tanh, on the current row and the mean of all rows, or on the
    /// vector.
    Mlp,
}

impl PolicyKind {
    /// Name in settings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bilstm => "bilstm",
            Self::Autoregressive => "autoregressive",
            Self::EncoderDecoder => "encoder-decoder",
            Self::Mlp => "mlp",
        }
    }

    /// Whether it reads rows of layers.
    pub(super) fn needs_table(self) -> bool {
        matches!(self, Self::Bilstm | Self::EncoderDecoder)
    }
}

/// The dimensions that determine a policy's arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) kind: PolicyKind,
    pub(super) hidden: usize,
    pub(super) layers: usize,
    /// Features of a row; 0 where there is no table.
    pub(super) features: usize,
    /// Numbers in the input of a decision.
    pub(super) input: usize,
    /// Outputs of a decision, the critic's value included.
    pub(super) outputs: usize,
    /// The distribution that the outputs define.
    pub(super) actions: String,
}

/// A policy's network and its parameters.
pub(super) struct Policy {
    shape: Shape,
    pub(super) body: Body,
    pub(super) head: Linear,
    pub(super) parameters: Parameters,
}

pub(super) enum Body {
    /// A forward and a backward cell per layer.
    Bilstm(Vec<[Cell; 2]>),
    /// Encoder, empty where there is none, and decoder.
    Recurrent(Vec<Cell>, Vec<Cell>),
    Mlp(Vec<Linear>),
}

/// Decisions of several episodes: the first of each, then the second of each, and so on.
pub(super) struct Batch {
    pub(super) episodes: usize,
    /// Inputs, `[steps · episodes, input]`.
    pub(super) inputs: Vec<f32>,
    /// Index of the current row of each decision.
    pub(super) rows: Vec<usize>,
    /// Index of the encoded table of each episode.
    pub(super) tables: Vec<usize>,
}

impl Batch {
    /// Of each decision, the index of its encoded table and of the current row.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let tables = self.tables.iter().copied().cycle();
        tables.zip(self.rows.iter().copied())
    }
}

impl Policy {
    /// Draws all parameters; the head's are a tenth of PyTorch's, so that a new policy is nearly
    /// uniform.
    pub(super) fn new(shape: Shape, rng: &mut impl Rng) -> Self {
        let mut parameters = Parameters::default();
        let Shape { kind, hidden, layers, features, input, outputs, .. } = shape;
        let mut cells = |first: usize, rest: usize| -> Vec<Cell> {
            let width = |layer| if layer == 0 { first } else { rest };
            (0..layers).map(|layer| Cell::new([width(layer), hidden], &mut parameters, rng)).collect()
        };
        let (body, read) = match kind {
            PolicyKind::Bilstm => {
                let (forward, backward) = (cells(features, 2 * hidden), cells(features, 2 * hidden));
                let pairs = forward.into_iter().zip(backward).map(|(forward, backward)| [forward, backward]);
                (Body::Bilstm(pairs.collect()), 2 * hidden + input)
            }
            PolicyKind::Autoregressive => (Body::Recurrent(Vec::new(), cells(input, hidden)), hidden),
            PolicyKind::EncoderDecoder => {
                (Body::Recurrent(cells(features, hidden), cells(input, hidden)), hidden)
            }
            PolicyKind::Mlp => {
                let width = |layer| if layer == 0 { input } else { hidden };
                let linears = (0..layers)
                    .map(|layer| Linear::new([width(layer), hidden], 1.0, &mut parameters, rng))
                    .collect();
                (Body::Mlp(linears), hidden)
            }
        };
        let head = Linear::new([read, outputs], 0.1, &mut parameters, rng);
        Self { shape, body, head, parameters }
    }

    /// The dimensions of this policy.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }
}
