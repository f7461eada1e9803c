//! The shape of a convolution and the activation after it.

use crate::KernelError;

/// The function applied to a layer's result as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// The value itself.
    #[default]
    Identity,
    /// `max(0, x)`.
    Relu,
    /// `min(6, max(0, x))`.
    Relu6,
}

impl Activation {
    /// The least and the greatest value of its result.
    pub(crate) const fn range(self) -> [f32; 2] {
        match self {
            Self::Identity => [f32::NEG_INFINITY, f32::INFINITY],
            Self::Relu => [0.0, f32::INFINITY],
            Self::Relu6 => [0.0, 6.0],
        }
    }
}

/// How convolutions are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// With fewer multiplications where that takes less time (Winograd's minimal filtering). Results
    /// differ from the direct ones by rounding errors.
    #[default]
    Fast,
    /// By the definition.
    Direct,
}

/// The shape of a two-dimensional convolution; pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Channels of the input; a multiple of `groups`.
    pub in_channels: usize,
    /// Channels of the output; a multiple of `groups`.
    pub out_channels: usize,
    /// Taps of the kernel.
    pub kernel: [usize; 2],
    /// Input pixels between two outputs.
    pub stride: [usize; 2],
    /// Zeros on each side of the input.
    pub padding: [usize; 2],
    /// Input pixels between two taps.
    pub dilation: [usize; 2],
    /// Parts that the channels are split in, each convolved on its own.
    pub groups: usize,
    /// Pixels of the input.
    pub input: [usize; 2],
}

impl ConvShape {
    /// A dense convolution with a square kernel, undilated and ungrouped.
    pub const fn square(
        in_channels: usize,
        out_channels: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        input: [usize; 2],
    ) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            dilation: [1; 2],
            groups: 1,
            input,
        }
    }

    /// Pixels of the output, `[height, width]`; `[0, 0]` where [`Self::validate`] refuses.
    pub fn output(&self) -> [usize; 2] {
        let along = |axis: usize| -> Option<usize> {
            let reach = self.dilation[axis].checked_mul(self.kernel[axis].checked_sub(1)?)?;
            let padded = self.input[axis].checked_add(self.padding[axis].checked_mul(2)?)?;
            let room = padded.checked_sub(reach.checked_add(1)?)?;
            Some(room.checked_div(self.stride[axis])? + 1)
        };
        match (along(0), along(1)) {
            (Some(height), Some(width)) => [height, width],
            _ => [0, 0],
        }
    }

    pub(crate) fn input_pixels(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub(crate) fn output_pixels(&self) -> usize {
        let [height, width] = self.output();
        height * width
    }

    /// Elements of the weight, `[out_channels][in_channels / groups][kernel height][kernel width]`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.kernel[0] * self.kernel[1] * self.in_channels / self.groups.max(1)
    }

    /// A weight as the gradient of the input reads it: each kernel reversed,
    /// `[groups][in_channels / groups][out_channels / groups][kernel height][kernel width]`.
    pub(crate) fn transposed_weight(&self, weight: &[f32]) -> Vec<f32> {
        let (depth, count) = (self.in_channels / self.groups, self.out_channels / self.groups);
        let taps = self.kernel[0] * self.kernel[1];
        let mut transposed = Vec::with_capacity(weight.len());
        for group in weight.chunks_exact(count * depth * taps) {
            for channel in 0..depth {
                for filter in group.chunks_exact(depth * taps) {
                    transposed.extend(filter[channel * taps..][..taps].iter().rev());
                }
            }
        }
        transposed
    }

    /// The convolution that is the gradient of the input, where the stride is one and the padding
    /// does not reach beyond the kernel.
    pub(crate) fn transposed(&self) -> Option<Self> {
        let [height, width] = [0, 1]
            .map(|axis| (self.dilation[axis] * (self.kernel[axis] - 1)).checked_sub(self.padding[axis]));
        let padding = [height?, width?];
        let (in_channels, out_channels, input) = (self.out_channels, self.in_channels, self.output());
        let gradient = Self { in_channels, out_channels, input, padding, ..*self };
        (self.stride == [1, 1]).then_some(gradient)
    }

    /// Multiply-accumulates for one image, those that meet the padding included (as is usual).
    pub fn macs(&self) -> u64 {
        let [height, width] = self.output();
        self.weight_len() as u64 * height as u64 * width as u64
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`KernelError::Shape`] names the invalid field.
    pub fn validate(&self) -> Result<(), KernelError> {
        let positive = [
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("kernel", self.kernel[0].min(self.kernel[1])),
            ("stride", self.stride[0].min(self.stride[1])),
            ("dilation", self.dilation[0].min(self.dilation[1])),
            ("groups", self.groups),
            ("input", self.input[0].min(self.input[1])),
        ];
        for (field, value) in positive {
            if value == 0 {
                return Err(KernelError::shape(field, "must be at least 1"));
            }
        }
        for (field, channels) in [("in_channels", self.in_channels), ("out_channels", self.out_channels)] {
            if !channels.is_multiple_of(self.groups) {
                let reason = format!("must be a multiple of the {} groups", self.groups);
                return Err(KernelError::shape(field, reason));
            }
        }
        if self.output()[0] == 0 {
            return Err(KernelError::shape("kernel", "must fit in the padded input"));
        }
        if self.elements().is_none() {
            return Err(KernelError::shape("input", "makes more elements than can be addressed"));
        }
        Ok(())
    }

    /// The largest tensor or step in bytes at 16 lanes, or nothing where an address cannot hold it.
    fn elements(&self) -> Option<usize> {
        let size = |dimensions: &[usize]| {
            let bytes = dimensions.iter().try_fold(64usize, |size, next| size.checked_mul(*next))?;
            (bytes <= isize::MAX as usize).then_some(bytes)
        };
        let [height, width] = self.output();
        let input = size(&[self.in_channels, self.input[0], self.input[1]])?;
        let output = size(&[self.out_channels, height, width])?;
        let weight = size(&[self.in_channels, self.out_channels, self.kernel[0], self.kernel[1]])?;
        // From one output row or tap to the next.
        let step = size(&[self.stride[0], self.input[1]])?.max(size(&[self.stride[1]])?);
        let reach = size(&[self.dilation[0], self.kernel[0], self.input[1]])?;
        let reach = reach.max(size(&[self.dilation[1], self.kernel[1]])?);
        Some(input.max(output).max(weight).max(step).max(reach))
    }
}
