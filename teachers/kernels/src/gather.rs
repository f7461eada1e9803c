//! Selection of channels and pixels: the weight-free shortcut of a residual network.

use crate::error::check_length;
use crate::{Isa, KernelError};

/// Copies each output channel from an input channel, or zeros, at every `stride`-th pixel.
///
/// This is the "option A" shortcut of He et al., "Deep Residual Learning for Image Recognition"
/// (2016), section 4.2, also after channels have been pruned or moved.
#[derive(Debug, Clone)]
pub struct ChannelGather {
    in_channels: usize,
    input: [usize; 2],
    stride: usize,
    sources: Vec<Option<usize>>,
    lanes: usize,
}

impl ChannelGather {
    /// Output channel `o` is input channel `sources[o]`, or zeros; `input` is `[height, width]`.
    ///
    /// # Errors
    /// [`KernelError::Shape`] for a size or a stride of zero, or a source that is not a channel.
    pub fn new(
        in_channels: usize,
        input: [usize; 2],
        stride: usize,
        sources: Vec<Option<usize>>,
        isa: Isa,
    ) -> Result<Self, KernelError> {
        for (field, value) in [("stride", stride), ("input", input[0].min(input[1]))] {
            if value == 0 {
                return Err(KernelError::shape(field, "must be at least 1"));
            }
        }
        if let Some(source) = sources.iter().flatten().find(|source| **source >= in_channels) {
            let reason = format!("names channel {source} of {in_channels}");
            return Err(KernelError::shape("sources", reason));
        }
        Ok(Self { in_channels, input, stride, sources, lanes: isa.lanes() })
    }

    /// Channels of the output.
    pub fn channels(&self) -> usize {
        self.sources.len()
    }

    /// Pixels of the output, `[height, width]`.
    pub fn output(&self) -> [usize; 2] {
        self.input.map(|size| size.div_ceil(self.stride))
    }

    /// Elements of the input, lanes included.
    pub fn input_len(&self) -> usize {
        self.in_channels * self.input[0] * self.input[1] * self.lanes
    }

    /// Elements of the output, lanes included.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.sources.len() * height * width * self.lanes
    }

    /// Copies `[in_channels][height][width][lanes]` to `[sources][height][width][lanes]`.
    ///
    /// # Errors
    /// [`KernelError::Length`] when a slice has another length.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), KernelError> {
        check_length("input", input.len(), self.input_len())?;
        check_length("output", output.len(), self.output_len())?;
        let [height, width] = self.output();
        let row = self.input[1] * self.lanes;
        let channel = self.input[0] * row;
        let outputs = output.chunks_exact_mut(height * width * self.lanes);
        for (source, out) in self.sources.iter().zip(outputs) {
            let Some(source) = source else {
                out.fill(0.0);
                continue;
            };
            let from = &input[source * channel..(source + 1) * channel];
            if self.stride == 1 {
                out.copy_from_slice(from);
                continue;
            }
            let rows = from.chunks_exact(row).step_by(self.stride);
            for (from, out) in rows.zip(out.chunks_exact_mut(width * self.lanes)) {
                let pixels = from.chunks_exact(self.lanes).step_by(self.stride);
                for (from, out) in pixels.zip(out.chunks_exact_mut(self.lanes)) {
                    out.copy_from_slice(from);
                }
            }
        }
        Ok(())
    }

    /// Adds the gradient of the output, `[sources][height][width][lanes]`, to that of the input: each
    /// number goes back to where it was copied from.
    ///
    /// # Errors
    /// [`KernelError::Length`] when a slice has another length.
    pub(crate) fn add_back(&self, gradient: &[f32], target: &mut [f32]) -> Result<(), KernelError> {
        check_length("target", target.len(), self.input_len())?;
        check_length("gradient", gradient.len(), self.output_len())?;
        let [height, width] = self.output();
        let row = self.input[1] * self.lanes;
        let channel = self.input[0] * row;
        let gradients = gradient.chunks_exact(height * width * self.lanes);
        for (source, gradient) in self.sources.iter().zip(gradients) {
            let Some(source) = source else { continue };
            let rows = target[source * channel..][..channel].chunks_exact_mut(row).step_by(self.stride);
            for (target, gradient) in rows.zip(gradient.chunks_exact(width * self.lanes)) {
                let pixels = target.chunks_exact_mut(self.lanes).step_by(self.stride);
                for (target, gradient) in pixels.zip(gradient.chunks_exact(self.lanes)) {
                    target.iter_mut().zip(gradient).for_each(|(target, gradient)| *target += gradient);
                }
            }
        }
        Ok(())
    }
}
