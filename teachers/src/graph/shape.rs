//! Shape inference.

use super::{Conv, Graph, NodeIndex, Op, Shape};
use crate::Error;

impl Graph {
    /// Output shape of every node.
    ///
    /// # Errors
    /// [`Error::Node`] for the first node that does not fit its inputs.
    pub fn shapes(&self) -> Result<Vec<Shape>, Error> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes().len());
        for index in 0..self.nodes().len() {
            let shape = self.infer(index, &shapes)?;
            shapes.push(shape);
        }
        Ok(shapes)
    }

    fn infer(&self, index: NodeIndex, shapes: &[Shape]) -> Result<Shape, Error> {
        let node = &self.nodes()[index];
        let refuse = |reason: String| Err(Error::node(&node.name, reason));
        let inputs: Vec<Shape> = node.inputs.iter().map(|&input| shapes[input]).collect();
        if !node.op.facts().arity.contains(&inputs.len()) {
            return refuse(format!("has {} inputs", inputs.len()));
        }
        let channels_fit = |channels: usize| {
            if inputs[0][0] == channels {
                Ok(())
            } else {
                Err(Error::node(&node.name, format!("takes {channels} channels, gets {}", inputs[0][0])))
            }
        };
        match &node.op {
            Op::Input { shape } if shape.contains(&0) => refuse(format!("empty image {shape:?}")),
            Op::Input { shape } => Ok(*shape),
            Op::Conv(conv) => {
                check_conv(&node.name, conv)?;
                channels_fit(conv.inputs)?;
                let mut size = [0; 2];
                for axis in 0..2 {
                    let reach = conv.dilation[axis] * (conv.kernel[axis] - 1) + 1;
                    let extent = inputs[0][axis + 1] + 2 * conv.padding[axis];
                    if extent < reach {
                        return refuse(format!("window of {reach} on an image of {extent}"));
                    }
                    size[axis] = (extent - reach) / conv.stride[axis] + 1;
                }
                Ok([conv.outputs, size[0], size[1]])
            }
            Op::BatchNorm { channels, epsilon } => {
                channels_fit(*channels)?;
                if !(epsilon.is_finite() && *epsilon > 0.0) {
                    return refuse(format!("epsilon {epsilon}"));
                }
                Ok(inputs[0])
            }
            Op::Activation { .. } => Ok(inputs[0]),
            Op::Dropout { probability } if !(0.0..1.0).contains(probability) => {
                refuse(format!("dropout probability {probability}"))
            }
            Op::Dropout { .. } => Ok(inputs[0]),
            Op::Pool { kernel, stride, padding, .. } => {
                let mut size = [0; 2];
                for axis in 0..2 {
                    let extent = inputs[0][axis + 1] + 2 * padding[axis];
                    if kernel[axis] == 0 || stride[axis] == 0 || extent < kernel[axis] {
                        return refuse(format!("pooling window {kernel:?}, stride {stride:?} on {extent}"));
                    }
                    if 2 * padding[axis] > kernel[axis] {
                        return refuse(format!("padding {padding:?} over half the window {kernel:?}"));
                    }
                    size[axis] = (extent - kernel[axis]) / stride[axis] + 1;
                }
                Ok([inputs[0][0], size[0], size[1]])
            }
            Op::AdaptivePool { output } if output.contains(&0) => refuse("empty output".to_owned()),
            Op::AdaptivePool { output } => Ok([inputs[0][0], output[0], output[1]]),
            Op::Flatten => Ok([inputs[0].iter().product(), 1, 1]),
            Op::Linear { inputs: features, outputs, .. } => {
                if inputs[0][1..] != [1, 1] {
                    return refuse(format!("takes a vector, gets {:?}", inputs[0]));
                }
                if *outputs == 0 {
                    return refuse("has no outputs".to_owned());
                }
                channels_fit(*features)?;
                Ok([*outputs, 1, 1])
            }
            Op::Add => match inputs.iter().find(|shape| **shape != inputs[0]) {
                Some(other) => refuse(format!("adds {:?} and {other:?}", inputs[0])),
                None => Ok(inputs[0]),
            },
            Op::Concat => match inputs.iter().find(|shape| shape[1..] != inputs[0][1..]) {
                Some(other) => refuse(format!("joins {:?} and {other:?}", inputs[0])),
                None => Ok([inputs.iter().map(|shape| shape[0]).sum::<usize>(), inputs[0][1], inputs[0][2]]),
            },
            Op::PadChannels { stride, sources } => {
                if *stride == 0 || sources.is_empty() {
                    return refuse("stride or channels are zero".to_owned());
                }
                if let Some(source) = sources.iter().flatten().find(|source| **source >= inputs[0][0]) {
                    return refuse(format!("reads channel {source} of {}", inputs[0][0]));
                }
                let size = |extent: usize| extent.div_ceil(*stride);
                Ok([sources.len(), size(inputs[0][1]), size(inputs[0][2])])
            }
        }
    }
}

fn check_conv(name: &str, conv: &Conv) -> Result<(), Error> {
    let zero = [conv.inputs, conv.outputs, conv.groups].contains(&0)
        || [conv.kernel, conv.stride, conv.dilation].iter().any(|pair| pair.contains(&0));
    if zero {
        return Err(Error::node(name, "channels, groups, kernel, stride or dilation are zero"));
    }
    if !conv.inputs.is_multiple_of(conv.groups) || !conv.outputs.is_multiple_of(conv.groups) {
        let Conv { inputs, outputs, groups, .. } = conv;
        return Err(Error::node(
            name,
            format!("{groups} groups do not divide {inputs} and {outputs} channels"),
        ));
    }
    Ok(())
}
