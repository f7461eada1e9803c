//! Batches of training images, with random shifts and mirror images.

use cgym_kernels::{
    Isa, KernelError,
    train::{Aligned, Batch, to_lanes},
};
use rand::{Rng, RngExt};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    data::{Dataset, DatasetName, TrainingDefaults},
};

/// The random changes of training images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Greatest shift in pixels along each axis; pixels from outside the image are zero.
    pub shift: usize,
    /// Whether half of the images are mirrored.
    pub mirror: bool,
}

/// How an image is changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Change {
    /// Pixels that the image moves up and to the left, after it is mirrored.
    moved: [isize; 2],
    mirrored: bool,
}

impl Augmentation {
    /// The usual choice for the dataset called `name`: CIFAR's shift of 4 and mirror, small shifts
    /// for digits.
    pub fn for_dataset(name: &str) -> Self {
        let TrainingDefaults { shift, mirror, .. } = DatasetName::training_of(name);
        Self { shift, mirror }
    }

    /// Draws how the next image is changed.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> Change {
        let mut draw = || rng.random_range(0..=2 * self.shift) as isize - self.shift as isize;
        let moved = [draw(), draw()];
        Change { moved, mirrored: self.mirror && rng.random::<bool>() }
    }
}

/// A batch of training images in lanes.
pub(super) struct TrainingImages {
    pub(super) batch: Batch,
    /// Channels, height, width.
    pub(super) shape: [usize; 3],
    /// `[groups][channels][height][width][lanes]`.
    pub(super) pixels: Aligned,
}

impl TrainingImages {
    /// The images `indices` of a dataset, normalised and changed; `changes` has one for each.
    pub(super) fn new(dataset: &Dataset, indices: &[usize], changes: &[Change]) -> Result<Self, Error> {
        let batch = Batch::new(Isa::best(), indices.len()).map_err(refuse)?;
        let pixels = in_lanes(batch, dataset, indices, changes);
        Ok(Self { batch, shape: dataset.shape(), pixels })
    }

    /// From `[images][channels][height][width]`.
    pub(super) fn from_pixels(
        pixels: &[f32],
        shape: [usize; 3],
        images: usize,
        isa: Isa,
    ) -> Result<Self, Error> {
        let batch = Batch::new(isa, images).map_err(refuse)?;
        let pixels = to_lanes(batch, pixels).map_err(refuse)?;
        Ok(Self { batch, shape, pixels })
    }
}

fn refuse(source: KernelError) -> Error {
    Error::Kernel { node: "input".to_owned(), source }
}

/// Values that a thread fills at least: waking another takes as long.
const LEAST_VALUES: usize = 1 << 16;

/// The images `indices` of a dataset, normalised and changed, in lanes; `changes` has one for each.
/// Pixels from outside an image are zero.
fn in_lanes(batch: Batch, dataset: &Dataset, indices: &[usize], changes: &[Change]) -> Aligned {
    let [channels, height, width] = dataset.shape();
    let lanes = batch.isa().lanes();
    let mut pixels = Aligned::zeros(batch.groups() * channels * height * width * lanes);
    let groups = pixels.par_chunks_exact_mut(channels * height * width * lanes);
    let images = indices.par_chunks(lanes).zip(changes.par_chunks(lanes));
    let least = LEAST_VALUES.div_ceil(channels * height * width * lanes);
    groups.zip(images).with_min_len(least).for_each(|(group, (indices, changes))| {
        // All images of a row in turn, as a row stays in the first-level cache.
        for (line, target) in group.chunks_exact_mut(width * lanes).enumerate() {
            let (channel, y) = (line / height, line % height);
            let table = &dataset.table()[channel * 256..][..256];
            for (lane, (&index, change)) in indices.iter().zip(changes).enumerate() {
                let Some(row) = y.checked_add_signed(change.moved[0]).filter(|row| *row < height) else {
                    continue;
                };
                let row = &dataset.image(index)[(channel * height + row) * width..][..width];
                for x in 0..width {
                    let column = if change.mirrored { width - 1 - x } else { x };
                    let column = column.checked_add_signed(change.moved[1]);
                    if let Some(raw) = column.and_then(|column| row.get(column)) {
                        target[x * lanes + lane] = table[usize::from(*raw)];
                    }
                }
            }
        }
    });
    pixels
}

#[cfg(test)]
mod tests {
    use cgym_kernels::train::from_lanes;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::data::Normalization;

    #[test]
    fn images_are_shifted_and_mirrored_number_by_number() {
        let (shape, count) = ([2, 5, 4], 21);
        let raw: Vec<u8> = (0..count * 40).map(|index| (index * 7 % 251) as u8).collect();
        let normalization = Normalization::new(&[0.5, 0.25], &[0.5, 2.0]);
        let dataset = Dataset::new("test", 1, shape, raw, vec![0; count], 255.0, normalization);
        let dataset = dataset.expect("fits");
        let indices: Vec<usize> = (0..count).rev().collect();
        for mirror in [false, true] {
            let augmentation = Augmentation { shift: 2, mirror };
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let changes: Vec<Change> = indices.iter().map(|_| augmentation.draw(&mut rng)).collect();
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let mut expected = Vec::new();
            for &index in &indices {
                let (down, right) = (rng.random_range(0..=4_usize), rng.random_range(0..=4_usize));
                let mirrored = mirror && rng.random::<bool>();
                for plane in dataset.normalized(&[index]).chunks_exact(20) {
                    for (y, x) in (0..5).flat_map(|y| (0..4).map(move |x| (y, x))) {
                        let x = if mirrored { 3 - x } else { x };
                        let (row, column) = ((y + down).wrapping_sub(2), (x + right).wrapping_sub(2));
                        let inside = row < 5 && column < 4;
                        expected.push(if inside { plane[row * 4 + column] } else { 0.0 });
                    }
                }
            }
            for isa in Isa::available() {
                let batch = Batch::new(isa, count).expect("available");
                let found = in_lanes(batch, &dataset, &indices, &changes);
                assert_eq!(*from_lanes(batch, &found).expect("whole groups"), *expected, "{isa}");
            }
        }
    }
}
