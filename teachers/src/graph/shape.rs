//! Shape inference. It checks every number of a node before it computes with it.

use super::{Conv, Graph, Node, NodeIndex, Op, Shape, limits};
use crate::Error;

impl Graph {
    /// Output shape of every node.
    ///
    /// # Errors
    /// [`Error::Node`] for the first node that does not fit its inputs, or that is larger than the
    /// [`super::limits`]; [`Error::Graph`] where the network as a whole is.
    pub fn shapes(&self) -> Result<Vec<Shape>, Error> {
        let nodes = self.nodes();
        if nodes.len() > limits::MOST_NODES {
            return Err(too_large(nodes.len(), "nodes", limits::MOST_NODES));
        }
        let mut shapes: Vec<Shape> = Vec::with_capacity(nodes.len());
        let mut total = Totals::default();
        for (index, node) in nodes.iter().enumerate() {
            let shape = infer(node, index, &shapes)?;
            total.add(node, shape)?;
            shapes.push(shape);
        }
        Ok(shapes)
    }
}

/// Sizes of all nodes so far.
#[derive(Default)]
struct Totals {
    edges: usize,
    channels: usize,
    taps: usize,
    parameters: usize,
}

impl Totals {
    /// Adds a node; each of its sizes is below the limit of one node.
    fn add(&mut self, node: &Node, [channels, ..]: Shape) -> Result<(), Error> {
        let parameters = |sum: usize, values: Option<usize>| sum.saturating_add(values.unwrap_or(usize::MAX));
        self.edges = self.edges.saturating_add(node.inputs.len());
        self.channels += channels;
        let facts = node.op.facts();
        self.parameters =
            facts.tensors.iter().map(|tensor| tensor.checked_values()).fold(self.parameters, parameters);
        if let Op::Conv(conv) = &node.op {
            self.taps += conv.kernel[0] * conv.kernel[1];
        }
        let sizes = [
            (self.edges, "inputs of nodes", limits::MOST_EDGES),
            (self.channels, "channels of all nodes", limits::MOST_CHANNELS_OF_ALL),
            (self.taps, "taps of convolutions", limits::MOST_TAPS_OF_ALL),
            (self.parameters, "parameters", limits::MOST_PARAMETERS),
        ];
        match sizes.into_iter().find(|(size, _, most)| size > most) {
            Some((size, what, most)) => Err(too_large(size, what, most)),
            None => Ok(()),
        }
    }
}

fn too_large(size: usize, what: &str, most: usize) -> Error {
    Error::Graph(format!("has {size} {what} up to here; the most is {most}"))
}

/// Output shape of the node at `index`, given the shapes of the nodes before it.
pub(crate) fn infer(node: &Node, index: NodeIndex, shapes: &[Shape]) -> Result<Shape, Error> {
    let refuse = |reason: String| Err(Error::node(&node.name, reason));
    let mut inputs: Vec<Shape> = Vec::with_capacity(node.inputs.len());
    for &input in &node.inputs {
        match shapes.get(input) {
            Some(shape) if input < index => inputs.push(*shape),
            _ => return refuse("an input does not come before it".to_owned()),
        }
    }
    let is_input = matches!(node.op, Op::Input { .. });
    if is_input != (index == 0) {
        return refuse(if is_input { "a second input" } else { "the first node is not an input" }.to_owned());
    }
    if !node.op.facts().arity.contains(&inputs.len()) {
        return refuse(format!("has {} inputs", inputs.len()));
    }
    let shape = output(node, &inputs)?;
    let [channels, height, width] = shape;
    let values = channels.checked_mul(height).and_then(|values| values.checked_mul(width));
    let sizes = [
        (channels, "channels", limits::MOST_CHANNELS),
        (height, "rows", limits::LONGEST_SIDE),
        (width, "columns", limits::LONGEST_SIDE),
        (values.unwrap_or(usize::MAX), "values", limits::MOST_VALUES),
    ];
    match sizes.into_iter().find(|(size, _, most)| size > most) {
        Some((_, what, most)) => refuse(format!("gives {shape:?}; the most {what} are {most}")),
        None => Ok(shape),
    }
}

