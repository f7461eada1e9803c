//! Random shifts and mirror images of training images.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::data::{DatasetName, TrainingDefaults};

/// The random changes of training images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Greatest shift in pixels along each axis; pixels from outside the image are zero.
    pub shift: usize,
    /// Whether half of the images are mirrored.
    pub mirror: bool,
}

impl Augmentation {
    /// The usual choice for the dataset called `name`: CIFAR's shift of 4 and mirror, small shifts
    /// for digits.
    pub fn for_dataset(name: &str) -> Self {
        let TrainingDefaults { shift, mirror, .. } = DatasetName::training_of(name);
        Self { shift, mirror }
    }

    /// Appends one image, `[channels][height][width]` and normalised, to `batch`.
    pub fn append(
        &self,
        image: &[f32],
        [_, height, width]: [usize; 3],
        rng: &mut impl Rng,
        batch: &mut Vec<f32>,
    ) {
        let mut draw = || rng.random_range(0..=2 * self.shift);
        let (down, right) = (draw(), draw());
        let mirrored = self.mirror && rng.random::<bool>();
        for plane in image.chunks_exact(height * width) {
            for y in 0..height {
                let row = (y + down).wrapping_sub(self.shift);
                for x in 0..width {
                    let x = if mirrored { width - 1 - x } else { x };
                    let column = (x + right).wrapping_sub(self.shift);
                    let inside = row < height && column < width;
                    batch.push(if inside { plane[row * width + column] } else { 0.0 });
                }
            }
        }
    }
}
