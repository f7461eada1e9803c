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

/// Consecutive steps of a walk along one axis at which the same taps meet what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first position that is written.
    pub first: usize,
    /// How many are written.
    pub count: usize,
    /// The first tap in the kernel as it is walked.
    pub tap: usize,
    /// How many there are; none where the whole kernel lies in the padding or between outputs.
    pub taps: usize,
    /// Position read under the first tap at the first step.
    pub origin: usize,
}

/// One axis of a walk over all that a convolution or its gradient writes.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// Positions of what is read and of what is written.
    pub sizes: [usize; 2],
    /// Positions read and written from one step of a span to the next.
    pub steps: [usize; 2],
    /// Positions read and taps of the kernel from one tap of a span to the next.
    pub tap_steps: [usize; 2],
    /// Taps of the kernel.
    pub kernel: usize,
    /// The steps; together they write each position once.
    pub spans: Vec<Span>,
}

impl Axis {
    /// A convolution: reads the input, writes the output.
    pub fn forward(shape: &ConvShape, axis: usize) -> Self {
        let span = |segment: Segment| Span {
            first: segment.outputs.start,
            count: segment.outputs.len(),
            tap: segment.taps.start,
            taps: segment.taps.len(),
            origin: segment.origin,
        };
        Self {
            sizes: [shape.input[axis], shape.output()[axis]],
            steps: [shape.stride[axis], 1],
            tap_steps: [shape.dilation[axis], 1],
            kernel: shape.kernel[axis],
            spans: segments(shape, axis).into_iter().map(span).collect(),
        }
    }

    /// The gradient of a convolution's input: reads the output's gradient under the reversed
    /// kernel. Inputs as far apart as the stride meet the same taps, so each of these phases is a
    /// convolution of stride one with a part of the kernel, and no zero is multiplied.
    pub fn input_gradient(shape: &ConvShape, axis: usize) -> Self {
        let (input, output, kernel) = (shape.input[axis], shape.output()[axis], shape.kernel[axis]);
        let (stride, dilation) = (shape.stride[axis], shape.dilation[axis]);
        // Where the output lies whose tap `tap` meets the input at `position`.
        let meets = |position: usize, tap: usize| {
            let distance = (position + shape.padding[axis]).checked_sub((kernel - 1 - tap) * dilation)?;
            let place = distance / stride;
            (distance.is_multiple_of(stride) && place < output).then_some(place)
        };
        let mut spans: Vec<Span> = Vec::new();
        for phase in 0..stride.min(input) {
            let start = spans.len();
            for position in (phase..input).step_by(stride) {
                let mut found = (0..kernel).filter_map(|tap| Some((tap, meets(position, tap)?)));
                let (tap, origin) = found.next().unwrap_or((0, 0));
                let taps = if meets(position, tap).is_some() { 1 + found.count() } else { 0 };
                match spans[start..].last_mut() {
                    Some(last) if (last.tap, last.taps) == (tap, taps) => last.count += 1,
                    _ => spans.push(Span { first: position, count: 1, tap, taps, origin }),
                }
            }
        }
        let common = greatest_common_divisor(stride, dilation);
        let tap_steps = [dilation / common, stride / common];
        Self { sizes: [output, input], steps: [1, stride], tap_steps, kernel, spans }
    }
}

fn greatest_common_divisor(mut left: usize, mut right: usize) -> usize {
    while right > 0 {
        (left, right) = (right, left % right);
    }
    left
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
    fn the_gradient_of_a_stride_of_two_has_two_phases() {
        let shape = ConvShape::square(1, 1, 3, 2, 1, [8, 8]);
        let found = Axis::input_gradient(&shape, 0);
        let span = |first, count, tap, taps, origin| Span { first, count, tap, taps, origin };
        assert_eq!(found.spans, [span(0, 4, 1, 1, 0), span(1, 3, 0, 2, 0), span(7, 1, 0, 1, 3)]);
        assert_eq!((found.steps, found.tap_steps), ([1, 2], [1, 2]));
    }

    #[test]
    fn parts_are_nearly_equal_and_cover_the_whole() {
        assert_eq!(parts(9, 8).collect::<Vec<_>>(), [0..5, 5..9]);
        assert_eq!(parts(4, 3).collect::<Vec<_>>(), [0..2, 2..4]);
        assert_eq!(parts(17, 8).collect::<Vec<_>>(), [0..6, 6..12, 12..17]);
        assert_eq!(parts(3, 8).collect::<Vec<_>>(), [0..3; 1]);
    }
}
