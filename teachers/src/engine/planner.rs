//! From nodes to steps: which kernel computes each kind of layer, and what is fused into it.

use cgym_kernels::{
    Activation, Algorithm, ChannelGather, Conv2d, ConvPair, ConvShape, Isa, KernelError, Linear, Pool,
    PoolShape,
};

use super::step::{Kernel, Step, Summand};
use crate::{
    Error,
    graph::{ActivationKind, Conv, Graph, NodeIndex, Op, PoolKind, Role, Shape, TensorFacts},
    weights::Weights,
};

/// A convolution, the residual that is added to it, and the last node that it computes.
struct Convolved {
    kernel: Conv2d,
    residual: Summand,
    end: NodeIndex,
}

/// The nodes after a kernel that are fused into it.
struct Tail {
    end: NodeIndex,
    activation: Activation,
}

/// The state of compiling a graph: the steps so far.
pub(super) struct Planner<'a> {
    pub(super) graph: &'a Graph,
    pub(super) weights: &'a Weights,
    pub(super) isa: Isa,
    pub(super) algorithm: Algorithm,
    pub(super) users: Vec<Vec<NodeIndex>>,
    pub(super) shapes: Vec<Shape>,
    /// For each node, the value that holds its result: 0 is the input, n the result of step n - 1.
    pub(super) value: Vec<Option<usize>>,
    pub(super) steps: Vec<Step>,
}

