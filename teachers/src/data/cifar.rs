//! CIFAR-10 and CIFAR-100 in the published "binary version".
//!
//! A record is one label byte (CIFAR-100: the coarse, then the fine label) and 3072 pixel bytes,
//! red, green, blue, each row by row. A file is records without a header, any number of them. See
//! <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::facts::{DatasetFacts, Download, Members, RemoteFile, Source, SplitDefaults, TrainingDefaults};
use super::files::locate;
use super::limits::MOST_IMAGES_IN_FILE;
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
    classes: CIFAR10_CLASSES,
    scale: 255.0,
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
    classes: CIFAR100_CLASSES,
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

const CIFAR10_CLASSES: &[&str] =
    &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
#[rustfmt::skip]
const CIFAR100_CLASSES: &[&str] = &[
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
    "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar",
    "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile",
    "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster",
    "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster",
    "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy",
    "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal",
    "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar",
    "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
    "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman",
    "worm",
];

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
pub(super) struct Layout {
    name: DatasetName,
    /// The number of classes that each label byte of a record names one of; the last one counts.
    label_bytes: &'static [u8],
}

fn load_cifar10(name: DatasetName, root: &Path) -> Result<DataSource, DataError> {
    let files = locate(name, root, &[CIFAR10_FOLDER], CIFAR10_FILES, plain)?;
    Layout::of(name).parts(&files)
}

fn load_cifar100(name: DatasetName, root: &Path) -> Result<DataSource, DataError> {
    let files = locate(name, root, &[CIFAR100_FOLDER], CIFAR100_FILES, plain)?;
    Layout::of(name).parts(&files)
}

fn plain(directory: &Path, file: &str) -> Option<PathBuf> {
    Some(directory.join(file)).filter(|path| path.is_file())
}

impl Layout {
    /// The records of `name`.
    pub(super) fn of(name: DatasetName) -> Self {
        let label_bytes: &[u8] = if name == DatasetName::Cifar100 { &[20, 100] } else { &[10] };
        Self { name, label_bytes }
    }

    /// All files but the last are the train part.
    fn parts<const N: usize>(&self, files: &[PathBuf; N]) -> Result<DataSource, DataError> {
        let (train, test) = files.split_at(N - 1);
        Ok(DataSource { train: self.part(train, "train")?, test: self.part(test, "test")? })
    }

    fn part(&self, files: &[PathBuf], part: &str) -> Result<Dataset, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for path in files {
            self.append(&self.read(path)?, path, &mut pixels, &mut labels)?;
        }
        self.dataset(part, pixels, labels)
    }

    fn dataset(&self, part: &str, pixels: Vec<u8>, labels: Vec<u16>) -> Result<Dataset, DataError> {
        let classes = self.label_bytes.last().copied().map_or(0, usize::from);
        Dataset::of(self.name, part, classes, [3, 32, 32], pixels, labels)
    }

    /// A dataset from the contents of one file.
    pub(super) fn parse(&self, bytes: &[u8], path: &Path) -> Result<Dataset, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        self.append(bytes, path, &mut pixels, &mut labels)?;
        self.dataset("train", pixels, labels)
    }

    /// The contents of a file, whose length is checked before it is read.
    fn read(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let file = File::open(path).map_err(DataError::io(path))?;
        let length = file.metadata().map_err(DataError::io(path))?.len();
        self.check_length(length, path)?;
        let mut bytes = Vec::new();
        // A file that grows meanwhile is still read to this length only.
        file.take(length).read_to_end(&mut bytes).map_err(DataError::io(path))?;
        Ok(bytes)
    }

    fn record_length(&self) -> usize {
        self.label_bytes.len() + PIXELS
    }

    fn check_length(&self, length: u64, path: &Path) -> Result<(), DataError> {
        let record = self.record_length() as u64;
        if length == 0 || !length.is_multiple_of(record) {
            return Err(DataError::malformed(
                path,
                format!("holds {length} bytes, not a whole number of {record}-byte records; fetch it again"),
            ));
        }
        if length / record > MOST_IMAGES_IN_FILE as u64 {
            return Err(DataError::malformed(
                path,
                format!("holds {} images, over the limit of {MOST_IMAGES_IN_FILE}", length / record),
            ));
        }
        Ok(())
    }

    fn append(
        &self,
        bytes: &[u8],
        path: &Path,
        pixels: &mut Vec<u8>,
        labels: &mut Vec<u16>,
    ) -> Result<(), DataError> {
        self.check_length(bytes.len() as u64, path)?;
        let size = self.record_length();
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
