//! Operations of Burn tensors, with gradients, that use this project's training kernels.
//!
//! They are defined for one backend of Burn, flex, and for its autodiff decorator; [`covers`] tells
//! whether a device supports them. They read and write activations in lanes,
//! `[groups][channels][height][width][lanes]` in single precision ([`cgym_kernels::train`]);
//! [`Activation::into_images`] and [`Activation::from_images`] convert.

mod autodiff;
mod carrier;
mod change;
mod layer;

use std::sync::Arc;

use burn::{
    backend::{
        Backend, Dispatch, ExtensionType, Flex, backend_extension, flex::FlexTensor, tensor::FloatTensor,
    },
    tensor::{Device, Tensor, TensorData},
};
use cgym_kernels::{
    self as kernels, ChannelGather, ConvShape, KernelError, Pool,
    train::{self, Aligned, Batch},
};

use carrier::{Readers, aligned, contiguous, dims, values};
use change::{Change, Operation};
pub use layer::NormOptions;
use layer::{Layer, Outputs};

/// The reason that a kernel cannot fail here: the shapes have been checked, and the tensors have those
/// shapes.
const FITS: &str = "tensors fit the shape";

/// The result of a layer and the statistics that it used.
#[derive(ExtensionType)]
pub struct Normalised<B: Backend> {
    /// The layer's output.
    pub output: FloatTensor<B>,
    /// `[channels]`, not tracked; empty without a batch-norm.
    pub mean: FloatTensor<B>,
    /// `[channels]`, divided by the number of samples; not tracked; empty without a batch-norm.
    pub variance: FloatTensor<B>,
}

/// A sum of two activations.
#[derive(Debug, Clone)]
pub struct Sum {
    batch: Batch,
    readers: [Readers; 2],
}

impl Sum {
    fn forward(&self, left: &FlexTensor, right: &FlexTensor) -> FlexTensor {
        let [left, right] = [left, right].map(contiguous);
        let output = train::add_forward(self.batch, values(&left), values(&right)).expect(FITS);
        aligned(output, dims::<5>(&left))
    }
}

/// The operations that take most of the time of training.
#[backend_extension(Autodiff, Flex)]
pub trait TrainingOps: Backend {
    /// An operation without weights.
    fn change(input: FloatTensor<Self>, change: Change) -> FloatTensor<Self>;

    /// The sum of two activations.
    fn add(left: FloatTensor<Self>, right: FloatTensor<Self>, sum: Sum) -> FloatTensor<Self>;

    /// A layer of three tensors: a convolution or a batch-norm. [`Layer`] gives their order.
    fn layer3(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        layer: Layer,
    ) -> Normalised<Self>;

    /// A layer of four tensors: a batch-norm with a residual.
    fn layer4(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        layer: Layer,
    ) -> Normalised<Self>;

    /// A layer of five tensors: a convolution with a batch-norm.
    fn layer5(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        layer: Layer,
    ) -> Normalised<Self>;

    /// A layer of six tensors: a convolution with a batch-norm and a residual.
    fn layer6(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        f: FloatTensor<Self>,
        layer: Layer,
    ) -> Normalised<Self>;
}

/// Passes the tensors of each method to `run` as an array.
macro_rules! layers {
    () => { layers!(layer3: a b c; layer4: a b c d; layer5: a b c d e; layer6: a b c d e f;); };
    ($($name:ident: $($tensor:ident)*;)*) => {
        $(fn $name($($tensor: FloatTensor<Self>,)* layer: Layer) -> Normalised<Self> {
            run([$($tensor),*], layer)
        })*
    };
}
use layers;

fn run<const N: usize>(inputs: [FlexTensor; N], layer: Layer) -> Normalised<Flex> {
    let ([output, mean, variance], _): (Outputs, _) = layer.forward(inputs.to_vec());
    Normalised { output, mean, variance }
}

impl TrainingOps for Flex {
    fn change(input: FlexTensor, change: Change) -> FlexTensor {
        change.forward(&contiguous(&input))
    }

    fn add(left: FlexTensor, right: FlexTensor, sum: Sum) -> FlexTensor {
        sum.forward(&left, &right)
    }

    layers!();
}

/// Whether a device supports the operations.
pub fn covers(device: &Device) -> bool {
    device.clone().inner() == Device::flex()
}

/// An activation in lanes, with the nodes that read it.
#[derive(Clone)]
pub struct Activation {
    tensor: Tensor<5>,
    batch: Batch,
    readers: Readers,
}

/// A convolution's shape, weight and bias.
pub type ConvTensors = (ConvShape, Tensor<4>, Option<Tensor<1>>);

/// A batch-norm's options, weight and bias.
pub type NormTensors = (NormOptions, [Tensor<1>; 2]);

