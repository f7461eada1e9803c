//! Tensors of a network on a device, and what leaves it.

use burn::tensor::{Device, Tensor, TensorData};

use crate::{graph::Node, weights};

/// One tensor of a network on a device.
pub(super) enum Parameter {
    Vector(Tensor<1>),
    Matrix(Tensor<2>),
    Kernel(Tensor<4>),
}

/// The mean and unbiased variance of a batch, per channel, in one batch-norm.
pub struct BatchStatistics {
    /// Name of the batch-norm.
    pub node: String,
    /// Batch mean.
    pub mean: Vec<f32>,
    /// Batch variance, divided by n − 1 as PyTorch does for its running estimate.
    pub variance: Vec<f32>,
}

impl BatchStatistics {
    /// From the biased variance of `count` values per channel.
    pub(super) fn new(node: &Node, mean: Tensor<1>, variance: Tensor<1>, count: usize) -> Self {
        let unbiased = count as f32 / (count as f32 - 1.0).max(1.0);
        Self {
            node: node.name.clone(),
            mean: to_vec(mean),
            variance: to_vec(variance).into_iter().map(|value| value * unbiased).collect(),
        }
    }
}

impl Parameter {
    pub(super) fn new(tensor: &weights::Tensor, device: &Device, tracked: bool) -> Self {
        fn put<const D: usize>(tensor: &weights::Tensor, device: &Device, tracked: bool) -> Tensor<D> {
            let data = TensorData::new(tensor.data.clone(), tensor.shape.clone());
            let value = Tensor::from_data(data, device);
            if tracked { value.require_grad() } else { value }
        }
        match tensor.shape.len() {
            1 => Self::Vector(put(tensor, device, tracked)),
            2 => Self::Matrix(put(tensor, device, tracked)),
            _ => Self::Kernel(put(tensor, device, tracked)),
        }
    }
}

/// The numbers of a tensor.
pub(super) fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    data.as_slice().map_or_else(|_| data.iter().collect(), <[f32]>::to_vec)
}
