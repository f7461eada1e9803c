//! The images of a split, normalised and laid out for the engine.

use cgym_kernels::{Buffer, Isa, interleave};
use rayon::prelude::*;

use crate::{Error, data::Dataset};

/// Images with their labels, interleaved in blocks of one image per vector lane.
pub struct Images {
    lanes: usize,
    block_length: usize,
    blocks: Vec<Buffer>,
    labels: Vec<u16>,
}

impl Images {
    /// The images `indices` of `dataset`, normalised, for the widest available instruction set.
    ///
    /// # Errors
    /// When an index is outside the dataset.
    pub fn new(dataset: &Dataset, indices: &[usize]) -> Result<Self, Error> {
        Self::for_isa(dataset, indices, Isa::best())
    }

    /// The same for the instruction set `isa`.
    ///
    /// # Errors
    /// When an index is outside the dataset.
    pub fn for_isa(dataset: &Dataset, indices: &[usize], isa: Isa) -> Result<Self, Error> {
        if let Some(index) = indices.iter().find(|&&index| index >= dataset.len()) {
            return Err(Error::Setting {
                key: "images".to_owned(),
                reason: format!("image {index} of {}", dataset.len()),
            });
        }
        let (lanes, length) = (isa.lanes(), dataset.image_len());
        let blocks = indices
            .par_chunks(lanes)
            .map(|chunk| Self::block_of(&dataset.normalized(chunk), length, lanes))
            .collect::<Result<_, Error>>()?;
        let labels = indices.iter().map(|&index| dataset.label(index) as u16).collect();
        Ok(Self { lanes, block_length: length * lanes, blocks, labels })
    }

    /// Images from values `[images][length]`, not normalised, with labels; for tests and benchmarks.
    ///
    /// # Errors
    /// When the pixels are not a whole number of images or not as many as the labels.
    pub fn from_values(values: &[f32], length: usize, labels: &[u16], isa: Isa) -> Result<Self, Error> {
        if length == 0 || values.len() != length * labels.len() {
            return Err(Error::Setting {
                key: "images".to_owned(),
                reason: format!("{} values are not {} images of {length}", values.len(), labels.len()),
            });
        }
        let lanes = isa.lanes();
        let blocks = values
            .chunks(lanes * length)
            .map(|chunk| Self::block_of(chunk, length, lanes))
            .collect::<Result<_, Error>>()?;
        Ok(Self { lanes, block_length: length * lanes, blocks, labels: labels.to_vec() })
    }

    fn block_of(values: &[f32], length: usize, lanes: usize) -> Result<Buffer, Error> {
        let mut buffer = Buffer::zeros(length * lanes);
        interleave(values, length, lanes, &mut buffer)
            .map_err(|source| Error::Kernel { node: "input".to_owned(), source })?;
        Ok(buffer)
    }

    /// Some of the images, in this order.
    ///
    /// # Panics
    /// When an index is not below [`Self::len`].
    pub(super) fn select(&self, indices: &[usize]) -> Self {
        let length = self.block_length / self.lanes;
        let mut blocks = Vec::new();
        for chunk in indices.chunks(self.lanes) {
            let mut block = Buffer::zeros(self.block_length);
            for (lane, &index) in chunk.iter().enumerate() {
                let from = self.block(index / self.lanes);
                for position in 0..length {
                    block[position * self.lanes + lane] = from[position * self.lanes + index % self.lanes];
                }
            }
            blocks.push(block);
        }
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        Self { lanes: self.lanes, block_length: self.block_length, blocks, labels }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Images in a block.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Values of one block.
    pub fn block_length(&self) -> usize {
        self.block_length
    }

    /// The values of one block, `[channels][height][width][lanes]`; zeros fill the last block.
    pub fn block(&self, block: usize) -> &[f32] {
        &self.blocks[block]
    }

    /// Images in a block: `lanes`, or fewer in the last one.
    pub fn images_in(&self, block: usize) -> usize {
        self.lanes.min(self.len() - block * self.lanes)
    }
}
