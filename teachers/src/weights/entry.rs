//! One tensor of a file before its values are read: name, shape, type, and where the bytes are.

use half::{bf16, f16};

/// The type of a tensor's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    F16,
    BF16,
    F32,
    F64,
    /// A type that weights do not have, by its name.
    Other(String),
}

/// Gives the bytes of a tensor in row-major order, little-endian.
type Read<'a> = Box<dyn Fn() -> Result<Vec<u8>, String> + 'a>;

/// One tensor of a file. Nothing of its size is in memory before [`Entry::values`].
pub(super) struct Entry<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) read: Read<'a>,
}

impl Entry<'_> {
    /// Its values as f32.
    pub(super) fn values(&self) -> Result<Vec<f32>, String> {
        let bytes = (self.read)()?;
        let values: Vec<f32> = match &self.kind {
            Kind::F16 => numbers(&bytes, |raw| f16::from_le_bytes(raw).to_f32()),
            Kind::BF16 => numbers(&bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
            Kind::F32 => numbers(&bytes, f32::from_le_bytes),
            Kind::F64 => numbers(&bytes, |raw| f64::from_le_bytes(raw) as f32),
            Kind::Other(kind) => return Err(format!("holds {kind} values")),
        };
        let expected: usize = self.shape.iter().product();
        if values.len() == expected {
            Ok(values)
        } else {
            Err(format!("holds {} values in place of {expected}", values.len()))
        }
    }
}

fn numbers<const SIZE: usize>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<SIZE>().0.iter().map(|raw| number(*raw)).collect()
}
