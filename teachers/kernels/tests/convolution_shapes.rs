//! What a convolution's shape says, and what it refuses.

use cgym_kernels::{Activation, Algorithm, Conv2d, ConvShape, Isa, KernelError};

#[test]
fn a_shape_that_cannot_be_names_its_field() {
    let good = ConvShape::square(4, 6, 3, 1, 1, [5, 5]);
    let cases = [
        ("in_channels", ConvShape { in_channels: 0, ..good }),
        ("out_channels", ConvShape { out_channels: 0, ..good }),
        ("kernel", ConvShape { kernel: [3, 0], ..good }),
        ("stride", ConvShape { stride: [0, 1], ..good }),
        ("dilation", ConvShape { dilation: [1, 0], ..good }),
        ("groups", ConvShape { groups: 0, ..good }),
        ("in_channels", ConvShape { groups: 3, ..good }),
        ("out_channels", ConvShape { groups: 4, ..good }),
        ("input", ConvShape { input: [0, 5], ..good }),
        ("kernel", ConvShape { kernel: [8, 3], ..good }),
        ("kernel", ConvShape { dilation: [1, 4], ..good }),
        ("input", ConvShape { input: [usize::MAX / 4, 5], ..good }),
        ("input", ConvShape { stride: [1 << 63, 1], ..good }),
        ("input", ConvShape { stride: [1, usize::MAX], ..good }),
        ("input", ConvShape { kernel: [1, 3], dilation: [1 << 62, 1], ..good }),
        ("kernel", ConvShape { padding: [usize::MAX, 1], ..good }),
    ];
    for (expected, shape) in cases {
        match shape.validate() {
            Err(KernelError::Shape { field, .. }) => assert_eq!(field, expected, "{shape:?}"),
            other => panic!("{shape:?} gave {other:?}"),
        }
    }
}

#[test]
fn a_slice_of_another_length_is_refused() {
    let shape = ConvShape::square(2, 3, 3, 1, 1, [4, 4]);
    let isa = Isa::best();
    let weight = vec![0.0; shape.weight_len()];
    let new = |weight: &[f32], bias: Option<&[f32]>| {
        Conv2d::new(shape, weight, bias, Activation::Identity, Algorithm::Fast, isa)
    };
    assert!(matches!(new(&weight[1..], None), Err(KernelError::Length { slice: "weight", .. })));
    let short = new(&weight, Some(&[0.0; 2]));
    assert!(matches!(short, Err(KernelError::Length { slice: "bias", .. })));
    let conv = new(&weight, None).expect("a valid shape");
    let (input, mut output) = (vec![0.0; conv.input_len()], vec![0.0; conv.output_len()]);
    let found = conv.run(&input[1..], None, &mut output);
    assert!(matches!(found, Err(KernelError::Length { slice: "input", .. })));
    let found = conv.run(&input, Some(&input), &mut output);
    assert!(matches!(found, Err(KernelError::Length { slice: "residual", .. })));
    let found = conv.run(&input, None, &mut output[1..]);
    assert!(matches!(found, Err(KernelError::Length { slice: "output", .. })));
}

#[test]
fn multiply_accumulates_are_those_of_one_image() {
    assert_eq!(ConvShape::square(16, 32, 3, 2, 1, [32, 32]).macs(), 16 * 32 * 9 * 16 * 16);
    let depthwise = ConvShape { groups: 16, ..ConvShape::square(16, 16, 3, 1, 1, [8, 8]) };
    assert_eq!(depthwise.macs(), 16 * 9 * 64);
}

#[test]
fn the_output_of_known_layers_has_their_published_size() {
    assert_eq!(ConvShape::square(3, 64, 7, 2, 3, [224, 224]).output(), [112, 112]);
    assert_eq!(ConvShape::square(16, 32, 3, 2, 1, [32, 32]).output(), [16, 16]);
    let dilated = ConvShape { dilation: [2, 2], ..ConvShape::square(1, 1, 3, 1, 2, [9, 7]) };
    assert_eq!(dilated.output(), [9, 7]);
}

#[test]
fn a_convolution_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Conv2d>();
}
