//! How a batch of images lies in lanes, and the conversion from and to consecutive images.
#![expect(unsafe_code, reason = "writes memory that is not initialised, checks lengths first")]

use super::memory::{Aligned, Output};
use super::share;
use super::transpose;
use crate::error::check_length;
use crate::{Algorithm, Isa, KernelError};
use rayon::prelude::*;

/// A batch of images in groups of [`Isa::lanes`] that lie side by side:
/// `[groups][channels][height][width][lanes]`.
///
/// The last group may have fewer images. The lanes of missing images are zero in every activation and
/// in every gradient, which keeps them out of all sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    isa: Isa,
    images: usize,
    algorithm: Algorithm,
}

impl Batch {
    /// A batch of `images` for one instruction set.
    ///
    /// # Errors
    /// [`KernelError::Unavailable`] where the processor lacks it; [`KernelError::Shape`] for more
    /// images than can be addressed.
    pub fn new(isa: Isa, images: usize) -> Result<Self, KernelError> {
        isa.require()?;
        if images > isize::MAX as usize / 64 {
            return Err(KernelError::shape("batch", "is more than can be addressed"));
        }
        Ok(Self { isa, images, algorithm: Algorithm::Fast })
    }

    /// The same with another algorithm for convolutions and the gradients of their inputs.
    pub fn with_algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// How convolutions are computed.
    pub(super) fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// The instruction set, which the processor has.
    pub fn isa(self) -> Isa {
        self.isa
    }

    /// Images, without missing ones.
    pub fn images(self) -> usize {
        self.images
    }

    /// Groups of lanes.
    pub fn groups(self) -> usize {
        self.images.div_ceil(self.isa.lanes())
    }

    /// Images in a group: fewer than the lanes only in the last.
    pub(super) fn images_in(self, group: usize) -> usize {
        self.isa.lanes().min(self.images - group * self.isa.lanes())
    }

    /// Numbers of a tensor with `image` numbers for each image, lanes of missing images included.
    ///
    /// # Errors
    /// [`KernelError::Shape`] for a tensor that cannot be addressed.
    pub fn len(self, image: usize) -> Result<usize, KernelError> {
        let len = image.checked_mul(self.groups() * self.isa.lanes());
        len.filter(|len| *len <= isize::MAX as usize / size_of::<f32>())
            .ok_or_else(|| KernelError::shape("batch", "makes more elements than can be addressed"))
    }

    /// Numbers of a group with `image` numbers for each image; `image` is at least 1.
    ///
    /// # Errors
    /// [`KernelError::Length`] unless the tensor has the length of the batch.
    pub(super) fn check(
        self,
        name: &'static str,
        tensor: &[f32],
        image: usize,
    ) -> Result<usize, KernelError> {
        check_length(name, tensor.len(), self.len(image)?)?;
        Ok(image * self.isa.lanes())
    }

    /// Sets the lanes of missing images to zero in numbers that belong to a group.
    pub(super) fn clear_missing(self, group: usize, values: &mut [f32]) {
        let (lanes, count) = (self.isa.lanes(), self.images_in(group));
        if count < lanes {
            values.chunks_exact_mut(lanes).for_each(|vector| vector[count..].fill(0.0));
        }
    }
}

/// Numbers of each of a batch's consecutive images.
fn image_len(batch: Batch, name: &'static str, images: usize) -> Result<usize, KernelError> {
    let image = images.checked_div(batch.images).unwrap_or(0);
    check_length(name, images, image * batch.images)?;
    Ok(image)
}

/// Converts `[images][len]` to `[groups][len][lanes]`; the lanes of missing images are zero.
///
/// # Errors
/// [`KernelError::Length`] unless `images` holds the same number of values for each image.
pub fn to_lanes(batch: Batch, images: &[f32]) -> Result<Aligned, KernelError> {
    let len = image_len(batch, "images", images.len())?;
    let (isa, lanes) = (batch.isa, batch.isa.lanes());
    let output = Output::new(batch.len(len)?);
    (0..batch.groups()).into_par_iter().with_min_len(share(8 * len * lanes)).for_each(|group| {
        let source = &images[group * lanes * len..][..batch.images_in(group) * len];
        let target = output.at(group * len * lanes);
        // SAFETY: the source has that many images, the target room for a group, which no other
        // thread writes; the processor has the instruction set of a batch.
        unsafe { transpose::interleave(isa, source.as_ptr(), len, batch.images_in(group), target) }
    });
    // SAFETY: every group has been written.
    Ok(unsafe { output.finish() })
}

/// Converts `[groups][len][lanes]` to `[images][len]`.
///
/// # Errors
/// [`KernelError::Length`] unless `values` holds whole groups.
pub fn from_lanes(batch: Batch, values: &[f32]) -> Result<Aligned, KernelError> {
    let (isa, lanes) = (batch.isa, batch.isa.lanes());
    let len = values.len().checked_div(batch.groups() * lanes).unwrap_or(0);
    batch.check("values", values, len)?;
    let output = Output::new(batch.images * len);
    (0..batch.groups()).into_par_iter().with_min_len(share(8 * len * lanes)).for_each(|group| {
        let source = &values[group * len * lanes..][..len * lanes];
        let target = output.at(group * lanes * len);
        // SAFETY: the source is a group, the target has room for its images, which no other thread
        // writes; the processor has the instruction set of a batch.
        unsafe { transpose::deinterleave(isa, source.as_ptr(), len, batch.images_in(group), target) }
    });
    // SAFETY: every image has been written.
    Ok(unsafe { output.finish() })
}
