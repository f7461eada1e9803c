//! Bilinear resizing with the filter widened to the step of the output, so that shrinking averages
//! all pixels: what PIL calls `BILINEAR`.

/// Eight-bit pixels, row by row, with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) samples
/// per pixel.
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: usize,
    pub(super) bytes: Vec<u8>,
}

impl Pixels {
    /// The sample that is each of red, green and blue; alpha is left out.
    fn colours(&self) -> [usize; 3] {
        if self.samples < 3 { [0; 3] } else { [0, 1, 2] }
    }

    /// Writes these pixels to `target`, resized to `height` and `width`, as planes of red, green and
    /// blue.
    ///
    /// Rows are resized first and rounded to bytes, then columns.
    ///
    /// # Panics
    /// Where `bytes` or `target` have another length than their size says.
    pub(super) fn write_planes(&self, [height, width]: [usize; 2], target: &mut [u8]) {
        let colours = self.colours();
        let plane = height * width;
        if [height, width] == [self.height, self.width] {
            for (i, pixel) in self.bytes.chunks_exact(self.samples).enumerate() {
                for (channel, &colour) in colours.iter().enumerate() {
                    target[channel * plane + i] = pixel[colour];
                }
            }
            return;
        }
        let columns: Vec<Taps> = taps(self.width, width);
        let stride = self.width * self.samples;
        let (mut sums, mut row) = (vec![0_f32; stride], vec![0_u8; stride]);
        for (y, taps) in taps(self.height, height).iter().enumerate() {
            sums.fill(0.0);
            for (source, weight) in self.bytes[taps.first * stride..].chunks_exact(stride).zip(&taps.weights)
            {
                for (sum, &value) in sums.iter_mut().zip(source) {
                    *sum += f32::from(value) * weight;
                }
            }
            for (value, sum) in row.iter_mut().zip(&sums) {
                *value = rounded(sum / taps.sum);
            }
            for (x, taps) in columns.iter().enumerate() {
                for (channel, &colour) in colours.iter().enumerate() {
                    let values = row[taps.first * self.samples + colour..].iter().step_by(self.samples);
                    let sum = values.zip(&taps.weights).fold(0.0, |sum, (&v, w)| sum + f32::from(v) * w);
                    target[channel * plane + y * width + x] = rounded(sum / taps.sum);
                }
            }
        }
    }
}

/// The inputs of one output along an axis.
struct Taps {
    first: usize,
    weights: Vec<f32>,
    sum: f32,
}

/// The taps of each of `outputs` positions over `inputs` positions, both at least 1.
fn taps(inputs: usize, outputs: usize) -> Vec<Taps> {
    let step = inputs as f32 / outputs as f32;
    let reach = step.max(1.0);
    let of_output = |output: usize| {
        // Positions are those of the pixels' centres.
        let centre = (output as f32 + 0.5) * step;
        let first = ((centre - reach).floor().max(0.0) as usize).min(inputs - 1);
        let end = ((centre + reach).ceil().max(0.0) as usize).clamp(first + 1, inputs);
        let centre = centre - 0.5;
        let weight = |input: usize| (1.0 - ((input as f32 - centre) / reach).abs()).max(0.0);
        let weights: Vec<f32> = (first..end).map(weight).collect();
        let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
        Taps { first, weights, sum }
    };
    (0..outputs).map(of_output).collect()
}

fn rounded(value: f32) -> u8 {
    value.clamp(0.0, 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(pixels: &Pixels, size: [usize; 2]) -> Vec<u8> {
        let mut target = vec![0; 3 * size[0] * size[1]];
        pixels.write_planes(size, &mut target);
        target
    }

    /// Expected values computed by hand from the definition of the filter.
    #[test]
    fn a_row_is_enlarged_and_shrunk_bilinearly() {
        let pixels = Pixels { width: 2, height: 1, samples: 1, bytes: vec![0, 100] };
        assert_eq!(resized(&pixels, [1, 4])[..4], [0, 25, 75, 100]);
        let pixels = Pixels { width: 4, height: 1, samples: 1, bytes: vec![0, 80, 160, 240] };
        // Weights 3, 3, 1 of 7 and 1, 3, 3 of 7.
        assert_eq!(resized(&pixels, [1, 2])[..2], [57, 183]);
    }

    #[test]
    fn colours_become_planes_and_alpha_is_left_out() {
        for (samples, bytes, planes) in [
            (1, vec![7, 9], [7, 9, 7, 9, 7, 9]),
            (2, vec![7, 0, 9, 0], [7, 9, 7, 9, 7, 9]),
            (3, vec![1, 2, 3, 4, 5, 6], [1, 4, 2, 5, 3, 6]),
            (4, vec![1, 2, 3, 0, 4, 5, 6, 0], [1, 4, 2, 5, 3, 6]),
        ] {
            let pixels = Pixels { width: 1, height: 2, samples, bytes };
            assert_eq!(resized(&pixels, [2, 1]), planes);
            let twice = resized(&pixels, [2, 2]);
            let doubled: Vec<u8> = planes.iter().flat_map(|&value| [value; 2]).collect();
            assert_eq!(twice, doubled);
        }
    }

    #[test]
    fn an_image_of_one_colour_stays_so_at_every_size() {
        let pixels = Pixels { width: 13, height: 7, samples: 3, bytes: [40, 41, 42].repeat(91) };
        for size in [[1, 1], [3, 29], [64, 2], [7, 13]] {
            let expected: Vec<u8> = (40..43).flat_map(|value| vec![value; size[0] * size[1]]).collect();
            assert_eq!(resized(&pixels, size), expected);
        }
    }
}
