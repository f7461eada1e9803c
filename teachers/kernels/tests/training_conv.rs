//! Convolutions in training against a plain reference in double precision.

mod common;

use cgym_kernels::train::{
    self, Batch, ConvGradients, Convolution, InputGradient, conv_backward, conv_forward,
};
use cgym_kernels::{Algorithm, ConvShape, Isa, KernelError};
use common::{Random, assert_close, batch_in_lanes, batch_out_of_lanes};

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

    fn conv(&self) -> Convolution<'_> {
        Convolution { shape: &self.shape, weight: &self.weight, bias: Some(&self.bias) }
    }

    /// The output, image by image.
    fn forward(&self, isa: Isa, conv: Convolution<'_>) -> Vec<f32> {
        let batch = Batch::new(isa, self.batch).expect("available");
        let output = conv_forward(batch, conv, &batch_in_lanes(batch, &self.input)).expect("lengths fit");
        batch_out_of_lanes(batch, &output)
    }

    /// The gradients, that of the input in lanes.
    fn backward(&self, isa: Isa, wanted: InputGradient<'_>) -> ConvGradients {
        let batch = Batch::new(isa, self.batch).expect("available");
        let [input, gradient] = [&self.input, &self.gradient].map(|images| batch_in_lanes(batch, images));
        conv_backward(batch, self.conv(), &input, &gradient, wanted).expect("lengths fit")
    }

    fn check(&self, isa: Isa) {
        let (shape, images) = (&self.shape, self.batch);
        let batch = Batch::new(isa, images).expect("available");
        let context = format!("{isa} {images} x {shape:?}");
        let expected = self.reference();
        let output = self.forward(isa, self.conv());
        let products = shape.weight_len() as f64;
        assert_close(&output, &expected.output, 4e-7 * (4.0 + products), &context);
        let zeros = vec![0.0; self.bias.len()];
        let without = |bias| self.forward(isa, Convolution { bias, ..self.conv() });
        assert_eq!(without(None), without(Some(&zeros)), "{context}");

        let all = self.backward(isa, InputGradient::Alone);
        let input = batch_out_of_lanes(batch, &all.input);
        assert_close(&input, &expected.input, 4e-7 * (4.0 + products), &context);
        let earlier = batch_in_lanes(batch, &self.input);
        let added = self.backward(isa, InputGradient::AddedTo(&earlier));
        let sums: Vec<f64> = expected.input.iter().zip(&self.input).map(|(a, b)| a + f64::from(*b)).collect();
        let added_input = batch_out_of_lanes(batch, &added.input);
        assert_close(&added_input, &sums, 4e-7 * (8.0 + products), &context);
        let products = (images * shape.output()[0] * shape.output()[1]) as f64;
        assert_close(&all.weight, &expected.weight, 4e-7 * (4.0 + products), &context);
        assert_close(&all.bias, &expected.bias, 4e-7 * (4.0 + products), &context);
        let rest = self.backward(isa, InputGradient::None);
        assert!(rest.input.is_empty(), "{context}");
        for other in [rest, added] {
            assert!(other.weight == all.weight && other.bias == all.bias, "{context}");
        }
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
fn the_fast_algorithm_agrees_with_the_reference_and_is_not_the_direct_one() {
    let mut random = Random(17);
    // Whole tiles, tiles at the border, no padding, and a padding of two.
    for (from, to, padding, input) in
        [(16, 24, 1, [12, 8]), (24, 32, 1, [13, 18]), (24, 40, 0, [14, 11]), (40, 33, 2, [14, 10])]
    {
        let shape = ConvShape::square(from, to, 3, 1, padding, input);
        for isa in Isa::available() {
            let images = random.of(&[1, isa.lanes(), isa.lanes() + 3]);
            let case = Case::new(&mut random, shape, images);
            case.check(isa);
            let [fast, direct] = [Algorithm::Fast, Algorithm::Direct].map(|algorithm| {
                let batch = Batch::new(isa, images).expect("available").with_algorithm(algorithm);
                let [input, gradient] =
                    [&case.input, &case.gradient].map(|images| batch_in_lanes(batch, images));
                let output = conv_forward(batch, case.conv(), &input).expect("lengths fit");
                let found = conv_backward(batch, case.conv(), &input, &gradient, InputGradient::Alone);
                (output, found.expect("lengths fit"))
            });
            assert!(*fast.0 != *direct.0 && *fast.1.input != *direct.1.input, "{isa} {shape:?}");
            assert!(fast.1.weight != direct.1.weight, "{isa} {shape:?}");
        }
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
            let found = case.backward(isa, InputGradient::Alone);
            let of_input = batch_out_of_lanes(Batch::new(isa, 3).expect("available"), &found.input);
            let loss = |case: &Case| dot(&case.forward(isa, case.conv()), &case.gradient);
            type Part = fn(&mut Case) -> &mut Vec<f32>;
            let parts: [(&[f32], Part); 3] = [
                (&of_input, |case| &mut case.input),
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
            pool.install(|| (case.forward(isa, case.conv()), case.backward(isa, InputGradient::Alone)))
        });
        assert!(results.iter().all(|result| *result == results[0]), "{isa}");
    }
}

