//! The steps of the engine, and how each is run.

use cgym_kernels::{
    Activation, ChannelGather, Conv2d, ConvBlock, ConvPair, Isa, KernelError, Linear, Pool, Residual, add,
    affine,
};

use crate::graph::NodeIndex;

/// The kernel of a step.
pub(super) enum Kernel {
    Conv(Conv2d),
    /// A depth-wise convolution and the 1x1 convolution `node` that alone reads it.
    Pair {
        pair: Box<ConvPair>,
        node: NodeIndex,
    },
    Linear(Linear),
    Pool(Pool),
    Gather(ChannelGather),
    Affine {
        scale: Vec<f32>,
        shift: Vec<f32>,
        activation: Activation,
    },
    Add(Activation),
    /// Lengths of the inputs, lanes included.
    Concat(Vec<usize>),
}

/// A value that a convolution adds before the activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Summand {
    None,
    /// That of a buffer.
    Slot(usize),
    /// The one that the convolution's buffer holds before it is written.
    Output,
}

/// One kernel with the buffers that it reads and writes.
pub(super) struct Step {
    /// The node that errors and observers name: the first of the fused ones.
    pub(super) node: NodeIndex,
    /// Whether observers see its input: true for layers that multiply by weights.
    pub(super) observed: bool,
    pub(super) name: String,
    pub(super) kernel: Kernel,
    pub(super) reads: Vec<usize>,
    pub(super) residual: Summand,
    pub(super) writes: usize,
    /// Elements written, lanes included.
    pub(super) length: usize,
}

impl Step {
    /// Whether the fast algorithm computes it otherwise than the direct one.
    pub(super) fn is_fast(&self) -> bool {
        matches!(&self.kernel, Kernel::Conv(conv) if conv.is_fast())
    }

    /// Whether the result may be written over the residual.
    pub(super) fn adds_in_place(&self) -> bool {
        match &self.kernel {
            Kernel::Conv(conv) => conv.shape().groups == 1,
            Kernel::Pair { .. } => true,
            _ => false,
        }
    }

    /// The values that are read.
    pub(super) fn sources(&self) -> impl Iterator<Item = usize> {
        let residual = match self.residual {
            Summand::Slot(value) => Some(value),
            Summand::None | Summand::Output => None,
        };
        self.reads.iter().copied().chain(residual)
    }

    /// The first kernel of one convolution or two, if the step consists of these.
    pub(super) fn conv(&self) -> Option<&Conv2d> {
        match &self.kernel {
            Kernel::Conv(conv) => Some(conv),
            Kernel::Pair { pair, .. } => Some(pair.parts()[0]),
            _ => None,
        }
    }

    /// Computes a step without a residual, from the buffers that `slot` gives.
    pub(super) fn run<'a>(
        &self,
        isa: Isa,
        slot: impl Fn(usize) -> &'a [f32],
        output: &mut [f32],
    ) -> Result<(), KernelError> {
        let full = slot(self.reads[0]);
        let fitting = |length: usize| &full[..length.min(full.len())];
        match &self.kernel {
            Kernel::Conv(conv) => conv.run(fitting(conv.input_len()), None, output),
            Kernel::Pair { pair, .. } => {
                let input = fitting(pair.parts()[0].input_len());
                pair.run_blocks(&mut [ConvBlock { input, residual: Residual::None, output }])
            }
            Kernel::Linear(linear) => linear.run(fitting(linear.input_len()), None, output),
            Kernel::Pool(pool) => pool.run(fitting(pool.input_len()), output),
            Kernel::Gather(gather) => gather.run(fitting(gather.input_len()), output),
            Kernel::Affine { scale, shift, activation } => {
                affine(isa, fitting(output.len()), scale, shift, *activation, output)
            }
            Kernel::Add(activation) => {
                let right = &slot(self.reads[1])[..output.len()];
                add(isa, fitting(output.len()), right, *activation, output)
            }
            Kernel::Concat(lengths) => {
                let mut start = 0;
                for (&read, &length) in self.reads.iter().zip(lengths) {
                    output[start..start + length].copy_from_slice(&slot(read)[..length]);
                    start += length;
                }
                Ok(())
            }
        }
    }
}
