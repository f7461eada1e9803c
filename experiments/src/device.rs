//! Devices that training can compute on.

use burn::tensor;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Where tensors are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor, through Burn's `flex` backend.
    #[default]
    Flex,
    /// The processor, through Burn's `ndarray` backend.
    Ndarray,
    /// An NVIDIA GPU.
    Cuda,
}

/// Burn's name for `device`.
///
/// # Errors
/// [`Error::Input`] for a device that is not in this build, with the build that has it.
pub fn resolve(device: Device) -> Result<tensor::Device, Error> {
    match device {
        Device::Flex => Ok(tensor::Device::flex()),
        #[cfg(feature = "ndarray")]
        #[expect(deprecated, reason = "kept for comparison, as long as Burn has it")]
        Device::Ndarray => Ok(tensor::Device::ndarray()),
        #[cfg(feature = "cuda")]
        Device::Cuda => Ok(tensor::Device::cuda(tensor::DeviceIndex::Default)),
        #[cfg(not(feature = "ndarray"))]
        Device::Ndarray => Err(missing("ndarray")),
        #[cfg(not(feature = "cuda"))]
        Device::Cuda => Err(missing("cuda")),
    }
}

#[cfg(not(all(feature = "ndarray", feature = "cuda")))]
fn missing(feature: &str) -> Error {
    Error::Input(format!(
        "device `{feature}` is not in this build: build with `cargo build --release --features {feature}`, or use \
         `flex`"
    ))
}
