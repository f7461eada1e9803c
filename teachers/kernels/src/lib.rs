//! Compute kernels of a fused inference engine for small images, in single precision, and of
//! training ([`train`], [`adam`]).
//!
//! # Layout
//! An activation holds one image per vector lane ([`Isa::lanes`]), with the image index innermost:
//! `[channels][height][width][lanes]`. Every shape then vectorises without padding or masks, and the
//! result of an image depends neither on its lane nor on the other images.
//! [`interleave`] and [`deinterleave`] convert. Keep activations in a [`Buffer`], which is aligned to
//! a cache line; otherwise each vector load touches two lines.
//!
//! # Reproducibility
//! Every output of a direct kernel is summed in one fixed order (input channel, kernel row, kernel
//! column), in every register tile. With [`Algorithm::Fast`] a 3x3 convolution is computed by Winograd's
//! algorithm F(4x4, 3x3) if its shape makes that faster; the sums at each of the 36 positions run over
//! the input channels in order. Neither result depends on blocks, threads or timing. Results differ
//! between instruction sets: the portable one rounds after each multiplication where the target's
//! baseline has no fused multiply-add.
//!
//! # Rounding errors of Winograd's algorithm
//! The points of interpolation are 0, ±5/8, ±3/2 and infinity: for random inputs and weights the root
//! mean square error is 1.8 times that of the direct sum, with the usual ±1 and ±2 it is 3.9 times. In
//! whole networks with random weights, from ResNet-20 to ResNet-110 and VGG-16, logits differ by less
//! than 2e-6 of the greatest one, without growth with depth (the tests of the evaluation engine allow
//! 5e-6). Values near the greatest `f32` can overflow between the transforms where the direct sum does
//! not; results are then not finite.
//!
//! # Example
//! ```
//! use cgym_kernels::{Activation, Algorithm, Buffer, Conv2d, ConvShape, Isa, interleave};
//! # fn main() -> Result<(), cgym_kernels::KernelError> {
//! let isa = Isa::best();
//! let shape = ConvShape::square(1, 2, 3, 1, 1, [8, 8]);
//! let weight = vec![0.1; shape.weight_len()];
//! let conv = Conv2d::new(shape, &weight, None, Activation::Relu, Algorithm::Fast, isa)?;
//! let images = vec![1.0; 3 * 64];
//! let mut input = Buffer::zeros(conv.input_len());
//! interleave(&images, 64, isa.lanes(), &mut input)?;
//! let mut output = Buffer::zeros(conv.output_len());
//! conv.run(&input, None, &mut output)?;
//! # Ok(())
//! # }
//! ```

#![warn(clippy::undocumented_unsafe_blocks)]

pub mod adam;
mod buffer;
mod call;
mod conv;
mod dense;
mod depthwise;
mod elementwise;
mod error;
mod gather;
mod geometry;
mod isa;
mod lanes;
mod linear;
pub mod matrix;
mod pair;
mod pool;
mod pool_gradient;
pub mod product;
mod shape;
mod tile;
pub mod train;
mod vector;
mod winograd;

pub use buffer::Buffer;
pub use conv::{Conv2d, ConvBlock, Residual};
pub use elementwise::{activate, add, affine};
pub use error::KernelError;
pub use gather::ChannelGather;
pub use isa::Isa;
pub use lanes::{deinterleave, interleave};
pub use linear::Linear;
pub use pair::ConvPair;
pub use pool::{Pool, PoolKind, PoolShape};
pub use shape::{Activation, Algorithm, ConvShape};
