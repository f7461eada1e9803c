//! CIFAR-10 and CIFAR-100 in the published "binary version".
//!
//! A record is one label byte (CIFAR-100: the coarse, then the fine label) and 3072 pixel bytes,
//! red, green, blue, each row by row. A file is records without a header, any number of them. See
//! <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::path::{Path, PathBuf};

use super::files::locate;
use super::{DataError, DataSource, Dataset, DatasetName, Normalization};

const PIXELS: usize = 3 * 32 * 32;
/// The files of CIFAR-10, the test part last.
pub(super) const CIFAR10_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// The folder in CIFAR-10's archive.
pub(super) const CIFAR10_FOLDER: &str = "cifar-10-batches-bin";
/// The files of CIFAR-100, the test part last.
pub(super) const CIFAR100_FILES: [&str; 2] = ["train.bin", "test.bin"];
/// The folder in CIFAR-100's archive.
pub(super) const CIFAR100_FOLDER: &str = "cifar-100-binary";

/// What tells the two datasets apart.
struct Layout {
    name: DatasetName,
    classes: usize,
    /// The number of classes that each label byte of a record names one of; the last one counts.
    label_bytes: &'static [u8],
    normalization: Normalization,
}

/// Reads both parts from `root` or the folder that the official archive unpacks to.
pub(super) fn load(name: DatasetName, root: &Path) -> Result<DataSource, DataError> {
    if name == DatasetName::Cifar100 {
        let files = locate(name, root, &[CIFAR100_FOLDER], CIFAR100_FILES, plain)?;
        let layout = Layout {
            name,
            classes: 100,
            label_bytes: &[20, 100],
            normalization: Normalization::new(&[0.5071, 0.4865, 0.4409], &[0.2673, 0.2564, 0.2762]),
        };
        return layout.read(&files);
    }
    let files = locate(name, root, &[CIFAR10_FOLDER], CIFAR10_FILES, plain)?;
    let layout = Layout {
        name,
        classes: 10,
        label_bytes: &[10],
        // ImageNet's figures: the published CIFAR ResNet checkpoints were trained with them.
        normalization: Normalization::new(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
    };
    layout.read(&files)
}

fn plain(directory: &Path, file: &str) -> Option<PathBuf> {
    Some(directory.join(file)).filter(|path| path.is_file())
}

impl Layout {
    /// All files but the last are the train part.
    fn read<const N: usize>(&self, files: &[PathBuf; N]) -> Result<DataSource, DataError> {
        let (train, test) = files.split_at(N - 1);
        Ok(DataSource { train: self.part(train, "train")?, test: self.part(test, "test")? })
    }

    fn part(&self, files: &[PathBuf], part: &str) -> Result<Dataset, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for path in files {
            self.append(path, &mut pixels, &mut labels)?;
        }
        Dataset::new(
            format!("{}/{part}", self.name),
            self.classes,
            [3, 32, 32],
            pixels,
            labels,
            255.0,
            self.normalization.clone(),
        )
    }

    fn append(&self, path: &Path, pixels: &mut Vec<u8>, labels: &mut Vec<u16>) -> Result<(), DataError> {
        let bytes = std::fs::read(path).map_err(DataError::io(path))?;
        let size = self.label_bytes.len() + PIXELS;
        if bytes.is_empty() || bytes.len() % size != 0 {
            return Err(DataError::malformed(
                path,
                format!(
                    "holds {} bytes, not a whole number of {size}-byte records; fetch it again",
                    bytes.len()
                ),
            ));
        }
        pixels.reserve_exact(bytes.len() / size * PIXELS);
        for (record, bytes) in bytes.chunks_exact(size).enumerate() {
            let (label, image) = bytes.split_at(self.label_bytes.len());
            let mut class = 0;
            for (&byte, &classes) in label.iter().zip(self.label_bytes) {
                if byte >= classes {
                    let problem = format!("has class {byte}, not one of 0 to {}", classes - 1);
                    return Err(DataError::record(path, record, problem));
                }
                class = byte;
            }
            labels.push(u16::from(class));
            pixels.extend_from_slice(image);
        }
        Ok(())
    }
}
