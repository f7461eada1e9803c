//! Linear layers and LSTM cells on flat parameters, with their derivatives written out.
//!
//! All matrices are row-major. Derivatives with respect to parameters are added to a gradient in the
//! order of the flat parameters.

use cgym_kernels::product::{Matrix, add_product, product};
use rand::Rng;

use crate::parameters::{Parameters, add_rows, transpose};

/// An affine map; indices of its weight `[inputs, outputs]` and bias `[1, outputs]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linear {
    weight: usize,
    bias: usize,
}

impl Linear {
    /// Drawn from U(-scale/√inputs, scale/√inputs); PyTorch's scale is 1.
    pub(super) fn new(
        [inputs, outputs]: [usize; 2],
        scale: f32,
        parameters: &mut Parameters,
        rng: &mut impl Rng,
    ) -> Self {
        let limit = scale / (inputs.max(1) as f32).sqrt();
        let weight = parameters.draw([inputs, outputs], limit, rng);
        Self { weight, bias: parameters.draw([1, outputs], limit, rng) }
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    pub(super) fn apply(self, parameters: &Parameters, input: &[f32], rows: usize) -> Vec<f32> {
        let mut output = parameters.array(self.bias).repeat(rows);
        let inputs = parameters.shape(self.weight)[0];
        add_product(Matrix::new(input, [rows, inputs]), parameters.array(self.weight), &mut output);
        output
    }

    /// From the derivatives `slopes` with respect to the output for `input`, those with respect to
    /// the input; adds those with respect to weight and bias to `gradient`.
    pub(super) fn backward(
        self,
        parameters: &Parameters,
        input: &[f32],
        slopes: &[f32],
        gradient: &mut [f32],
    ) -> Vec<f32> {
        let [inputs, outputs] = parameters.shape(self.weight);
        let rows = slopes.len() / outputs.max(1);
        let terms = Matrix::new(input, [rows, inputs]).transposed();
        add_product(terms, slopes, &mut gradient[parameters.range(self.weight)]);
        add_rows(slopes, &mut gradient[parameters.range(self.bias)]);
        through(parameters, self.weight, slopes, rows)
    }
}

/// `slopes` times the transpose of the array at `index`, `[rows, outputs]` to `[rows, inputs]`.
fn through(parameters: &Parameters, index: usize, slopes: &[f32], rows: usize) -> Vec<f32> {
    let [inputs, outputs] = parameters.shape(index);
    let mut result = vec![0.0; rows * inputs];
    let flipped = transpose(parameters.array(index), [inputs, outputs]);
    product(Matrix::new(slopes, [rows, outputs]), &flipped, &mut result);
    result
}

/// The state of a cell, both parts `[rows, hidden]`.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) hidden: Vec<f32>,
    pub(super) cell: Vec<f32>,
}

impl State {
    /// The state before the first input; also derivatives that are zero.
    pub(super) fn zeros(rows: usize, hidden: usize) -> Self {
        Self { hidden: vec![0.0; rows * hidden], cell: vec![0.0; rows * hidden] }
    }

    /// The rows of all `states`, one after the other.
    pub(super) fn stack(states: &[Self]) -> Self {
        let hidden = states.iter().flat_map(|state| &state.hidden).copied().collect();
        Self { hidden, cell: states.iter().flat_map(|state| &state.cell).copied().collect() }
    }

    /// The rows of a stack, one state each.
    pub(super) fn rows(&self, hidden: usize) -> impl Iterator<Item = Self> {
        let rows = self.hidden.chunks_exact(hidden).zip(self.cell.chunks_exact(hidden));
        rows.map(|(hidden, cell)| Self { hidden: hidden.to_vec(), cell: cell.to_vec() })
    }

    /// Adds another state number by number.
    pub(super) fn add(&mut self, other: &Self) {
        add_rows(&other.hidden, &mut self.hidden);
        add_rows(&other.cell, &mut self.cell);
    }
}

/// In which order a sequence is processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the first step to the last.
    Forward,
    /// From the last step to the first.
    Backward,
}