fn output(node: &Node, inputs: &[Shape]) -> Result<Shape, Error> {
    let refuse = |reason: String| Err(Error::node(&node.name, reason));
    let first = inputs.first().copied().unwrap_or_default();
    let channels_fit = |channels: usize| {
        if first[0] == channels {
            Ok(())
        } else {
            Err(Error::node(&node.name, format!("takes {channels} channels, gets {}", first[0])))
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
                let extent = first[axis + 1] + 2 * conv.padding[axis];
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
            Ok(first)
        }
        Op::Activation { .. } => Ok(first),
        Op::Dropout { probability } if !(0.0..1.0).contains(probability) => {
            refuse(format!("dropout probability {probability}"))
        }
        Op::Dropout { .. } => Ok(first),
        Op::Pool { kernel, stride, padding, .. } => {
            check_sides(&node.name, &[("kernel", *kernel), ("stride", *stride), ("padding", *padding)])?;
            let mut size = [0; 2];
            for axis in 0..2 {
                let extent = first[axis + 1] + 2 * padding[axis];
                if kernel[axis] == 0 || stride[axis] == 0 || extent < kernel[axis] {
                    return refuse(format!("pooling window {kernel:?}, stride {stride:?} on {extent}"));
                }
                if 2 * padding[axis] > kernel[axis] {
                    return refuse(format!("padding {padding:?} over half the window {kernel:?}"));
                }
                size[axis] = (extent - kernel[axis]) / stride[axis] + 1;
            }
            Ok([first[0], size[0], size[1]])
        }
        Op::AdaptivePool { output } if output.contains(&0) => refuse("empty output".to_owned()),
        Op::AdaptivePool { output } => Ok([first[0], output[0], output[1]]),
        // The values of an input are below their limit, so that the product does not overflow.
        Op::Flatten => Ok([first.iter().product(), 1, 1]),
        Op::Linear { inputs: features, outputs, .. } => {
            if first[1..] != [1, 1] {
                return refuse(format!("takes a vector, gets {first:?}"));
            }
            if *outputs == 0 {
                return refuse("has no outputs".to_owned());
            }
            channels_fit(*features)?;
            Ok([*outputs, 1, 1])
        }
        Op::Add => match inputs.iter().find(|shape| **shape != first) {
            Some(other) => refuse(format!("adds {first:?} and {other:?}")),
            None => Ok(first),
        },
        Op::Concat => match inputs.iter().find(|shape| shape[1..] != first[1..]) {
            Some(other) => refuse(format!("joins {first:?} and {other:?}")),
            None => {
                let channels = inputs.iter().fold(0usize, |sum, shape| sum.saturating_add(shape[0]));
                Ok([channels, first[1], first[2]])
            }
        },
        Op::PadChannels { stride, sources } => {
            if *stride == 0 || sources.is_empty() {
                return refuse("stride or channels are zero".to_owned());
            }
            check_sides(&node.name, &[("stride", [*stride; 2])])?;
            if let Some(source) = sources.iter().flatten().find(|source| **source >= first[0]) {
                return refuse(format!("reads channel {source} of {}", first[0]));
            }
            let size = |extent: usize| extent.div_ceil(*stride);
            Ok([sources.len(), size(first[1]), size(first[2])])
        }
    }
}

/// Refuses a height or width above the longest side.
fn check_sides(name: &str, pairs: &[(&str, [usize; 2])]) -> Result<(), Error> {
    let is_long = |(_, pair): &&(&str, [usize; 2])| pair.iter().any(|&side| side > limits::LONGEST_SIDE);
    match pairs.iter().find(is_long) {
        Some((what, pair)) => {
            let most = limits::LONGEST_SIDE;
            Err(Error::node(name, format!("{what} {pair:?}; the most is {most}")))
        }
        None => Ok(()),
    }
}

fn check_conv(name: &str, conv: &Conv) -> Result<(), Error> {
    let Conv { inputs, outputs, kernel, stride, padding, dilation, groups, .. } = *conv;
    let zero = [inputs, outputs, groups].contains(&0)
        || [kernel, stride, dilation].iter().any(|pair| pair.contains(&0));
    if zero {
        return Err(Error::node(name, "channels, groups, kernel, stride or dilation are zero"));
    }
    check_sides(name, &[("stride", stride), ("padding", padding), ("dilation", dilation)])?;
    if kernel.iter().any(|&side| side > limits::LONGEST_KERNEL) || kernel[0] * kernel[1] > limits::MOST_TAPS {
        let (side, taps) = (limits::LONGEST_KERNEL, limits::MOST_TAPS);
        return Err(Error::node(
            name,
            format!("kernel {kernel:?}; the most is {side} a side and {taps} taps"),
        ));
    }
    if !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
        return Err(Error::node(
            name,
            format!("{groups} groups do not divide {inputs} and {outputs} channels"),
        ));
    }
    Ok(())
}
