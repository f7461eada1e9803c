//! Gradients against finite differences, probabilities against hand-computed values.

mod reference;

use cgym_env::{Action, Space};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    cells::{Cell, Direction, State},
    distribution::{Actions, Distribution},
    gradient::side_by_side,
    objective::{Step, leave_one_out, output_gradient, returns_to_go},
    policy::{Policy, PolicyKind, Shape},
    *,
};
use crate::parameters::Parameters;

const KINDS: [PolicyKind; 4] =
    [PolicyKind::Bilstm, PolicyKind::Autoregressive, PolicyKind::EncoderDecoder, PolicyKind::Mlp];

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(4)
}

fn discrete(count: usize) -> Actions {
    Actions::new("reinforce", &Space::Discrete { count }, Distribution::Beta).expect("plays")
}

fn continuous(distribution: Distribution) -> Actions {
    Actions::new("reinforce", &Space::vector(1, 0.2, 1.0), distribution).expect("plays")
}

/// A policy of two layers of three for a table of two features, with an input of four numbers.
fn tiny(kind: PolicyKind, outputs: usize) -> Policy {
    let shape = Shape { kind, hidden: 3, layers: 2, features: 2, input: 4, outputs, actions: String::new() };
    let mut policy = Policy::new(shape, &mut rng());
    // A head of ordinary size, so that gradients behind it are not small.
    let head = 3 * outputs + outputs;
    let start = policy.parameters.values().len() - head;
    policy.parameters.values_mut()[start..].iter_mut().for_each(|value| *value *= 10.0);
    policy
}

/// Episodes of four, three and four decisions about two tables of four rows.
fn episodes() -> (Vec<Vec<Step>>, Vec<Vec<f32>>) {
    let mut rng = rng();
    let tables = (0..2).map(|_| (0..8).map(|_| rng.random()).collect()).collect();
    let mut episode = |table: usize, length: usize, reward: f64| -> Vec<Step> {
        let step = |row: usize| Step {
            table,
            row,
            input: (0..4).map(|_| rng.random()).collect(),
            choice: vec![((row + table) % 2) as f32],
            reward: if row + 1 == length { reward } else { 0.0 },
        };
        (0..length).map(step).collect()
    };
    (vec![episode(0, 4, 1.5), episode(0, 3, -0.5), episode(1, 4, 0.25)], tables)
}

#[test]
fn gradients_are_the_slopes_of_the_loss_for_every_policy_and_array() {
    let (episodes, tables) = episodes();
    let settings = ReinforceSettings { critic: Some(false), entropy: 0.0, ..Default::default() };
    let actions = discrete(2);
    for kind in KINDS {
        let mut policy = tiny(kind, 2);
        let loss = |policy: &Policy| {
            let (update, gradient) =
                policy_gradient(policy, &actions, &settings, &episodes, &tables, &[0.1; 3]).expect("finite");
            (update.figures[0].1, gradient)
        };
        let (_, gradient) = loss(&policy);
        let length = 5e-3;
        for (index, &found) in gradient.iter().enumerate() {
            let mut moved = |by: f32| {
                policy.parameters.values_mut()[index] += by;
                let moved = loss(&policy).0;
                policy.parameters.values_mut()[index] -= by;
                moved
            };
            let slope = (moved(length) - moved(-length)) / f64::from(2.0 * length);
            let error = (slope - f64::from(found)).abs();
            assert!(error < 1e-3, "{kind:?}: parameter {index} has slope {slope}, not {found}");
        }
        for index in 0..policy.parameters.len() {
            let array = &gradient[policy.parameters.range(index)];
            assert!(array.iter().any(|slope| slope.abs() > 1e-6), "{kind:?}: array {index} does not learn");
        }
    }
}

