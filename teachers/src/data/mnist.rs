//! MNIST and Fashion-MNIST: the same four files by name and layout.

use super::facts::{
    DIGIT_NAMES, DatasetFacts, Download, RemoteFile, Source, SplitDefaults, TrainingDefaults,
};
use super::idx;

/// MNIST's entry in the table of datasets.
pub(super) const MNIST: DatasetFacts = DatasetFacts {
    name: "mnist",
    id_word: "MNIST",
    known_shape: Some(([1, 28, 28], 10)),
    classes: DIGIT_NAMES,
    scale: 255.0,
    // The figures that users of the dataset publish, to four digits.
    normalization: (&[0.1307], &[0.3081]),
    training: TrainingDefaults { epochs: 10, batch: 128, shift: 2, mirror: false },
    splits: SplitDefaults { calibration: 1000, reward: 5000 },
    layout: "put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
             t10k-labels-idx1-ubyte (each plain or with .gz) into DIR, DIR/raw or \
             DIR/MNIST/raw and give --data DIR",
    source: Source::Files {
        load: |name, root| idx::load(name, root, &["raw", "MNIST/raw"]),
        download: Some(Download { servers: MNIST_SERVERS, files: MNIST_FILES, members: None }),
    },
};

/// Fashion-MNIST's entry in the table of datasets.
pub(super) const FASHION_MNIST: DatasetFacts = DatasetFacts {
    name: "fashion-mnist",
    id_word: "FashionMNIST",
    classes: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    normalization: (&[0.2860], &[0.3530]),
    layout: "put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
             t10k-labels-idx1-ubyte (each plain or with .gz) into DIR, DIR/raw or \
             DIR/FashionMNIST/raw and give --data DIR",
    source: Source::Files {
        load: |name, root| idx::load(name, root, &["raw", "FashionMNIST/raw"]),
        download: Some(Download {
            servers: FASHION_MNIST_SERVERS,
            files: FASHION_MNIST_FILES,
            members: None,
        }),
    },
    ..MNIST
};

const MNIST_SERVERS: &[&str] = &[
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
];
/// They unpack to the published hashes of the plain files.
const MNIST_FILES: &[RemoteFile<'_>] = &[
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
const FASHION_MNIST_FILES: &[RemoteFile<'_>] = &[
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
