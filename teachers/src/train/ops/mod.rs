//! Operations of Burn tensors, with gradients, that use this project's training kernels.
//!
//! They are defined for one backend of Burn, flex, and for its autodiff decorator; [`covers`] tells
//! whether a device supports them. They read and write `[images][channels][height][width]`
//! in single precision; a tensor that is a view of another is copied first.

mod autodiff;
mod flex;

use burn::{
    backend::{Backend, Dispatch, ExtensionType, backend_extension, tensor::FloatTensor},
    tensor::{Device, Tensor},
};
use cgym_kernels::ConvShape;

use crate::graph::Conv;

/// The result of a batch-norm and the statistics that it used.
#[derive(ExtensionType)]
pub struct Normalised<B: Backend> {
    /// In the shape of the input.
    pub output: FloatTensor<B>,
    /// `[channels]`, not tracked.
    pub mean: FloatTensor<B>,
    /// `[channels]`, divided by the number of samples; not tracked.
    pub variance: FloatTensor<B>,
}

/// The options of a batch-norm.
#[derive(Debug, Clone, Copy)]
pub struct NormOptions {
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// The operations that take most of the time of training.
#[backend_extension(Autodiff, Flex)]
pub trait TrainingOps: Backend {
    /// A convolution of any kind; `bias` is `[out_channels]`.
    fn convolve(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: ConvShape,
    ) -> FloatTensor<Self>;

    /// Batch-norm with the statistics of the batch, then a ReLU if the options say so.
    fn normalise(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: NormOptions,
    ) -> Normalised<Self>;

    /// The same with `residual`, as large as the input, added before the ReLU.
    fn normalise_and_add(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        options: NormOptions,
    ) -> Normalised<Self>;

    /// Takes every `stride`-th pixel. Output channel i is input channel `sources[i]`, or zero.
    fn pad_channels(
        input: FloatTensor<Self>,
        stride: usize,
        sources: Vec<Option<usize>>,
    ) -> FloatTensor<Self>;
}

/// Whether a device supports the operations.
pub fn covers(device: &Device) -> bool {
    device.clone().inner() == Device::flex()
}

/// A convolution; `None` where the kernels do not support its shape.
pub fn convolve(
    input: &Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<Tensor<1>>,
    conv: &Conv,
) -> Option<Tensor<4>> {
    let [_, _, height, width] = input.dims();
    let shape = ConvShape {
        in_channels: conv.inputs,
        out_channels: conv.outputs,
        groups: conv.groups,
        kernel: conv.kernel,
        stride: conv.stride,
        padding: conv.padding,
        dilation: conv.dilation,
        input: [height, width],
    };
    shape.validate().ok()?;
    let bias = bias.unwrap_or_else(|| Tensor::zeros([conv.outputs], &input.device().inner()));
    let [input, weight] = [input, weight].map(|tensor| tensor.clone().into_dispatch());
    Some(Tensor::from_dispatch(Dispatch::convolve(input, weight, bias.into_dispatch(), shape)))
}

/// The output, mean and variance of a batch-norm, with the nodes that are fused into it.
pub fn normalise(
    input: Tensor<4>,
    [weight, bias]: [Tensor<1>; 2],
    residual: Option<Tensor<4>>,
    options: NormOptions,
) -> (Tensor<4>, [Tensor<1>; 2]) {
    let (input, weight, bias) = (input.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    let Normalised { output, mean, variance } = match residual {
        Some(residual) => Dispatch::normalise_and_add(input, weight, bias, residual.into_dispatch(), options),
        None => Dispatch::normalise(input, weight, bias, options),
    };
    (Tensor::from_dispatch(output), [mean, variance].map(Tensor::from_dispatch))
}

/// The parameter-free shortcut of CIFAR ResNets.
pub fn pad_channels(input: Tensor<4>, stride: usize, sources: &[Option<usize>]) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::pad_channels(input.into_dispatch(), stride, sources.to_vec()))
}
