//! The cost of a network, computed from its graph.
//!
//! MACs are the multiply-accumulates of convolutions and linear layers for one image, biases not
//! counted; parameters are the trainable ones.

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    graph::{Graph, Node, Shape},
};

/// Costs of a node or a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Multiply-accumulates for one image.
    pub macs: u64,
    /// Trainable parameters.
    pub parameters: u64,
    /// Bytes of this node's output for one image in fp32.
    pub activation_bytes: u64,
    /// Bytes of all tensors, running statistics included, in fp32.
    pub weight_bytes: u64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            macs: self.macs + other.macs,
            parameters: self.parameters + other.parameters,
            activation_bytes: self.activation_bytes + other.activation_bytes,
            weight_bytes: self.weight_bytes + other.weight_bytes,
        }
    }
}

impl Node {
    /// The cost of this node, given the shape of its output.
    pub fn cost(&self, output: Shape) -> Cost {
        let pixels = (output[1] * output[2]) as u64;
        let mut cost = Cost { activation_bytes: output[0] as u64 * pixels * 4, ..Cost::default() };
        for tensor in self.op.facts().tensors {
            let count = tensor.values() as u64;
            cost.macs += tensor.macs(output);
            cost.weight_bytes += 4 * count;
            if tensor.trainable() {
                cost.parameters += count;
            }
        }
        cost
    }
}

impl Graph {
    /// Cost of every node, in their order.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn costs(&self) -> Result<Vec<Cost>, Error> {
        let shapes = self.shapes()?;
        Ok(self.nodes().iter().zip(shapes).map(|(node, shape)| node.cost(shape)).collect())
    }

    /// Cost of the whole network.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn cost(&self) -> Result<Cost, Error> {
        Ok(self.costs()?.into_iter().fold(Cost::default(), |sum, cost| sum + cost))
    }
}
