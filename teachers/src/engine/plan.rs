//! From a graph to steps: what is fused into what, and which buffer holds which value.

use std::sync::Mutex;

use cgym_kernels::{Activation, ChannelGather, Conv2d, ConvShape, Isa, KernelError, Linear, Pool, PoolShape};

use super::{Engine, Kernel, Step};
use crate::{
    Error,
    graph::{ActivationKind, Conv, Graph, NodeIndex, Op, PoolKind, Shape},
    weights::Weights,
};

pub fn compile(graph: &Graph, weights: &Weights, isa: Isa) -> Result<Engine, Error> {
    weights.check(graph)?;
    let shapes = graph.shapes()?;
    let output = shapes[graph.output()];
    let mut planner = Planner {
        graph,
        weights,
        isa,
        users: graph.users(),
        shapes,
        value: vec![None; graph.nodes().len()],
        steps: Vec::new(),
    };
    planner.value[0] = Some(0);
    for index in 1..graph.nodes().len() {
        if planner.value[index].is_none() {
            planner.add(index)?;
        }
    }
    let Planner { shapes, steps, value, .. } = planner;
    // A graph that ends in the input itself, or in a value that a later step overwrites, does not
    // occur: the output is the last node, so its step is the last one or an alias of it.
    let last = value[graph.output()].unwrap_or_default();
    let slots = assign_slots(steps, last);
    Ok(Engine {
        isa,
        slots: slots.lengths,
        steps: slots.steps,
        input_length: shapes[0].iter().product::<usize>() * isa.lanes(),
        classes: output.iter().product(),
        workspaces: Mutex::new(Vec::new()),
    })
}

/// What follows a kernel and is fused into it.
struct Tail {
    end: NodeIndex,
    activation: Activation,
}

struct Planner<'a> {
    graph: &'a Graph,
    weights: &'a Weights,
    isa: Isa,
    users: Vec<Vec<NodeIndex>>,
    shapes: Vec<Shape>,
    /// For each node, the value that holds its result: 0 is the input, n the result of step n - 1.
    value: Vec<Option<usize>>,
    steps: Vec<Step>,
}

