//! Winograd's algorithm against the direct kernels and a sum in double precision.

mod common;

use cgym_kernels::{Activation, Algorithm, Conv2d, ConvBlock, ConvShape, Isa, Residual};
use common::{Random, in_lanes, out_of_lanes};

/// A shape that the fast algorithm computes with fewer products.
fn random_shape(random: &mut Random) -> ConvShape {
    loop {
        let (from, to) = (random.between(5, 40), random.between(5, 40));
        let shape = ConvShape {
            padding: random.pair(0, 2),
            input: random.pair(3, 19),
            ..ConvShape::square(from, to, 3, 1, 0, [1, 1])
        };
        if shape.validate().is_ok() && pack(&shape, &[], Isa::Portable).is_fast() {
            return shape;
        }
    }
}

/// A convolution with a ReLU; without weights, all of them are zero.
fn pack(shape: &ConvShape, weight: &[f32], isa: Isa) -> Conv2d {
    let zeros = vec![0.0; shape.weight_len()];
    let weight = if weight.is_empty() { &zeros } else { weight };
    let bias: Vec<f32> = (0..shape.out_channels).map(|channel| channel as f32 / 16.0 - 1.0).collect();
    Conv2d::new(*shape, weight, Some(&bias), Activation::Relu, Algorithm::Fast, isa).expect("a valid shape")
}

fn run(conv: &Conv2d, algorithm: Algorithm, input: &[f32], residual: Residual<'_>, output: &mut [f32]) {
    conv.run_blocks(algorithm, &mut [ConvBlock { input, residual, output }]).expect("the lengths fit");
}

/// The greatest difference between two results, in units of the greatest magnitude of the second.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    let magnitude = expected.iter().fold(1e-30f32, |most, value| most.max(value.abs()));
    found.iter().zip(expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / magnitude
}

#[test]
fn any_shape_agrees_with_the_direct_kernel() {
    let mut random = Random(1);
    for round in 0..250 {
        let shape = random_shape(&mut random);
        let weight = random.values(shape.weight_len());
        for isa in Isa::available() {
            let conv = pack(&shape, &weight, isa);
            let input = random.values(conv.input_len());
            let residuals = random.values(conv.output_len());
            let residual = if round % 2 == 0 { Residual::None } else { Residual::Of(&residuals) };
            let (mut fast, mut direct) =
                (vec![f32::NAN; conv.output_len()], vec![f32::NAN; conv.output_len()]);
            run(&conv, Algorithm::Fast, &input, residual, &mut fast);
            run(&conv, Algorithm::Direct, &input, residual, &mut direct);
            let difference = difference(&fast, &direct);
            assert!(difference < 3e-6, "{isa} {shape:?}: {difference:e}");
        }
    }
}

#[test]
fn a_single_weight_moves_the_image() {
    // The kernel with one at its corner shifts by one row and one column; the sum is known exactly.
    let shape = ConvShape::square(16, 16, 3, 1, 1, [9, 10]);
    let mut weight = vec![0.0; shape.weight_len()];
    for channel in 0..16 {
        weight[(channel * 16 + channel) * 9] = 1.0;
    }
    let mut random = Random(2);
    let image = random.values(16 * 90);
    for isa in Isa::available() {
        let conv =
            Conv2d::new(shape, &weight, None, Activation::Identity, Algorithm::Fast, isa).expect("valid");
        assert!(conv.is_fast());
        let mut output = vec![f32::NAN; conv.output_len()];
        run(&conv, Algorithm::Fast, &in_lanes(&image, 16 * 90, isa), Residual::None, &mut output);
        let found = out_of_lanes(&output, 1, isa);
        for (index, value) in found.iter().enumerate() {
            let (channel, row, column) = (index / 90, index / 10 % 9, index % 10);
            let inside = row > 0 && column > 0;
            let expected = if inside { image[(channel * 9 + row - 1) * 10 + column - 1] } else { 0.0 };
            assert!((value - expected).abs() < 1e-5, "{isa} [{index}] is {value}, not {expected}");
        }
    }
}

