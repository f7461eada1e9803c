//! What can go wrong with a network, its weights or its data.

use std::path::PathBuf;

use crate::data::DataError;

/// An error of this crate. Its message names the file, node or tensor and says what would fix it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A node whose inputs have the wrong number or shape.
    #[error("node `{node}`: {reason}")]
    Node {
        /// Name of the node.
        node: String,
        /// What does not fit.
        reason: String,
    },
    /// Surgery whose result is not a valid network: shapes do not fit at this node.
    #[error("node `{node}`: {reason}")]
    Degenerate {
        /// Name of the node.
        node: String,
        /// What does not fit.
        reason: String,
    },
    /// A list of nodes that is not a graph: no input node, a name used twice, an unknown input.
    #[error("graph: {0}")]
    Graph(String),
    /// A model that does not exist or cannot be built with these options.
    #[error("model `{model}`: {reason}")]
    Model {
        /// The name asked for.
        model: String,
        /// What is wrong, with the nearest name where there is one.
        reason: String,
    },
    /// A tensor that is missing or of the wrong shape.
    #[error("tensor `{tensor}`: expected shape {expected:?}, found {found}")]
    Tensor {
        /// Name of the tensor.
        tensor: String,
        /// Shape that the graph needs.
        expected: Vec<usize>,
        /// Shape that was there, or `nothing`.
        found: String,
    },
    /// A tensor whose values are neither 16, 32 nor 64 bit floating-point numbers.
    #[error("tensor `{tensor}` holds {found} values, expected F32, F64, F16 or BF16")]
    TensorType {
        /// Name of the tensor.
        tensor: String,
        /// The type that was there.
        found: String,
    },
    /// A tensor of a file that the network does not have.
    #[error("the network has no tensor `{tensor}`{}", also(*others))]
    SurplusTensor {
        /// Name of the first such tensor.
        tensor: String,
        /// Number of further ones.
        others: usize,
    },
    /// Two tensors of a file that are the same one of the network.
    #[error("`{first}` and `{second}` are both the network's `{tensor}`; keep one of the two")]
    AmbiguousTensor {
        /// Name of the network's tensor.
        tensor: String,
        /// Full name of one of them.
        first: String,
        /// Full name of the other.
        second: String,
    },
    /// A file of weights that are not those of the network.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The tensor that does not fit.
        source: Box<Error>,
    },
    /// A file that cannot be read, written or understood.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would fix it.
        reason: String,
    },
    /// A choice of channels that the graph does not allow.
    #[error("channel group `{group}`: {reason}")]
    Channels {
        /// Name of the group: its first producer.
        group: String,
        /// What is wrong.
        reason: String,
    },
    /// A setting outside its range.
    #[error("setting `{key}`: {reason}")]
    Setting {
        /// Name of the setting.
        key: String,
        /// What is wrong and what would fix it.
        reason: String,
    },
    /// A computation that gave NaN or infinity.
    #[error("{0} is not finite")]
    NotFinite(String),
    /// A training that was stopped before its end.
    #[error("the training was stopped")]
    Stopped,
    /// A problem with a dataset.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An error of a compute kernel.
    #[error("node `{node}`: {source}")]
    Kernel {
        /// Name of the node.
        node: String,
        /// The kernel's error.
        source: cgym_kernels::KernelError,
    },
}

impl Error {
    pub(crate) fn node(node: &str, reason: impl Into<String>) -> Self {
        Self::Node { node: node.to_owned(), reason: reason.into() }
    }

    pub(crate) fn file(path: &std::path::Path, reason: impl ToString) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// The end of a message about one tensor of several.
fn also(others: usize) -> String {
    match others {
        0 => String::new(),
        _ => format!(", nor {others} others of the file"),
    }
}
