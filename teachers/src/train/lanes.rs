//! The nodes of a training step that this project's kernels compute, on activations in lanes.

use burn::tensor::Tensor;
use cgym_kernels::{ChannelGather, ConvShape, Isa, KernelError, Pool, PoolShape, train::Batch};

use super::{
    fusion::{Block, Fusion, activation},
    interpreter::{Interpreter, Training},
    ops::{self, ConvTensors, NormOptions, NormTensors},
    parameter::{BatchStatistics, Parameter},
};
use crate::{
    Error,
    graph::{Conv, Node, NodeIndex, Op, PoolKind},
};

/// The value of a node.
#[derive(Clone)]
pub enum Value {
    /// `[images, channels, height, width]`, for Burn's kernels.
    Images(Tensor<4>),
    /// In lanes, for this project's.
    Lanes(ops::Activation),
}

impl Value {
    /// The value for Burn's kernels.
    pub fn into_images(self) -> Tensor<4> {
        match self {
            Self::Images(images) => images,
            Self::Lanes(activation) => activation.into_images(),
        }
    }

    /// The value for this project's kernels, in place of one of its readers.
    fn into_lanes(self, batch: Batch) -> ops::Activation {
        match self {
            Self::Images(images) => ops::Activation::from_images(batch, images, 1),
            Self::Lanes(activation) => activation,
        }
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        match self {
            Self::Images(images) => images.dims()[0],
            Self::Lanes(activation) => activation.batch().images(),
        }
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        match self {
            Self::Images(images) => {
                let [_, channels, height, width] = images.dims();
                [channels, height, width]
            }
            Self::Lanes(activation) => activation.shape(),
        }
    }
}

impl Interpreter<'_> {
    /// Computes a node with this project's kernels where there are some for it.
    pub(super) fn apply_in_lanes(
        &self,
        index: NodeIndex,
        mut inputs: Vec<Value>,
        training: &mut Training<'_>,
    ) -> Result<Value, Error> {
        let (node, readers) = (&self.graph.nodes()[index], self.readers[index]);
        let refuse = |source| Error::Kernel { node: node.name.clone(), source };
        let in_lanes = inputs.iter().any(|input| matches!(input, Value::Lanes(_)));
        let batch = training.batch;
        let result = match (self.fusions[index], &node.op) {
            (Fusion::Elsewhere, _) => {
                return Ok(match inputs.remove(0) {
                    Value::Lanes(activation) if readers > 0 => Value::Lanes(activation.passed_on(readers)),
                    value => value,
                });
            }
            (Fusion::Norm(block), _) => {
                self.block(block, inputs.remove(0).into_lanes(batch), None, readers, training)?
            }
            (Fusion::Sum(block), _) => {
                let norm_first = node.inputs[0] == block.norm;
                let residual = inputs.remove(usize::from(norm_first)).into_lanes(batch);
                self.block(block, inputs.remove(0).into_lanes(batch), Some(residual), readers, training)?
            }
            (_, Op::Conv(conv)) => {
                let input = inputs.remove(0).into_lanes(batch);
                let conv = self.conv_tensors(node, conv, input.shape())?;
                input.layer(Some(conv), None, None, readers).map_err(refuse)?.0
            }
            (_, Op::Activation { kind }) if in_lanes => {
                inputs.remove(0).into_lanes(batch).activate(activation(*kind), readers)
            }
            (_, Op::Pool { .. } | Op::AdaptivePool { .. }) => {
                let input = inputs.remove(0).into_lanes(batch);
                let pool = pool(&node.op, input.shape(), batch.isa()).map_err(refuse)?;
                input.pool(pool, readers)
            }
            (_, Op::PadChannels { stride, sources }) => {
                let input = inputs.remove(0).into_lanes(batch);
                let ([channels, height, width], sources) = (input.shape(), sources.clone());
                let gather = ChannelGather::new(channels, [height, width], *stride, sources, batch.isa());
                input.gather(gather.map_err(refuse)?, readers)
            }
            (_, Op::Add) if in_lanes => {
                let mut sum = inputs.remove(0).into_lanes(batch);
                let last = inputs.len() - 1;
                for (index, input) in inputs.into_iter().enumerate() {
                    sum = sum.add(input.into_lanes(batch), if index == last { readers } else { 1 });
                }
                sum
            }
            _ => return self.apply_to_images(index, inputs, Some(training)),
        };
        Ok(Value::Lanes(result))
    }

    /// Computes a batch-norm with the nodes that are fused into it, and records its statistics.
    fn block(
        &self,
        block: Block,
        input: ops::Activation,
        residual: Option<ops::Activation>,
        readers: usize,
        training: &mut Training<'_>,
    ) -> Result<ops::Activation, Error> {
        let nodes = self.graph.nodes();
        let node = &nodes[block.norm];
        let Op::BatchNorm { epsilon, .. } = node.op else {
            return Err(Error::node(&node.name, "is not a batch-norm"));
        };
        let conv = match block.conv.map(|conv| &nodes[conv]) {
            Some(node @ Node { op: Op::Conv(conv), .. }) => {
                Some(self.conv_tensors(node, conv, input.shape())?)
            }
            _ => None,
        };
        let options = NormOptions { epsilon: epsilon as f32, activation: block.activation };
        let norm: NormTensors = (options, [self.vector(node, "weight")?, self.vector(node, "bias")?]);
        let refuse = |source| Error::Kernel { node: node.name.clone(), source };
        let (output, [mean, variance]) = input.layer(conv, Some(norm), residual, readers).map_err(refuse)?;
        let [_, height, width] = output.shape();
        let count = training.batch.images() * height * width;
        training.statistics.push(BatchStatistics::new(node, mean, variance, count));
        Ok(output)
    }

    fn conv_tensors(&self, node: &Node, conv: &Conv, input: [usize; 3]) -> Result<ConvTensors, Error> {
        let Parameter::Kernel(weight) = self.get(node, "weight")? else {
            return Err(Error::node(&node.name, "`weight` is not a convolution kernel"));
        };
        let bias = if conv.bias { Some(self.vector(node, "bias")?) } else { None };
        let shape = ConvShape {
            in_channels: conv.inputs,
            out_channels: conv.outputs,
            groups: conv.groups,
            kernel: conv.kernel,
            stride: conv.stride,
            padding: conv.padding,
            dilation: conv.dilation,
            input: [input[1], input[2]],
        };
        Ok((shape, weight.clone(), bias))
    }
}

/// The pooling of a node.
fn pool(op: &Op, [channels, height, width]: [usize; 3], isa: Isa) -> Result<Pool, KernelError> {
    let input = [height, width];
    match op {
        Op::Pool { kind, kernel, stride, padding } => {
            let (kernel, stride, padding) = (*kernel, *stride, *padding);
            let shape = PoolShape { channels, input, kernel, stride, padding, ceil_mode: false };
            let kind = match kind {
                PoolKind::Max => cgym_kernels::PoolKind::Max,
                PoolKind::Average => cgym_kernels::PoolKind::Average { count_include_pad: true },
            };
            Pool::new(shape, kind, isa)
        }
        Op::AdaptivePool { output } => Pool::adaptive_average(channels, input, *output, isa),
        _ => Pool::global_average(channels, input, isa),
    }
}
