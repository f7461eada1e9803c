//! Where training computes, among what this build can do.

use burn::tensor;

use crate::{Error, settings::Device};

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
        "device `{feature}` is not in this build: build with `cargo build --release --features {feature}`, or take \
         `flex`"
    ))
}
