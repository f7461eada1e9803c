//! The names that datasets go by on the command line and in configuration files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DataError;

/// The datasets that [`load`](super::load) can read; spelled `digits`, `mnist`, `fashion-mnist`,
/// `cifar10`, `cifar100` and `folder` wherever it is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DatasetName {
    /// UCI handwritten digits, 8 x 8 grey, embedded.
    Digits,
    /// MNIST, 28 x 28 grey.
    Mnist,
    /// Fashion-MNIST, 28 x 28 grey, the same files as MNIST by name and layout.
    FashionMnist,
    /// CIFAR-10, 32 x 32 colour.
    Cifar10,
    /// CIFAR-100 with its 100 fine classes, 32 x 32 colour.
    Cifar100,
    /// A folder with one folder of PNG and JPEG images for each class.
    ImageFolder,
}

impl DatasetName {
    /// Every dataset, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Digits, Self::Mnist, Self::FashionMnist, Self::Cifar10, Self::Cifar100, Self::ImageFolder];

    /// The spelling that [`FromStr`] accepts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::ImageFolder => "folder",
        }
    }

    /// What a user has to put where, as an instruction that can end an error message.
    pub(super) fn layout(self) -> &'static str {
        match self {
            Self::Digits => "the digits are embedded and need no files",
            Self::Mnist => {
                "put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
                 t10k-labels-idx1-ubyte (each plain or with .gz) into DIR, DIR/raw or \
                 DIR/MNIST/raw and give --data DIR"
            }
            Self::FashionMnist => {
                "put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
                 t10k-labels-idx1-ubyte (each plain or with .gz) into DIR, DIR/raw or \
                 DIR/FashionMNIST/raw and give --data DIR"
            }
            Self::Cifar10 => {
                "unpack cifar-10-binary.tar.gz so that data_batch_1.bin to data_batch_5.bin and \
                 test_batch.bin lie in DIR or DIR/cifar-10-batches-bin and give --data DIR"
            }
            Self::Cifar100 => {
                "unpack cifar-100-binary.tar.gz so that train.bin and test.bin lie in DIR or \
                 DIR/cifar-100-binary and give --data DIR"
            }
            Self::ImageFolder => {
                "put png or jpg images into DIR/train/<class>/ and DIR/test/<class>/ (or val), or \
                 into DIR/<class>/ to have a fifth split off for the test, and give --data DIR"
            }
        }
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for DatasetName {
    type Err = DataError;

    fn from_str(given: &str) -> Result<Self, DataError> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == given)
            .ok_or_else(|| DataError::UnknownName { given: given.to_owned(), nearest: nearest(given) })
    }
}

impl From<DatasetName> for String {
    fn from(name: DatasetName) -> Self {
        name.as_str().to_owned()
    }
}

impl TryFrom<String> for DatasetName {
    type Error = DataError;

    fn try_from(given: String) -> Result<Self, DataError> {
        given.parse()
    }
}

/// The name that begins like `given`, else the one with the fewest edits between.
fn nearest(given: &str) -> DatasetName {
    let given = given.to_lowercase().replace('_', "-");
    let mut best = (true, usize::MAX, DatasetName::Digits);
    for name in DatasetName::ALL {
        let unlike = given.is_empty() || !name.as_str().starts_with(&given);
        let edits = edit_distance(&given, name.as_str());
        if (unlike, edits) < (best.0, best.1) {
            best = (unlike, edits, name);
        }
    }
    best.2
}

/// Levenshtein's distance, in characters.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}
