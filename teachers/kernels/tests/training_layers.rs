//! A convolution with its batch norm at once, poolings, selections, activations and sums in training.

mod common;

use cgym_kernels::train::{
    self, Batch, Convolution, InputGradient, Norm, conv_backward, conv_forward, conv_norm_backward,
    conv_norm_forward, norm_backward, norm_forward,
};
use cgym_kernels::{Activation, ChannelGather, ConvShape, Isa, Pool, PoolKind, PoolShape};
use common::{Random, assert_close, batch_in_lanes, batch_out_of_lanes};

const ACTIVATIONS: [Activation; 3] = [Activation::Identity, Activation::Relu, Activation::Relu6];

fn batch(isa: Isa, images: usize) -> Batch {
    Batch::new(isa, images).expect("available")
}

#[test]
fn a_convolution_with_its_batch_norm_is_one_after_the_other() {
    let mut random = Random(31);
    for round in 0..40 {
        let groups = random.of(&[1, 1, 3]);
        let (inputs, outputs) = (groups * random.between(1, 5), groups * random.between(1, 7));
        let kernel = random.of(&[1, 3]);
        let shape = ConvShape {
            groups,
            ..ConvShape::square(inputs, outputs, kernel, random.between(1, 2), kernel / 2, random.pair(3, 9))
        };
        let images = random.of(&[2, 7, 16, 35]);
        let (weight, bias) = (random.values(shape.weight_len()), random.values(outputs));
        let affine = [random.values(outputs), random.values(outputs)];
        let pixels = shape.output()[0] * shape.output()[1];
        let input = random.values(images * inputs * shape.input[0] * shape.input[1]);
        let [gradient, residual] = [(); 2].map(|()| random.values(images * outputs * pixels));
        for isa in Isa::available() {
            let batch = batch(isa, images);
            let conv = Convolution { shape: &shape, weight: &weight, bias: (round % 2 > 0).then_some(&bias) };
            let activation = random.of(&ACTIVATIONS);
            let norm = Norm { weight: &affine[0], bias: &affine[1], epsilon: 1e-5, activation };
            let [input, gradient, residual] =
                [&input, &gradient, &residual].map(|images| batch_in_lanes(batch, images));
            let residual = (round % 3 > 0).then_some(&*residual);

            let between = conv_forward(batch, conv, &input).expect("fits");
            let expected = norm_forward(batch, norm, &between, residual).expect("fits");
            let found = conv_norm_forward(batch, conv, norm, &input, residual).expect("fits");
            assert_eq!(found, (between.clone(), expected.clone()), "{isa} {shape:?}");

            let saved = expected.saved(&between, norm, residual);
            let mut of_residual = gradient.clone();
            let (middle, of_norm) = norm_backward(batch, &saved, &mut of_residual).expect("fits");
            let wanted = InputGradient::AddedTo(&input);
            let of_conv = conv_backward(batch, conv, &input, &middle, wanted).expect("fits");
            let mut changed = gradient.clone();
            let found = conv_norm_backward(batch, conv, &input, wanted, &saved, &mut changed).expect("fits");
            assert_eq!((found, changed), ((of_conv, of_norm), of_residual), "{isa} {shape:?}");
        }
    }
}

