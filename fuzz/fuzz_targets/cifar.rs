//! A file of CIFAR-100 if the first byte is odd, else of CIFAR-10.
#![no_main]

use cgym_teachers::data::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, file)) = input.split_first() else { return };
    let hundred = choice % 2 == 1;
    if let Ok(dataset) = fuzz::cifar(file, hundred) {
        let classes = if hundred { 100 } else { 10 };
        assert_eq!(dataset.len() * dataset.image_len() + dataset.len() * (1 + usize::from(hundred)), file.len());
        assert!(dataset.labels().iter().all(|&label| label < classes));
    }
});
