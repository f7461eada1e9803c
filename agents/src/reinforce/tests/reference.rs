//! The policies on Burn, whose automatic derivatives share no code with ours.

use burn::tensor::{Device, Int, Tensor, TensorData, activation::sigmoid};

use super::*;

/// The arrays of a policy as tensors that gradients are taken of, in the order they were drawn.
struct Reference<'a> {
    policy: &'a Policy,
    arrays: Vec<Tensor<2>>,
}

/// Hidden and cell state, both `[rows, hidden]`.
type States = [Tensor<2>; 2];

fn device() -> Device {
    Device::flex().autodiff()
}

fn rows(values: &[f32], width: usize) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), &device())
}

fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("f32 numbers")
}

fn zeros(rows: usize, hidden: usize) -> States {
    [0, 1].map(|_| Tensor::zeros([rows, hidden], &device()))
}

impl<'a> Reference<'a> {
    fn new(policy: &'a Policy) -> Self {
        let parameters = &policy.parameters;
        let array = |index| rows(parameters.array(index), parameters.shape(index)[1]).require_grad();
        Self { policy, arrays: (0..parameters.len()).map(array).collect() }
    }

    fn linear(&self, first: usize, input: Tensor<2>) -> Tensor<2> {
        input.matmul(self.arrays[first].clone()) + self.arrays[first + 1].clone()
    }

    /// The hidden states after each of `inputs`, and the last state of the cell whose arrays start at
    /// `first`.
    fn run(
        &self,
        first: usize,
        inputs: Vec<Tensor<2>>,
        [mut hidden, mut cell]: States,
    ) -> (Vec<Tensor<2>>, States) {
        let array = |index: usize| self.arrays[first + index].clone();
        let width = cell.dims()[1];
        let mut all = Vec::new();
        for input in inputs {
            let gates = input.matmul(array(0)) + hidden.matmul(array(1)) + array(2);
            let gate = |index: usize| gates.clone().narrow(1, index * width, width);
            cell = sigmoid(gate(1)) * cell + sigmoid(gate(0)) * gate(3).tanh();
            hidden = sigmoid(gate(2)) * cell.clone().tanh();
            all.push(hidden.clone());
        }
        (all, [hidden, cell])
    }

    /// The outputs of a policy of two layers for all decisions.
    fn outputs(&self, tables: &[Vec<f32>], batch: &Batch) -> Tensor<2> {
        let Shape { kind, hidden, features, input, .. } = *self.policy.shape();
        let head = self.arrays.len() - 2;
        let inputs = rows(&batch.inputs, input);
        let steps =
            || batch.inputs.chunks_exact(input * batch.episodes).map(|step| rows(step, input)).collect();
        let layers = |table: &Vec<f32>| table.chunks_exact(features).map(|row| rows(row, features)).collect();
        let read = match kind {
            PolicyKind::Mlp => self.linear(2, self.linear(0, inputs).tanh()).tanh(),
            PolicyKind::Autoregressive => {
                let (first, _) = self.run(0, steps(), zeros(batch.episodes, hidden));
                Tensor::cat(self.run(3, first, zeros(batch.episodes, hidden)).0, 0)
            }
            PolicyKind::EncoderDecoder => {
                let encode = |table: &Vec<f32>| {
                    let mut layers: Vec<_> = layers(table);
                    layers.reverse();
                    let (first, state) = self.run(0, layers, zeros(1, hidden));
                    [state, self.run(3, first, zeros(1, hidden)).1]
                };
                let encoded: Vec<[States; 2]> = tables.iter().map(encode).collect();
                let start = |layer: usize| {
                    [0, 1].map(|part| {
                        let of_episode = |&table: &usize| encoded[table][layer][part].clone();
                        Tensor::cat(batch.tables.iter().map(of_episode).collect(), 0)
                    })
                };
                let (first, _) = self.run(6, steps(), start(0));
                Tensor::cat(self.run(9, first, start(1)).0, 0)
            }
            PolicyKind::Bilstm => {
                let encode = |table: &Vec<f32>| {
                    let mut rows: Vec<_> = layers(table);
                    for layer in 0..2 {
                        let (ahead, _) = self.run(3 * layer, rows.clone(), zeros(1, hidden));
                        rows.reverse();
                        let (behind, _) = self.run(6 + 3 * layer, rows, zeros(1, hidden));
                        let pairs = ahead.into_iter().zip(behind.into_iter().rev());
                        rows = pairs.map(|(ahead, behind)| Tensor::cat(vec![ahead, behind], 1)).collect();
                    }
                    Tensor::cat(rows, 0)
                };
                let length = tables[0].len() / features;
                let encoded = Tensor::cat(tables.iter().map(encode).collect(), 0);
                let places: Vec<i32> =
                    batch.places().map(|(table, row)| (table * length + row) as i32).collect();
                let count = places.len();
                let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &device());
                Tensor::cat(vec![encoded.select(0, places), inputs], 1)
            }
        };
        self.linear(head, read)
    }
}

#[test]
fn outputs_and_gradients_are_those_that_autodiff_finds_for_every_policy() {
    let (episodes, tables) = episodes();
    for kind in KINDS {
        let policy = tiny(kind, 2);
        let batch = side_by_side(&episodes, 4);
        let reference = Reference::new(&policy);
        let expected = reference.outputs(&tables, &batch);
        let encoded: Vec<Encoded> = tables.iter().map(|table| policy.encode(table)).collect();
        let pass = policy.forward(&encoded, &batch, &mut Vec::new());
        near(kind, &pass.outputs, &numbers(expected.clone().inner()));

        let slopes: Vec<f32> =
            (0..pass.outputs.len()).map(|index| ((7 * index + 3) % 11) as f32 / 11.0 - 0.5).collect();
        let gradients = (expected * rows(&slopes, 2)).sum().backward();
        let array = |array: &Tensor<2>| numbers(array.grad(&gradients).expect("every array has a gradient"));
        let expected: Vec<f32> = reference.arrays.iter().flat_map(array).collect();
        near(kind, &policy.backward(&encoded, &batch, &pass, &slopes), &expected);
    }
}

fn near(kind: PolicyKind, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{kind:?}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 2e-6, "{kind:?}, {index}: {found}, not {expected}");
    }
}
