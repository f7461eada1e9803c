//! The derivatives of both networks against Burn's automatic ones, which share no code with them.

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::{relu, sigmoid},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    network::{Network, Pass, squash},
    update::{policy_loss, squared_error},
};
use crate::parameters::transpose;

const OBSERVATION: usize = 5;
const ACTION: usize = 2;
const HIDDEN: [usize; 2] = [19, 33];
/// More than a vector has lanes, and no multiple of it.
const ROWS: usize = 21;

/// A network as tensors that gradients are taken of.
struct Reference(Vec<Tensor<2>>);

impl Reference {
    fn new(network: &Network) -> Self {
        let arrays = 0..network.parameters.len();
        let tensor = |index: usize| {
            rows(network.parameters.array(index), network.parameters.shape(index)[1]).require_grad()
        };
        Self(arrays.map(tensor).collect())
    }

    /// The output for the sum of the first layers.
    fn rest(&self, first: Tensor<2>, from: usize) -> Tensor<2> {
        let array = |index: usize| self.0[from + index].clone();
        let second = relu(relu(first).matmul(array(0)) + array(1));
        second.matmul(array(2)) + array(3)
    }

    fn policy(&self, observations: Tensor<2>) -> Tensor<2> {
        sigmoid(self.rest(observations.matmul(self.0[0].clone()) + self.0[1].clone(), 2))
    }

    fn value(&self, observations: Tensor<2>, actions: Tensor<2>) -> Tensor<2> {
        let first = observations.matmul(self.0[0].clone()) + self.0[1].clone();
        self.rest(first + actions.matmul(self.0[2].clone()), 3)
    }

    fn gradient(&self, loss: &Tensor<1>) -> Vec<f32> {
        let gradients = loss.backward();
        let array = |array: &Tensor<2>| numbers(array.grad(&gradients).expect("every array has a gradient"));
        self.0.iter().flat_map(array).collect()
    }
}

fn rows(values: &[f32], width: usize) -> Tensor<2> {
    let data = TensorData::new(values.to_vec(), [values.len() / width, width]);
    Tensor::from_data(data, &Device::flex().autodiff())
}

fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("f32 numbers")
}

fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(0.0f32, |size, number| size.max(number.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 1e-5 * size.max(1e-3), "{index}: {found}, not {expected}");
    }
}

/// Actor and critic, observations and actions row after row.
fn networks() -> (Network, Network, Vec<f32>, Vec<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let actor = Network::actor([OBSERVATION, HIDDEN[0], HIDDEN[1], ACTION], &mut rng);
    let critic = Network::critic([OBSERVATION, ACTION], HIDDEN, &mut rng);
    let mut draw = |count: usize| (0..count).map(|_| rng.random()).collect();
    (actor, critic, draw(ROWS * OBSERVATION), draw(ROWS * ACTION))
}

#[test]
fn the_critics_gradient_is_the_one_that_autodiff_finds() {
    let (_, critic, observations, actions) = networks();
    let targets: Vec<f32> = (0..ROWS).map(|row| row as f32 / 10.0).collect();
    let reference = Reference::new(&critic);
    let values = reference.value(rows(&observations, OBSERVATION), rows(&actions, ACTION));
    let error = values.clone() - rows(&targets, 1);
    let expected = (error.clone() * error).mean();

    let (observations, actions) =
        (transpose(&observations, [ROWS, OBSERVATION]), transpose(&actions, [ROWS, ACTION]));
    let (mut pass, mut gradient) = (Pass::default(), Vec::new());
    let inputs = [&observations[..], &actions[..]];
    critic.forward(&inputs, ROWS, &mut pass);
    near(&pass.output, &numbers(values.inner()));
    let (loss, slopes) = squared_error(&pass.output, &targets);
    near(&[loss as f32], &[expected.clone().into_scalar::<f32>()]);
    critic.backward(&slopes, &mut pass);
    critic.gradient(&inputs, &slopes, &mut pass, &mut gradient);
    near(&gradient, &reference.gradient(&expected));
}

#[test]
fn the_actors_gradient_is_the_one_that_autodiff_finds_with_and_without_a_level() {
    let (actor, critic, observations, _) = networks();
    for level in [None, Some(0.3f32)] {
        let (reference, judge) = (Reference::new(&actor), Reference::new(&critic));
        let input = rows(&observations, OBSERVATION);
        let policy = reference.policy(input.clone());
        let expected = match level {
            None => judge.value(input, policy).mean().neg(),
            Some(level) => {
                let mean = policy.clone().mean();
                let drift = mean.clone() - level;
                let values = judge.value(input, policy - mean.reshape([1, 1]) + level);
                values.mean().neg() + drift.clone() * drift
            }
        };

        let columns = transpose(&observations, [ROWS, OBSERVATION]);
        let [mut pass, mut critic_pass] = [Pass::default(), Pass::default()];
        actor.forward(&[&columns], ROWS, &mut pass);
        squash(&mut pass.output);
        let (loss, slopes) = policy_loss(&critic, &columns, &pass.output, level, &mut critic_pass);
        near(&[loss as f32], &[expected.clone().into_scalar::<f32>()]);
        let through = slopes.iter().zip(&pass.output);
        let slopes: Vec<f32> = through.map(|(slope, unit)| slope * unit * (1.0 - unit)).collect();
        let mut gradient = Vec::new();
        actor.backward(&slopes, &mut pass);
        actor.gradient(&[&columns], &slopes, &mut pass, &mut gradient);
        near(&gradient, &reference.gradient(&expected));
    }
}

#[test]
fn one_observation_has_the_output_that_it_has_in_a_minibatch() {
    let (actor, _, observations, _) = networks();
    let (mut all, mut one) = (Pass::default(), Pass::default());
    actor.forward(&[&transpose(&observations, [ROWS, OBSERVATION])], ROWS, &mut all);
    for (row, observation) in observations.chunks_exact(OBSERVATION).enumerate() {
        actor.forward(&[observation], 1, &mut one);
        let column: Vec<f32> = (0..ACTION).map(|number| all.output[number * ROWS + row]).collect();
        near(&one.output, &column);
    }
}
