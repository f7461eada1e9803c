//! Training: convolutions, batch norms and their gradients for whole batches.
//!
//! All tensors are as training frameworks keep them, `[batch][channels][height][width]`. A
//! convolution puts as many images side by side as the vector unit is wide, in scratch memory that
//! each thread keeps, and runs the same register tiles as [`Conv2d`](crate::Conv2d); a batch that is
//! a multiple of [`Isa::lanes`](crate::Isa::lanes) times the threads wastes nothing.
//!
//! # Threads and reproducibility
//! Everything runs on the current `rayon` pool. Sums over a batch are computed in parts that depend
//! only on the batch and the instruction set, and the parts are added in order, so that the result
//! has the same bits at any number of threads.
//!
//! # Example
//! ```
//! use cgym_kernels::{ConvShape, Isa};
//! use cgym_kernels::train::{batch_norm_relu_forward, conv_backward, conv_forward};
//! # fn main() -> Result<(), cgym_kernels::KernelError> {
//! let (isa, batch) = (Isa::best(), 2);
//! let shape = ConvShape::square(3, 4, 3, 1, 1, [8, 8]);
//! let weight = vec![0.1; shape.weight_len()];
//! let images = vec![1.0; batch * 3 * 64];
//! let output = conv_forward(isa, &shape, &weight, None, &images, batch)?;
//! let norm = batch_norm_relu_forward(isa, &output, [&[1.0; 4], &[0.0; 4]], 1e-5, None, true, batch)?;
//! let gradients = conv_backward(isa, &shape, Some(&weight), &images, &norm.output, batch)?;
//! assert_eq!(gradients.weight.len(), weight.len());
//! # Ok(())
//! # }
//! ```

mod conv;
mod memory;
mod norm;
mod plane;
mod transpose;
mod weight;
mod weight_tile;

pub use conv::{ConvGradients, conv_backward, conv_forward, conv_input_gradient, conv_weight_gradient};
pub use memory::{recycle, release};
pub use norm::{BatchNorm, NormGradients, SavedNorm, batch_norm_relu_backward, batch_norm_relu_forward};
