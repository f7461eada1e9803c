//! CIFAR-10 and CIFAR-100 in the published "binary version".
//!
//! A record is one label byte (CIFAR-100: the coarse, then the fine label) and 3072 pixel bytes,
//! red, green, blue, each row by row. A file is records without a header, any number of them. See
//! <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::path::{Path, PathBuf};

use super::facts::{DatasetFacts, Download, Members, RemoteFile, Source, SplitDefaults, TrainingDefaults};
use super::files::locate;
use super::{DataError, DataSource, Dataset, DatasetName};

const PIXELS: usize = 3 * 32 * 32;
/// The files of CIFAR-10, the test part last.
const CIFAR10_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// The folder in CIFAR-10's archive.
const CIFAR10_FOLDER: &str = "cifar-10-batches-bin";
/// The files of CIFAR-100, the test part last.
const CIFAR100_FILES: [&str; 2] = ["train.bin", "test.bin"];
/// The folder in CIFAR-100's archive.
const CIFAR100_FOLDER: &str = "cifar-100-binary";

/// CIFAR-10's entry in the table of datasets.
pub(super) const CIFAR10: DatasetFacts = DatasetFacts {
    name: "cifar10",
    id_word: "CIFAR10",
    known_shape: Some(([3, 32, 32], 10)),
    // ImageNet's figures: the published CIFAR ResNet checkpoints were trained with them.
    normalization: (&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
    training: TrainingDefaults { epochs: 160, batch: 128, shift: 4, mirror: true },
    splits: SplitDefaults { calibration: 1000, reward: 5000 },
    layout: "unpack cifar-10-binary.tar.gz so that data_batch_1.bin to data_batch_5.bin and \
             test_batch.bin lie in DIR or DIR/cifar-10-batches-bin and give --data DIR",
    source: Source::Files {
        load: load_cifar10,
        download: Some(Download {
            servers: SERVERS,
            files: CIFAR10_ARCHIVE,
            members: Some(Members { folder: CIFAR10_FOLDER, files: &CIFAR10_FILES }),
        }),
    },
};

/// CIFAR-100's entry in the table of datasets.
pub(super) const CIFAR100: DatasetFacts = DatasetFacts {
    name: "cifar100",
    id_word: "CIFAR100",
    known_shape: Some(([3, 32, 32], 100)),
    normalization: (&[0.5071, 0.4865, 0.4409], &[0.2673, 0.2564, 0.2762]),
    layout: "unpack cifar-100-binary.tar.gz so that train.bin and test.bin lie in DIR or \
             DIR/cifar-100-binary and give --data DIR",
    source: Source::Files {
        load: load_cifar100,
        download: Some(Download {
            servers: SERVERS,
            files: CIFAR100_ARCHIVE,
            members: Some(Members { folder: CIFAR100_FOLDER, files: &CIFAR100_FILES }),
        }),
    },
    ..CIFAR10
};

/// The published address, the last one, now redirects to the first.
const SERVERS: &[&str] = &["https://cave.cs.toronto.edu/kriz/", "https://www.cs.toronto.edu/~kriz/"];
const CIFAR10_ARCHIVE: &[RemoteFile<'_>] = &[RemoteFile {
    name: "cifar-10-binary.tar.gz",
    bytes: 170_052_171,
    sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
}];
const CIFAR100_ARCHIVE: &[RemoteFile<'_>] = &[RemoteFile {
    name: "cifar-100-binary.tar.gz",
    bytes: 168_513_733,
    sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
}];

/// How the records of one of the two datasets are laid out.
struct Layout {
    name: DatasetName,
    /// The number of classes that each label byte of a record names one of; the last one counts.
    label_bytes: &'static [u8],
}

fn load_cifar10(name: DatasetName, root: &Path) -> Result<DataSource, DataError> {
    let files = locate(name, root, &[CIFAR10_FOLDER], CIFAR10_FILES, plain)?;
    Layout { name, label_bytes: &[10] }.read(&files)
}

fn load_cifar100(name: DatasetName, root: &Path) -> Result<DataSource, DataError> {
    let files = locate(name, root, &[CIFAR100_FOLDER], CIFAR100_FILES, plain)?;
    Layout { name, label_bytes: &[20, 100] }.read(&files)
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
            self.label_bytes.last().copied().map_or(0, usize::from),
            [3, 32, 32],
            pixels,
            labels,
            255.0,
            self.name.facts().normalization(),
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
