//! Convolutions in training against a plain reference in double precision.

mod common;

use cgym_kernels::train::{conv_backward, conv_forward, conv_input_gradient, conv_weight_gradient};
use cgym_kernels::{ConvShape, Isa, KernelError};
use common::{Random, assert_close};

struct Case {
    shape: ConvShape,
    batch: usize,
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    gradient: Vec<f32>,
}

/// Output, and gradients of input, weight and bias.
#[derive(Default)]
struct Reference {
    output: Vec<f64>,
    input: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Case {
    fn new(random: &mut Random, shape: ConvShape, batch: usize) -> Self {
        let pixels = |size: [usize; 2]| size[0] * size[1];
        Self {
            input: random.values(batch * shape.in_channels * pixels(shape.input)),
            weight: random.values(shape.weight_len()),
            bias: random.values(shape.out_channels),
            gradient: random.values(batch * shape.out_channels * pixels(shape.output())),
            shape,
            batch,
        }
    }

    /// One product after the other.
    fn reference(&self) -> Reference {
        let shape = &self.shape;
        let [height, width] = shape.output();
        let (depth, count) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
        let mut found = Reference {
            input: vec![0.0; self.input.len()],
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; self.bias.len()],
            output: Vec::new(),
        };
        for index in 0..self.gradient.len() {
            let (x, y) = (index % width, index / width % height);
            let (channel, image) = (
                index / (width * height) % shape.out_channels,
                index / (width * height * shape.out_channels),
            );
            let gradient = f64::from(self.gradient[index]);
            found.bias[channel] += gradient;
            let mut sum = f64::from(self.bias[channel]);
            let first = channel * depth * shape.kernel[0] * shape.kernel[1];
            for tap in 0..depth * shape.kernel[0] * shape.kernel[1] {
                let (kx, ky) = (tap % shape.kernel[1], tap / shape.kernel[1] % shape.kernel[0]);
                let row = (y * shape.stride[0] + ky * shape.dilation[0]).wrapping_sub(shape.padding[0]);
                let column = (x * shape.stride[1] + kx * shape.dilation[1]).wrapping_sub(shape.padding[1]);
                if row < shape.input[0] && column < shape.input[1] {
                    let from = channel / count * depth + tap / (shape.kernel[0] * shape.kernel[1]);
                    let plane = image * shape.in_channels + from;
                    let place = (plane * shape.input[0] + row) * shape.input[1] + column;
                    let (value, weight) = (f64::from(self.input[place]), f64::from(self.weight[first + tap]));
                    sum += value * weight;
                    found.input[place] += gradient * weight;
                    found.weight[first + tap] += gradient * value;
                }
            }
            found.output.push(sum);
        }
        found
    }

    fn check(&self, isa: Isa) {
        let (shape, batch) = (&self.shape, self.batch);
        let context = format!("{isa} {batch} x {shape:?}");
        let expected = self.reference();
        let forward = |bias| conv_forward(isa, shape, &self.weight, bias, &self.input, batch);
        let output = forward(Some(&self.bias)).expect("lengths fit");
        let products = shape.weight_len() as f64;
        assert_close(&output, &expected.output, 4e-7 * (4.0 + products), &context);
        let zeros = vec![0.0; self.bias.len()];
        assert_eq!(forward(None), forward(Some(&zeros)), "{context}");

        let input =
            conv_input_gradient(isa, shape, &self.weight, &self.gradient, batch).expect("lengths fit");
        assert_close(&input, &expected.input, 4e-7 * (4.0 + products), &context);
        let weight =
            conv_weight_gradient(isa, shape, &self.input, &self.gradient, batch).expect("lengths fit");
        let products = (batch * shape.output()[0] * shape.output()[1]) as f64;
        assert_close(&weight, &expected.weight, 4e-7 * (4.0 + products), &context);

        let all = conv_backward(isa, shape, Some(&self.weight), &self.input, &self.gradient, batch)
            .expect("lengths fit");
        assert_eq!((&all.input, &all.weight), (&input, &weight), "{context}");
        assert_close(&all.bias, &expected.bias, 4e-7 * (4.0 + products), &context);
        let rest = conv_backward(isa, shape, None, &self.input, &self.gradient, batch).expect("lengths fit");
        assert!(rest.input.is_empty() && rest.weight == weight && rest.bias == all.bias, "{context}");
    }
}

fn random_shape(random: &mut Random) -> ConvShape {
    let groups = random.of(&[1, 1, 1, 2, 3]);
    ConvShape {
        in_channels: groups * random.between(1, 8),
        out_channels: groups * random.between(1, 11),
        kernel: random.pair(1, 5),
        stride: random.pair(1, 3),
        padding: random.pair(0, 5),
        dilation: random.pair(1, 3),
        groups,
        input: random.pair(1, 11),
    }
}

#[test]
fn any_shape_agrees_with_the_reference() {
    let mut random = Random(11);
    let mut checked = 0;
    while checked < 300 {
        let shape = random_shape(&mut random);
        if shape.validate().is_ok() {
            let batch = random.of(&[1, 2, 5, 8, 17, 33]);
            let case = Case::new(&mut random, shape, batch);
            Isa::available().into_iter().for_each(|isa| case.check(isa));
            checked += 1;
        }
    }
}

