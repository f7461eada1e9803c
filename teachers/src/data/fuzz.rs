//! Readers of data files for fuzzing: bytes in, a dataset or an error out. Not part of the interface.

use std::path::Path;

use super::cifar::Layout;
use super::files::Source;
use super::{DataError, Dataset, DatasetName, LARGEST_IMAGE, idx, image_file};

/// The two IDX files of a part of MNIST, each plain or gzipped.
///
/// # Errors
/// As [`load`](super::load).
pub fn idx(images: &[u8], labels: &[u8]) -> Result<Dataset, DataError> {
    let images = Source::new(images, Path::new("images"))?;
    let labels = Source::new(labels, Path::new("labels"))?;
    idx::part_from(images, labels, DatasetName::Mnist, "train")
}

/// One file of CIFAR-10 or, if `hundred`, of CIFAR-100.
///
/// # Errors
/// As [`load`](super::load).
pub fn cifar(file: &[u8], hundred: bool) -> Result<Dataset, DataError> {
    let name = if hundred { DatasetName::Cifar100 } else { DatasetName::Cifar10 };
    Layout::of(name).parse(file, Path::new("file"))
}

/// A PNG or JPEG file as planes of red, green and blue, resized to height and width.
///
/// # Errors
/// Why the file is refused, or a size outside 1 to [`LARGEST_IMAGE`].
pub fn image(file: &[u8], size: [usize; 2]) -> Result<Vec<u8>, String> {
    if size.iter().any(|side| !(1..=LARGEST_IMAGE).contains(side)) {
        return Err(format!("{size:?} is not a size"));
    }
    let mut planes = vec![0; 3 * size[0] * size[1]];
    image_file::decode(file, size, &mut planes)?;
    Ok(planes)
}
