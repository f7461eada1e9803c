//! A depth-wise convolution and the 1x1 convolution that reads it, in bands of rows: what is between
//! them stays in the cache.
#![expect(unsafe_code, reason = "hands checked slices to the kernels as pointers")]

use crate::call::Tensors;
use crate::conv::Method;
use crate::dense::Dense;
use crate::{Buffer, Conv2d, ConvBlock, KernelError};
use std::cell::RefCell;

/// Bytes between the convolutions up to which they run one after the other: they lie in a
/// second-level cache of 1 MiB or more.
const NEAR_BYTES: usize = 768 << 10;
/// Bytes of a band.
const BAND_BYTES: usize = 128 << 10;

thread_local! {
    /// What is between the convolutions. Each thread keeps it, because the first access to new memory
    /// takes longer than the computation.
    static BAND: RefCell<Buffer> = RefCell::default();
}

/// Two convolutions that run as one, with the same result.
#[derive(Debug, Clone)]
pub struct ConvPair {
    depthwise: Conv2d,
    pointwise: Conv2d,
    band: Dense,
    /// Rows of a band.
    rows: usize,
}

impl ConvPair {
    /// Joins a depth-wise convolution and the 1x1 convolution that reads its output, where that saves
    /// time; otherwise returns both.
    pub fn new(depthwise: Conv2d, pointwise: Conv2d) -> Result<Self, Box<[Conv2d; 2]>> {
        let (inner, outer) = (*depthwise.shape(), *pointwise.shape());
        let [height, width] = inner.output();
        let row_bytes = inner.out_channels * width * depthwise.isa().lanes() * size_of::<f32>();
        let fits = outer.kernel == [1, 1]
            && outer.stride == [1, 1]
            && outer.padding == [0, 0]
            && outer.groups == 1
            && (outer.in_channels, outer.input) == (inner.out_channels, inner.output())
            && depthwise.isa() == pointwise.isa();
        match (depthwise.direct(), pointwise.direct()) {
            (Method::Depthwise(_), Method::Dense(dense)) if fits && height * row_bytes > NEAR_BYTES => {
                let fitting = (1..=height).filter(|rows| height.is_multiple_of(*rows));
                let rows = fitting.take_while(|rows| rows * row_bytes <= BAND_BYTES).last().unwrap_or(1);
                let band = dense.on_band(rows * width);
                Ok(Self { depthwise, pointwise, band, rows })
            }
            _ => Err(Box::new([depthwise, pointwise])),
        }
    }

    /// The convolutions.
    pub fn parts(&self) -> [&Conv2d; 2] {
        [&self.depthwise, &self.pointwise]
    }

    /// Computes the second convolution's result from the first's input; the residual and the output
    /// are the second's.
    ///
    /// # Errors
    /// [`KernelError::Length`] when a slice has another length.
    pub fn run_blocks(&self, blocks: &mut [ConvBlock<'_>]) -> Result<(), KernelError> {
        let Method::Depthwise(depthwise) = self.depthwise.direct() else { return Ok(()) };
        let lanes = self.depthwise.isa().lanes();
        let shape = self.depthwise.shape();
        let [height, width] = shape.output();
        let band_len = shape.out_channels * self.rows * width * lanes;
        for block in blocks {
            let tensors = self.pointwise.tensors(block, self.depthwise.input_len())?;
            BAND.with_borrow_mut(|band| {
                if band.len() < band_len {
                    *band = Buffer::zeros(band_len);
                }
                let between = band.as_mut_ptr();
                for first in (0..height).step_by(self.rows) {
                    let offset = first * width * lanes;
                    // SAFETY: the slices have the lengths of the shapes, the output is borrowed
                    // exclusively, the band holds the rows of all channels, and both convolutions
                    // have checked the instruction set.
                    unsafe {
                        let residual = std::ptr::null();
                        let rows = first..first + self.rows;
                        depthwise.run_rows(rows, Tensors { output: between, residual, ..tensors });
                        self.band.run(&[Tensors {
                            input: between,
                            residual: tensors.residual_at(offset),
                            output: tensors.output.add(offset),
                        }]);
                    }
                }
            });
        }
        Ok(())
    }
}
