//! The greatest sizes that are read. They are checked against headers and settings before memory is
//! allocated.

/// Images in one file of MNIST, Fashion-MNIST, CIFAR-10 or CIFAR-100: as many as the largest of the
/// official files has.
pub const MOST_IMAGES_IN_FILE: usize = 60_000;

/// Height and width of the images that a network takes, in pixels.
pub const LARGEST_IMAGE: usize = 4096;

/// Height and width of an image file in a folder, in pixels.
pub const LARGEST_SIDE: usize = 16_384;

/// Pixels of an image file in a folder: 64 Mi, such as 8192x8192.
pub const MOST_PIXELS: usize = 1 << 26;

/// Bytes of an image file in a folder: 256 MiB.
pub const LARGEST_FILE: u64 = 1 << 28;

/// Bytes that the resized images of a folder take in memory: 32 GiB for each part.
pub const LARGEST_PART: usize = 1 << 35;

/// Number of classes: labels are 16-bit numbers.
pub const MOST_CLASSES: usize = u16::MAX as usize;
