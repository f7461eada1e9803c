//! Convolutions against a plain reference in double precision.

mod common;

use cgym_kernels::{Activation, Algorithm, Conv2d, ConvShape, Isa, Linear};
use common::{Random, assert_close, in_lanes, out_of_lanes};

struct Case {
    shape: ConvShape,
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    activation: Activation,
}

impl Case {
    fn new(random: &mut Random, shape: ConvShape) -> Self {
        Self {
            shape,
            weight: random.values(shape.weight_len()),
            bias: random.of(&[true, false]).then(|| random.values(shape.out_channels)),
            activation: random.of(&[Activation::Identity, Activation::Relu, Activation::Relu6]),
        }
    }

    fn input_len(&self) -> usize {
        self.shape.in_channels * self.shape.input[0] * self.shape.input[1]
    }

    fn output_len(&self) -> usize {
        self.shape.out_channels * self.shape.output()[0] * self.shape.output()[1]
    }

    fn pack(&self, isa: Isa) -> Conv2d {
        let bias = self.bias.as_deref();
        Conv2d::new(self.shape, &self.weight, bias, self.activation, Algorithm::Fast, isa)
            .expect("a valid shape")
    }

    /// One image, one multiplication after the other.
    fn reference(&self, image: &[f32], residual: Option<&[f32]>) -> Vec<f64> {
        let shape = &self.shape;
        let [height, width] = shape.output();
        let depth = shape.in_channels / shape.groups;
        let count = shape.out_channels / shape.groups;
        let mut output = Vec::new();
        for channel in 0..shape.out_channels {
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let mut sum = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]));
                for (from, ky, kx) in taps(depth, shape.kernel) {
                    let row = y * shape.stride[0] + ky * shape.dilation[0];
                    let column = x * shape.stride[1] + kx * shape.dilation[1];
                    let (Some(row), Some(column)) = (
                        row.checked_sub(shape.padding[0]).filter(|row| *row < shape.input[0]),
                        column.checked_sub(shape.padding[1]).filter(|x| *x < shape.input[1]),
                    ) else {
                        continue;
                    };
                    let plane = channel / count * depth + from;
                    let value = image[(plane * shape.input[0] + row) * shape.input[1] + column];
                    let weight = ((channel * depth + from) * shape.kernel[0] + ky) * shape.kernel[1] + kx;
                    sum += f64::from(value) * f64::from(self.weight[weight]);
                }
                sum += residual.map_or(0.0, |residual| f64::from(residual[output.len()]));
                output.push(match self.activation {
                    Activation::Identity => sum,
                    Activation::Relu => sum.max(0.0),
                    Activation::Relu6 => sum.clamp(0.0, 6.0),
                });
            }
        }
        output
    }

    /// Checks every instruction set with a full and with a partly filled group of images.
    fn check(&self, random: &mut Random) {
        for isa in Isa::available() {
            let conv = self.pack(isa);
            let count = random.of(&[1, 3, isa.lanes()]);
            let images = random.values(count * self.input_len());
            let residuals = random.values(count * self.output_len());
            let residual = random.of(&[true, false]).then_some(residuals.as_slice());
            let input = in_lanes(&images, self.input_len(), isa);
            let lanes = residual.map(|residual| in_lanes(residual, self.output_len(), isa));
            let mut output = vec![f32::NAN; conv.output_len()];
            conv.run(&input, lanes.as_deref(), &mut output).expect("the lengths fit");
            let expected: Vec<f64> = (0..count)
                .flat_map(|index| {
                    let part = |values: &[f32], len| values[index * len..][..len].to_vec();
                    let residual = residual.map(|residual| part(residual, self.output_len()));
                    self.reference(&part(&images, self.input_len()), residual.as_deref())
                })
                .collect();
            let found = out_of_lanes(&output, count, isa);
            let products = self.weight.len() / self.shape.out_channels;
            let tolerance = 4e-7 * (4.0 + products as f64);
            assert_close(&found, &expected, tolerance, &format!("{isa} {:?}", self.shape));
        }
    }
}