#[test]
fn an_empty_batch_has_no_output_and_gradients_of_zero() {
    let shape = ConvShape::square(2, 3, 3, 1, 1, [4, 4]);
    let (weight, batch) = (vec![1.0; shape.weight_len()], Batch::new(Isa::best(), 0).expect("available"));
    let conv = Convolution { shape: &shape, weight: &weight, bias: None };
    assert!(conv_forward(batch, conv, &[]).expect("lengths fit").is_empty());
    let found = conv_backward(batch, conv, &[], &[], InputGradient::Alone).expect("lengths fit");
    assert!(found.input.is_empty() && found.weight == vec![0.0; weight.len()] && found.bias == [0.0; 3]);
}

#[test]
fn slices_and_shapes_that_do_not_fit_are_refused() {
    let shape = ConvShape::square(2, 3, 3, 1, 1, [4, 4]);
    let batch = Batch::new(Isa::best(), 2).expect("available");
    let weight = vec![0.0; shape.weight_len()];
    let [input, gradient] = [64, 96].map(|len| train::to_lanes(batch, &vec![0.0; len]).expect("fits"));
    let named = |error: Option<KernelError>, name: &str| match error {
        Some(KernelError::Length { slice, .. }) => assert_eq!(slice, name),
        Some(KernelError::Shape { field, .. }) => assert_eq!(field, name),
        other => panic!("{name} gave {other:?}"),
    };
    let conv = Convolution { shape: &shape, weight: &weight, bias: None };
    let short = Convolution { weight: &weight[1..], ..conv };
    let forward = |batch, conv, input: &[f32]| conv_forward(batch, conv, input).err();
    named(forward(batch, short, &input), "weight");
    named(forward(batch, Convolution { bias: Some(&[0.0; 2]), ..conv }, &input), "bias");
    named(forward(batch, conv, &input[1..]), "input");
    named(forward(Batch::new(Isa::best(), 20).expect("available"), conv, &input), "input");
    named(forward(Batch::new(Isa::best(), usize::MAX / 200).expect("available"), conv, &input), "batch");
    named(Batch::new(Isa::best(), usize::MAX).err(), "batch");
    let wanted = InputGradient::Alone;
    let backward = |conv, input: &[f32], gradient: &[f32], wanted| {
        conv_backward(batch, conv, input, gradient, wanted).err()
    };
    named(backward(short, &input, &gradient, wanted), "weight");
    named(backward(conv, &input[1..], &gradient, wanted), "input");
    named(backward(conv, &input, &gradient[1..], wanted), "output_gradient");
    named(backward(conv, &input, &gradient, InputGradient::AddedTo(&input[1..])), "earlier");
    let bad = ConvShape { groups: 5, ..shape };
    named(backward(Convolution { shape: &bad, ..conv }, &input, &gradient, wanted), "in_channels");
}
