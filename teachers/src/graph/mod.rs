//! The network as data: named nodes, shape inference, parameters.
//!
//! A graph is a list of nodes in topological order; the last one is the output. Node names are
//! PyTorch's module paths, so a state dict's tensors are found as `<node>.weight` and alike.

mod file;
mod shape;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Position of a node in [`Graph::nodes`].
pub type NodeIndex = usize;

/// Channels, height, width. A vector of n features is `[n, 1, 1]`.
pub type Shape = [usize; 3];

/// A convolution's hyper-parameters; two-element arrays are height, width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Window.
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

    /// A depth-wise convolution: one filter a channel.
    pub fn depthwise(channels: usize, kernel: usize, stride: usize) -> Self {
        Self { groups: channels, ..Self::square(channels, channels, kernel, stride) }
    }

    /// The same with a bias.
    pub fn with_bias(mut self) -> Self {
        self.bias = true;
        self
    }

    /// Multiply-accumulates of one output pixel.
    pub fn macs_per_pixel(&self) -> usize {
        self.outputs * (self.inputs / self.groups) * self.kernel[0] * self.kernel[1]
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

/// How a pooling window is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolKind {
    /// The greatest value.
    Max,
    /// The mean, padding counted.
    Average,
}

/// What a node computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
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
        /// Zeros (average) or nothing (maximum) on each side.
        padding: [usize; 2],
    },
    /// Average over a fixed grid of bins; `[1, 1]` is global average pooling.
    AdaptivePool {
        /// Height and width of the result.
        output: [usize; 2],
    },
    /// Channels, rows and columns as one vector, in this order.
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
    /// Channels of all inputs, one after the other.
    Concat,
    /// The parameter-free "option A" shortcut: every `stride`-th pixel, channels moved and padded.
    PadChannels {
        /// Step over rows and columns.
        stride: usize,
        /// The input channel behind each output channel; `None` is a channel of zeros.
        sources: Vec<Option<usize>>,
    },
    /// Random zeroing while training; nothing at evaluation.
    Dropout {
        /// Share of values zeroed.
        probability: f64,
    },
}

/// A named operation and where its inputs come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique name; PyTorch's module path where the node has parameters.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Earlier nodes.
    pub inputs: Vec<NodeIndex>,
}

/// One tensor of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `<node>.<kind>`, as in a PyTorch state dict.
    pub name: String,
    /// Axes in PyTorch's order.
    pub shape: Vec<usize>,
    /// False for running statistics.
    pub trainable: bool,
}

impl Node {
    /// The tensors this node needs, in a fixed order: weight, bias, running mean, running variance.
    pub fn parameters(&self) -> Vec<Parameter> {
        let parameter = |kind: &str, shape: Vec<usize>, trainable| Parameter {
            name: format!("{}.{kind}", self.name),
            shape,
            trainable,
        };
        match &self.op {
            Op::Conv(conv) => {
                let weight = vec![conv.outputs, conv.inputs / conv.groups, conv.kernel[0], conv.kernel[1]];
                let mut all = vec![parameter("weight", weight, true)];
                if conv.bias {
                    all.push(parameter("bias", vec![conv.outputs], true));
                }
                all
            }
            Op::Linear { inputs, outputs, bias } => {
                let mut all = vec![parameter("weight", vec![*outputs, *inputs], true)];
                if *bias {
                    all.push(parameter("bias", vec![*outputs], true));
                }
                all
            }
            Op::BatchNorm { channels, .. } => vec![
                parameter("weight", vec![*channels], true),
                parameter("bias", vec![*channels], true),
                parameter("running_mean", vec![*channels], false),
                parameter("running_var", vec![*channels], false),
            ],
            _ => Vec::new(),
        }
    }

    /// Whether the node mixes channels and so can lose input channels and be refitted.
    pub fn is_dense(&self) -> bool {
        matches!(&self.op, Op::Conv(conv) if conv.groups == 1) || matches!(self.op, Op::Linear { .. })
    }
}

/// A network: nodes in topological order, the last one the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// What it is called, like `resnet20`.
    pub name: String,
    nodes: Vec<Node>,
}

impl Graph {
    /// An empty graph that takes images of `shape`; the input is node 0.
    pub fn new(name: impl Into<String>, shape: Shape) -> Self {
        let input = Node { name: "input".to_owned(), op: Op::Input { shape }, inputs: Vec::new() };
        Self { name: name.into(), nodes: vec![input] }
    }

    /// A graph from a finished list of nodes.
    ///
    /// # Errors
    /// When a name is there twice, an input comes later than its user, or shapes do not fit.
    pub fn from_nodes(name: impl Into<String>, nodes: Vec<Node>) -> Result<Self, Error> {
        if !matches!(nodes.first(), Some(Node { op: Op::Input { .. }, .. })) {
            return Err(Error::Graph("the first node is not an input".to_owned()));
        }
        let mut names = std::collections::HashSet::new();
        for (index, node) in nodes.iter().enumerate() {
            if !names.insert(node.name.as_str()) {
                return Err(Error::Graph(format!("two nodes are called `{}`", node.name)));
            }
            if node.inputs.iter().any(|&input| input >= index) {
                return Err(Error::node(&node.name, "an input does not come before it"));
            }
        }
        let graph = Self { name: name.into(), nodes };
        graph.shapes()?;
        Ok(graph)
    }

    /// Adds a node and gives its index. Fit is checked by [`Graph::shapes`].
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[NodeIndex]) -> NodeIndex {
        self.nodes.push(Node { name: name.into(), op, inputs: inputs.to_vec() });
        self.nodes.len() - 1
    }

    /// All nodes in topological order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Index of the output node.
    pub fn output(&self) -> NodeIndex {
        self.nodes.len() - 1
    }

    /// Channels, height and width of the image.
    pub fn input_shape(&self) -> Shape {
        match &self.nodes[0].op {
            Op::Input { shape } => *shape,
            _ => [0; 3],
        }
    }

    /// The node called `name`.
    pub fn find(&self, name: &str) -> Option<NodeIndex> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// For each node, who reads it.
    pub fn users(&self) -> Vec<Vec<NodeIndex>> {
        let mut users = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                users[input].push(index);
            }
        }
        users
    }

    /// Every tensor of the network in the order of the nodes.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.nodes.iter().flat_map(Node::parameters).collect()
    }
}
