//! An image file of a folder, PNG or JPEG, resized to 8x8.
#![no_main]

use cgym_teachers::data::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(planes) = fuzz::image(file, [8, 8]) {
        assert_eq!(planes.len(), 192);
    }
});
