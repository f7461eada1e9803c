//! Operations without weights on one flex tensor: conversions, activations, poolings, shortcuts.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use cgym_kernels::{
    Activation, ChannelGather, Pool,
    train::{self, Aligned, Batch},
};

use super::{
    FITS,
    carrier::{Readers, aligned, change, dims, recycle, values},
};

/// What is computed from one tensor.
#[derive(Debug, Clone)]
pub enum Operation {
    /// From `[images][channels][height][width]` to lanes.
    ToLanes,
    /// The other way round.
    FromLanes,
    /// An activation.
    Activate(Activation),
    /// A pooling.
    Pool(Arc<Pool>),
    /// The weight-free shortcut of CIFAR ResNets.
    Gather(Arc<ChannelGather>),
}

/// An operation on the images of a batch.
#[derive(Debug, Clone)]
pub struct Change {
    /// The images.
    pub batch: Batch,
    /// What is computed.
    pub operation: Operation,
    /// The readers of the input; without meaning for images that are not in lanes.
    pub input: Readers,
}

impl Change {
    /// Computes the output.
    pub fn forward(&self, input: &FlexTensor) -> FlexTensor {
        let (batch, lanes) = (self.batch, self.batch.isa().lanes());
        let numbers = values(input);
        match &self.operation {
            Operation::ToLanes => {
                let [_, channels, height, width] = dims(input);
                let shape = [batch.groups(), channels, height, width, lanes];
                aligned(train::to_lanes(batch, numbers).expect(FITS), shape)
            }
            Operation::FromLanes => {
                let [_, channels, height, width, _] = dims(input);
                let shape = [batch.images(), channels, height, width];
                aligned(train::from_lanes(batch, numbers).expect(FITS), shape)
            }
            Operation::Activate(activation) => {
                let output = train::activate_forward(batch, numbers, *activation).expect(FITS);
                aligned(output, dims::<5>(input))
            }
            Operation::Pool(pool) => {
                let ([groups, channels, ..], [height, width]) = (dims::<5>(input), pool.output());
                let output = train::pool_forward(batch, pool, numbers).expect(FITS);
                aligned(output, [groups, channels, height, width, lanes])
            }
            Operation::Gather(gather) => {
                let [height, width] = gather.output();
                let output = train::gather_forward(batch, gather, numbers).expect(FITS);
                aligned(output, [batch.groups(), gather.channels(), height, width, lanes])
            }
        }
    }

    /// Which of input and output the backward pass needs.
    pub fn saved(&self, input: &FlexTensor, output: &FlexTensor) -> FlexTensor {
        match self.operation {
            Operation::Activate(_) => output.clone(),
            _ => input.clone(),
        }
    }

    /// The gradient of the input, once all its readers have given theirs.
    pub fn backward(self, saved: FlexTensor, gradient: FlexTensor) -> Option<FlexTensor> {
        let (batch, numbers) = (self.batch, values(&gradient));
        let shape = saved.layout().shape().clone();
        let zeros = || aligned(Aligned::zeros(values(&saved).len()), shape.clone());
        let found = match &self.operation {
            Operation::ToLanes => {
                let images = train::from_lanes(batch, numbers).expect(FITS);
                recycle(gradient);
                return Some(aligned(images, shape));
            }
            Operation::FromLanes => aligned(train::to_lanes(batch, numbers).expect(FITS), shape),
            Operation::Activate(activation) => {
                let found = train::activate_backward(batch, values(&saved), *activation, numbers);
                aligned(found.expect(FITS), shape)
            }
            // These add to what other readers have given.
            Operation::Pool(pool) => {
                let (found, added) = change(self.input.take().unwrap_or_else(zeros), |target| {
                    train::pool_backward(batch, pool, values(&saved), numbers, target)
                });
                added.expect(FITS);
                found
            }
            Operation::Gather(gather) => {
                let (found, added) = change(self.input.take().unwrap_or_else(zeros), |target| {
                    train::gather_backward(batch, gather, numbers, target)
                });
                added.expect(FITS);
                found
            }
        };
        if !matches!(self.operation, Operation::FromLanes) {
            // There it is memory of Burn, which no result of ours fits.
            recycle(gradient);
        }
        recycle(saved);
        self.input.give(batch, found)
    }
}
