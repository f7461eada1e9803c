//! Linear layers and LSTM cells on flat parameters.

use burn::tensor::{Tensor, activation::sigmoid};
use rand::Rng;

use crate::parameters::{Parameters, Tensors};

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
    pub(super) fn apply(self, tensors: &Tensors, input: Tensor<2>) -> Tensor<2> {
        input.matmul(tensors.array(self.weight)) + tensors.array(self.bias)
    }
}

/// The state of a cell, both parts `[rows, hidden]`.
#[derive(Clone)]
pub(super) struct State {
    pub(super) hidden: Tensor<2>,
    pub(super) cell: Tensor<2>,
}

impl State {
    /// The state before the first input.
    pub(super) fn zeros(rows: usize, hidden: usize, tensors: &Tensors) -> Self {
        let zeros = tensors.input(vec![0.0; rows * hidden], hidden);
        Self { hidden: zeros.clone(), cell: zeros }
    }

    /// The rows of all `states`, one after the other.
    pub(super) fn stack(states: Vec<Self>) -> Self {
        let (hidden, cell) = states.into_iter().map(|state| (state.hidden, state.cell)).unzip();
        Self { hidden: Tensor::cat(hidden, 0), cell: Tensor::cat(cell, 0) }
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

    /// The state after one `input`, `[rows, inputs]`.
    pub(super) fn step(&self, tensors: &Tensors, input: Tensor<2>, state: State) -> State {
        let width = self.hidden;
        let gates = input.matmul(tensors.array(self.input))
            + state.hidden.matmul(tensors.array(self.recurrent))
            + tensors.array(self.bias);
        let open = sigmoid(gates.clone().narrow(1, 0, 3 * width));
        let candidate = gates.narrow(1, 3 * width, width).tanh();
        let gate = |index: usize| open.clone().narrow(1, index * width, width);
        let cell = gate(1) * state.cell + gate(0) * candidate;
        State { hidden: gate(2) * cell.clone().tanh(), cell }
    }

    /// Processes all `inputs` in turn; returns the hidden state after each, and the last state.
    pub(super) fn run(
        &self,
        tensors: &Tensors,
        inputs: impl IntoIterator<Item = Tensor<2>>,
        mut state: State,
    ) -> (Vec<Tensor<2>>, State) {
        let mut hidden = Vec::new();
        for input in inputs {
            state = self.step(tensors, input, state);
            hidden.push(state.hidden.clone());
        }
        (hidden, state)
    }

    /// Width of the hidden state.
    pub(super) fn hidden(&self) -> usize {
        self.hidden
    }
}
