//! The two IDX files of MNIST: two bytes with the length of the first, then both. Each may be gzipped.
#![no_main]

use cgym_teachers::data::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((length, files)) = input.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_be_bytes(*length)).min(files.len());
    let (images, labels) = files.split_at(length);
    if let Ok(dataset) = fuzz::idx(images, labels) {
        assert_eq!(dataset.shape(), [1, 28, 28]);
        assert!(dataset.labels().iter().all(|&label| label < 10));
    }
});