impl Direction {
    /// The steps in their order, each with the step before it, absent for the first one.
    fn steps(self, count: usize) -> impl DoubleEndedIterator<Item = (usize, Option<usize>)> {
        (0..count).map(move |index| match self {
            Self::Forward => (index, index.checked_sub(1)),
            Self::Backward => (count - 1 - index, (index > 0).then_some(count - index)),
        })
    }
}

/// What a cell computed for a sequence; all parts are `[steps, rows, …]` in the order of the inputs.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    direction: Direction,
    /// The state before the first step processed.
    first: State,
    /// The gates after their nonlinearities, `4 · hidden` numbers per row.
    gates: Vec<f32>,
    cells: Vec<f32>,
    /// The hyperbolic tangent of `cells`.
    bounded: Vec<f32>,
    /// The hidden states.
    pub(super) hidden: Vec<f32>,
}

impl Trace {
    /// The state after the last step processed.
    pub(super) fn last(&self) -> State {
        let size = self.first.hidden.len();
        let from = match self.direction {
            _ if self.hidden.is_empty() => return self.first.clone(),
            Direction::Forward => self.hidden.len() - size,
            Direction::Backward => 0,
        };
        State { hidden: self.hidden[from..][..size].to_vec(), cell: self.cells[from..][..size].to_vec() }
    }
}

/// A long short-term memory cell (Hochreiter & Schmidhuber, 1997) with PyTorch's equations, one
/// bias, and gates in the order input, forget, output, candidate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    input: usize,
    recurrent: usize,
    bias: usize,
    hidden: usize,
}

impl Cell {
    /// Recurrent weights and biases are drawn from U(-1/√hidden, 1/√hidden) as PyTorch's, input
    /// weights from U(-3/√inputs, 3/√inputs). Features lie in [0, 1] and differ little between layers.
    /// With PyTorch's input weights a policy gradient therefore converges to the same action at all
    /// decisions before it distinguishes layers.
    pub(super) fn new([inputs, hidden]: [usize; 2], parameters: &mut Parameters, rng: &mut impl Rng) -> Self {
        let limit = 1.0 / (hidden as f32).sqrt();
        let input = parameters.draw([inputs, 4 * hidden], 3.0 / (inputs.max(1) as f32).sqrt(), rng);
        let recurrent = parameters.draw([hidden, 4 * hidden], limit, rng);
        let bias = parameters.draw([1, 4 * hidden], limit, rng);
        Self { input, recurrent, bias, hidden }
    }

    /// Processes `inputs`, `[steps, rows, inputs]`, of as many rows as `first` has.
    pub(super) fn run(
        &self,
        parameters: &Parameters,
        inputs: &[f32],
        first: State,
        direction: Direction,
    ) -> Trace {
        let size = first.hidden.len();
        let (rows, width) = (size / self.hidden, parameters.shape(self.input)[0]);
        let steps = inputs.len() / (rows * width).max(1);
        let mut gates = parameters.array(self.bias).repeat(steps * rows);
        let left = Matrix::new(inputs, [steps * rows, width]);
        add_product(left, parameters.array(self.input), &mut gates);
        let zeros = || vec![0.0; steps * size];
        let mut trace = Trace { direction, first, gates, cells: zeros(), bounded: zeros(), hidden: zeros() };
        let mut state = trace.first.clone();
        for (step, _) in direction.steps(steps) {
            let gates = &mut trace.gates[step * 4 * size..][..4 * size];
            let left = Matrix::new(&state.hidden, [rows, self.hidden]);
            add_product(left, parameters.array(self.recurrent), gates);
            let place = step * size..(step + 1) * size;
            let bounded = &mut trace.bounded[place.clone()];
            self.advance(gates, &mut state, bounded);
            trace.cells[place.clone()].copy_from_slice(&state.cell);
            trace.hidden[place].copy_from_slice(&state.hidden);
        }
        trace
    }

