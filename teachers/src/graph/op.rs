//! The kinds of layer, each with everything about it that other modules read.
//!
//! A new kind of layer is a variant of [`Op`] with an arm in [`Op::facts`] and [`Op::settings`], its
//! shape inference, a step of the evaluation engine and a step of training. The compiler demands all
//! of them: none of these matches has a wildcard.

use serde::{Deserialize, Serialize};

use super::{
    Shape,
    facts::{Axis, Class, Facts, Flow, Initial, Role, Settings, TensorFacts, Window},
};

/// The hyper-parameters of a convolution; pairs are height, width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Step of the window.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// Independent blocks of channels.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Conv {
    /// A dense square convolution without bias that keeps the size at stride 1.
    pub fn square(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Self {
        Self {
            inputs,
            outputs,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            dilation: [1; 2],
            groups: 1,
            bias: false,
        }
    }

    /// A depth-wise convolution: one filter per channel.
    pub fn depthwise(channels: usize, kernel: usize, stride: usize) -> Self {
        Self { groups: channels, ..Self::square(channels, channels, kernel, stride) }
    }

    /// The same with a bias.
    pub fn with_bias(mut self) -> Self {
        self.bias = true;
        self
    }
}

/// An element-wise non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivationKind {
    /// max(x, 0)
    Relu,
    /// min(max(x, 0), 6)
    Relu6,
}

/// The value of a pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolKind {
    /// The maximum; padding never counts.
    Max,
    /// The mean; zeros of the padding count.
    Average,
}

/// What a node computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Op {
    /// The image.
    Input {
        /// Channels, height, width.
        shape: Shape,
    },
    /// A convolution.
    Conv(Conv),
    /// Batch normalisation over channels.
    BatchNorm {
        /// Channels.
        channels: usize,
        /// Added to the variance.
        epsilon: f64,
    },
    /// A non-linearity.
    Activation {
        /// Which.
        kind: ActivationKind,
    },
    /// A pooling window.
    Pool {
        /// Maximum or average.
        kind: PoolKind,
        /// Window.
        kernel: [usize; 2],
        /// Step.
        stride: [usize; 2],
        /// Pixels added on each side.
        padding: [usize; 2],
    },
    /// Average over a fixed grid of bins; `[1, 1]` is global average pooling.
    AdaptivePool {
        /// Height and width of the result.
        output: [usize; 2],
    },
    /// Flattens channels, rows and columns, in this order, to a vector.
    Flatten,
    /// A fully connected layer.
    Linear {
        /// Input features.
        inputs: usize,
        /// Output units.
        outputs: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// Sum of two or more equal shapes.
    Add,
    /// The channels of all inputs, one input after the other.
    Concat,
    /// The parameter-free "option A" shortcut: every `stride`-th pixel, channels moved and padded.
    PadChannels {
        /// Step over rows and columns.
        stride: usize,
        /// The input channel behind each output channel; `None` is a channel of zeros.
        sources: Vec<Option<usize>>,
    },
    /// Random zeroing during training; the identity at evaluation.
    Dropout {
        /// Share of values zeroed.
        probability: f64,
    },
}

