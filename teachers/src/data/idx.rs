//! The IDX files of MNIST and Fashion-MNIST, four per dataset.
//!
//! An IDX file is big-endian: two zero bytes, a type byte (8: unsigned bytes), the number of
//! dimensions, each dimension in four bytes, then the values. See
//! <http://yann.lecun.com/exdb/mnist/>.

use std::path::{Path, PathBuf};

use super::files::{locate, read};
use super::{DataError, DataSource, Dataset, DatasetName, Normalization};

/// The four files of a dataset, without `.gz`.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];
const SIDE: usize = 28;
const CLASSES: u8 = 10;

/// Reads both parts from `root` or the first of its `folders` that holds them.
pub(super) fn load(name: DatasetName, root: &Path, folders: &[&str]) -> Result<DataSource, DataError> {
    let [train_images, train_labels, test_images, test_labels] =
        locate(name, root, folders, FILES, plain_or_gzipped)?;
    let normalization = name.facts().normalization();
    let part = |images, labels, part| part_from(images, labels, format!("{name}/{part}"), &normalization);
    Ok(DataSource {
        train: part(&train_images, &train_labels, "train")?,
        test: part(&test_images, &test_labels, "test")?,
    })
}

fn plain_or_gzipped(directory: &Path, file: &str) -> Option<PathBuf> {
    [directory.join(file), directory.join(format!("{file}.gz"))].into_iter().find(|path| path.is_file())
}

fn part_from(
    images: &Path,
    labels: &Path,
    name: String,
    normalization: &Normalization,
) -> Result<Dataset, DataError> {
    let ([count, height, width], pixels) = read_idx::<3>(images)?;
    if [height, width] != [SIDE, SIDE] {
        return Err(DataError::malformed(
            images,
            format!("holds {height}x{width} images, not {SIDE}x{SIDE}"),
        ));
    }
    let ([labelled], classes) = read_idx::<1>(labels)?;
    if labelled != count {
        return Err(DataError::malformed(
            labels,
            format!("holds {labelled} labels for the {count} images of {}", images.display()),
        ));
    }
    if let Some(record) = classes.iter().position(|&class| class >= CLASSES) {
        let problem = format!("has class {}, not one of 0 to 9", classes[record]);
        return Err(DataError::record(labels, record, problem));
    }
    let classes = classes.into_iter().map(u16::from).collect();
    let shape = [1, SIDE, SIDE];
    Dataset::new(name, usize::from(CLASSES), shape, pixels, classes, 255.0, normalization.clone())
}

/// The dimensions and values of an IDX file of unsigned bytes.
fn read_idx<const N: usize>(path: &Path) -> Result<([usize; N], Vec<u8>), DataError> {
    let mut bytes = read(path)?;
    let header = 4 + 4 * N;
    if bytes.len() < header {
        return Err(DataError::malformed(
            path,
            format!("ends after {} bytes, inside its header; fetch it again", bytes.len()),
        ));
    }
    let magic = [0, 0, 8, N as u8];
    if bytes[..4] != magic {
        return Err(DataError::malformed(
            path,
            format!(
                "begins with {:02x?}, not with {magic:02x?}: it is not an IDX file of bytes in {N} \
                 dimensions",
                &bytes[..4]
            ),
        ));
    }
    let mut dimensions = [0_usize; N];
    for (dimension, field) in dimensions.iter_mut().zip(bytes[4..header].chunks_exact(4)) {
        // Four bytes fit a usize wherever this dataset fits into memory.
        *dimension = field.iter().fold(0, |value, &byte| (value << 8) | usize::from(byte));
    }
    if dimensions.contains(&0) {
        return Err(DataError::malformed(path, format!("has no records: its dimensions are {dimensions:?}")));
    }
    let values = dimensions.iter().try_fold(1_usize, |product, &d| product.checked_mul(d));
    if values != Some(bytes.len() - header) {
        return Err(DataError::malformed(
            path,
            format!(
                "holds {} bytes after a header that announces dimensions {dimensions:?}; fetch it \
                 again",
                bytes.len() - header
            ),
        ));
    }
    bytes.drain(..header);
    Ok((dimensions, bytes))
}