impl Activation {
    /// The pixels of images `[channels, height, width]` in lanes; `readers` nodes read them.
    pub fn of_pixels(
        batch: Batch,
        pixels: Aligned,
        [channels, height, width]: [usize; 3],
        readers: usize,
        device: &Device,
    ) -> Self {
        let (values, start) = pixels.into_parts();
        let whole = values.len();
        let size = [batch.groups(), channels, height, width, batch.isa().lanes()];
        let values = Tensor::<1>::from_data(TensorData::new(values, [whole]), device);
        // Neither copies.
        let tensor = values.slice(start..whole).reshape(size);
        Self { tensor, batch, readers: Readers::new(readers) }
    }

    /// Converts images `[images][channels][height][width]`; `readers` nodes read the result.
    pub fn from_images(batch: Batch, images: Tensor<4>, readers: usize) -> Self {
        let change = Change { batch, operation: Operation::ToLanes, input: Readers::new(1) };
        let tensor = Tensor::from_dispatch(Dispatch::change(images.into_dispatch(), change));
        Self { tensor, batch, readers: Readers::new(readers) }
    }

    /// Converts to `[images][channels][height][width]`, in place of one of the readers.
    pub fn into_images(self) -> Tensor<4> {
        let Self { tensor, batch, readers } = self;
        let change = Change { batch, operation: Operation::FromLanes, input: readers };
        Tensor::from_dispatch(Dispatch::change(tensor.into_dispatch(), change))
    }

    /// The images.
    pub fn batch(&self) -> Batch {
        self.batch
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        let [_, channels, height, width, _] = self.tensor.dims();
        [channels, height, width]
    }

    /// The same with `readers` nodes in place of one.
    pub fn passed_on(self, readers: usize) -> Self {
        self.readers.replace_one(readers);
        self
    }

    fn change(self, operation: Operation, readers: usize) -> Self {
        let Self { tensor, batch, readers: input } = self;
        let change = Change { batch, operation, input };
        let tensor = Tensor::from_dispatch(Dispatch::change(tensor.into_dispatch(), change));
        Self { tensor, batch, readers: Readers::new(readers) }
    }

    /// Applies a non-linearity; `readers` nodes read the result, here and below.
    pub fn activate(self, activation: kernels::Activation, readers: usize) -> Self {
        self.change(Operation::Activate(activation), readers)
    }

    /// Pools each channel.
    pub fn pool(self, pool: Pool, readers: usize) -> Self {
        self.change(Operation::Pool(Arc::new(pool)), readers)
    }

    /// The parameter-free shortcut of CIFAR ResNets.
    pub fn gather(self, gather: ChannelGather, readers: usize) -> Self {
        self.change(Operation::Gather(Arc::new(gather)), readers)
    }

    /// The sum of two activations.
    pub fn add(self, other: Self, readers: usize) -> Self {
        let (batch, sum) = (self.batch, Sum { batch: self.batch, readers: [self.readers, other.readers] });
        let tensor = Dispatch::add(self.tensor.into_dispatch(), other.tensor.into_dispatch(), sum);
        Self { tensor: Tensor::from_dispatch(tensor), batch, readers: Readers::new(readers) }
    }

    /// A convolution, a batch-norm, or both, with mean and variance of the batch-norm.
    ///
    /// # Errors
    /// [`KernelError`] for a convolution that the kernels do not support.
    pub fn layer(
        self,
        conv: Option<ConvTensors>,
        norm: Option<NormTensors>,
        residual: Option<Self>,
        readers: usize,
    ) -> Result<(Self, [Tensor<1>; 2]), KernelError> {
        let device = self.tensor.device().inner();
        let mut layer = Layer {
            batch: self.batch,
            conv: None,
            biased: false,
            norm: norm.as_ref().map(|(options, _)| *options),
            input: self.readers,
            residual: residual.as_ref().map(|residual| residual.readers.clone()),
        };
        let mut tensors = vec![self.tensor.into_dispatch()];
        if let Some((shape, weight, bias)) = conv {
            shape.validate()?;
            self.batch
                .len(shape.in_channels.max(shape.out_channels) * shape.input.iter().product::<usize>())?;
            layer.biased = bias.is_some();
            let bias = bias.unwrap_or_else(|| Tensor::zeros([shape.out_channels], &device));
            layer.conv = Some(shape);
            tensors.extend([weight.into_dispatch(), bias.into_dispatch()]);
        }
        if let Some((_, parameters)) = norm {
            tensors.extend(parameters.map(Tensor::into_dispatch));
        }
        tensors.extend(residual.map(|residual| residual.tensor.into_dispatch()));
        let mut tensors = tensors.into_iter();
        let count = tensors.len();
        let mut next = || tensors.next().expect("counted");
        let Normalised { output, mean, variance } = match count {
            3 => Dispatch::layer3(next(), next(), next(), layer),
            4 => Dispatch::layer4(next(), next(), next(), next(), layer),
            5 => Dispatch::layer5(next(), next(), next(), next(), next(), layer),
            _ => Dispatch::layer6(next(), next(), next(), next(), next(), next(), layer),
        };
        let output =
            Self { tensor: Tensor::from_dispatch(output), batch: self.batch, readers: Readers::new(readers) };
        Ok((output, [mean, variance].map(Tensor::from_dispatch)))
    }
}