impl Planner<'_> {
    /// Adds the step of node `index`, with what is fused into it.
    pub(super) fn add(&mut self, index: NodeIndex) -> Result<(), Error> {
        let graph = self.graph;
        let node = &graph.nodes()[index];
        let input = node.inputs.first().copied().unwrap_or_default();
        let [channels, height, width] = self.shapes[input];
        let isa = self.isa;
        let refuse = |source: KernelError| Error::Kernel { node: node.name.clone(), source };
        match &node.op {
            Op::Input { .. } | Op::Dropout { .. } | Op::Flatten => {
                self.value[index] = self.value[input];
                Ok(())
            }
            Op::Conv(conv) => self.add_conv(index, conv),
            Op::Linear { inputs, outputs, .. } => {
                let tail = self.activation_after(index);
                let weight = &self.weights.get(&format!("{}.weight", node.name))?.data;
                let bias = self.weights.of(&node.name, "bias").map(|bias| bias.data.as_slice());
                let linear =
                    Linear::new(*inputs, *outputs, weight, bias, tail.activation, isa).map_err(refuse)?;
                self.push(index, tail.end, Kernel::Linear(linear), Summand::None)
            }
            Op::BatchNorm { .. } => {
                let tail = self.activation_after(index);
                let (scale, shift) = self.scale_and_shift(index)?;
                self.push(
                    index,
                    tail.end,
                    Kernel::Affine { scale, shift, activation: tail.activation },
                    Summand::None,
                )
            }
            Op::Activation { kind } => {
                let kernel = Kernel::Affine {
                    scale: vec![1.0; channels],
                    shift: vec![0.0; channels],
                    activation: (*kind).into(),
                };
                self.push(index, index, kernel, Summand::None)
            }
            Op::Pool { kind, kernel, stride, padding } => {
                let shape = PoolShape {
                    channels,
                    input: [height, width],
                    kernel: *kernel,
                    stride: *stride,
                    padding: *padding,
                    ceil_mode: false,
                };
                let kind = match kind {
                    PoolKind::Max => cgym_kernels::PoolKind::Max,
                    PoolKind::Average => cgym_kernels::PoolKind::Average { count_include_pad: true },
                };
                let pool = Pool::new(shape, kind, isa).map_err(refuse)?;
                self.push(index, index, Kernel::Pool(pool), Summand::None)
            }
            Op::AdaptivePool { output } => {
                let pool = Pool::adaptive_average(channels, [height, width], *output, isa).map_err(refuse)?;
                self.push(index, index, Kernel::Pool(pool), Summand::None)
            }
            Op::PadChannels { stride, sources } => {
                let gather = ChannelGather::new(channels, [height, width], *stride, sources.clone(), isa)
                    .map_err(refuse)?;
                self.push(index, index, Kernel::Gather(gather), Summand::None)
            }
            Op::Add => self.add_sum(index),
            Op::Concat => {
                let lengths = node
                    .inputs
                    .iter()
                    .map(|&input| self.shapes[input].iter().product::<usize>() * isa.lanes());
                let kernel = Kernel::Concat(lengths.collect());
                self.push(index, index, kernel, Summand::None)
            }
        }
    }

    /// Adds the step of a convolution, together with the 1x1 convolution that alone reads it where both
    /// run as one.
    fn add_conv(&mut self, index: NodeIndex, conv: &Conv) -> Result<(), Error> {
        let first = self.convolution(index, conv)?;
        let pointwise = |op: &Op| matches!(op, Op::Conv(conv) if conv.kernel == [1, 1] && conv.groups == 1);
        let depthwise = conv.groups > 1 && conv.groups == conv.inputs;
        let reader = self.sole_user(first.end, pointwise).filter(|_| depthwise);
        if let (Some(node), Summand::None) = (reader, first.residual)
            && let Op::Conv(conv) = &self.graph.nodes()[node].op
        {
            let second = self.convolution(node, conv)?;
            match ConvPair::new(first.kernel, second.kernel) {
                Ok(pair) => {
                    return self.push(
                        index,
                        second.end,
                        Kernel::Pair { pair: Box::new(pair), node },
                        second.residual,
                    );
                }
                Err(parts) => {
                    let [kernel, _] = *parts;
                    return self.push(index, first.end, Kernel::Conv(kernel), Summand::None);
                }
            }
        }
        self.push(index, first.end, Kernel::Conv(first.kernel), first.residual)
    }

    /// A convolution with what is fused into it.
    fn convolution(&self, index: NodeIndex, conv: &Conv) -> Result<Convolved, Error> {
        let node = &self.graph.nodes()[index];
        let mut weight = self.weights.get(&format!("{}.weight", node.name))?.data.clone();
        let mut bias = match self.weights.of(&node.name, "bias") {
            Some(bias) if conv.bias => bias.data.clone(),
            _ => vec![0.0; conv.outputs],
        };
        let mut end = index;
        if let Some(norm) = self.sole_user(index, |op| matches!(op, Op::BatchNorm { .. })) {
            let (scale, shift) = self.scale_and_shift(norm)?;
            let row = weight.len() / conv.outputs;
            for (channel, values) in weight.chunks_exact_mut(row).enumerate() {
                values.iter_mut().for_each(|value| *value *= scale[channel]);
                bias[channel] = bias[channel] * scale[channel] + shift[channel];
            }
            end = norm;
        }
        let mut residual = Summand::None;
        if let Some(sum) = self.sole_user(end, |op| matches!(op, Op::Add)) {
            let inputs = &self.graph.nodes()[sum].inputs;
            let other = inputs.iter().copied().find(|&input| input != end);
            if let (2, Some(Some(value))) = (inputs.len(), other.map(|other| self.value[other])) {
                residual = Summand::Slot(value);
                end = sum;
            }
        }
        let tail = self.activation_after(end);
        let [_, height, width] = self.shapes[node.inputs[0]];
        let shape = ConvShape {
            in_channels: conv.inputs,
            out_channels: conv.outputs,
            kernel: conv.kernel,
            stride: conv.stride,
            padding: conv.padding,
            dilation: conv.dilation,
            groups: conv.groups,
            input: [height, width],
        };
        let kernel = Conv2d::new(shape, &weight, Some(&bias), tail.activation, self.algorithm, self.isa)
            .map_err(|source| Error::Kernel { node: node.name.clone(), source })?;
        Ok(Convolved { kernel, residual, end: tail.end })
    }

    /// Adds the steps of a sum that is not fused into a convolution: pairs from left to right, the
    /// activation after the last.
    fn add_sum(&mut self, index: NodeIndex) -> Result<(), Error> {
        let node = &self.graph.nodes()[index];
        let tail = self.activation_after(index);
        let length = self.shapes[index].iter().product::<usize>() * self.isa.lanes();
        let mut left = self.value[node.inputs[0]].unwrap_or_default();
        for (position, &right) in node.inputs.iter().enumerate().skip(1) {
            let last = position + 1 == node.inputs.len();
            let activation = if last { tail.activation } else { Activation::Identity };
            self.steps.push(Step {
                node: index,
                observed: false,
                name: node.name.clone(),
                kernel: Kernel::Add(activation),
                reads: vec![left, self.value[right].unwrap_or_default()],
                residual: Summand::None,
                writes: self.steps.len() + 1,
                length,
            });
            left = self.steps.len();
        }
        self.value[index] = Some(left);
        self.value[tail.end] = Some(left);
        Ok(())
    }

    /// Batch-norm at evaluation: y = scale · x + shift, per channel, computed in f64.
    fn scale_and_shift(&self, index: NodeIndex) -> Result<(Vec<f32>, Vec<f32>), Error> {
        let node = &self.graph.nodes()[index];
        let Op::BatchNorm { channels, epsilon } = node.op else {
            return Err(Error::node(&node.name, "is not a batch-norm"));
        };
        let tensor = |kind: &str| self.weights.get(&format!("{}.{kind}", node.name));
        let (weight, bias) = (tensor("weight")?, tensor("bias")?);
        let (mean, variance) = (tensor("running_mean")?, tensor("running_var")?);
        let (mut scale, mut shift) = (vec![0.0; channels], vec![0.0; channels]);
        for channel in 0..channels {
            let factor =
                f64::from(weight.data[channel]) / (f64::from(variance.data[channel]) + epsilon).sqrt();
            scale[channel] = factor as f32;
            shift[channel] = (f64::from(bias.data[channel]) - f64::from(mean.data[channel]) * factor) as f32;
        }
        Ok((scale, shift))
    }
    /// Adds a step that computes nodes `first` to `end`.
    fn push(
        &mut self,
        first: NodeIndex,
        end: NodeIndex,
        kernel: Kernel,
        residual: Summand,
    ) -> Result<(), Error> {
        let node = &self.graph.nodes()[first];
        let reads = node.inputs.iter().map(|&input| self.value[input].unwrap_or_default()).collect();
        let value = self.steps.len() + 1;
        let length = self.shapes[end].iter().product::<usize>() * self.isa.lanes();
        let multiplied = |tensor: TensorFacts| tensor.role == Role::Multiplied;
        self.steps.push(Step {
            node: first,
            observed: node.op.facts().tensors.into_iter().any(multiplied),
            name: node.name.clone(),
            kernel,
            reads,
            residual,
            writes: value,
            length,
        });
        // Nodes inside the chain have no other reader. Setting their value skips them later.
        let mut at = first;
        self.value[at] = Some(value);
        while at != end {
            at = self.users[at][0];
            self.value[at] = Some(value);
        }
        Ok(())
    }

    /// The only reader of node `index`, if it is one of the wanted operations.
    fn sole_user(&self, index: NodeIndex, wanted: impl Fn(&Op) -> bool) -> Option<NodeIndex> {
        match self.users[index][..] {
            [user] if wanted(&self.graph.nodes()[user].op) => Some(user),
            _ => None,
        }
    }

    /// The activation to fuse after node `index`: its only reader, if that is an activation.
    fn activation_after(&self, index: NodeIndex) -> Tail {
        let user = self.sole_user(index, |op| matches!(op, Op::Activation { .. }));
        match user.map(|user| (user, &self.graph.nodes()[user].op)) {
            Some((end, Op::Activation { kind })) => Tail { end, activation: (*kind).into() },
            _ => Tail { end: index, activation: Activation::Identity },
        }
    }
}

impl From<ActivationKind> for Activation {
    fn from(kind: ActivationKind) -> Self {
        match kind {
            ActivationKind::Relu => Self::Relu,
            ActivationKind::Relu6 => Self::Relu6,
        }
    }
}