fn taps(depth: usize, kernel: [usize; 2]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..depth).flat_map(move |channel| {
        (0..kernel[0]).flat_map(move |ky| (0..kernel[1]).map(move |kx| (channel, ky, kx)))
    })
}

fn random_shape(random: &mut Random) -> ConvShape {
    let groups = random.of(&[1, 1, 1, 2, 3]);
    ConvShape {
        in_channels: groups * random.between(1, 9),
        out_channels: groups * random.between(1, 19),
        kernel: random.pair(1, 4),
        stride: random.pair(1, 3),
        padding: random.pair(0, 3),
        dilation: random.pair(1, 2),
        groups,
        input: random.pair(1, 11),
    }
}

#[test]
fn any_shape_agrees_with_the_reference() {
    let mut random = Random(1);
    let mut checked = 0;
    while checked < 400 {
        let shape = random_shape(&mut random);
        if shape.validate().is_ok() {
            Case::new(&mut random, shape).check(&mut random);
            checked += 1;
        }
    }
}

#[test]
fn square_kernels_of_one_to_seven_agree_with_the_reference() {
    let mut random = Random(2);
    for kernel in [1, 3, 5, 7] {
        for stride in 1..=3 {
            for padding in [0, kernel / 2, kernel] {
                for side in [1, 2, 4, 8, 9, 15] {
                    let (from, to) = (random.between(1, 12), random.between(1, 25));
                    let shape = ConvShape::square(from, to, kernel, stride, padding, [side; 2]);
                    if shape.validate().is_ok() {
                        Case::new(&mut random, shape).check(&mut random);
                    }
                }
            }
        }
    }
}

#[test]
fn large_kernels_over_the_border_and_steps_beyond_the_input_agree_with_the_reference() {
    let mut random = Random(11);
    let good = ConvShape::square(2, 3, 1, 1, 0, [9, 7]);
    let shapes = [
        ConvShape { kernel: [9, 8], padding: [5, 4], ..good },
        ConvShape { kernel: [1, 16], padding: [0, 8], ..good },
        ConvShape { kernel: [12, 1], padding: [6, 0], ..good },
        ConvShape { kernel: [5, 6], padding: [4, 9], stride: [2, 3], dilation: [2, 2], ..good },
        ConvShape { stride: [1 << 40, 1 << 40], ..good },
    ];
    for shape in shapes {
        Case::new(&mut random, shape).check(&mut random);
    }
}

#[test]
fn depth_wise_convolutions_agree_with_the_reference() {
    let mut random = Random(3);
    for multiplier in 1..=3 {
        for stride in 1..=3 {
            for kernel in [1, 2, 3, 5] {
                for dilation in 1..=2 {
                    let groups = random.between(2, 7);
                    let shape = ConvShape {
                        out_channels: multiplier * groups,
                        groups,
                        dilation: [dilation; 2],
                        input: random.pair(kernel, 21),
                        ..ConvShape::square(groups, 1, kernel, stride, kernel / 2, [1, 1])
                    };
                    if shape.validate().is_ok() {
                        Case::new(&mut random, shape).check(&mut random);
                    }
                }
            }
        }
    }
}

#[test]
fn weights_and_inputs_larger_than_a_cache_agree_with_the_reference() {
    let mut random = Random(4);
    for shape in [
        ConvShape::square(300, 70, 3, 1, 1, [4, 4]),
        ConvShape::square(130, 40, 1, 1, 0, [9, 31]),
        ConvShape::square(40, 9, 3, 1, 1, [5, 80]),
    ] {
        Case::new(&mut random, shape).check(&mut random);
    }
}

