//! Which taps of a kernel meet the input, and where.

use crate::ConvShape;
use std::ops::Range;

/// Consecutive outputs along one axis for which the same taps meet the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Output positions.
    pub outputs: Range<usize>,
    /// Taps that meet the input; empty where the whole kernel lies in the padding.
    pub taps: Range<usize>,
    /// Input position under the first such tap of the first output.
    pub origin: usize,
}

/// Splits the outputs of one axis wherever the set of taps changes.
pub(crate) fn segments(shape: &ConvShape, axis: usize) -> Vec<Segment> {
    let (input, padding) = (shape.input[axis], shape.padding[axis]);
    let (stride, dilation) = (shape.stride[axis], shape.dilation[axis]);
    let mut found: Vec<Segment> = Vec::new();
    for output in 0..shape.output()[axis] {
        let start = output * stride;
        let first = padding.saturating_sub(start).div_ceil(dilation);
        // Positions from `start` up to the input's end, in padded coordinates.
        let reach = (input + padding).saturating_sub(start);
        let end = reach.div_ceil(dilation).min(shape.kernel[axis]);
        let (taps, origin) =
            if first < end { (first..end, start + first * dilation - padding) } else { (0..0, 0) };
        match found.last_mut() {
            Some(last) if last.taps == taps => last.outputs.end = output + 1,
            _ => found.push(Segment { outputs: output..output + 1, taps, origin }),
        }
    }
    found
}

/// Splits `total` into as few parts as `most` allows, as equal as can be, the larger first.
pub(crate) fn parts(total: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = total.div_ceil(most).max(1);
    let (size, larger) = (total / count, total % count);
    (0..count).map(move |part| {
        let start = part * size + part.min(larger);
        start..start + size + usize::from(part < larger)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_kernel_of_three_has_two_borders_and_an_interior() {
        let shape = ConvShape::square(1, 1, 3, 1, 1, [8, 8]);
        let found = segments(&shape, 0);
        let taps: Vec<_> = found.iter().map(|segment| segment.taps.clone()).collect();
        assert_eq!(taps, [1..3, 0..3, 0..2]);
        let origins: Vec<_> = found.iter().map(|segment| segment.origin).collect();
        assert_eq!(origins, [0, 0, 6]);
    }

    #[test]
    fn a_kernel_wholly_in_the_padding_has_no_taps() {
        let shape = ConvShape::square(1, 1, 1, 1, 2, [1, 1]);
        let taps: Vec<_> = segments(&shape, 0).into_iter().map(|segment| segment.taps).collect();
        assert_eq!(taps, [0..0, 0..1, 0..0]);
    }

    #[test]
    fn parts_are_nearly_equal_and_cover_the_whole() {
        assert_eq!(parts(9, 8).collect::<Vec<_>>(), [0..5, 5..9]);
        assert_eq!(parts(4, 3).collect::<Vec<_>>(), [0..2, 2..4]);
        assert_eq!(parts(17, 8).collect::<Vec<_>>(), [0..6, 6..12, 12..17]);
        assert_eq!(parts(3, 8).collect::<Vec<_>>(), [0..3; 1]);
    }
}
