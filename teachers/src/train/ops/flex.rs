//! The operations on flex tensors, which pass their slices to the kernels.

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::TensorData,
};
use cgym_kernels::{
    ConvShape, Isa, train,
    train::{BatchNorm, ConvGradients, NormGradients, SavedNorm},
    train::{batch_norm_relu_backward, batch_norm_relu_forward, conv_backward, conv_forward},
};
use rayon::prelude::*;

use super::{NormOptions, Normalised, TrainingOps};

/// The reason that a kernel cannot fail here: the caller has checked the shape, and the tensors have
/// that shape.
const FITS: &str = "tensors fit the shape";

/// The same tensor in contiguous memory.
pub fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// The numbers of a contiguous tensor.
pub fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("contiguous and of single precision")
}

/// A tensor of these numbers.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Makes the memory of a contiguous tensor available to later results, if nothing else uses it.
pub fn recycle(tensor: FlexTensor) {
    if tensor.is_unique()
        && let Ok(values) = tensor.into_data().try_into_vec()
    {
        train::recycle(values);
    }
}

/// `[images, channels, height, width]`.
pub fn dims(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.layout().shape();
    std::array::from_fn(|axis| shape[axis])
}

/// A convolution of contiguous tensors.
pub fn convolve(input: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor, shape: &ConvShape) -> FlexTensor {
    let batch = dims(input)[0];
    let bias = Some(values(bias));
    let output = conv_forward(Isa::best(), shape, values(weight), bias, values(input), batch).expect(FITS);
    let [height, width] = shape.output();
    tensor(output, [batch, shape.out_channels, height, width])
}

/// The gradients of a convolution; that of the input only on request.
pub fn convolve_backward(
    input: &FlexTensor,
    weight: &FlexTensor,
    gradient: &FlexTensor,
    shape: &ConvShape,
    wants_input: bool,
) -> ConvGradients {
    let weight = wants_input.then(|| values(weight));
    let batch = dims(input)[0];
    conv_backward(Isa::best(), shape, weight, values(input), values(gradient), batch).expect(FITS)
}

/// A batch norm of contiguous tensors.
pub fn normalise(
    input: &FlexTensor,
    [weight, bias]: [&FlexTensor; 2],
    residual: Option<&FlexTensor>,
    options: NormOptions,
) -> BatchNorm {
    let NormOptions { epsilon, relu } = options;
    let affine = [values(weight), values(bias)];
    let (batch, residual) = (dims(input)[0], residual.map(values));
    batch_norm_relu_forward(Isa::best(), values(input), affine, epsilon, residual, relu, batch).expect(FITS)
}

/// The gradients of a batch norm.
pub fn normalise_backward(saved: &SavedNorm<'_>, gradient: &FlexTensor) -> NormGradients {
    let batch = dims(gradient)[0];
    batch_norm_relu_backward(Isa::best(), saved, values(gradient), batch).expect(FITS)
}

/// See [`TrainingOps::pad_channels`].
pub fn pad_channels(input: &FlexTensor, stride: usize, sources: &[Option<usize>]) -> FlexTensor {
    let [batch, channels, height, width] = dims(input);
    let [rows, columns] = [height, width].map(|size| size.div_ceil(stride));
    let (from, to) = (height * width, rows * columns);
    let mut output = vec![0.0; batch * sources.len() * to];
    let images = values(input).par_chunks(channels * from);
    output.par_chunks_mut(sources.len() * to).zip(images).for_each(|(output, image)| {
        for (plane, source) in output.chunks_exact_mut(to).zip(sources) {
            let Some(source) = source else { continue };
            let lines = image[source * from..][..from].chunks_exact(width).step_by(stride);
            for (line, target) in lines.zip(plane.chunks_exact_mut(columns)) {
                target.iter_mut().zip(line.iter().step_by(stride)).for_each(|(to, from)| *to = *from);
            }
        }
    });
    tensor(output, [batch, sources.len(), rows, columns])
}

/// The gradient of [`pad_channels`] for an input of `size`: each copied value is added back.
pub fn pad_channels_backward(
    gradient: &FlexTensor,
    stride: usize,
    sources: &[Option<usize>],
    size: [usize; 4],
) -> FlexTensor {
    let [batch, channels, height, width] = size;
    let [_, _, rows, columns] = dims(gradient);
    let (from, to) = (height * width, rows * columns);
    let mut result = vec![0.0; batch * channels * from];
    let gradients = values(gradient).par_chunks(sources.len() * to);
    result.par_chunks_mut(channels * from).zip(gradients).for_each(|(image, gradient)| {
        for (plane, source) in gradient.chunks_exact(to).zip(sources) {
            let Some(source) = source else { continue };
            let lines = image[source * from..][..from].chunks_exact_mut(width).step_by(stride);
            for (line, plane) in lines.zip(plane.chunks_exact(columns)) {
                line.iter_mut().step_by(stride).zip(plane).for_each(|(to, from)| *to += *from);
            }
        }
    });
    tensor(result, size)
}

fn normalised(norm: BatchNorm, size: [usize; 4]) -> Normalised<Flex> {
    Normalised {
        output: tensor(norm.output, size),
        mean: tensor(norm.mean, [size[1]]),
        variance: tensor(norm.variance, [size[1]]),
    }
}

impl TrainingOps for Flex {
    fn convolve(input: FlexTensor, weight: FlexTensor, bias: FlexTensor, shape: ConvShape) -> FlexTensor {
        let [input, weight, bias] = [&input, &weight, &bias].map(contiguous);
        convolve(&input, &weight, &bias, &shape)
    }

    fn normalise(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: NormOptions,
    ) -> Normalised<Self> {
        let [input, weight, bias] = [&input, &weight, &bias].map(contiguous);
        normalised(normalise(&input, [&weight, &bias], None, options), dims(&input))
    }

    fn normalise_and_add(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        residual: FlexTensor,
        options: NormOptions,
    ) -> Normalised<Self> {
        let [input, weight, bias, residual] = [&input, &weight, &bias, &residual].map(contiguous);
        normalised(normalise(&input, [&weight, &bias], Some(&residual), options), dims(&input))
    }

    fn pad_channels(input: FlexTensor, stride: usize, sources: Vec<Option<usize>>) -> FlexTensor {
        pad_channels(&contiguous(&input), stride, &sources)
    }
}
