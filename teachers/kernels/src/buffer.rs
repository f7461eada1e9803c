//! Memory that is aligned to a cache line.
#![expect(unsafe_code, reason = "a vector of cache lines is read as the numbers it holds")]

use std::ops::{Deref, DerefMut};

/// Numbers in one cache line, which is also the widest vector.
const LINE: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A fixed number of `f32` whose first starts on a 64-byte boundary; reads as a slice.
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)], len }
    }

    /// A buffer that holds a copy of `values`.
    pub fn from_slice(values: &[f32]) -> Self {
        let mut buffer = Self::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// Changes the length. Added values are zero; the capacity never shrinks.
    pub fn resize(&mut self, len: usize) {
        let kept = self.len.min(len);
        self.lines.resize(len.div_ceil(LINE), Line([0.0; LINE]));
        self.len = len;
        // A line may hold numbers from before the buffer was shortened.
        let end = len.min(kept.next_multiple_of(LINE));
        self[kept..end].fill(0.0);
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the lines are `repr(C)` arrays of `LINE` f32 each without padding, laid out one
        // after the other, and `len` never exceeds `lines.len() * LINE`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_starts_on_a_cache_line() {
        for len in [1, 15, 16, 17, 1000] {
            assert_eq!(Buffer::zeros(len).as_ptr() as usize % 64, 0);
        }
    }

    #[test]
    fn what_a_resize_adds_is_zero() {
        let mut buffer = Buffer::from_slice(&[1.0; 20]);
        buffer.resize(3);
        assert_eq!(&*buffer, &[1.0; 3]);
        buffer.resize(40);
        assert_eq!(&buffer[..3], &[1.0; 3]);
        assert!(buffer[3..].iter().all(|value| *value == 0.0));
    }
}