/// The slopes of `forward`, which is linear between two near inputs, times `gradient`.
fn slopes(input: &[f32], gradient: &[f32], forward: impl Fn(&[f32]) -> Vec<f32>) -> Vec<f64> {
    const STEP: f32 = 1.0 / 1024.0;
    let loss = |values: &[f32]| -> f64 {
        forward(values).iter().zip(gradient).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let slope = |index: usize| {
        let mut moved = input.to_vec();
        moved[index] += STEP;
        let above = loss(&moved);
        moved[index] -= 2.0 * STEP;
        (above - loss(&moved)) / (2.0 * f64::from(STEP))
    };
    (0..input.len()).map(slope).collect()
}

/// Different numbers, so far apart that a small step does not change which is the greatest.
fn distinct(random: &mut Random, count: usize) -> Vec<f32> {
    let mut values: Vec<f32> = (0..count).map(|index| index as f32 / 64.0 - 3.0).collect();
    (1..count).rev().for_each(|index| values.swap(index, random.between(0, index)));
    values
}

#[test]
fn the_gradient_of_a_pooling_is_its_slope() {
    let mut random = Random(32);
    for _ in 0..12 {
        let channels = random.between(1, 3);
        let input = random.pair(3, 6);
        let (kernel, stride) = (random.pair(1, 3), random.pair(1, 3));
        let padding = [kernel[0] / 2, 0];
        let shape = PoolShape { channels, input, kernel, stride, padding, ceil_mode: false };
        let images = random.of(&[3, 9]);
        let pixels = distinct(&mut random, images * channels * input[0] * input[1]);
        for isa in Isa::available() {
            let batch = batch(isa, images);
            for pool in [
                Pool::new(shape, PoolKind::Max, isa),
                Pool::new(shape, PoolKind::Average { count_include_pad: true }, isa),
                Pool::adaptive_average(channels, input, [2, 2], isa),
            ] {
                let pool = pool.expect("fits");
                let forward = |images: &[f32]| {
                    let output = train::pool_forward(batch, &pool, &batch_in_lanes(batch, images));
                    batch_out_of_lanes(batch, &output.expect("fits"))
                };
                let gradient = random.values(forward(&pixels).len());
                let mut target = batch_in_lanes(batch, &pixels);
                let [input, in_lanes] = [&pixels, &gradient].map(|images| batch_in_lanes(batch, images));
                train::pool_backward(batch, &pool, &input, &in_lanes, &mut target).expect("fits");
                // The gradient is added to what was there.
                let expected: Vec<f64> = slopes(&pixels, &gradient, forward)
                    .iter()
                    .zip(&pixels)
                    .map(|(slope, before)| slope + f64::from(*before))
                    .collect();
                assert_close(&batch_out_of_lanes(batch, &target), &expected, 5e-3, "pool");
            }
        }
    }
}

#[test]
fn of_equal_maxima_the_first_gets_the_gradient() {
    for isa in Isa::available() {
        let batch = batch(isa, 1);
        let shape = PoolShape {
            channels: 1,
            input: [2, 2],
            kernel: [2, 2],
            stride: [2, 2],
            padding: [0, 0],
            ceil_mode: false,
        };
        let pool = Pool::new(shape, PoolKind::Max, isa).expect("fits");
        let [input, gradient, mut target] =
            [&[1.0, 3.0, 3.0, 3.0][..], &[5.0], &[0.0; 4]].map(|images| batch_in_lanes(batch, images));
        train::pool_backward(batch, &pool, &input, &gradient, &mut target).expect("fits");
        assert_eq!(batch_out_of_lanes(batch, &target), [0.0, 5.0, 0.0, 0.0], "{isa}");
    }
}

#[test]
fn the_gradient_of_a_selection_is_its_slope() {
    let mut random = Random(33);
    for (stride, sources) in [(1, vec![None, Some(1), Some(0)]), (2, vec![Some(1), None, Some(1), Some(0)])] {
        for isa in Isa::available() {
            let (batch, input) = (batch(isa, 5), [5, 4]);
            let gather = ChannelGather::new(2, input, stride, sources.clone(), isa).expect("fits");
            let forward = |images: &[f32]| {
                let output = train::gather_forward(batch, &gather, &batch_in_lanes(batch, images));
                batch_out_of_lanes(batch, &output.expect("fits"))
            };
            let pixels = random.values(5 * 2 * 20);
            let gradient = random.values(forward(&pixels).len());
            let mut target = train::Aligned::zeros(batch.len(2 * 20).expect("fits"));
            let in_lanes = batch_in_lanes(batch, &gradient);
            train::gather_backward(batch, &gather, &in_lanes, &mut target).expect("fits");
            let expected = slopes(&pixels, &gradient, forward);
            assert_close(&batch_out_of_lanes(batch, &target), &expected, 1e-3, "gather");
        }
    }
}

#[test]
fn activations_and_sums_are_those_of_single_numbers() {
    let mut random = Random(34);
    for isa in Isa::available() {
        let batch = batch(isa, 21);
        let values: Vec<f32> = random.values(21 * 50).iter().map(|value| value * 9.0).collect();
        let other = random.values(values.len());
        let [left, right] = [&values, &other].map(|images| batch_in_lanes(batch, images));
        for activation in ACTIVATIONS {
            let [low, high] = match activation {
                Activation::Identity => [f32::NEG_INFINITY, f32::INFINITY],
                Activation::Relu => [0.0, f32::INFINITY],
                Activation::Relu6 => [0.0, 6.0],
            };
            let output = train::activate_forward(batch, &left, activation).expect("fits");
            let expected: Vec<f32> = values.iter().map(|value| value.clamp(low, high)).collect();
            assert_eq!(batch_out_of_lanes(batch, &output), expected, "{isa}");
            let gradient = train::activate_backward(batch, &output, activation, &right).expect("fits");
            let passes = |(value, gradient): (&f32, &f32)| {
                if low < *value && *value < high { *gradient } else { 0.0 }
            };
            let expected: Vec<f32> = values.iter().zip(&other).map(passes).collect();
            assert_eq!(batch_out_of_lanes(batch, &gradient), expected, "{isa}");
        }
        let sum = train::add_forward(batch, &left, &right).expect("fits");
        let mut target = left.clone();
        train::add_to(batch, &mut target, &right).expect("fits");
        let expected: Vec<f32> = values.iter().zip(&other).map(|(a, b)| a + b).collect();
        assert_eq!(batch_out_of_lanes(batch, &sum), expected, "{isa}");
        assert_eq!(target, sum, "{isa}");
    }
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let isa = Isa::best();
    let batch = batch(isa, 3);
    let values = batch_in_lanes(batch, &[1.0; 3 * 12]);
    assert!(train::to_lanes(batch, &[1.0; 10]).is_err());
    assert!(train::from_lanes(batch, &values[1..]).is_err());
    assert!(train::activate_forward(batch, &values[1..], Activation::Relu).is_err());
    assert!(train::add_forward(batch, &values, &values[isa.lanes()..]).is_err());
    assert!(train::add_to(batch, &mut values.clone(), &values[isa.lanes()..]).is_err());
    let pool = Pool::global_average(3, [2, 2], isa).expect("fits");
    assert!(train::pool_forward(batch, &pool, &values[isa.lanes()..]).is_err());
    let gradient = batch_in_lanes(batch, &[1.0; 9]);
    assert!(train::pool_backward(batch, &pool, &values, &gradient[1..], &mut values.clone()).is_err());
    assert!(train::pool_backward(batch, &pool, &values[1..], &gradient, &mut values.clone()).is_err());
    let gather = ChannelGather::new(3, [2, 2], 1, vec![Some(0)], isa).expect("fits");
    assert!(train::gather_forward(batch, &gather, &values[1..]).is_err());
    assert!(train::gather_backward(batch, &gather, &gradient, &mut values.clone()).is_err());
}
