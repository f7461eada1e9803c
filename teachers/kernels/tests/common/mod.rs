//! Seeded numbers for the tests, and images in lanes.
#![allow(dead_code, reason = "each test file uses a part")]

use cgym_kernels::train::{Aligned, Batch, from_lanes, to_lanes};
use cgym_kernels::{Isa, deinterleave, interleave};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    pub fn pair(&mut self, low: usize, high: usize) -> [usize; 2] {
        [self.between(low, high), self.between(low, high)]
    }

    pub fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.between(0, values.len() - 1)]
    }

    /// Numbers in -1..1.
    pub fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}

/// Images `[count][len]` side by side.
pub fn in_lanes(images: &[f32], len: usize, isa: Isa) -> Vec<f32> {
    let mut out = vec![f32::NAN; len * isa.lanes()];
    interleave(images, len, isa.lanes(), &mut out).expect("the lengths fit");
    out
}

/// The first `count` images, one after the other.
pub fn out_of_lanes(values: &[f32], count: usize, isa: Isa) -> Vec<f32> {
    let len = values.len() / isa.lanes();
    let mut images = vec![f32::NAN; count * len];
    deinterleave(values, len, isa.lanes(), &mut images).expect("the lengths fit");
    images
}

/// A batch of consecutive images in lanes.
pub fn batch_in_lanes(batch: Batch, images: &[f32]) -> Aligned {
    to_lanes(batch, images).expect("whole images")
}

/// The images of a batch, one after the other; the lanes of missing ones must be zero.
pub fn batch_out_of_lanes(batch: Batch, values: &[f32]) -> Vec<f32> {
    let lanes = batch.isa().lanes();
    let missing = batch.groups() * lanes - batch.images();
    let last = values.len() - values.len() / batch.groups().max(1);
    for vector in values[last..].chunks_exact(lanes) {
        assert_eq!(vector[lanes - missing..], [0.0; 16][..missing], "missing images are zero");
    }
    from_lanes(batch, values).expect("whole groups").to_vec()
}

/// Asserts that both are as long and differ by at most `tolerance`.
pub fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, context: &str) {
    assert_eq!(found.len(), expected.len(), "{context}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*found) - expected).abs();
        assert!(difference <= tolerance, "{context}: [{index}] is {found}, not {expected}");
    }
}