#[test]
fn blocks_together_are_blocks_alone_bit_by_bit() {
    let mut random = Random(3);
    // Weights that fit in a cache, weights that do not, and a tile that two blocks share.
    for (channels, size) in [(16, 13), (24, 8), (100, 8), (160, 4), (72, 6)] {
        let shape = ConvShape::square(channels, channels, 3, 1, 1, [size; 2]);
        let weight = random.values(shape.weight_len());
        for isa in Isa::available() {
            let conv = pack(&shape, &weight, isa);
            assert!(conv.is_fast());
            let inputs: Vec<Vec<f32>> = (0..5).map(|_| random.values(conv.input_len())).collect();
            for algorithm in [Algorithm::Fast, Algorithm::Direct] {
                let mut alone = vec![vec![f32::NAN; conv.output_len()]; 5];
                let mut together = alone.clone();
                for (input, output) in inputs.iter().zip(&mut alone) {
                    run(&conv, algorithm, input, Residual::None, output);
                }
                let mut blocks: Vec<ConvBlock> = inputs
                    .iter()
                    .zip(&mut together)
                    .map(|(input, output)| ConvBlock { input, residual: Residual::None, output })
                    .collect();
                conv.run_blocks(algorithm, &mut blocks).expect("the lengths fit");
                assert_eq!(alone, together, "{isa} {channels} {algorithm:?}");
            }
        }
    }
}

#[test]
fn a_residual_may_be_what_the_output_holds() {
    let mut random = Random(4);
    let dense = ConvShape::square(20, 21, 3, 1, 1, [11, 6]);
    let depthwise = ConvShape { groups: 20, ..ConvShape::square(20, 20, 3, 1, 1, [11, 7]) };
    for shape in [dense, depthwise] {
        let weight = random.values(shape.weight_len());
        for isa in Isa::available() {
            let conv = pack(&shape, &weight, isa);
            let (input, residual) = (random.values(conv.input_len()), random.values(conv.output_len()));
            for algorithm in [Algorithm::Fast, Algorithm::Direct] {
                let mut expected = vec![f32::NAN; conv.output_len()];
                run(&conv, algorithm, &input, Residual::Of(&residual), &mut expected);
                let mut output = residual.clone();
                run(&conv, algorithm, &input, Residual::Output, &mut output);
                assert_eq!(output, expected, "{isa} {shape:?} {algorithm:?}");
            }
        }
    }
}

#[test]
fn an_image_depends_neither_on_its_lane_nor_on_its_neighbours() {
    let mut random = Random(5);
    for _ in 0..20 {
        let shape = random_shape(&mut random);
        let weight = random.values(shape.weight_len());
        let length = shape.in_channels * shape.input[0] * shape.input[1];
        let image = random.values(length);
        for isa in Isa::available() {
            let conv = pack(&shape, &weight, isa);
            let results = [0, 5, isa.lanes() - 1].map(|lane| {
                let mut images = random.values(isa.lanes() * length);
                images[lane * length..][..length].copy_from_slice(&image);
                let mut output = vec![f32::NAN; conv.output_len()];
                run(&conv, Algorithm::Fast, &in_lanes(&images, length, isa), Residual::None, &mut output);
                output.into_iter().skip(lane).step_by(isa.lanes()).map(f32::to_bits).collect::<Vec<_>>()
            });
            assert!(results.iter().all(|bits| *bits == results[0]), "{isa} {shape:?}");
        }
    }
}

#[test]
fn the_algorithm_is_chosen_by_the_shape() {
    let is_fast = |shape: ConvShape| pack(&shape, &[], Isa::Portable).is_fast();
    let square = ConvShape::square;
    for size in [4, 8, 16, 32] {
        assert!(is_fast(square(32, 32, 3, 1, 1, [size; 2])), "{size}");
    }
    assert!(!is_fast(square(3, 16, 3, 1, 1, [32, 32])), "too few channels");
    assert!(!is_fast(square(512, 512, 3, 1, 1, [2, 2])), "most taps meet the padding");
    assert!(!is_fast(square(16, 16, 3, 2, 1, [32, 32])), "a stride");
    assert!(!is_fast(square(16, 16, 5, 1, 2, [32, 32])), "a larger kernel");
    assert!(!is_fast(ConvShape { groups: 2, ..square(32, 32, 3, 1, 1, [32, 32]) }), "groups");
    let shape = square(16, 16, 3, 1, 1, [32, 32]);
    let direct = Conv2d::new(
        shape,
        &vec![0.0; shape.weight_len()],
        None,
        Activation::Relu,
        Algorithm::Direct,
        Isa::Portable,
    );
    assert!(!direct.expect("valid").is_fast());
}
