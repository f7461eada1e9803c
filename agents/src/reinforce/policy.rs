//! The four policies: networks from an observation to the parameters of a distribution of actions.
//!
//! No array's shape depends on the number of layers or decisions, so a trained policy can play other
//! networks.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::cells::{Cell, Linear, State};
use crate::parameters::{Parameters, Tensors};

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
    body: Body,
    head: Linear,
    pub(super) parameters: Parameters,
}

enum Body {
    /// A forward and a backward cell per layer.
    Bilstm(Vec<[Cell; 2]>),
    /// Encoder, empty where there is none, and decoder.
    Recurrent(Vec<Cell>, Vec<Cell>),
    Mlp(Vec<Linear>),
}

/// The encoding of a table, computed once per episode and set of parameters.
#[derive(Clone)]
pub(super) enum Encoded {
    /// The policy reads no rows.
    Nothing,
    /// Hidden states of both directions at each row, `[rows, 2 · hidden]`.
    Rows(Box<Tensor<2>>),
    /// The encoder's last state in each layer.
    States(Vec<State>),
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

impl Policy {
    /// Draws all parameters; the head's are a tenth of PyTorch's, so that a new policy is nearly
    /// uniform.
    pub(super) fn new(shape: Shape, device: &Device, rng: &mut impl Rng) -> Self {
        let mut parameters = Parameters::new(device);
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

    /// Encodes a table of rows of features.
    pub(super) fn encode(&self, tensors: &Tensors, table: &[f32]) -> Encoded {
        let features = self.shape.features.max(1);
        let mut rows: Vec<Tensor<2>> =
            table.chunks_exact(features).map(|row| tensors.input(row.to_vec(), features)).collect();
        let start = |cell: &Cell| State::zeros(1, cell.hidden(), tensors);
        match &self.body {
            Body::Bilstm(layers) => {
                for [forward, backward] in layers {
                    let (ahead, _) = forward.run(tensors, rows.iter().cloned(), start(forward));
                    let (behind, _) = backward.run(tensors, rows.into_iter().rev(), start(backward));
                    let pairs = ahead.into_iter().zip(behind.into_iter().rev());
                    rows = pairs.map(|(ahead, behind)| Tensor::cat(vec![ahead, behind], 1)).collect();
                }
                Encoded::Rows(Box::new(Tensor::cat(rows, 0)))
            }
            Body::Recurrent(encoder, _) if !encoder.is_empty() => {
                rows.reverse();
                let mut states = Vec::new();
                for cell in encoder {
                    let (hidden, state) = cell.run(tensors, rows, start(cell));
                    rows = hidden;
                    states.push(state);
                }
                Encoded::States(states)
            }
            Body::Recurrent(..) | Body::Mlp(_) => Encoded::Nothing,
        }
    }

    /// Outputs of all decisions of `batch`, `[steps · episodes, outputs]`, with the encoded `tables`.
    ///
    /// `memory` is the state of recurrent policies: it is initialised where empty, and holds the state
    /// after the last step on return.
    pub(super) fn outputs(
        &self,
        tensors: &Tensors,
        tables: &[Encoded],
        batch: &Batch,
        memory: &mut Vec<State>,
    ) -> Tensor<2> {
        let width = self.shape.input;
        let read = match &self.body {
            Body::Bilstm(_) => {
                let current = current_rows(tensors, tables, batch);
                Tensor::cat(vec![current, tensors.input(batch.inputs.clone(), width)], 1)
            }
            Body::Recurrent(_, decoder) => {
                if memory.is_empty() {
                    *memory = starting_states(tensors, decoder, tables, batch);
                }
                let steps = batch.inputs.chunks_exact(width * batch.episodes);
                let mut inputs: Vec<_> = steps.map(|step| tensors.input(step.to_vec(), width)).collect();
                for (cell, state) in decoder.iter().zip(memory) {
                    (inputs, *state) = cell.run(tensors, inputs, state.clone());
                }
                Tensor::cat(inputs, 0)
            }
            Body::Mlp(layers) => {
                let inputs = tensors.input(batch.inputs.clone(), width);
                layers.iter().fold(inputs, |input, layer| layer.apply(tensors, input).tanh())
            }
        };
        self.head.apply(tensors, read)
    }
}

/// The encoded current row of each decision.
fn current_rows(tensors: &Tensors, tables: &[Encoded], batch: &Batch) -> Tensor<2> {
    let (mut rows, mut firsts, mut first) = (Vec::new(), Vec::new(), 0);
    for table in tables {
        firsts.push(first);
        if let Encoded::Rows(encoded) = table {
            first += encoded.dims()[0];
            rows.push(Tensor::clone(encoded));
        }
    }
    let place =
        |(decision, row): (usize, &usize)| (firsts[batch.tables[decision % batch.episodes]] + row) as i32;
    let places: Vec<i32> = batch.rows.iter().enumerate().map(place).collect();
    let count = places.len();
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), tensors.device());
    Tensor::cat(rows, 0).select(0, places)
}

/// The initial state of each decoder cell, one row per episode.
fn starting_states(tensors: &Tensors, decoder: &[Cell], tables: &[Encoded], batch: &Batch) -> Vec<State> {
    let start = |(layer, cell): (usize, &Cell)| {
        let of_episode = |&table: &usize| match &tables[table] {
            Encoded::States(states) => states[layer].clone(),
            _ => State::zeros(1, cell.hidden(), tensors),
        };
        State::stack(batch.tables.iter().map(of_episode).collect())
    };
    decoder.iter().enumerate().map(start).collect()
}
