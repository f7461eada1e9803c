//! The forward and the backward pass of a policy.
//!
//! `tests/reference.rs` has the same policies on Burn, whose automatic derivatives these must equal.

use super::{
    cells::{Cell, Direction, State, Trace},
    policy::{Batch, Body, Policy},
};
use crate::parameters::add_rows;

/// The encoding of a table, computed once per episode and set of parameters.
#[derive(Clone)]
pub(super) enum Encoded {
    /// The policy reads no rows.
    Nothing,
    /// Both directions of each layer, and the last layer's hidden states, `[rows, 2 · hidden]`.
    Rows(Vec<Pair>, Vec<f32>),
    /// The encoder's layers.
    States(Vec<Run>),
}

/// The inputs of a bidirectional layer and what its two cells computed.
#[derive(Clone)]
pub(super) struct Pair {
    inputs: Vec<f32>,
    traces: [Trace; 2],
}

/// The inputs of a cell and what it computed.
#[derive(Clone)]
pub(super) struct Run {
    inputs: Vec<f32>,
    trace: Trace,
}

/// What the decisions of a batch were computed from.
pub(super) struct Pass {
    body: BodyPass,
    /// The head's inputs, one row per decision.
    read: Vec<f32>,
    /// The policy's outputs, one row per decision.
    pub(super) outputs: Vec<f32>,
}

enum BodyPass {
    Bilstm,
    /// The decoder's layers.
    Recurrent(Vec<Run>),
    /// The inputs of each layer.
    Mlp(Vec<Vec<f32>>),
}

impl Policy {
    /// Encodes a table of rows of features.
    pub(super) fn encode(&self, table: &[f32]) -> Encoded {
        let parameters = &self.parameters;
        let start = |cell: &Cell| State::zeros(1, cell.hidden());
        match &self.body {
            Body::Bilstm(layers) => {
                let (mut pairs, mut rows) = (Vec::new(), table.to_vec());
                for [forward, backward] in layers {
                    let traces = [(forward, Direction::Forward), (backward, Direction::Backward)]
                        .map(|(cell, direction)| cell.run(parameters, &rows, start(cell), direction));
                    let [ahead, behind] =
                        [0, 1].map(|side| traces[side].hidden.chunks_exact(forward.hidden()));
                    let joined = ahead.zip(behind).flat_map(|(ahead, behind)| ahead.iter().chain(behind));
                    let output = joined.copied().collect();
                    pairs.push(Pair { inputs: std::mem::replace(&mut rows, output), traces });
                }
                Encoded::Rows(pairs, rows)
            }
            Body::Recurrent(encoder, _) if !encoder.is_empty() => {
                Encoded::States(self.stack(encoder, table.to_vec(), Direction::Backward, start))
            }
            Body::Recurrent(..) | Body::Mlp(_) => Encoded::Nothing,
        }
    }

    /// Runs stacked `cells`, each on the hidden states of the one before.
    fn stack(
        &self,
        cells: &[Cell],
        mut inputs: Vec<f32>,
        direction: Direction,
        mut first: impl FnMut(&Cell) -> State,
    ) -> Vec<Run> {
        let mut runs = Vec::new();
        for cell in cells {
            let trace = cell.run(&self.parameters, &inputs, first(cell), direction);
            let hidden = trace.hidden.clone();
            runs.push(Run { inputs: std::mem::replace(&mut inputs, hidden), trace });
        }
        runs
    }

    /// The outputs of all decisions of `batch`, with the encoded `tables`.
    ///
    /// `memory` is the state of recurrent policies: it is initialised where empty, and holds the state
    /// after the last step on return.
    pub(super) fn forward(&self, tables: &[Encoded], batch: &Batch, memory: &mut Vec<State>) -> Pass {
        let decisions = batch.rows.len();
        let (body, read) = match &self.body {
            Body::Bilstm(layers) => {
                let width = 2 * layers[0][0].hidden();
                let own = batch.inputs.chunks_exact(self.shape().input.max(1));
                let mut read = Vec::with_capacity(decisions * (width + self.shape().input));
                for ((table, row), own) in batch.places().zip(own) {
                    if let Encoded::Rows(_, rows) = &tables[table] {
                        read.extend_from_slice(&rows[row * width..][..width]);
                    }
                    read.extend_from_slice(own);
                }
                (BodyPass::Bilstm, read)
            }
            Body::Recurrent(_, decoder) => {
                if memory.is_empty() {
                    *memory = starting_states(decoder, tables, batch);
                }
                let mut states = memory.iter();
                let first = |cell: &Cell| {
                    let state = states.next().cloned();
                    state.unwrap_or_else(|| State::zeros(batch.episodes, cell.hidden()))
                };
                let runs = self.stack(decoder, batch.inputs.clone(), Direction::Forward, first);
                *memory = runs.iter().map(|run| run.trace.last()).collect();
                let read = runs.last().map_or(Vec::new(), |run| run.trace.hidden.clone());
                (BodyPass::Recurrent(runs), read)
            }
            Body::Mlp(layers) => {
                let (mut inputs, mut values) = (Vec::new(), batch.inputs.clone());
                for layer in layers {
                    let mut next = layer.apply(&self.parameters, &values, decisions);
                    next.iter_mut().for_each(|value| *value = value.tanh());
                    inputs.push(std::mem::replace(&mut values, next));
                }
                (BodyPass::Mlp(inputs), values)
            }
        };
        let outputs = self.head.apply(&self.parameters, &read, decisions);
        Pass { body, read, outputs }
    }

