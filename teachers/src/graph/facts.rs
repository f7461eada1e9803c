//! The vocabulary in which an operation describes itself, and what follows from such a description.
//!
//! [`Op::facts`] answers in these types. Costs, coupling, surgery and repair read the answer and
//! never name a kind of layer, so that they cover a new kind without a change.

use std::ops::RangeInclusive;

use super::{Node, Op, Parameter, Shape};

/// Everything about an operation that its shape inference and its kernels do not need to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts<'a> {
    /// The kind of layer.
    pub class: Class,
    /// How many inputs it takes.
    pub arity: RangeInclusive<usize>,
    /// How its output channels follow from its input channels.
    pub flow: Flow<'a>,
    /// The window that it moves over an image; `None` where there is none.
    pub window: Option<Window>,
    /// Its tensors in a fixed order.
    pub tensors: Vec<TensorFacts>,
    /// Whether a network still makes sense when this layer is left out and nothing replaces it.
    pub optional: bool,
    /// Whether applying it twice is the same as applying it once.
    pub idempotent: bool,
}

impl Facts<'_> {
    /// Facts of a layer with one input, without window and tensors, that must not be left out.
    pub(super) fn plain(class: Class, flow: Flow<'_>) -> Facts<'_> {
        Facts {
            class,
            arity: 1..=1,
            flow,
            window: None,
            tensors: Vec::new(),
            optional: false,
            idempotent: false,
        }
    }
}

/// The kinds of layer, as a table of layers lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A convolution, whatever its groups.
    Convolution,
    /// A fully connected layer.
    Linear,
    /// A normalisation.
    Norm,
    /// An element-wise non-linearity.
    Activation,
    /// A pooling.
    Pooling,
    /// A sum or a concatenation.
    Join,
    /// A shortcut without weights that pads channels.
    Shortcut,
    /// None of these: the image, flattening, dropout.
    Other,
}

/// How the output channels of an operation follow from its input channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow<'a> {
    /// The image: this many channels that no layer makes.
    Source(usize),
    /// Every one of this many output channels is made from all input channels.
    Dense(usize),
    /// Independent blocks of channels: each output channel is made from all input channels of its
    /// block.
    Grouped {
        /// Number of blocks.
        groups: usize,
        /// Input channels.
        inputs: usize,
        /// Output channels.
        outputs: usize,
    },
    /// Output channel i is made from input channel i alone.
    PerChannel,
    /// Output channel i is the sum of channel i of all inputs.
    Sum,
    /// The channels of all inputs, one input after the other.
    Concatenation,
    /// Every pixel of every channel becomes a channel.
    Flatten,
    /// Output channel i is the input channel at position i of this list, or zero.
    Mapped(&'a [Option<usize>]),
}

impl Flow<'_> {
    /// Whether each channel has its own filter, as in a depth-wise convolution.
    pub fn is_depthwise(&self) -> bool {
        matches!(self, Self::Grouped { groups, inputs, outputs } if groups == inputs && groups == outputs)
    }
}

/// The window that a layer moves over an image; all pairs are height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Taps along each axis.
    pub kernel: [usize; 2],
    /// Step along each axis.
    pub stride: [usize; 2],
    /// Pixels added on each side.
    pub padding: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
}

impl Window {
    /// The window of a layer that reads single pixels.
    pub const POINT: Self = Self { kernel: [1; 2], stride: [1; 2], padding: [0; 2], dilation: [1; 2] };

    /// Taps of the window.
    pub fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

/// One tensor of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorFacts {
    /// The last part of its name: `weight`, `bias`, `running_mean` or `running_var`.
    pub kind: &'static str,
    /// Its axes in PyTorch's order.
    pub axes: Vec<Axis>,
    /// Its values before training.
    pub initial: Initial,
    /// What it is used for.
    pub role: Role,
}

/// What a tensor is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Trained; every value is multiplied with one input value for each output pixel. These
    /// multiplications are the MACs that a network is charged for.
    Multiplied,
    /// Trained; its multiplications and additions are not counted as MACs.
    Uncounted,
    /// A running statistic, which is not trained.
    Statistic,
}

/// What an axis of a tensor counts, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Output channels.
    Outputs(usize),
    /// Input channels, all of them.
    Inputs(usize),
    /// Input channels of one block of a grouped layer.
    Block(usize),
    /// Taps of the window along one axis.
    Taps(usize),
}

impl Axis {
    /// Its length.
    pub fn length(self) -> usize {
        match self {
            Self::Outputs(length) | Self::Inputs(length) | Self::Block(length) | Self::Taps(length) => length,
        }
    }

    /// Whether pruning channels changes its length.
    pub fn is_channels(self) -> bool {
        matches!(self, Self::Outputs(_) | Self::Inputs(_))
    }
}

/// The values of a tensor before training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// Normally distributed with variance 2 / `fan_out` (He et al. 2015).
    HeNormal {
        /// Values that each input value is multiplied into.
        fan_out: usize,
    },
    /// Uniformly distributed within ±1/√`fan_in`.
    Uniform {
        /// Values that each output value is summed from.
        fan_in: usize,
    },
}

impl TensorFacts {
    /// Its shape.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.length()).collect()
    }

    /// Whether it is trained.
    pub fn trainable(&self) -> bool {
        self.role != Role::Statistic
    }

    /// Number of values.
    pub fn values(&self) -> usize {
        self.axes.iter().map(|axis| axis.length()).product()
    }

    /// Number of values; `None` where it does not fit into a number.
    pub(super) fn checked_values(&self) -> Option<usize> {
        self.axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.length()))
    }

    /// Multiply-accumulates for one image when the layer gives an output of this shape. This is the
    /// one place that defines what a layer's MACs are.
    pub fn macs(&self, output: Shape) -> u64 {
        self.uses(output) * self.values() as u64
    }

    /// How often each value is multiplied for one image, for an output of this shape.
    pub fn uses(&self, output: Shape) -> u64 {
        match self.role {
            Role::Multiplied => (output[1] * output[2]) as u64,
            Role::Uncounted | Role::Statistic => 0,
        }
    }
}

/// The numbers of an operation that surgery may change, each `None` where the operation does not
/// have it.
#[derive(Debug, Default)]
pub struct Settings<'a> {
    /// Input channels.
    pub inputs: Option<&'a mut usize>,
    /// Output channels, where they can differ from the input channels.
    pub outputs: Option<&'a mut usize>,
    /// Independent blocks of channels.
    pub groups: Option<&'a mut usize>,
    /// Height and width of the window.
    pub kernel: Option<&'a mut [usize; 2]>,
    /// Pixels added on each side.
    pub padding: Option<&'a mut [usize; 2]>,
    /// The input channel behind each output channel of a [`Flow::Mapped`].
    pub sources: Option<&'a mut Vec<Option<usize>>>,
}

impl Op {
    /// Whether it is a convolution, whatever its groups.
    pub fn is_convolution(&self) -> bool {
        self.facts().class == Class::Convolution
    }
}

impl Node {
    /// The tensors that this node needs, in a fixed order: weight, bias, running mean, running
    /// variance.
    pub fn parameters(&self) -> Vec<Parameter> {
        let parameter = |tensor: TensorFacts| Parameter {
            name: format!("{}.{}", self.name, tensor.kind),
            shape: tensor.shape(),
            trainable: tensor.trainable(),
        };
        self.op.facts().tensors.into_iter().map(parameter).collect()
    }

    /// Whether the node makes every output channel from all input channels. Such a node can lose
    /// input channels and be refitted.
    pub fn is_dense(&self) -> bool {
        matches!(self.op.facts().flow, Flow::Dense(_))
    }
}