#[test]
fn deciding_step_by_step_gives_the_outputs_of_a_whole_batch() {
    let (episodes, tables) = episodes();
    for kind in KINDS {
        let policy = tiny(kind, 2);
        let encoded: Vec<Encoded> = tables.iter().map(|table| policy.encode(table)).collect();
        let batch = side_by_side(&episodes, 4);
        let together = policy.forward(&encoded, &batch, &mut Vec::new()).outputs;
        for (episode, steps) in episodes.iter().enumerate() {
            let mut memory = Vec::new();
            for (index, step) in steps.iter().enumerate() {
                let one = Batch {
                    episodes: 1,
                    inputs: step.input.clone(),
                    rows: vec![step.row],
                    tables: vec![step.table],
                };
                let alone = policy.forward(&encoded, &one, &mut memory).outputs;
                let place = 2 * (3 * index + episode);
                let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
                assert!(alone.iter().zip(&together[place..]).all(near), "{kind:?}, episode {episode}");
            }
        }
    }
}

#[test]
fn a_cell_computes_the_textbook_equations() {
    let mut parameters = Parameters::default();
    let cell = Cell::new([2, 1], &mut parameters, &mut rng());
    // Input weights of both inputs, recurrent weights, biases; gates i, f, o, g.
    parameters.values_mut().copy_from_slice(&[
        0.1, 0.2, 0.3, 0.4, -0.5, 0.6, 0.7, -0.8, 0.9, -1.0, 1.1, 1.2, 0.0, 1.0, 0.5, -0.5,
    ]);
    let state = State { hidden: vec![0.5], cell: vec![-0.25] };
    let next = cell.run(&parameters, &[1.0, 2.0], state, Direction::Forward).last();
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let input = sigmoid(0.1 - 1.0 + 0.45);
    let forget = sigmoid(0.2 + 1.2 - 0.5 + 1.0);
    let output = sigmoid(0.3 + 1.4 + 0.55 + 0.5);
    let candidate = (0.4f64 - 1.6 + 0.6 - 0.5).tanh();
    let remembered = forget * -0.25 + input * candidate;
    assert!((f64::from(next.cell[0]) - remembered).abs() < 1e-6);
    assert!((f64::from(next.hidden[0]) - output * remembered.tanh()).abs() < 1e-6);
}

#[test]
fn log_probabilities_match_hand_computed_values() {
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    let three = discrete(3);
    let odds = [0.0, 2f64.ln(), 5f64.ln()];
    near(three.log_probability(&odds, &[1.0]), 0.25f64.ln());
    near(three.entropy(&odds), 0.125 * 8f64.ln() + 0.25 * 4f64.ln() + 0.625 * 1.6f64.ln());
    near(three.log_probability(&[1000.0, 1000.0, -1000.0], &[0.0]), 0.5f64.ln());
    // Softplus of ln(e − 1) is 1: Beta(2, 2), whose density is 6x(1 − x).
    let one = (1f64.exp() - 1.0).ln();
    let beta = continuous(Distribution::Beta);
    near(beta.log_probability(&[one, one], &[0.25]), (6.0f64 * 0.25 * 0.75).ln());
    near(beta.entropy(&[one, one]), -0.125_092_802_561_388_3);
    near(beta.means(&[one, one])[0], 0.5);
    // Centre ½ and deviation ½: one deviation on each side is left, 68.27 % of the mass.
    let gaussian = continuous(Distribution::Gaussian);
    let half = [0.0, 1.2 + 0.5f64.ln()];
    let density = (-0.125f64).exp() / (std::f64::consts::TAU.sqrt() * 0.5 * 0.682_689_492_137_085_9);
    near(gaussian.log_probability(&half, &[0.25]), density.ln());
    near(gaussian.means(&half)[0], 0.5);
}

#[test]
fn densities_integrate_to_one_and_their_entropies_and_means_are_integrals() {
    for distribution in [Distribution::Gaussian, Distribution::Beta] {
        let actions = continuous(distribution);
        for outputs in [[0.0, 0.0], [1.5, -0.7], [-2.0, 0.9]] {
            let nodes = 20_000;
            let (mut mass, mut mean, mut entropy) = (0.0, 0.0, 0.0);
            for node in 0..nodes {
                let unit = ((f64::from(node) + 0.5) / f64::from(nodes)) as f32;
                let log = actions.log_probability(&outputs, &[unit]);
                mass += log.exp() / f64::from(nodes);
                mean += f64::from(unit) * log.exp() / f64::from(nodes);
                entropy -= log * log.exp() / f64::from(nodes);
            }
            assert!((mass - 1.0).abs() < 1e-4, "{distribution:?} {outputs:?}: mass {mass}");
            assert!((mean - actions.means(&outputs)[0]).abs() < 1e-4, "{distribution:?} {outputs:?}");
            assert!((entropy - actions.entropy(&outputs)).abs() < 1e-3, "{distribution:?} {outputs:?}");
        }
    }
}

