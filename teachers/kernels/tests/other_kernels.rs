//! Pooling, gathering and element-wise kernels against plain references in double precision.

mod common;

use cgym_kernels::{
    Activation, ChannelGather, Isa, KernelError, Pool, PoolKind, PoolShape, activate, add, affine,
};
use common::{Random, assert_close, in_lanes, out_of_lanes};

/// PyTorch's rules, written pixel by pixel over the padded input.
fn reference_pool(shape: &PoolShape, kind: PoolKind, output: [usize; 2], image: &[f32]) -> Vec<f64> {
    let mut expected = Vec::new();
    for channel in 0..shape.channels {
        for (y, x) in (0..output[0]).flat_map(|y| (0..output[1]).map(move |x| (y, x))) {
            let (mut best, mut sum, mut inside, mut padded) = (f64::NEG_INFINITY, 0.0, 0, 0);
            for (ky, kx) in (0..shape.kernel[0]).flat_map(|y| (0..shape.kernel[1]).map(move |x| (y, x))) {
                let at = [y * shape.stride[0] + ky, x * shape.stride[1] + kx];
                let end = [0, 1].map(|axis| shape.input[axis] + 2 * shape.padding[axis]);
                padded += u32::from(at[0] < end[0] && at[1] < end[1]);
                let pixel = [0, 1].map(|axis| at[axis].wrapping_sub(shape.padding[axis]));
                if pixel[0] < shape.input[0] && pixel[1] < shape.input[1] {
                    let index = (channel * shape.input[0] + pixel[0]) * shape.input[1] + pixel[1];
                    let value = f64::from(image[index]);
                    best = best.max(value);
                    sum += value;
                    inside += 1;
                }
            }
            expected.push(match kind {
                PoolKind::Max => best,
                PoolKind::Average { count_include_pad: true } => sum / f64::from(padded),
                PoolKind::Average { count_include_pad: false } => sum / f64::from(inside),
            });
        }
    }
    expected
}

#[test]
fn pooling_agrees_with_the_reference() {
    let mut random = Random(11);
    let mut checked = 0;
    while checked < 300 {
        let kernel = random.pair(1, 4);
        let shape = PoolShape {
            channels: random.between(1, 5),
            input: random.pair(1, 12),
            kernel,
            stride: random.pair(1, 3),
            padding: [random.between(0, kernel[0] / 2), random.between(0, kernel[1] / 2)],
            ceil_mode: random.of(&[true, false]),
        };
        let kind = random.of(&[
            PoolKind::Max,
            PoolKind::Average { count_include_pad: true },
            PoolKind::Average { count_include_pad: false },
        ]);
        for isa in Isa::available() {
            let Ok(pool) = Pool::new(shape, kind, isa) else { continue };
            let image = random.values(shape.channels * shape.input[0] * shape.input[1]);
            let mut output = vec![f32::NAN; pool.output_len()];
            pool.run(&in_lanes(&image, image.len(), isa), &mut output).expect("the lengths fit");
            let expected = reference_pool(&shape, kind, pool.output(), &image);
            let found = out_of_lanes(&output, 1, isa);
            assert_close(&found, &expected, 2e-6, &format!("{isa} {shape:?} {kind:?}"));
            checked += 1;
        }
    }
}

#[test]
fn ceil_mode_keeps_the_last_pixels_but_no_window_outside_the_input() {
    let output = |input: usize, kernel: usize, stride: usize, padding: usize, ceil_mode: bool| {
        let shape = PoolShape {
            channels: 1,
            input: [input; 2],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            ceil_mode,
        };
        Pool::new(shape, PoolKind::Max, Isa::Portable).expect("a valid shape").output()[0]
    };
    assert_eq!(output(7, 2, 2, 0, false), 3);
    assert_eq!(output(7, 2, 2, 0, true), 4);
    assert_eq!(output(5, 2, 3, 1, true), 2);
    assert_eq!(output(112, 3, 2, 1, false), 56);
}

#[test]
fn adaptive_average_pooling_agrees_with_the_reference() {
    let mut random = Random(12);
    for isa in Isa::available() {
        for (input, output) in
            [([8, 8], [1, 1]), ([7, 5], [3, 3]), ([2, 2], [7, 7]), ([1, 1], [1, 1]), ([14, 9], [7, 9])]
        {
            let image = random.values(3 * input[0] * input[1]);
            let pool = Pool::adaptive_average(3, input, output, isa).expect("a valid shape");
            let mut found = vec![f32::NAN; pool.output_len()];
            pool.run(&in_lanes(&image, image.len(), isa), &mut found).expect("the lengths fit");
            let bin = |axis: usize, index: usize| {
                let size = input[axis] as f64 / output[axis] as f64;
                (size * index as f64).floor() as usize..(size * (index + 1) as f64 - 1e-9).ceil() as usize
            };
            let mut expected = Vec::new();
            for plane in image.chunks_exact(input[0] * input[1]) {
                for (y, x) in (0..output[0]).flat_map(|y| (0..output[1]).map(move |x| (y, x))) {
                    let pixels: Vec<f64> = bin(0, y)
                        .flat_map(|row| bin(1, x).map(move |column| row * input[1] + column))
                        .map(|index| f64::from(plane[index]))
                        .collect();
                    expected.push(pixels.iter().sum::<f64>() / pixels.len() as f64);
                }
            }
            assert_close(&out_of_lanes(&found, 1, isa), &expected, 1e-5, &format!("{isa} {input:?}"));
        }
    }
}

