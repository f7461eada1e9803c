//! Training: convolutions, batch norms and their gradients for whole batches.
//!
//! All tensors are in lanes, `[groups][channels][height][width][lanes]`: as many images as the vector
//! unit is wide lie side by side, and a convolution runs the same register tiles as
//! [`Conv2d`](crate::Conv2d). [`to_lanes`] and [`from_lanes`] convert; a [`Batch`] says how many images
//! there are. A batch that is a multiple of [`Isa::lanes`](crate::Isa::lanes) times the threads wastes
//! nothing; in any other, the lanes of missing images are zero.
//!
//! # Threads and reproducibility
//! Everything runs on the current `rayon` pool. Sums over a batch are computed in parts that depend
//! only on the batch and the instruction set, and the parts are added in order, so that the result
//! has the same bits at any number of threads.
//!
//! # Example
//! ```
//! use cgym_kernels::train::{self, Batch, Convolution, InputGradient, Norm};
//! use cgym_kernels::{Activation, ConvShape, Isa};
//! # fn main() -> Result<(), cgym_kernels::KernelError> {
//! let batch = Batch::new(Isa::best(), 2)?;
//! let shape = ConvShape::square(3, 4, 3, 1, 1, [8, 8]);
//! let weight = vec![0.1; shape.weight_len()];
//! let conv = Convolution { shape: &shape, weight: &weight, bias: None };
//! let norm = Norm { weight: &[1.0; 4], bias: &[0.0; 4], epsilon: 1e-5, activation: Activation::Relu };
//! let images = train::to_lanes(batch, &vec![1.0; 2 * 3 * 64])?;
//! let (output, normal) = train::conv_norm_forward(batch, conv, norm, &images, None)?;
//! let mut gradient = normal.output.clone();
//! let saved = normal.saved(&output, norm, None);
//! let wanted = InputGradient::Alone;
//! let (of_conv, of_norm) =
//!     train::conv_norm_backward(batch, conv, &images, wanted, &saved, &mut gradient)?;
//! assert_eq!((of_conv.weight.len(), of_norm.bias.len()), (weight.len(), 4));
//! # Ok(())
//! # }
//! ```

mod batch;
mod conv;
mod elementwise;
mod memory;
mod moments;
mod norm;
mod norm_backward;
mod plane;
mod pool;
mod transpose;
mod weight;
pub(crate) mod weight_tile;

/// Multiply-accumulates, or about as much other work, below which another thread would take longer to
/// wake than it saves.
const LEAST_WORK: usize = 16 << 20;

/// Items of so much work that a thread takes at least.
fn share(work: usize) -> usize {
    LEAST_WORK.div_ceil(work.max(1))
}

pub use batch::{Batch, from_lanes, to_lanes};
pub use conv::{ConvGradients, Convolution, InputGradient, conv_backward, conv_forward};
pub use elementwise::{activate_backward, activate_forward, add_forward, add_to};
pub use memory::{Aligned, recycle, release};
pub use norm::{BatchNorm, Norm, SavedNorm, conv_norm_forward, norm_forward};
pub use norm_backward::{NormGradients, conv_norm_backward, norm_backward};
pub use pool::{gather_backward, gather_forward, pool_backward, pool_forward};