#[test]
fn derivatives_of_softmax_are_its_slopes() {
    let (actions, outputs) = (discrete(3), [0.3, -1.0, 0.8]);
    let [log_probability, entropy] = actions.derivatives(&outputs, &[2.0]);
    for index in 0..3 {
        let slope = |of: &dyn Fn(&[f64]) -> f64| {
            let at = |by: f64| {
                let mut moved = outputs;
                moved[index] += by;
                of(&moved)
            };
            (at(1e-5) - at(-1e-5)) / 2e-5
        };
        assert!((slope(&|at| actions.log_probability(at, &[2.0])) - log_probability[index]).abs() < 1e-8);
        assert!((slope(&|at| actions.entropy(at)) - entropy[index]).abs() < 1e-8);
    }
}

#[test]
fn draws_follow_their_probabilities() {
    let mut rng = rng();
    let odds = [0.0, 2f32.ln(), 5f32.ln()];
    let mut counts = [0; 3];
    for _ in 0..20_000 {
        if let Action::Discrete(index) = discrete(3).sample(&odds, &mut rng) {
            counts[index] += 1;
        }
    }
    for (count, share) in counts.into_iter().zip([0.125, 0.25, 0.625]) {
        assert!((f64::from(count) / 20_000.0 - share).abs() < 0.02, "{counts:?}");
    }
    for distribution in [Distribution::Gaussian, Distribution::Beta] {
        let actions = continuous(distribution);
        let outputs = [1.0, -0.5];
        let draw = |_| actions.sample(&outputs, &mut rng).to_floats()[0];
        let average = (0..20_000).map(draw).sum::<f32>() / 20_000.0;
        let mean = actions.best(&outputs).to_floats()[0];
        assert!((average - mean).abs() < 0.01, "{distribution:?}: {average}, mean {mean}");
    }
}

fn step(choice: f32, reward: f64) -> Step {
    Step { table: 0, row: 0, input: vec![0.0; 4], choice: vec![choice], reward }
}

#[test]
fn episodes_are_weighted_by_their_own_advantages() {
    let settings = ReinforceSettings { critic: Some(false), entropy: 0.0, ..Default::default() };
    let of = |returns: [f64; 2]| {
        let episodes = returns.map(|reward| vec![step(1.0, reward)]);
        output_gradient(&discrete(2), &settings, &episodes, &[0.5, 0.5], &[0.0; 4]).gradient
    };
    // Both chose the same: the better one pulls towards it and the worse one pushes away.
    let gradient = of([1.0, 0.0]);
    assert!(gradient[1] < 0.0 && gradient[3] > 0.0, "{gradient:?}");
    assert_eq!(gradient[1], -gradient[3]);
    // −½ · 0.5 · (1 − ½)
    assert_eq!(gradient[1], -0.125);
}

#[test]
fn a_critic_is_the_baseline_of_each_decision_and_learns_the_return() {
    let settings = ReinforceSettings { critic: Some(true), entropy: 0.0, ..Default::default() };
    let episodes = [vec![step(0.0, 0.0), step(1.0, 2.0)]];
    // Two logits and a value at each of two steps.
    let update =
        output_gradient(&discrete(2), &settings, &episodes, &[99.0], &[0.0, 0.0, 2.0, 0.0, 0.0, 1.5]);
    assert_eq!(update.gradient, [0.0, 0.0, 0.0, 0.25, -0.25, -0.25]);
}

#[test]
fn returns_are_discounted_sums_and_the_first_baseline_is_that_of_the_others() {
    assert_eq!(returns_to_go(&[step(0.0, 1.0), step(0.0, 0.0), step(0.0, 4.0)], 0.5), [2.0, 2.0, 4.0]);
    assert_eq!(leave_one_out(&[1.0, 2.0, 6.0]), [4.0, 3.5, 1.5]);
    assert_eq!(leave_one_out(&[7.0]), [0.0]);
}
