//! Conversion between consecutive and interleaved images.

use crate::KernelError;
use crate::error::check_length;

/// Values of an image that are moved at a time, so that the written memory stays in the first-level
/// cache.
const BLOCK: usize = 16;

fn check(len: usize, lanes: usize, images: usize, interleaved: usize) -> Result<usize, KernelError> {
    if len == 0 || lanes == 0 {
        let field = if len == 0 { "len" } else { "lanes" };
        return Err(KernelError::shape(field, "must be at least 1"));
    }
    check_length("interleaved", interleaved, len * lanes)?;
    let count = images / len;
    check_length("images", images, count.min(lanes) * len)?;
    Ok(count)
}

/// Interleaves up to `lanes` images `[count][len]` as `[len][lanes]`; missing images are zero.
///
/// # Errors
/// [`KernelError::Length`] unless `images` holds a whole number of images, at most `lanes`, and
/// `output` has `len * lanes` elements.
pub fn interleave(images: &[f32], len: usize, lanes: usize, output: &mut [f32]) -> Result<(), KernelError> {
    let count = check(len, lanes, images.len(), output.len())?;
    if count < lanes {
        output.fill(0.0);
    }
    for (block, out) in output.chunks_mut(BLOCK * lanes).enumerate() {
        let start = block * BLOCK;
        let size = out.len() / lanes;
        for (lane, image) in images.chunks_exact(len).enumerate() {
            for (row, value) in out.chunks_exact_mut(lanes).zip(&image[start..start + size]) {
                row[lane] = *value;
            }
        }
    }
    Ok(())
}

/// Writes the first images of `[len][lanes]` as `[count][len]`; the length of `images` gives the
/// count.
///
/// # Errors
/// [`KernelError::Length`] unless `images` has room for a whole number of images, at most `lanes`,
/// and `input` has `len * lanes` elements.
pub fn deinterleave(input: &[f32], len: usize, lanes: usize, images: &mut [f32]) -> Result<(), KernelError> {
    check(len, lanes, images.len(), input.len())?;
    for (block, values) in input.chunks(BLOCK * lanes).enumerate() {
        let start = block * BLOCK;
        let size = values.len() / lanes;
        for (lane, image) in images.chunks_exact_mut(len).enumerate() {
            for (out, row) in image[start..start + size].iter_mut().zip(values.chunks_exact(lanes)) {
                *out = row[lane];
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_come_back_as_they_went_in_and_missing_lanes_are_zero() {
        for (count, len, lanes) in [(0, 5, 8), (1, 1, 8), (3, 37, 8), (8, 16, 8), (13, 100, 16)] {
            let images: Vec<f32> = (0..count * len).map(|index| index as f32 + 1.0).collect();
            let mut side_by_side = vec![f32::NAN; len * lanes];
            interleave(&images, len, lanes, &mut side_by_side).expect("lengths fit");
            for (index, value) in side_by_side.iter().enumerate() {
                let (position, lane) = (index / lanes, index % lanes);
                let expected = if lane < count { images[lane * len + position] } else { 0.0 };
                assert_eq!(*value, expected);
            }
            let mut back = vec![0.0; count * len];
            deinterleave(&side_by_side, len, lanes, &mut back).expect("lengths fit");
            assert_eq!(back, images);
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert!(interleave(&[0.0; 9], 3, 2, &mut [0.0; 6]).is_err());
        assert!(interleave(&[0.0; 5], 3, 2, &mut [0.0; 6]).is_err());
        assert!(interleave(&[0.0; 6], 3, 2, &mut [0.0; 7]).is_err());
        assert!(interleave(&[], 0, 2, &mut []).is_err());
        assert!(deinterleave(&[0.0; 6], 3, 2, &mut [0.0; 4]).is_err());
    }
}
