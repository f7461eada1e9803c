//! The IDX files of MNIST and Fashion-MNIST, four per dataset.
//!
//! An IDX file is big-endian: two zero bytes, a type byte (8: unsigned bytes), the number of
//! dimensions, each dimension in four bytes, then the values. See
//! <http://yann.lecun.com/exdb/mnist/>.

use std::path::{Path, PathBuf};

use super::files::{Source, locate};
use super::limits::MOST_IMAGES_IN_FILE;
use super::{DataError, DataSource, Dataset, DatasetName};

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
    let part = |images: &Path, labels: &Path, part| {
        part_from(Source::open(images)?, Source::open(labels)?, name, part)
    };
    Ok(DataSource {
        train: part(&train_images, &train_labels, "train")?,
        test: part(&test_images, &test_labels, "test")?,
    })
}

fn plain_or_gzipped(directory: &Path, file: &str) -> Option<PathBuf> {
    [directory.join(file), directory.join(format!("{file}.gz"))].into_iter().find(|path| path.is_file())
}

/// One part of a dataset from its two files.
pub(super) fn part_from(
    image_file: Source<'_>,
    label_file: Source<'_>,
    name: DatasetName,
    part: &str,
) -> Result<Dataset, DataError> {
    let (images, labels) = (image_file.path(), label_file.path());
    let ([count, ..], pixels) = read_idx::<3>(image_file)?;
    let ([labelled], classes) = read_idx::<1>(label_file)?;
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
    Dataset::of(name, part, usize::from(CLASSES), shape, pixels, classes)
}

/// The dimensions and values of an IDX file of unsigned bytes. No more is read, or unpacked, than the
/// header announces.
fn read_idx<const N: usize>(mut file: Source<'_>) -> Result<([usize; N], Vec<u8>), DataError> {
    let path = file.path();
    let header = file.take(4 + 4 * N)?;
    if header.len() < 4 + 4 * N {
        return Err(DataError::malformed(
            path,
            format!("ends after {} bytes, inside its header; fetch it again", header.len()),
        ));
    }
    let (start, fields) = header.split_at(4);
    let magic = [0, 0, 8, N as u8];
    if start != magic {
        return Err(DataError::malformed(
            path,
            format!(
                "begins with {start:02x?}, not with {magic:02x?}: it is not an IDX file of bytes in {N} \
                 dimensions"
            ),
        ));
    }
    let mut dimensions = [0_usize; N];
    for (dimension, field) in dimensions.iter_mut().zip(fields.chunks_exact(4)) {
        // Four bytes fit a usize wherever this dataset fits into memory.
        *dimension = field.iter().fold(0, |value, &byte| (value << 8) | usize::from(byte));
    }
    if dimensions.contains(&0) {
        return Err(DataError::malformed(path, format!("has no records: its dimensions are {dimensions:?}")));
    }
    let [records, size @ ..] = dimensions.as_slice() else { return Ok((dimensions, Vec::new())) };
    if *records > MOST_IMAGES_IN_FILE {
        return Err(DataError::malformed(
            path,
            format!("announces {records} records, over the limit of {MOST_IMAGES_IN_FILE}"),
        ));
    }
    if let [height, width] = size
        && [*height, *width] != [SIDE, SIDE]
    {
        return Err(DataError::malformed(path, format!("holds {height}x{width} images, not {SIDE}x{SIDE}")));
    }
    let announced = dimensions.iter().product();
    // One byte more, so that what follows is noticed, and the checksum of gzip data is compared.
    let values = file.take(announced + 1)?;
    if values.len() != announced {
        let found =
            if values.len() > announced { "more".to_owned() } else { format!("only {}", values.len()) };
        return Err(DataError::malformed(
            path,
            format!(
                "holds {found} bytes after a header that announces dimensions {dimensions:?}, \
                 {announced} bytes; fetch it again"
            ),
        ));
    }
    Ok((dimensions, values))
}
