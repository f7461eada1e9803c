//! Networks as data, and everything that can be computed from them.

/// What can go wrong with a network, its weights or its data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// x
    #[error("x")]
    X,
}