#[test]
fn an_image_depends_neither_on_its_lane_nor_on_its_neighbours() {
    let mut random = Random(5);
    for _ in 0..60 {
        let shape = random_shape(&mut random);
        if shape.validate().is_err() {
            continue;
        }
        let case = Case::new(&mut random, shape);
        let image = random.values(case.input_len());
        for isa in Isa::available() {
            let conv = case.pack(isa);
            let mut results = Vec::new();
            for lane in [0, 3, isa.lanes() - 1] {
                let mut images = random.values(isa.lanes() * image.len());
                images[lane * image.len()..][..image.len()].copy_from_slice(&image);
                let mut output = vec![f32::NAN; conv.output_len()];
                let input = in_lanes(&images, image.len(), isa);
                conv.run(&input, None, &mut output).expect("the lengths fit");
                let bits = output.iter().skip(lane).step_by(isa.lanes()).map(|v| v.to_bits());
                results.push(bits.collect::<Vec<_>>());
            }
            assert!(results.iter().all(|bits| *bits == results[0]), "{isa} {shape:?}");
        }
    }
}

#[test]
fn a_pixel_does_not_depend_on_the_tile_it_falls_in() {
    let mut random = Random(6);
    for isa in Isa::available() {
        let case = Case::new(&mut random, ConvShape::square(5, 11, 3, 1, 1, [9, 40]));
        let wide = case.pack(isa);
        let input = random.values(wide.input_len());
        let mut output = vec![0.0; wide.output_len()];
        wide.run(&input, None, &mut output).expect("the lengths fit");
        for width in 5..40 {
            let shape = ConvShape { input: [9, width], ..case.shape };
            let narrow = Case { shape, weight: case.weight.clone(), bias: case.bias.clone(), ..case };
            let cut = |values: &[f32], width: usize| -> Vec<f32> {
                let rows = values.chunks_exact(40 * isa.lanes());
                rows.flat_map(|row| row[..width * isa.lanes()].to_vec()).collect()
            };
            let conv = narrow.pack(isa);
            let mut found = vec![0.0; conv.output_len()];
            conv.run(&cut(&input, width), None, &mut found).expect("the lengths fit");
            // The last column meets the padding of the narrow input only.
            for (found, expected) in
                found.chunks_exact(width * isa.lanes()).zip(output.chunks_exact(40 * isa.lanes()))
            {
                let inner = ..(width - 1) * isa.lanes();
                assert_eq!(found[inner], expected[inner], "{isa} at a width of {width}");
            }
        }
    }
}

#[test]
fn a_linear_layer_is_a_product_of_matrices() {
    let mut random = Random(7);
    for isa in Isa::available() {
        for (from, to) in [(1, 1), (7, 10), (64, 100), (513, 33)] {
            let weight = random.values(from * to);
            let bias = random.values(to);
            let input = random.values(from);
            let linear = Linear::new(from, to, &weight, Some(&bias), Activation::Identity, isa)
                .expect("a valid shape");
            let mut output = vec![0.0; linear.output_len()];
            linear.run(&in_lanes(&input, from, isa), None, &mut output).expect("the lengths fit");
            let expected: Vec<f64> = weight
                .chunks_exact(from)
                .zip(&bias)
                .map(|(row, bias)| {
                    let products = row.iter().zip(&input).map(|(w, x)| f64::from(*w) * f64::from(*x));
                    f64::from(*bias) + products.sum::<f64>()
                })
                .collect();
            assert_close(&out_of_lanes(&output, 1, isa), &expected, 1e-4, "linear");
            assert_eq!(linear.macs(), (from * to) as u64);
        }
    }
}

#[test]
fn not_a_number_is_not_hidden_by_an_activation() {
    for isa in Isa::available() {
        let conv = Conv2d::new(
            ConvShape::square(1, 1, 1, 1, 0, [1, 1]),
            &[1.0],
            None,
            Activation::Relu6,
            Algorithm::Fast,
            isa,
        )
        .expect("a valid shape");
        let mut output = vec![0.0; isa.lanes()];
        conv.run(&vec![f32::NAN; isa.lanes()], None, &mut output).expect("the lengths fit");
        assert!(output.iter().all(|value| value.is_nan()), "{isa}");
    }
}