#[test]
fn known_layers_agree_with_the_reference() {
    let mut random = Random(12);
    let square = ConvShape::square;
    let depthwise =
        |kernel, stride, side| ConvShape { groups: 5, ..square(5, 5, kernel, stride, kernel / 2, [side; 2]) };
    for (shape, batch) in [
        (square(3, 16, 3, 1, 1, [32, 32]), 3),
        (square(16, 32, 3, 2, 1, [32, 32]), 3),
        (square(64, 64, 3, 1, 1, [8, 8]), 20),
        (square(16, 24, 1, 1, 0, [8, 8]), 18),
        (square(16, 24, 1, 2, 0, [9, 9]), 3),
        (square(3, 8, 7, 2, 3, [30, 30]), 3),
        (depthwise(3, 1, 16), 18),
        (depthwise(3, 2, 16), 18),
        (depthwise(5, 2, 15), 3),
        (ConvShape { out_channels: 10, ..depthwise(3, 1, 9) }, 3),
    ] {
        let case = Case::new(&mut random, shape, batch);
        Isa::available().into_iter().for_each(|isa| case.check(isa));
    }
}

#[test]
fn gradients_are_the_slopes_of_the_forward_pass() {
    let mut random = Random(13);
    let dot = |left: &[f32], right: &[f32]| -> f64 {
        left.iter().zip(right).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    for stride in 1..=3 {
        let shape =
            ConvShape { groups: 2, dilation: [1, 2], ..ConvShape::square(4, 6, 3, stride, 2, [5, 6]) };
        let mut case = Case::new(&mut random, shape, 3);
        for isa in Isa::available() {
            let found = conv_backward(isa, &shape, Some(&case.weight), &case.input, &case.gradient, 3)
                .expect("lengths fit");
            let loss = |case: &Case| {
                let bias = Some(case.bias.as_slice());
                let output = conv_forward(isa, &shape, &case.weight, bias, &case.input, case.batch);
                dot(&output.expect("lengths fit"), &case.gradient)
            };
            type Part = fn(&mut Case) -> &mut Vec<f32>;
            let parts: [(&[f32], Part); 3] = [
                (&found.input, |case| &mut case.input),
                (&found.weight, |case| &mut case.weight),
                (&found.bias, |case| &mut case.bias),
            ];
            for (gradient, part) in parts {
                for (index, found) in gradient.iter().enumerate() {
                    let value = part(&mut case)[index];
                    // A convolution is linear in each of its arguments: any step will do.
                    let [above, below] = [1.0, -1.0].map(|step| {
                        part(&mut case)[index] = value + step;
                        loss(&case)
                    });
                    part(&mut case)[index] = value;
                    let slope = (above - below) / 2.0;
                    let difference = (slope - f64::from(*found)).abs();
                    assert!(difference < 1e-4, "{isa} [{index}] is {found}, not {slope}");
                }
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let mut random = Random(14);
    let shape = ConvShape::square(5, 9, 3, 1, 1, [7, 7]);
    // More groups of lanes than parts, the last not full.
    let case = Case::new(&mut random, shape, 277);
    for isa in Isa::available() {
        let results = [1, 2, 3, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| {
                let output = conv_forward(isa, &shape, &case.weight, None, &case.input, case.batch);
                let weight = Some(case.weight.as_slice());
                (output, conv_backward(isa, &shape, weight, &case.input, &case.gradient, case.batch))
            })
        });
        assert!(results[0].0.is_ok() && results[0].1.is_ok());
        assert!(results.iter().all(|result| *result == results[0]), "{isa}");
    }
}

#[test]
fn an_empty_batch_has_no_output_and_gradients_of_zero() {
    let shape = ConvShape::square(2, 3, 3, 1, 1, [4, 4]);
    let weight = vec![1.0; shape.weight_len()];
    let isa = Isa::best();
    assert_eq!(conv_forward(isa, &shape, &weight, None, &[], 0), Ok(Vec::new()));
    let found = conv_backward(isa, &shape, Some(&weight), &[], &[], 0).expect("lengths fit");
    assert!(found.input.is_empty() && found.weight == vec![0.0; weight.len()] && found.bias == [0.0; 3]);
}

#[test]
fn slices_and_shapes_that_do_not_fit_are_refused() {
    let shape = ConvShape::square(2, 3, 3, 1, 1, [4, 4]);
    let (isa, batch) = (Isa::best(), 2);
    let (weight, input, gradient) = (vec![0.0; shape.weight_len()], vec![0.0; 64], vec![0.0; 96]);
    let named = |error: Option<KernelError>, name: &str| match error {
        Some(KernelError::Length { slice, .. }) => assert_eq!(slice, name),
        Some(KernelError::Shape { field, .. }) => assert_eq!(field, name),
        other => panic!("{name} gave {other:?}"),
    };
    let forward = |weight: &[f32], bias: Option<&[f32]>, input: &[f32], batch| {
        conv_forward(isa, &shape, weight, bias, input, batch).err()
    };
    named(forward(&weight[1..], None, &input, batch), "weight");
    named(forward(&weight, Some(&[0.0; 2]), &input, batch), "bias");
    named(forward(&weight, None, &input[1..], batch), "input");
    named(forward(&weight, None, &input, 3), "input");
    named(forward(&weight, None, &input, usize::MAX / 64), "batch");
    let refused =
        |weight: &[f32], gradient: &[f32]| conv_input_gradient(isa, &shape, weight, gradient, batch).err();
    named(refused(&weight[1..], &gradient), "weight");
    named(refused(&weight, &gradient[1..]), "output_gradient");
    let refused =
        |input: &[f32], gradient: &[f32]| conv_weight_gradient(isa, &shape, input, gradient, batch).err();
    named(refused(&input[1..], &gradient), "input");
    named(refused(&input, &gradient[1..]), "output_gradient");
    named(conv_backward(isa, &shape, Some(&weight[1..]), &input, &gradient, batch).err(), "weight");
    let bad = ConvShape { groups: 5, ..shape };
    named(conv_backward(isa, &bad, Some(&weight), &input, &gradient, batch).err(), "in_channels");
}