impl Planner<'_> {
    fn add(&mut self, index: NodeIndex) -> Result<(), Error> {
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
                self.push(index, tail.end, Kernel::Linear(linear), None)
            }
            Op::BatchNorm { .. } => {
                let tail = self.activation_after(index);
                let (scale, shift) = self.scale_and_shift(index)?;
                self.push(index, tail.end, Kernel::Affine { scale, shift, activation: tail.activation }, None)
            }
            Op::Activation { kind } => {
                let kernel = Kernel::Affine {
                    scale: vec![1.0; channels],
                    shift: vec![0.0; channels],
                    activation: (*kind).into(),
                };
                self.push(index, index, kernel, None)
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
                self.push(index, index, Kernel::Pool(pool), None)
            }
            Op::AdaptivePool { output } => {
                let pool = Pool::adaptive_average(channels, [height, width], *output, isa).map_err(refuse)?;
                self.push(index, index, Kernel::Pool(pool), None)
            }
            Op::PadChannels { stride, sources } => {
                let gather = ChannelGather::new(channels, [height, width], *stride, sources.clone(), isa)
                    .map_err(refuse)?;
                self.push(index, index, Kernel::Gather(gather), None)
            }
            Op::Add => self.add_sum(index),
            Op::Concat => {
                let lengths = node
                    .inputs
                    .iter()
                    .map(|&input| self.shapes[input].iter().product::<usize>() * isa.lanes());
                let kernel = Kernel::Concat(lengths.collect());
                self.push(index, index, kernel, None)
            }
        }
    }

    fn add_conv(&mut self, index: NodeIndex, conv: &Conv) -> Result<(), Error> {
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
        let mut residual = None;
        if let Some(sum) = self.sole_user(end, |op| matches!(op, Op::Add)) {
            let inputs = &self.graph.nodes()[sum].inputs;
            let other = inputs.iter().copied().find(|&input| input != end);
            if let (2, Some(Some(value))) = (inputs.len(), other.map(|other| self.value[other])) {
                residual = Some(value);
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
        let kernel = Conv2d::new(shape, &weight, Some(&bias), tail.activation, self.isa)
            .map_err(|source| Error::Kernel { node: node.name.clone(), source })?;
        self.push(index, tail.end, Kernel::Conv(kernel), residual)
    }

    /// A sum that no convolution took in: pairs from left to right, the activation after the last.
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
                name: node.name.clone(),
                kernel: Kernel::Add(activation),
                reads: vec![left, self.value[right].unwrap_or_default()],
                residual: None,
                writes: self.steps.len() + 1,
                length,
            });
            left = self.steps.len();
        }
        self.value[index] = Some(left);
        self.value[tail.end] = Some(left);
        Ok(())
    }

    /// Adds a step that computes nodes `first` to `end`.
    fn push(
        &mut self,
        first: NodeIndex,
        end: NodeIndex,
        kernel: Kernel,
        residual: Option<usize>,
    ) -> Result<(), Error> {
        let node = &self.graph.nodes()[first];
        let reads = node.inputs.iter().map(|&input| self.value[input].unwrap_or_default()).collect();
        let value = self.steps.len() + 1;
        let length = self.shapes[end].iter().product::<usize>() * self.isa.lanes();
        self.steps.push(Step {
            node: first,
            name: node.name.clone(),
            kernel,
            reads,
            residual,
            writes: value,
            length,
        });
        // Nodes inside the chain have no other reader; marking them keeps them from being added.
        let mut at = first;
        self.value[at] = Some(value);
        while at != end {
            at = self.users[at][0];
            self.value[at] = Some(value);
        }
        Ok(())
    }

    fn sole_user(&self, index: NodeIndex, wanted: impl Fn(&Op) -> bool) -> Option<NodeIndex> {
        match self.users[index][..] {
            [user] if wanted(&self.graph.nodes()[user].op) => Some(user),
            _ => None,
        }
    }

    fn activation_after(&self, index: NodeIndex) -> Tail {
        let user = self.sole_user(index, |op| matches!(op, Op::Activation { .. }));
        match user.map(|user| (user, &self.graph.nodes()[user].op)) {
            Some((end, Op::Activation { kind })) => Tail { end, activation: (*kind).into() },
            _ => Tail { end: index, activation: Activation::Identity },
        }
    }

    /// Batch-norm at evaluation: y = scale · x + shift, per channel, computed in f64.
    fn scale_and_shift(&self, index: NodeIndex) -> Result<(Vec<f32>, Vec<f32>), Error> {
        let node = &self.graph.nodes()[index];
        let Op::BatchNorm { channels, epsilon } = node.op else {
            return Err(Error::node(&node.name, "is no batch-norm"));
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
}

impl From<ActivationKind> for Activation {
    fn from(kind: ActivationKind) -> Self {
        match kind {
            ActivationKind::Relu => Self::Relu,
            ActivationKind::Relu6 => Self::Relu6,
        }
    }
}

struct Slots {
    lengths: Vec<usize>,
    steps: Vec<Step>,
}

/// Gives every value a buffer; a buffer is free again after the last step that reads it.
fn assign_slots(mut steps: Vec<Step>, output: usize) -> Slots {
    let mut last_read = vec![0; steps.len() + 1];
    for (at, step) in steps.iter().enumerate() {
        step.reads.iter().chain(&step.residual).for_each(|&value| last_read[value] = at);
    }
    last_read[output] = usize::MAX;
    let mut slot_of = vec![0; steps.len() + 1];
    let mut lengths = vec![0];
    let mut free: Vec<usize> = Vec::new();
    for (at, step) in steps.iter_mut().enumerate() {
        // The smallest free buffer that is large enough, else the largest, which then grows.
        let fit = |slot: &usize| (lengths[*slot] < step.length, lengths[*slot].abs_diff(step.length));
        let slot = match free.iter().copied().min_by_key(fit) {
            Some(slot) => slot,
            None => {
                lengths.push(0);
                lengths.len() - 1
            }
        };
        free.retain(|&other| other != slot);
        lengths[slot] = lengths[slot].max(step.length);
        slot_of[step.writes] = slot;
        let mut done: Vec<usize> = step.reads.iter().chain(&step.residual).copied().collect();
        done.push(step.writes);
        done.sort_unstable();
        done.dedup();
        for value in done {
            if value != 0 && last_read[value] <= at {
                free.push(slot_of[value]);
            }
        }
        step.writes = slot;
        step.reads.iter_mut().chain(&mut step.residual).for_each(|value| *value = slot_of[*value]);
    }
    Slots { lengths, steps }
}
