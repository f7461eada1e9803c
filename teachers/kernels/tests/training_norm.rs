//! Batch norm in training against a plain reference in double precision.

mod common;

use cgym_kernels::train::{Batch, Norm, SavedNorm, norm_backward, norm_forward};
use cgym_kernels::{Activation, Isa, KernelError};
use common::{Random, assert_close, batch_in_lanes, batch_out_of_lanes};

const EPSILON: f32 = 1e-5;

/// A batch `[batch][channels][pixels]` in double precision.
#[derive(Clone)]
struct Case {
    batch: usize,
    pixels: usize,
    input: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    gradient: Vec<f64>,
    residual: Option<Vec<f64>>,
    activation: Activation,
}

fn wide(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

impl Case {
    fn new(random: &mut Random, [batch, channels, pixels]: [usize; 3], activation: Activation) -> Self {
        let len = batch * channels * pixels;
        Self {
            batch,
            pixels,
            input: wide(random.values(len)),
            weight: wide(random.values(channels)),
            bias: wide(random.values(channels)),
            gradient: wide(random.values(len)),
            residual: None,
            activation,
        }
    }

    fn with_residual(mut self, random: &mut Random) -> Self {
        self.residual = Some(wide(random.values(self.input.len())));
        self
    }

    fn bounds(&self) -> [f64; 2] {
        match self.activation {
            Activation::Identity => [f64::NEG_INFINITY, f64::INFINITY],
            Activation::Relu => [0.0, f64::INFINITY],
            Activation::Relu6 => [0.0, 6.0],
        }
    }

    fn channel(&self, index: usize) -> usize {
        index / self.pixels % self.weight.len()
    }

    /// Sums over a channel.
    fn sum(&self, channel: usize, value: impl Fn(usize) -> f64) -> f64 {
        (0..self.input.len()).filter(|index| self.channel(*index) == channel).map(value).sum()
    }

    /// Mean and variance by channel.
    fn statistics(&self) -> Vec<[f64; 2]> {
        let count = (self.batch * self.pixels) as f64;
        let of = |channel| {
            let mean = self.sum(channel, |index| self.input[index]) / count;
            [mean, self.sum(channel, |index| (self.input[index] - mean).powi(2)) / count]
        };
        (0..self.weight.len()).map(of).collect()
    }

    fn output(&self) -> Vec<f64> {
        let statistics = self.statistics();
        let value = |(index, value): (usize, &f64)| {
            let channel = self.channel(index);
            let [mean, variance] = statistics[channel];
            let normal = (value - mean) / (variance + f64::from(EPSILON)).sqrt();
            let residual = self.residual.as_ref().map_or(0.0, |residual| residual[index]);
            let value = normal * self.weight[channel] + self.bias[channel] + residual;
            let [low, high] = self.bounds();
            value.clamp(low, high)
        };
        self.input.iter().enumerate().map(value).collect()
    }

    /// Gradients of input, weight, bias and residual.
    fn gradients(&self) -> [Vec<f64>; 4] {
        let (statistics, output) = (self.statistics(), self.output());
        let count = (self.batch * self.pixels) as f64;
        let [low, high] = self.bounds();
        let inside = |value: f64| low < value && value < high;
        let gradient = |index: usize| if inside(output[index]) { self.gradient[index] } else { 0.0 };
        let normal = |index: usize| {
            let [mean, variance] = statistics[self.channel(index)];
            (self.input[index] - mean) / (variance + f64::from(EPSILON)).sqrt()
        };
        let channels = 0..self.weight.len();
        let bias: Vec<f64> = channels.clone().map(|channel| self.sum(channel, gradient)).collect();
        let weight: Vec<f64> =
            channels.map(|channel| self.sum(channel, |index| gradient(index) * normal(index))).collect();
        let input = |index: usize| {
            let channel = self.channel(index);
            let scale = self.weight[channel] / (statistics[channel][1] + f64::from(EPSILON)).sqrt();
            scale * (gradient(index) - (bias[channel] + normal(index) * weight[channel]) / count)
        };
        let residual = self.residual.iter().flatten().enumerate().map(|(index, _)| gradient(index));
        [(0..self.input.len()).map(input).collect(), weight, bias, residual.collect()]
    }

    fn run(&self, isa: Isa) -> [Vec<f32>; 8] {
        let batch = Batch::new(isa, self.batch).expect("available");
        let in_lanes = |values: &[f64]| batch_in_lanes(batch, &narrow(values));
        let [input, mut gradient] = [&self.input, &self.gradient].map(|values| in_lanes(values));
        let residual = self.residual.as_deref().map(in_lanes);
        let [weight, bias] = [&self.weight, &self.bias].map(|values| narrow(values));
        let norm = Norm { weight: &weight, bias: &bias, epsilon: EPSILON, activation: self.activation };
        let found = norm_forward(batch, norm, &input, residual.as_deref()).expect("lengths fit");
        let saved = found.saved(&input, norm, residual.as_deref());
        let (of_input, gradients) = norm_backward(batch, &saved, &mut gradient).expect("lengths fit");
        let [output, of_input] = [&found.output, &of_input].map(|values| batch_out_of_lanes(batch, values));
        let of_residual = residual.map(|_| batch_out_of_lanes(batch, &gradient)).unwrap_or_default();
        let statistics = [found.mean, found.variance, found.inverse_deviation];
        let [mean, variance, inverse_deviation] = statistics;
        let [weight, bias] = [gradients.weight, gradients.bias];
        [output, mean, variance, inverse_deviation, of_input, weight, bias, of_residual]
    }

    fn check(&self, isa: Isa, tolerance: f64) {
        let context = format!("{isa} {} x {} x {}", self.batch, self.weight.len(), self.pixels);
        let [output, mean, variance, inverse, input, weight, bias, residual] = self.run(isa);
        let statistics = self.statistics();
        let column = |index: usize| statistics.iter().map(|values| values[index]).collect::<Vec<_>>();
        assert_close(&output, &self.output(), tolerance, &context);
        assert_close(&mean, &column(0), tolerance, &context);
        assert_close(&variance, &column(1), tolerance, &context);
        for (found, [_, variance]) in inverse.iter().zip(statistics) {
            let expected = 1.0 / (variance + f64::from(EPSILON)).sqrt();
            assert!((f64::from(*found) / expected - 1.0).abs() < tolerance, "{context}");
        }
        let [expected_input, expected_weight, expected_bias, expected_residual] = self.gradients();
        assert_close(&residual, &expected_residual, tolerance, &context);
        assert_close(&input, &expected_input, 4.0 * tolerance, &context);
        let tolerance = tolerance * (1.0 + (self.batch * self.pixels) as f64).sqrt();
        assert_close(&weight, &expected_weight, tolerance, &context);
        assert_close(&bias, &expected_bias, tolerance, &context);
    }
}

#[test]
fn any_size_agrees_with_the_reference() {
    let mut random = Random(21);
    for _ in 0..60 {
        let size = [random.between(2, 40), random.between(1, 20), random.between(5, 130)];
        let activation = random.of(&[Activation::Identity, Activation::Relu, Activation::Relu6]);
        let mut case = Case::new(&mut random, size, activation);
        // So that some values are above six.
        case.bias.iter_mut().for_each(|bias| *bias *= 7.0);
        if random.of(&[true, false]) {
            case = case.with_residual(&mut random);
        }
        Isa::available().into_iter().for_each(|isa| case.check(isa, 1e-5));
    }
    for size in [[3, 2, 1024], [64, 5, 1], [2, 1, 9001]] {
        let case = Case::new(&mut random, size, Activation::Relu);
        Isa::available().into_iter().for_each(|isa| case.check(isa, 1e-5));
        let case = case.with_residual(&mut random);
        Isa::available().into_iter().for_each(|isa| case.check(isa, 1e-5));
    }
}

#[test]
fn a_mean_far_from_zero_costs_no_digits() {
    let mut random = Random(22);
    let mut case = Case::new(&mut random, [6, 3, 100], Activation::Identity);
    case.input.iter_mut().for_each(|value| *value = (*value * 1024.0).round() / 1024.0 + 4096.0);
    for isa in Isa::available() {
        let [_, _, variance, ..] = case.run(isa);
        let expected: Vec<f64> = case.statistics().iter().map(|values| values[1]).collect();
        assert_close(&variance, &expected, 1e-6, "variance");
    }
}

#[test]
fn gradients_are_the_slopes_of_the_forward_pass() {
    const STEP: f64 = 1e-5;
    let mut random = Random(23);
    for activation in [Activation::Identity, Activation::Relu] {
        let case = Case::new(&mut random, [3, 4, 7], activation).with_residual(&mut random);
        let loss = |case: &Case| -> f64 {
            case.output().iter().zip(&case.gradient).map(|(value, gradient)| value * gradient).sum()
        };
        type Part = fn(&mut Case) -> &mut Vec<f64>;
        let parts: [(usize, Part); 4] = [
            (4, |case| &mut case.input),
            (5, |case| &mut case.weight),
            (6, |case| &mut case.bias),
            (7, |case| case.residual.as_mut().expect("there is one")),
        ];
        for isa in Isa::available() {
            let found = case.run(isa);
            for (result, part) in parts {
                for (index, gradient) in found[result].iter().enumerate() {
                    let [above, below] = [STEP, -STEP].map(|step| {
                        let mut moved = case.clone();
                        part(&mut moved)[index] += step;
                        loss(&moved)
                    });
                    let slope = (above - below) / (2.0 * STEP);
                    assert!((slope - f64::from(*gradient)).abs() < 1e-4, "{isa}: {gradient}, not {slope}");
                }
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let mut random = Random(24);
    let case = Case::new(&mut random, [19, 37, 64], Activation::Relu).with_residual(&mut random);
    for isa in Isa::available() {
        let results = [1, 2, 3, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| case.run(isa))
        });
        assert!(results.iter().all(|result| *result == results[0]), "{isa}");
    }
}

#[test]
fn not_a_number_is_not_hidden() {
    for isa in Isa::available() {
        let batch = Batch::new(isa, 2).expect("available");
        let mut input = vec![0.5f32; 40];
        input[25] = f32::NAN;
        let norm =
            Norm { weight: &[1.0; 2], bias: &[0.0; 2], epsilon: EPSILON, activation: Activation::Relu };
        let found = norm_forward(batch, norm, &batch_in_lanes(batch, &input), None).expect("lengths fit");
        // Number 25 lies in the first channel of the second of two images of twenty.
        assert!(found.variance[0].is_nan() && found.variance[1].is_finite(), "{isa}");
        let output = batch_out_of_lanes(batch, &found.output);
        assert!(output[20..30].iter().all(|value| value.is_nan()), "{isa}");
    }
}

#[test]
fn slices_that_do_not_fit_are_refused() {
    let batch = |images| Batch::new(Isa::best(), images).expect("available");
    let input = batch_in_lanes(batch(2), &[1.0; 2 * 3 * 5]);
    let named = |error: Option<KernelError>, name: &str| match error {
        Some(KernelError::Length { slice, .. }) => assert_eq!(slice, name),
        Some(KernelError::Shape { field, .. }) => assert_eq!(field, name),
        other => panic!("{name} gave {other:?}"),
    };
    let ones = [1.0; 3];
    let norm = Norm { weight: &ones, bias: &ones, epsilon: EPSILON, activation: Activation::Relu };
    let forward = |input: &[f32], norm, images| norm_forward(batch(images), norm, input, None);
    named(forward(&input[1..], norm, 2).err(), "input");
    named(forward(&[], norm, 2).err(), "input");
    named(forward(&input, Norm { bias: &ones[1..], ..norm }, 2).err(), "bias");
    named(forward(&input, Norm { weight: &[], bias: &[], ..norm }, 2).err(), "channels");
    named(forward(&input, norm, 0).err(), "batch");
    named(norm_forward(batch(2), norm, &input, Some(&input[1..])).err(), "residual");
    let found = forward(&input, norm, 2).expect("lengths fit");
    let saved = found.saved(&input, norm, None);
    let backward = |saved: &SavedNorm<'_>, gradient: &[f32]| {
        norm_backward(batch(2), saved, &mut gradient.to_vec()).err()
    };
    named(backward(&saved, &input[1..]), "output_gradient");
    named(backward(&SavedNorm { mean: &ones[1..], ..saved }, &input), "mean");
    named(backward(&SavedNorm { residual: Some(&input[1..]), ..saved }, &input), "residual");
}
