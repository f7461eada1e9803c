//! Memory that threads share or keep.
#![expect(unsafe_code, reason = "threads write to parts of memory that is not initialised")]

use crate::Buffer;
use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

/// The fewest numbers whose memory is kept; smaller requests are fast in the allocator.
const LEAST_KEPT: usize = 1 << 14;
/// The most numbers that are kept: 1 GiB.
const MOST_KEPT: usize = 1 << 28;

/// Memory of results that are no longer needed.
static SPARE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Keeps the memory of a result that is no longer needed, for later results: the first access to new
/// memory of the system takes longer than the computation.
///
/// At most 1 GiB is kept, until [`release`]; the oldest memory is freed first.
pub fn recycle(values: Vec<f32>) {
    if !(LEAST_KEPT..=MOST_KEPT).contains(&values.capacity()) {
        return;
    }
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut kept = spare.iter().map(Vec::capacity).sum::<usize>() + values.capacity();
    while kept > MOST_KEPT {
        kept -= spare.remove(0).capacity();
    }
    spare.push(values);
}

/// Returns all memory that [`recycle`] has kept to the system.
pub fn release() {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// An empty vector with a capacity of `len` numbers, in kept or new memory.
fn with_capacity(len: usize) -> Vec<f32> {
    if len >= LEAST_KEPT {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        // The memory that was kept last is the most likely to be in a cache.
        let fits = |values: &Vec<f32>| (len..=len + len / 4).contains(&values.capacity());
        if let Some(place) = spare.iter().rposition(fits) {
            let mut values = spare.remove(place);
            values.clear();
            return values;
        }
    }
    Vec::with_capacity(len)
}

/// A result while several threads write to parts of it.
pub(super) struct Output {
    values: Vec<f32>,
    start: *mut f32,
    len: usize,
}

// SAFETY: `at` only returns pointers; whoever writes through them must uphold their safety.
unsafe impl Sync for Output {}

impl Output {
    /// Room for `len` numbers.
    pub fn new(len: usize) -> Self {
        let mut values = with_capacity(len);
        let start = values.as_mut_ptr();
        Self { values, start, len }
    }

    /// Where a number goes; `index` is at most the length.
    pub fn at(&self, index: usize) -> *mut f32 {
        assert!(index <= self.len);
        // SAFETY: the vector has a capacity of `len` numbers.
        unsafe { self.start.add(index) }
    }

    /// The numbers.
    ///
    /// # Safety
    /// Every number has been written, and nothing writes to it any more.
    pub unsafe fn finish(mut self) -> Vec<f32> {
        // SAFETY: the caller's promise; the capacity is at least `len`.
        unsafe { self.values.set_len(self.len) }
        self.values
    }
}

/// The number of scratch buffers, which each thread keeps from one call to the next: the first access
/// to new memory would take longer than the computation.
const BUFFERS: usize = 3;

thread_local! {
    static SCRATCH: RefCell<[Buffer; BUFFERS]> = RefCell::default();
}

/// Runs a function with the thread's scratch buffers, of the requested lengths and with arbitrary
/// contents.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recycled_memory_is_used_for_a_result_of_its_size_and_for_no_other() {
        // Of a size that no other test has.
        let len = 3 * LEAST_KEPT + 7;
        let values = vec![1.0; len];
        let start = values.as_ptr();
        recycle(values);
        let other = with_capacity(2 * len);
        assert_ne!(other.as_ptr(), start);
        let again = with_capacity(len);
        assert_eq!(again.as_ptr(), start);
        assert!(again.is_empty() && again.capacity() >= len);
    }
}