    /// One step: the nonlinearities of `gates` in place, and the state after it.
    fn advance(&self, gates: &mut [f32], state: &mut State, bounded: &mut [f32]) {
        let width = self.hidden;
        let parts = state.cell.chunks_exact_mut(width).zip(state.hidden.chunks_exact_mut(width));
        let rows = gates.chunks_exact_mut(4 * width).zip(bounded.chunks_exact_mut(width));
        for ((gates, bounded), (cell, hidden)) in rows.zip(parts) {
            let (open, candidate) = gates.split_at_mut(3 * width);
            open.iter_mut().for_each(|gate| *gate = sigmoid(*gate));
            candidate.iter_mut().for_each(|candidate| *candidate = candidate.tanh());
            for (index, cell) in cell.iter_mut().enumerate() {
                *cell = open[width + index] * *cell + open[index] * candidate[index];
            }
            bounded.iter_mut().zip(cell).for_each(|(bounded, cell)| *bounded = cell.tanh());
            for (index, hidden) in hidden.iter_mut().enumerate() {
                *hidden = open[2 * width + index] * bounded[index];
            }
        }
    }

    /// From the derivatives `slopes` with respect to all hidden states of `trace` and `last` with
    /// respect to its last state, those with respect to the `inputs` and to the first state; adds
    /// those with respect to the parameters to `gradient`.
    pub(super) fn backward(
        &self,
        parameters: &Parameters,
        inputs: &[f32],
        trace: &Trace,
        (slopes, last): (&[f32], State),
        gradient: &mut [f32],
    ) -> (Vec<f32>, State) {
        let (width, size) = (self.hidden, trace.first.hidden.len());
        let (rows, steps) = (size / width, trace.hidden.len() / size.max(1));
        let flipped = transpose(parameters.array(self.recurrent), [width, 4 * width]);
        let mut into_gates = vec![0.0; trace.gates.len()];
        // Hidden states before each step, in the order of the steps.
        let mut before = vec![0.0; trace.hidden.len()];
        let mut state = last;
        for (step, previous) in trace.direction.steps(steps).rev() {
            let place = step * size..(step + 1) * size;
            let (hidden, cells) = match previous {
                Some(previous) => {
                    let place = previous * size..(previous + 1) * size;
                    (&trace.hidden[place.clone()], &trace.cells[place])
                }
                None => (&trace.first.hidden[..], &trace.first.cell[..]),
            };
            before[place.clone()].copy_from_slice(hidden);
            add_rows(&slopes[place.clone()], &mut state.hidden);
            let wide = step * 4 * size..(step + 1) * 4 * size;
            let own = &mut into_gates[wide.clone()];
            self.retreat(&trace.gates[wide], &trace.bounded[place], cells, &mut state, own);
            product(Matrix::new(own, [rows, 4 * width]), &flipped, &mut state.hidden);
        }
        let shape = [steps * rows, parameters.shape(self.input)[0]];
        let terms = Matrix::new(inputs, shape).transposed();
        add_product(terms, &into_gates, &mut gradient[parameters.range(self.input)]);
        let terms = Matrix::new(&before, [steps * rows, width]).transposed();
        add_product(terms, &into_gates, &mut gradient[parameters.range(self.recurrent)]);
        add_rows(&into_gates, &mut gradient[parameters.range(self.bias)]);
        (through(parameters, self.input, &into_gates, steps * rows), state)
    }

    /// One step back: from the derivatives `state` with respect to the state after the step, those
    /// with respect to the sums that the gates are made from, into `result`, and with respect to the
    /// cell before the step, `cells`, into `state`.
    fn retreat(&self, gates: &[f32], bounded: &[f32], cells: &[f32], state: &mut State, result: &mut [f32]) {
        let width = self.hidden;
        for place in 0..cells.len() {
            let (row, unit) = (place / width, place % width);
            let at = |gate: usize| 4 * width * row + gate * width + unit;
            let [input, forget, output, candidate] = [0, 1, 2, 3].map(|gate| gates[at(gate)]);
            let (bounded, into_hidden) = (bounded[place], state.hidden[place]);
            let into_cell = state.cell[place] + into_hidden * output * (1.0 - bounded * bounded);
            result[at(0)] = into_cell * candidate * input * (1.0 - input);
            result[at(1)] = into_cell * cells[place] * forget * (1.0 - forget);
            result[at(2)] = into_hidden * bounded * output * (1.0 - output);
            result[at(3)] = into_cell * input * (1.0 - candidate * candidate);
            state.cell[place] = into_cell * forget;
        }
    }

    /// Width of the hidden state.
    pub(super) fn hidden(&self) -> usize {
        self.hidden
    }
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}
