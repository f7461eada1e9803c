//! A depth-wise convolution and a 1x1 convolution as one against both for themselves.

mod common;

use cgym_kernels::{Activation, Algorithm, Conv2d, ConvBlock, ConvPair, ConvShape, Isa, Residual};
use common::Random;

fn pack(random: &mut Random, shape: ConvShape, activation: Activation, isa: Isa) -> Conv2d {
    let (weight, bias) = (random.values(shape.weight_len()), random.values(shape.out_channels));
    Conv2d::new(shape, &weight, Some(&bias), activation, Algorithm::Fast, isa).expect("a valid shape")
}

/// A depth-wise shape and the 1x1 shape that reads it.
fn shapes(channels: usize, stride: usize, input: [usize; 2], outputs: usize) -> [ConvShape; 2] {
    let square = ConvShape::square(channels, channels, 3, stride, 1, input);
    let depthwise = ConvShape { groups: channels, ..square };
    [depthwise, ConvShape::square(channels, outputs, 1, 1, 0, depthwise.output())]
}

#[test]
fn a_pair_gives_the_bits_of_its_parts() {
    let mut random = Random(1);
    // Bands of several rows, of one row, of a prime number of rows, and rows longer than a band.
    for (channels, stride, input, outputs) in
        [(64, 1, [24, 20], 23), (80, 2, [40, 37], 9), (70, 1, [29, 13], 40), (90, 1, [3, 130], 5)]
    {
        for isa in Isa::available() {
            let [inner, outer] = shapes(channels, stride, input, outputs);
            let depthwise = pack(&mut random, inner, Activation::Relu6, isa);
            let pointwise = pack(&mut random, outer, Activation::Identity, isa);
            let pair = ConvPair::new(depthwise, pointwise).expect("large enough to join");
            let [depthwise, pointwise] = pair.parts();
            let input = random.values(depthwise.input_len());
            let mut between = vec![f32::NAN; depthwise.output_len()];
            depthwise.run(&input, None, &mut between).expect("the lengths fit");
            let residuals = random.values(pointwise.output_len());
            for residual in [Residual::None, Residual::Of(&residuals), Residual::Output] {
                let mut expected = vec![f32::NAN; pointwise.output_len()];
                let summand = (!matches!(residual, Residual::None)).then_some(residuals.as_slice());
                pointwise.run(&between, summand, &mut expected).expect("the lengths fit");
                let mut output = residuals.clone();
                pair.run_blocks(&mut [ConvBlock { input: &input, residual, output: &mut output }])
                    .expect("the lengths fit");
                assert!(output == expected, "{isa} {inner:?} {outputs}");
            }
            let short = ConvBlock { input: &input[1..], residual: Residual::None, output: &mut between };
            assert!(pair.run_blocks(&mut [short]).is_err());
        }
    }
}

#[test]
fn only_a_large_depth_wise_convolution_and_its_1x1_reader_are_joined() {
    let mut random = Random(2);
    let isa = Isa::best();
    let [inner, outer] = shapes(128, 1, [24, 24], 8);
    let mut joins = |inner, outer| {
        let [inner, outer] = [inner, outer].map(|shape| pack(&mut random, shape, Activation::Relu, isa));
        ConvPair::new(inner, outer).is_ok()
    };
    assert!(joins(inner, outer));
    let [small, reader] = shapes(8, 1, [8, 8], 8);
    assert!(!joins(small, reader), "it stays in a cache anyway");
    assert!(!joins(ConvShape { groups: 1, ..inner }, outer), "it is dense");
    assert!(!joins(inner, ConvShape::square(128, 8, 3, 1, 1, [24, 24])), "the reader is 3x3");
    assert!(!joins(inner, ConvShape { input: [12, 48], ..outer }), "the reader reads another map");
}
