//! The largest network that a [`Graph`](super::Graph) holds.
//!
//! The limits lie far above every published network for images. Below them no size of a network
//! overflows: the multiply-accumulates are fewer than [`MOST_VALUES`] times [`MOST_PARAMETERS`].

/// Nodes.
pub const MOST_NODES: usize = 10_000;
/// Inputs of all nodes together.
pub const MOST_EDGES: usize = 30_000;
/// Characters of a node's name.
pub const LONGEST_NAME: usize = 256;
/// Channels of a node's output.
pub const MOST_CHANNELS: usize = 1 << 22;
/// Channels of the outputs of all nodes together.
pub const MOST_CHANNELS_OF_ALL: usize = 1 << 24;
/// Rows or columns of an image, of a node's output and of a pooling window; steps of a window; the
/// distance between its taps; pixels of padding.
pub const LONGEST_SIDE: usize = 1 << 16;
/// Values of a node's output for one image.
pub const MOST_VALUES: usize = 1 << 26;
/// Rows or columns of a convolution's window.
pub const LONGEST_KERNEL: usize = 256;
/// Taps of a convolution's window.
pub const MOST_TAPS: usize = 1 << 12;
/// Taps of the windows of all convolutions together.
pub const MOST_TAPS_OF_ALL: usize = 1 << 20;
/// Values of the tensors of all nodes together.
pub const MOST_PARAMETERS: usize = 1 << 30;
