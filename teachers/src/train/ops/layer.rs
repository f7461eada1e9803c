//! A convolution, a batch norm with residual sum and activation, or both, on flex tensors.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use cgym_kernels::{
    Activation, ConvShape,
    train::{self, Batch, Convolution, InputGradient, Norm, SavedNorm},
};

use super::{
    FITS,
    carrier::{Readers, aligned, change, contiguous, dims, recycle, values, vector},
};

/// The options of a batch-norm.
#[derive(Debug, Clone, Copy)]
pub struct NormOptions {
    /// Added to the variance.
    pub epsilon: f32,
    /// Follows the batch-norm, or the residual sum.
    pub activation: Activation,
}

/// What a layer consists of. Its tensors are, as far as it has them: input, weight and bias of the
/// convolution, weight and bias of the batch-norm, residual.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The images.
    pub batch: Batch,
    /// The convolution.
    pub conv: Option<ConvShape>,
    /// Whether the convolution's bias is not zero.
    pub biased: bool,
    /// The batch-norm.
    pub norm: Option<NormOptions>,
    /// The readers of the input.
    pub input: Readers,
    /// The readers of the residual, where there is one.
    pub residual: Option<Readers>,
}

/// The values that the backward pass of a layer needs.
#[derive(Debug, Clone)]
pub struct Saved {
    inputs: Vec<FlexTensor>,
    /// The output of the convolution where a batch-norm follows it.
    between: Option<FlexTensor>,
    /// Mean and inverse deviation.
    statistics: Arc<[Vec<f32>; 2]>,
}

/// The output of a layer with the mean and variance of its batch-norm, which are empty without one.
pub type Outputs = [FlexTensor; 3];

impl Layer {
    /// The convolution's parameters among the layer's tensors.
    fn convolution<'a>(&'a self, inputs: &'a [FlexTensor]) -> Option<Convolution<'a>> {
        let shape = self.conv.as_ref()?;
        let bias = self.biased.then(|| values(&inputs[2]));
        Some(Convolution { shape, weight: values(&inputs[1]), bias })
    }

    /// The index of the batch-norm's weight.
    fn norm_at(&self) -> usize {
        if self.conv.is_some() { 3 } else { 1 }
    }

    fn norm<'a>(&self, inputs: &'a [FlexTensor]) -> Option<Norm<'a>> {
        let NormOptions { epsilon, activation } = self.norm?;
        let [weight, bias] = [0, 1].map(|index| values(&inputs[self.norm_at() + index]));
        Some(Norm { weight, bias, epsilon, activation })
    }

    fn residual<'a>(&self, inputs: &'a [FlexTensor]) -> Option<&'a FlexTensor> {
        self.residual.is_some().then(|| &inputs[self.norm_at() + 2])
    }

    /// Computes the layer.
    pub fn forward(&self, inputs: Vec<FlexTensor>) -> (Outputs, Saved) {
        let inputs: Vec<FlexTensor> = inputs.iter().map(contiguous).collect();
        let (batch, input) = (self.batch, values(&inputs[0]));
        let mut shape: [usize; 5] = dims(&inputs[0]);
        if let Some(conv) = &self.conv {
            let [height, width] = conv.output();
            shape = [shape[0], conv.out_channels, height, width, shape[4]];
        }
        let residual = self.residual(&inputs).map(values);
        let (between, normal) = match (self.convolution(&inputs), self.norm(&inputs)) {
            (Some(conv), Some(norm)) => {
                let found = train::conv_norm_forward(batch, conv, norm, input, residual).expect(FITS);
                (Some(aligned(found.0, shape)), found.1)
            }
            (None, Some(norm)) => (None, train::norm_forward(batch, norm, input, residual).expect(FITS)),
            (conv, None) => {
                let conv = conv.expect("a layer is not empty");
                let output = aligned(train::conv_forward(batch, conv, input).expect(FITS), shape);
                let [mean, variance] = [(); 2].map(|()| vector(Vec::new(), [0]));
                return (
                    [output, mean, variance],
                    Saved { inputs, between: None, statistics: Arc::default() },
                );
            }
        };
        let statistics = Arc::new([normal.mean.clone(), normal.inverse_deviation]);
        let channels = [shape[1]];
        let outputs =
            [aligned(normal.output, shape), vector(normal.mean, channels), vector(normal.variance, channels)];
        (outputs, Saved { inputs, between, statistics })
    }

    /// The gradients of those of the layer's tensors that are wanted and have no other reader left.
    pub fn backward(self, saved: Saved, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        // A convolution adds what other readers of its input have given as it writes its gradient.
        let earlier = if wanted[0] && self.conv.is_some() { self.input.take() } else { None };
        let of_input = match &earlier {
            _ if !wanted[0] => InputGradient::None,
            Some(earlier) => InputGradient::AddedTo(values(earlier)),
            None => InputGradient::Alone,
        };
        let (gradient, mut found) = change(gradient, |values| self.gradients(&saved, values, of_input));
        earlier.into_iter().for_each(recycle);
        if let Some(of_input) = found[0].take().filter(|_| wanted[0]) {
            found[0] = self.input.give(self.batch, of_input);
        }
        match (&self.residual, found.last_mut()) {
            (Some(residual), Some(last)) if wanted[wanted.len() - 1] => {
                *last = residual.give(self.batch, gradient);
            }
            _ => recycle(gradient),
        }
        saved.inputs.into_iter().chain(saved.between).for_each(recycle);
        found
    }

    /// The gradients of the layer's tensors. With a residual, `gradient` becomes the residual's.
    fn gradients(
        &self,
        saved: &Saved,
        gradient: &mut [f32],
        of_input: InputGradient<'_>,
    ) -> Vec<Option<FlexTensor>> {
        let Saved { inputs, between, statistics } = saved;
        let (batch, input) = (self.batch, values(&inputs[0]));
        let shape = |index: usize| inputs[index].layout().shape().clone();
        let norm = self.norm(inputs).map(|norm| SavedNorm {
            norm,
            input: between.as_ref().map_or(input, values),
            mean: &statistics[0],
            inverse_deviation: &statistics[1],
            residual: self.residual(inputs).map(values),
        });
        let mut found: Vec<Option<FlexTensor>> = vec![None; inputs.len()];
        let (of_conv, of_norm) = match (self.convolution(inputs), &norm) {
            (Some(conv), Some(norm)) => {
                let both = train::conv_norm_backward(batch, conv, input, of_input, norm, gradient);
                let (of_conv, of_norm) = both.expect(FITS);
                (Some(of_conv), Some(of_norm))
            }
            (Some(conv), None) => {
                let of_conv = train::conv_backward(batch, conv, input, gradient, of_input);
                (Some(of_conv.expect(FITS)), None)
            }
            (None, Some(norm)) => {
                let (of_input, of_norm) = train::norm_backward(batch, norm, gradient).expect(FITS);
                found[0] = Some(aligned(of_input, shape(0)));
                (None, Some(of_norm))
            }
            (None, None) => (None, None),
        };
        if let Some(of_conv) = of_conv {
            // Without one that is wanted, it is empty.
            found[0] = (!of_conv.input.is_empty()).then(|| aligned(of_conv.input, shape(0)));
            found[1] = Some(vector(of_conv.weight, shape(1)));
            found[2] = Some(vector(of_conv.bias, shape(2)));
        }
        if let Some(of_norm) = of_norm {
            let at = self.norm_at();
            found[at] = Some(vector(of_norm.weight, shape(at)));
            found[at + 1] = Some(vector(of_norm.bias, shape(at + 1)));
        }
        found
    }
}
