//! Memory that threads share or keep.
#![expect(unsafe_code, reason = "threads write to parts of memory that is not initialised")]

use crate::Buffer;
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// The fewest numbers whose memory is kept; smaller requests are fast in the allocator.
const LEAST_KEPT: usize = 1 << 14;
/// The most numbers that are kept: 1 GiB.
const MOST_KEPT: usize = 1 << 28;

/// Numbers in a cache line.
const LINE: usize = 16;

/// The most later results that memory is kept for without being used. Without a limit, memory of a size
/// that nothing needs would pile up.
const MOST_WAITED: u64 = 4096;

/// Memory of results that are no longer needed, the oldest first.
#[derive(Debug)]
struct Spare {
    /// Results that have been made.
    time: u64,
    /// With the time at which each was given back.
    kept: Vec<(u64, Vec<f32>)>,
}

static SPARE: Mutex<Spare> = Mutex::new(Spare { time: 0, kept: Vec::new() });

/// Keeps the memory of a result that is no longer needed, for later results: the first access to new
/// memory of the system takes longer than the computation.
///
/// At most 1 GiB is kept, until [`release`]; the oldest memory is freed first.
pub fn recycle(values: Vec<f32>) {
    if !(LEAST_KEPT..=MOST_KEPT).contains(&values.capacity()) {
        return;
    }
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let Spare { time, kept } = &mut *spare;
    let mut total = kept.iter().map(|(_, values)| values.capacity()).sum::<usize>() + values.capacity();
    while kept.first().is_some_and(|(since, _)| total > MOST_KEPT || *time - since > MOST_WAITED) {
        total -= kept.remove(0).1.capacity();
    }
    kept.push((*time, values));
}

/// Returns all memory that [`recycle`] has kept to the system.
pub fn release() {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner).kept.clear();
}

/// An empty vector with a capacity of `len` numbers, in kept or new memory.
fn with_capacity(len: usize) -> Vec<f32> {
    if len >= LEAST_KEPT {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        spare.time += 1;
        // Of equal size, the memory that was kept last is the most likely to be in a cache. The last
        // batch of an epoch is smaller than the others, and takes their memory.
        let sizes = spare.kept.iter().map(|(_, values)| values.capacity()).enumerate().rev();
        let fits = sizes.filter(|(_, size)| (len..=len + len / 4 * 3).contains(size));
        if let Some((place, _)) = fits.min_by_key(|(_, size)| *size) {
            let (_, mut values) = spare.kept.remove(place);
            values.clear();
            return values;
        }
    }
    Vec::with_capacity(len)
}

/// Numbers whose first starts a cache line; reads as a slice.
///
/// In memory that is not aligned, each load of a wide vector touches two lines.
#[derive(Debug, Clone, Default)]
pub struct Aligned {
    values: Vec<f32>,
    start: usize,
}

impl Aligned {
    /// `len` zeros, written by all threads.
    pub fn zeros(len: usize) -> Self {
        let output = Output::new(len);
        (0..len.div_ceil(LEAST_KEPT)).into_par_iter().with_min_len(16).for_each(|part| {
            let start = part * LEAST_KEPT;
            // SAFETY: the part lies in the result, and no other thread writes it.
            unsafe { output.at(start).write_bytes(0, LEAST_KEPT.min(len - start)) }
        });
        // SAFETY: every part has been written.
        unsafe { output.finish() }
    }

    /// A copy of `values`.
    pub fn from_slice(values: &[f32]) -> Self {
        let mut output = Output::new(values.len());
        output.values.extend_from_slice(values);
        Self { values: output.values, start: output.start }
    }

    /// The memory, and the index of the first number in it; the numbers go to the memory's end.
    pub fn into_parts(self) -> (Vec<f32>, usize) {
        (self.values, self.start)
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..]
    }
}

impl PartialEq for Aligned {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// A result while several threads write to parts of it.
pub(super) struct Output {
    /// Filled up to the first number of the result.
    values: Vec<f32>,
    start: usize,
    first: *mut f32,
    len: usize,
}

// SAFETY: `at` only returns pointers; whoever writes through them must uphold their safety.
unsafe impl Sync for Output {}

impl Output {
    /// Room for `len` numbers, the first of which starts a cache line.
    pub fn new(len: usize) -> Self {
        let mut values = with_capacity(len + LINE - 1);
        let start = (values.as_ptr().addr() / size_of::<f32>()).wrapping_neg() % LINE;
        values.resize(start, 0.0);
        let first = values.as_mut_ptr().wrapping_add(start);
        Self { values, start, first, len }
    }

    /// Where a number goes; `index` is at most the length.
    pub fn at(&self, index: usize) -> *mut f32 {
        assert!(index <= self.len);
        // SAFETY: the vector has a capacity of `len` numbers after the first.
        unsafe { self.first.add(index) }
    }

    /// The numbers.
    ///
    /// # Safety
    /// Every number has been written, and nothing writes to it any more.
    pub unsafe fn finish(mut self) -> Aligned {
        // SAFETY: the caller's promise; the capacity is at least `start + len`.
        unsafe { self.values.set_len(self.start + self.len) }
        Aligned { values: self.values, start: self.start }
    }
}

thread_local! {
    static SCRATCH: RefCell<Buffer> = RefCell::default();
}

/// Runs a function with the thread's scratch memory, of the requested length and with arbitrary
/// contents. Each thread keeps it from one call to the next: the first access to new memory would take
/// longer than the computation.
pub(super) fn with_scratch<R>(len: usize, run: impl FnOnce(&mut [f32]) -> R) -> R {
    SCRATCH.with_borrow_mut(|buffer| {
        if buffer.len() < len {
            *buffer = Buffer::zeros(len);
        }
        run(&mut buffer[..len])
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

    #[test]
    fn memory_that_nothing_needs_does_not_pile_up() {
        // Of sizes that no other test has.
        let (foreign, own) = (5 * LEAST_KEPT + 3, 9 * LEAST_KEPT + 1);
        for _ in 0..2 * MOST_WAITED {
            recycle(vec![0.0; foreign]);
            recycle(with_capacity(own));
        }
        let spare = SPARE.lock().expect("no other test panics");
        let of_size = |size: usize| spare.kept.iter().filter(|(_, kept)| kept.capacity() == size).count();
        assert!(of_size(foreign) as u64 <= MOST_WAITED + 1 && of_size(own) == 1);
    }
}
