//! The official archives: where they are served and what their bytes must hash to.
//!
//! Every SHA-256 is the one that several public dataset libraries publish for the file. For MNIST
//! the content was compared as well: it unpacks to the published hashes of the plain files.

use super::DatasetName;
use super::cifar::{CIFAR10_FILES, CIFAR10_FOLDER, CIFAR100_FILES, CIFAR100_FOLDER};

/// What a dataset's folder in the cache is made from.
pub(super) struct Recipe<'a> {
    /// Whose folder it becomes.
    pub(super) dataset: DatasetName,
    /// The addresses to try in turn; a file's name is appended to each.
    pub(super) servers: &'a [&'a str],
    /// What to download.
    pub(super) files: &'a [RemoteFile<'a>],
    /// Given, each downloaded file is a gzipped tar archive to be unpacked.
    pub(super) members: Option<Members<'a>>,
}

/// One file on a server.
pub(super) struct RemoteFile<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: u64,
    /// In lower-case hexadecimal digits.
    pub(super) sha256: &'a str,
}

/// What is wanted of an archive.
pub(super) struct Members<'a> {
    pub(super) folder: &'a str,
    pub(super) files: &'a [&'a str],
}

const MNIST_SERVERS: &[&str] = &[
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
];
const MNIST: &[RemoteFile<'_>] = &[
    RemoteFile {
        name: "train-images-idx3-ubyte.gz",
        bytes: 9_912_422,
        sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    },
    RemoteFile {
        name: "train-labels-idx1-ubyte.gz",
        bytes: 28_881,
        sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    },
    RemoteFile {
        name: "t10k-images-idx3-ubyte.gz",
        bytes: 1_648_877,
        sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    },
    RemoteFile {
        name: "t10k-labels-idx1-ubyte.gz",
        bytes: 4_542,
        sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
];

/// The authors' own address, the last one, serves without encryption; the hashes make up for it.
const FASHION_MNIST_SERVERS: &[&str] = &[
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
];
const FASHION_MNIST: &[RemoteFile<'_>] = &[
    RemoteFile {
        name: "train-images-idx3-ubyte.gz",
        bytes: 26_421_880,
        sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    },
    RemoteFile {
        name: "train-labels-idx1-ubyte.gz",
        bytes: 29_515,
        sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    },
    RemoteFile {
        name: "t10k-images-idx3-ubyte.gz",
        bytes: 4_422_102,
        sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    },
    RemoteFile {
        name: "t10k-labels-idx1-ubyte.gz",
        bytes: 5_148,
        sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
];

/// The published address, the last one, now redirects to the first.
const CIFAR_SERVERS: &[&str] = &["https://cave.cs.toronto.edu/kriz/", "https://www.cs.toronto.edu/~kriz/"];
const CIFAR10: &[RemoteFile<'_>] = &[RemoteFile {
    name: "cifar-10-binary.tar.gz",
    bytes: 170_052_171,
    sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
}];
const CIFAR100: &[RemoteFile<'_>] = &[RemoteFile {
    name: "cifar-100-binary.tar.gz",
    bytes: 168_513_733,
    sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
}];

/// How a dataset is downloaded; nothing for one that is not.
pub(super) fn recipe(dataset: DatasetName) -> Option<Recipe<'static>> {
    let (servers, files, members) = match dataset {
        DatasetName::Digits | DatasetName::ImageFolder => return None,
        DatasetName::Mnist => (MNIST_SERVERS, MNIST, None),
        DatasetName::FashionMnist => (FASHION_MNIST_SERVERS, FASHION_MNIST, None),
        DatasetName::Cifar10 => {
            let members = Members { folder: CIFAR10_FOLDER, files: &CIFAR10_FILES };
            (CIFAR_SERVERS, CIFAR10, Some(members))
        }
        DatasetName::Cifar100 => {
            let members = Members { folder: CIFAR100_FOLDER, files: &CIFAR100_FILES };
            (CIFAR_SERVERS, CIFAR100, Some(members))
        }
    };
    Some(Recipe { dataset, servers, files, members })
}