    /// The gradient in the order of the flat parameters, from the derivatives `slopes` with respect to
    /// the outputs of `pass`, which began without memory.
    pub(super) fn backward(
        &self,
        tables: &[Encoded],
        batch: &Batch,
        pass: &Pass,
        slopes: &[f32],
    ) -> Vec<f32> {
        let mut gradient = vec![0.0; self.parameters.values().len()];
        let mut into_read = self.head.backward(&self.parameters, &pass.read, slopes, &mut gradient);
        match (&self.body, &pass.body) {
            (Body::Bilstm(layers), _) => {
                let width = 2 * layers[0][0].hidden();
                let mut into_rows: Vec<Vec<f32>> = tables.iter().map(Encoded::zeros).collect();
                let each = into_read.chunks_exact(width + self.shape().input);
                for ((table, row), slopes) in batch.places().zip(each) {
                    add_rows(&slopes[..width], &mut into_rows[table][row * width..][..width]);
                }
                for (table, slopes) in tables.iter().zip(into_rows) {
                    if let Encoded::Rows(pairs, _) = table {
                        self.backward_pairs(layers, pairs, slopes, &mut gradient);
                    }
                }
            }
            (Body::Recurrent(encoder, decoder), BodyPass::Recurrent(runs)) => {
                let zeros = |run: &Run| {
                    State::zeros(batch.episodes, run.trace.last().hidden.len() / batch.episodes.max(1))
                };
                let last = runs.iter().map(zeros).collect();
                let into_first = self.backward_stack(decoder, runs, into_read, last, &mut gradient);
                for (index, table) in tables.iter().enumerate() {
                    let Encoded::States(runs) = table else { continue };
                    let last = runs.iter().zip(&into_first).map(|(run, slopes)| {
                        let mut sum = State::zeros(1, run.trace.last().hidden.len());
                        let rows = slopes.rows(sum.hidden.len()).zip(&batch.tables);
                        rows.filter(|(_, table)| **table == index).for_each(|(slopes, _)| sum.add(&slopes));
                        sum
                    });
                    let last: Vec<State> = last.collect();
                    let none = runs.last().map_or(Vec::new(), |run| vec![0.0; run.trace.hidden.len()]);
                    self.backward_stack(encoder, runs, none, last, &mut gradient);
                }
            }
            (Body::Mlp(layers), BodyPass::Mlp(inputs)) => {
                for (index, (layer, input)) in layers.iter().zip(inputs).enumerate().rev() {
                    let output = inputs.get(index + 1).unwrap_or(&pass.read);
                    into_read.iter_mut().zip(output).for_each(|(slope, value)| *slope *= 1.0 - value * value);
                    into_read = layer.backward(&self.parameters, input, &into_read, &mut gradient);
                }
            }
            _ => debug_assert!(false, "a pass of another policy"),
        }
        gradient
    }

    /// Adds the gradient of a bidirectional encoding; `slopes` are with respect to its output.
    fn backward_pairs(
        &self,
        layers: &[[Cell; 2]],
        pairs: &[Pair],
        mut slopes: Vec<f32>,
        gradient: &mut [f32],
    ) {
        for (cells, pair) in layers.iter().zip(pairs).rev() {
            let hidden = cells[0].hidden();
            let mut below = vec![0.0; pair.inputs.len()];
            for (side, (cell, trace)) in cells.iter().zip(&pair.traces).enumerate() {
                let own = slopes.chunks_exact(hidden).skip(side).step_by(2).flatten().copied();
                let own: Vec<f32> = own.collect();
                let last = State::zeros(1, hidden);
                let (inputs, _) =
                    cell.backward(&self.parameters, &pair.inputs, trace, (&own, last), gradient);
                add_rows(&inputs, &mut below);
            }
            slopes = below;
        }
    }

    /// Adds the gradient of stacked cells. `slopes` are with respect to the hidden states of the last
    /// one, `last` with respect to the last state of each; returns those with respect to the first
    /// state of each.
    fn backward_stack(
        &self,
        cells: &[Cell],
        runs: &[Run],
        mut slopes: Vec<f32>,
        last: Vec<State>,
        gradient: &mut [f32],
    ) -> Vec<State> {
        let mut first = Vec::new();
        for ((cell, run), last) in cells.iter().zip(runs).zip(last).rev() {
            let (inputs, state) =
                cell.backward(&self.parameters, &run.inputs, &run.trace, (&slopes, last), gradient);
            slopes = inputs;
            first.push(state);
        }
        first.reverse();
        first
    }
}

impl Encoded {
    /// As many zeros as the encoded rows have numbers.
    fn zeros(&self) -> Vec<f32> {
        match self {
            Self::Rows(_, rows) => vec![0.0; rows.len()],
            Self::Nothing | Self::States(_) => Vec::new(),
        }
    }
}

/// The initial state of each decoder cell, one row per episode.
fn starting_states(decoder: &[Cell], tables: &[Encoded], batch: &Batch) -> Vec<State> {
    let start = |(layer, cell): (usize, &Cell)| {
        let of_episode = |&table: &usize| match &tables[table] {
            Encoded::States(runs) => runs[layer].trace.last(),
            _ => State::zeros(1, cell.hidden()),
        };
        State::stack(&batch.tables.iter().map(of_episode).collect::<Vec<_>>())
    };
    decoder.iter().enumerate().map(start).collect()
}