#[test]
fn pooling_refuses_shapes_and_lengths_that_do_not_fit() {
    let good = PoolShape {
        channels: 2,
        input: [4, 4],
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        ceil_mode: false,
    };
    let cases = [
        ("channels", PoolShape { channels: 0, ..good }),
        ("input", PoolShape { input: [0, 4], padding: [1, 1], ..good }),
        ("kernel", PoolShape { kernel: [0, 2], ..good }),
        ("kernel", PoolShape { kernel: [5, 2], ..good }),
        ("stride", PoolShape { stride: [2, 0], ..good }),
        ("padding", PoolShape { padding: [2, 0], ..good }),
    ];
    for (expected, shape) in cases {
        match Pool::new(shape, PoolKind::Max, Isa::Portable) {
            Err(KernelError::Shape { field, .. }) => assert_eq!(field, expected),
            other => panic!("{shape:?} gave {other:?}"),
        }
    }
    assert!(Pool::adaptive_average(1, [4, 4], [0, 1], Isa::Portable).is_err());
    let pool = Pool::new(good, PoolKind::Max, Isa::Portable).expect("a valid shape");
    let input = vec![0.0; pool.input_len()];
    assert!(pool.run(&input, &mut vec![0.0; pool.output_len() + 1]).is_err());
    assert!(pool.run(&input[1..], &mut vec![0.0; pool.output_len()]).is_err());
}

#[test]
fn element_wise_kernels_agree_with_the_reference() {
    let mut random = Random(13);
    for isa in Isa::available() {
        let (channels, plane) = (5, 7);
        let len = channels * plane * isa.lanes();
        let scaled = |values: Vec<f32>| values.into_iter().map(|v| v * 8.0).collect::<Vec<f32>>();
        let (left, right) = (scaled(random.values(len)), random.values(len));
        let (scale, shift) = (random.values(channels), random.values(channels));
        let mut output = vec![f32::NAN; len];

        add(isa, &left, &right, Activation::Relu6, &mut output).expect("the lengths fit");
        let sums = left.iter().zip(&right).map(|(l, r)| f64::from(*l) + f64::from(*r));
        let expected: Vec<f64> = sums.map(|sum| sum.clamp(0.0, 6.0)).collect();
        assert_close(&output, &expected, 1e-6, "add");

        affine(isa, &left, &scale, &shift, Activation::Relu, &mut output).expect("lengths fit");
        let expected: Vec<f64> = left
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let channel = index / (plane * isa.lanes());
                let mapped = f64::from(*value) * f64::from(scale[channel]);
                (mapped + f64::from(shift[channel])).max(0.0)
            })
            .collect();
        assert_close(&output, &expected, 2e-6, "affine");

        let mut values = left.clone();
        activate(isa, Activation::Relu, &mut values).expect("the lengths fit");
        let expected: Vec<f64> = left.iter().map(|value| f64::from(value.max(0.0))).collect();
        assert_close(&values, &expected, 0.0, "activate");
    }
}

#[test]
fn element_wise_kernels_refuse_lengths_that_do_not_fit() {
    let isa = Isa::Portable;
    let activation = Activation::Identity;
    let mut output = vec![0.0; 16];
    assert!(add(isa, &[0.0; 16], &[0.0; 8], activation, &mut output).is_err());
    assert!(add(isa, &[0.0; 15], &[0.0; 15], activation, &mut output[..15]).is_err());
    assert!(activate(isa, activation, &mut output[..9]).is_err());
    assert!(affine(isa, &[0.0; 16], &[0.0; 3], &[0.0; 3], activation, &mut output).is_err());
    assert!(affine(isa, &[0.0; 16], &[0.0; 2], &[0.0; 1], activation, &mut output).is_err());
    assert!(affine(isa, &[0.0; 16], &[], &[], activation, &mut output).is_err());
}

#[test]
fn a_gather_takes_channels_and_skips_pixels() {
    let mut random = Random(14);
    for isa in Isa::available() {
        for (input, stride) in [([4, 4], 1), ([4, 4], 2), ([5, 7], 2), ([1, 1], 2), ([7, 4], 3)] {
            let sources = vec![None, Some(2), Some(0), None, Some(2)];
            let image = random.values(3 * input[0] * input[1]);
            let gather = ChannelGather::new(3, input, stride, sources.clone(), isa).expect("a valid shape");
            let mut found = vec![f32::NAN; gather.output_len()];
            gather.run(&in_lanes(&image, image.len(), isa), &mut found).expect("the lengths fit");
            let mut expected = Vec::new();
            for source in sources {
                for y in (0..input[0]).step_by(stride) {
                    for x in (0..input[1]).step_by(stride) {
                        expected.push(
                            source.map_or(0.0, |source| {
                                f64::from(image[(source * input[0] + y) * input[1] + x])
                            }),
                        );
                    }
                }
            }
            assert_close(&out_of_lanes(&found, 1, isa), &expected, 0.0, &format!("{input:?}"));
        }
    }
    assert!(ChannelGather::new(3, [4, 4], 0, vec![], Isa::Portable).is_err());
    assert!(ChannelGather::new(3, [0, 4], 1, vec![], Isa::Portable).is_err());
    assert!(ChannelGather::new(3, [4, 4], 1, vec![Some(3)], Isa::Portable).is_err());
}

#[test]
fn instruction_sets_have_names_and_the_portable_one_is_always_there() {
    for isa in Isa::ALL {
        assert_eq!(isa.to_string().parse(), Ok(isa));
    }
    assert!(Isa::available().contains(&Isa::Portable));
    assert_eq!(Isa::available().last(), Some(&Isa::best()));
    assert!("sse9".parse::<Isa>().is_err());
}