impl Op {
    /// Everything that costs, coupling, surgery and repair need to know about this operation.
    pub fn facts(&self) -> Facts<'_> {
        let plain = Facts::plain;
        match self {
            Self::Input { shape } => Facts { arity: 0..=0, ..plain(Class::Other, Flow::Source(shape[0])) },
            Self::Conv(conv) => conv.facts(),
            Self::BatchNorm { channels, .. } => Facts {
                tensors: norm_tensors(*channels),
                optional: true,
                ..plain(Class::Norm, Flow::PerChannel)
            },
            Self::Activation { kind: ActivationKind::Relu | ActivationKind::Relu6 } => {
                Facts { optional: true, idempotent: true, ..plain(Class::Activation, Flow::PerChannel) }
            }
            Self::Pool { kind: _, kernel, stride, padding } => Facts {
                window: Some(Window { kernel: *kernel, stride: *stride, padding: *padding, ..Window::POINT }),
                optional: true,
                ..plain(Class::Pooling, Flow::PerChannel)
            },
            Self::AdaptivePool { .. } => plain(Class::Pooling, Flow::PerChannel),
            Self::Flatten => plain(Class::Other, Flow::Flatten),
            Self::Linear { inputs, outputs, bias } => {
                let initial = Initial::Uniform { fan_in: *inputs };
                let axes = vec![Axis::Outputs(*outputs), Axis::Inputs(*inputs)];
                let bias = bias.then(|| trained("bias", vec![Axis::Outputs(*outputs)], initial));
                let weight = TensorFacts { role: Role::Multiplied, ..trained("weight", axes, initial) };
                let tensors = [Some(weight), bias].into_iter().flatten().collect();
                Facts { tensors, ..plain(Class::Linear, Flow::Dense(*outputs)) }
            }
            Self::Add => Facts { arity: 2..=usize::MAX, ..plain(Class::Join, Flow::Sum) },
            Self::Concat => Facts { arity: 2..=usize::MAX, ..plain(Class::Join, Flow::Concatenation) },
            Self::PadChannels { sources, .. } => plain(Class::Shortcut, Flow::Mapped(sources)),
            Self::Dropout { .. } => Facts { optional: true, ..plain(Class::Other, Flow::PerChannel) },
        }
    }

    /// The numbers of this operation that surgery may change.
    pub fn settings(&mut self) -> Settings<'_> {
        match self {
            Self::Conv(conv) => Settings {
                inputs: Some(&mut conv.inputs),
                outputs: Some(&mut conv.outputs),
                groups: Some(&mut conv.groups),
                kernel: Some(&mut conv.kernel),
                padding: Some(&mut conv.padding),
                sources: None,
            },
            Self::BatchNorm { channels, .. } => Settings { inputs: Some(channels), ..Settings::default() },
            Self::Linear { inputs, outputs, .. } => {
                Settings { inputs: Some(inputs), outputs: Some(outputs), ..Settings::default() }
            }
            Self::Pool { kernel, padding, .. } => {
                Settings { kernel: Some(kernel), padding: Some(padding), ..Settings::default() }
            }
            Self::PadChannels { sources, .. } => Settings { sources: Some(sources), ..Settings::default() },
            Self::Input { .. }
            | Self::Activation { .. }
            | Self::AdaptivePool { .. }
            | Self::Flatten
            | Self::Add
            | Self::Concat
            | Self::Dropout { .. } => Settings::default(),
        }
    }
}

impl Conv {
    /// Also of a convolution that shape inference refuses, such as one of 0 groups.
    fn facts(&self) -> Facts<'_> {
        let Self { inputs, outputs, kernel, stride, padding, dilation, groups, bias } = *self;
        let (flow, inputs_of_one) = if groups == 1 {
            (Flow::Dense(outputs), Axis::Inputs(inputs))
        } else {
            (Flow::Grouped { groups, inputs, outputs }, Axis::Block(inputs.checked_div(groups).unwrap_or(0)))
        };
        let axes = vec![Axis::Outputs(outputs), inputs_of_one, Axis::Taps(kernel[0]), Axis::Taps(kernel[1])];
        let fan_out = outputs.checked_div(groups).unwrap_or(0);
        let fan_out = fan_out.saturating_mul(kernel[0]).saturating_mul(kernel[1]);
        let initial = Initial::HeNormal { fan_out };
        let weight = TensorFacts { role: Role::Multiplied, ..trained("weight", axes, initial) };
        let bias = bias.then(|| trained("bias", vec![Axis::Outputs(outputs)], Initial::Zeros));
        Facts {
            window: Some(Window { kernel, stride, padding, dilation }),
            tensors: [Some(weight), bias].into_iter().flatten().collect(),
            optional: true,
            ..Facts::plain(Class::Convolution, flow)
        }
    }
}

/// A trained tensor whose multiplications are not counted.
fn trained(kind: &'static str, axes: Vec<Axis>, initial: Initial) -> TensorFacts {
    TensorFacts { kind, axes, initial, role: Role::Uncounted }
}

/// Scale, shift and running statistics of a batch normalisation.
fn norm_tensors(channels: usize) -> Vec<TensorFacts> {
    let tensor =
        |kind, initial, role| TensorFacts { kind, axes: vec![Axis::Outputs(channels)], initial, role };
    vec![
        tensor("weight", Initial::Ones, Role::Uncounted),
        tensor("bias", Initial::Zeros, Role::Uncounted),
        tensor("running_mean", Initial::Zeros, Role::Statistic),
        tensor("running_var", Initial::Ones, Role::Statistic),
    ]
}
