//! The images of a split, laid out for the engine.

use cgym_kernels::{Buffer, Isa, interleave};
use rayon::prelude::*;

use crate::{Error, data::Dataset};

/// Images with their labels, interleaved in blocks of one image per vector lane.
///
/// Those of a dataset are kept as bytes and normalised when a block is read: a quarter of the memory,
/// and less time than reading the numbers from memory would take.
pub struct Images {
    lanes: usize,
    block_length: usize,
    pixels: Pixels,
    labels: Vec<u16>,
}

enum Pixels {
    /// Raw values `[blocks][channels][pixels][lanes]`.
    Bytes {
        raw: Vec<u8>,
        /// The normalised value of each raw value, 256 for each channel.
        table: Vec<f32>,
    },
    /// Values, block by block.
    Values(Vec<Buffer>),
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
        let lanes = isa.lanes();
        let block_length = dataset.image_len() * lanes;
        let mut raw = vec![0; indices.len().div_ceil(lanes) * block_length];
        raw.par_chunks_exact_mut(block_length).zip(indices.par_chunks(lanes)).for_each(|(block, indices)| {
            for (lane, &index) in indices.iter().enumerate() {
                let values = block.iter_mut().skip(lane).step_by(lanes);
                values.zip(dataset.image(index)).for_each(|(value, pixel)| *value = *pixel);
            }
        });
        let labels = indices.iter().map(|&index| dataset.label(index) as u16).collect();
        let pixels = Pixels::Bytes { raw, table: dataset.table().to_vec() };
        Ok(Self { lanes, block_length, pixels, labels })
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
        let block_of = |values: &[f32]| {
            let mut buffer = Buffer::zeros(length * lanes);
            interleave(values, length, lanes, &mut buffer)
                .map_err(|source| Error::Kernel { node: "input".to_owned(), source })?;
            Ok(buffer)
        };
        let blocks = values.chunks(lanes * length).map(block_of).collect::<Result<_, Error>>()?;
        let (block_length, labels) = (length * lanes, labels.to_vec());
        Ok(Self { lanes, block_length, pixels: Pixels::Values(blocks), labels })
    }

    /// Some of the images, in this order.
    ///
    /// # Panics
    /// When an index is not below [`Self::len`].
    pub(super) fn select(&self, indices: &[usize]) -> Self {
        let blocks = indices.len().div_ceil(self.lanes);
        let pixels = match &self.pixels {
            Pixels::Bytes { raw, table } => {
                let mut chosen = vec![0; blocks * self.block_length];
                let of_blocks = chosen.chunks_exact_mut(self.block_length).zip(indices.chunks(self.lanes));
                for (target, indices) in of_blocks {
                    let block = |block: usize| &raw[block * self.block_length..][..self.block_length];
                    self.gather(indices, block, target);
                }
                Pixels::Bytes { raw: chosen, table: table.clone() }
            }
            Pixels::Values(values) => {
                let mut chosen = vec![Buffer::zeros(self.block_length); blocks];
                for (target, indices) in chosen.iter_mut().zip(indices.chunks(self.lanes)) {
                    self.gather(indices, |block| &values[block], target);
                }
                Pixels::Values(chosen)
            }
        };
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        Self { lanes: self.lanes, block_length: self.block_length, pixels, labels }
    }

    /// Copies some images, one per lane, from their blocks.
    fn gather<'a, T: Copy + 'a>(&self, indices: &[usize], block: impl Fn(usize) -> &'a [T], to: &mut [T]) {
        for (lane, &index) in indices.iter().enumerate() {
            let from = block(index / self.lanes).iter().skip(index % self.lanes).step_by(self.lanes);
            to.iter_mut().skip(lane).step_by(self.lanes).zip(from).for_each(|(to, from)| *to = *from);
        }
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
        self.len().div_ceil(self.lanes)
    }

    /// Values of one block.
    pub fn block_length(&self) -> usize {
        self.block_length
    }

    /// The values of one block, `[channels][height][width][lanes]`, in memory of its own or in
    /// `memory`. The lanes of missing images in the last block have values without meaning.
    pub fn block<'a>(&'a self, block: usize, memory: &'a mut Buffer) -> &'a [f32] {
        match &self.pixels {
            Pixels::Values(blocks) => &blocks[block],
            Pixels::Bytes { raw, table } => {
                memory.resize(self.block_length);
                let raw = &raw[block * self.block_length..][..self.block_length];
                let plane = self.block_length / (table.len() / 256);
                let planes = raw.chunks_exact(plane).zip(memory.chunks_exact_mut(plane));
                for ((raw, values), table) in planes.zip(table.chunks_exact(256)) {
                    for (value, &raw) in values.iter_mut().zip(raw) {
                        *value = table[usize::from(raw)];
                    }
                }
                memory
            }
        }
    }

    /// Images in a block: `lanes`, or fewer in the last one.
    pub fn images_in(&self, block: usize) -> usize {
        self.lanes.min(self.len() - block * self.lanes)
    }
}
