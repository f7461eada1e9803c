//! Memory that threads share or keep.
#![expect(unsafe_code, reason = "threads write to parts of memory that is not initialised")]

use crate::Buffer;
use std::cell::RefCell;

/// A result while several threads write to parts of it.
pub(super) struct Output {
    values: Vec<f32>,
    start: *mut f32,
    len: usize,
}

// SAFETY: `at` hands out pointers only; who writes through them answers for it.
unsafe impl Sync for Output {}

impl Output {
    /// Room for `len` numbers.
    pub fn new(len: usize) -> Self {
        let mut values = Vec::with_capacity(len);
        let start = values.as_mut_ptr();
        Self { values, start, len }
    }

    /// Where a number goes; `index` is at most the length.
    pub fn at(&self, index: usize) -> *mut f32 {
        assert!(index <= self.len);
        // SAFETY: the vector has room for `len` numbers.
        unsafe { self.start.add(index) }
    }

    /// The numbers.
    ///
    /// # Safety
    /// Every number has been written, and nothing writes any more.
    pub unsafe fn finish(mut self) -> Vec<f32> {
        // SAFETY: the caller's promise; the capacity is at least `len`.
        unsafe { self.values.set_len(self.len) }
        self.values
    }
}

/// Images in lanes, kept by each thread from one call to the next: fresh memory would be slower
/// than what is computed in it.
const BUFFERS: usize = 3;

thread_local! {
    static SCRATCH: RefCell<[Buffer; BUFFERS]> = RefCell::default();
}

/// Lends the thread's buffers, at least as long as asked; what they hold is left over.
pub(super) fn with_scratch<R>(lens: [usize; BUFFERS], run: impl FnOnce([&mut [f32]; BUFFERS]) -> R) -> R {
    SCRATCH.with_borrow_mut(|buffers| {
        for (buffer, len) in buffers.iter_mut().zip(lens) {
            if buffer.len() < len {
                *buffer = Buffer::zeros(len);
            }
        }
        let [first, second, third] = buffers;
        run([&mut first[..lens[0]], &mut second[..lens[1]], &mut third[..lens[2]]])
    })
}
