//! The errors of the kernels.

use crate::Isa;
use std::fmt;

/// A shape, a length or an instruction set that a kernel cannot work with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelError {
    /// A field of a shape has an invalid value.
    Shape {
        /// The field's name.
        field: &'static str,
        /// What the field must be.
        reason: String,
    },
    /// A slice does not have the length that the shape requires.
    Length {
        /// The slice's name.
        slice: &'static str,
        /// Elements that the shape requires.
        expected: usize,
        /// Elements that were given.
        found: usize,
    },
    /// This processor does not have the instruction set.
    Unavailable(Isa),
    /// A matrix is not positive definite.
    NotPositive {
        /// The row whose pivot is not above zero.
        row: usize,
    },
    /// No instruction set has this name.
    UnknownIsa(String),
}

impl KernelError {
    pub(crate) fn shape(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Shape { field, reason: reason.into() }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { field, reason } => write!(formatter, "`{field}` {reason}"),
            Self::Length { slice, expected, found } => {
                write!(formatter, "`{slice}` must have {expected} elements but has {found}")
            }
            Self::Unavailable(isa) => {
                write!(formatter, "this processor does not have {isa}; `portable` runs everywhere")
            }
            Self::NotPositive { row } => {
                write!(formatter, "the matrix is not positive definite: pivot {row} is not above zero")
            }
            Self::UnknownIsa(name) => {
                write!(formatter, "`{name}` is not one of portable, avx2, avx512")
            }
        }
    }
}

impl std::error::Error for KernelError {}

/// Checks that a slice has the length its shape asks for.
pub(crate) fn check_length(slice: &'static str, found: usize, expected: usize) -> Result<(), KernelError> {
    if found == expected { Ok(()) } else { Err(KernelError::Length { slice, expected, found }) }
}
