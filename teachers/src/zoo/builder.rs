//! Adds common sequences of layers to a graph, in PyTorch's order and under its names.

use crate::graph::{ActivationKind, Conv, Graph, NodeIndex, Op};

const EPSILON: f64 = 1e-5;

pub fn batch_norm(graph: &mut Graph, name: &str, channels: usize, from: NodeIndex) -> NodeIndex {
    graph.push(name, Op::BatchNorm { channels, epsilon: EPSILON }, &[from])
}

/// Convolution and batch-norm.
pub fn conv_norm(
    graph: &mut Graph,
    conv_name: &str,
    norm_name: &str,
    conv: Conv,
    from: NodeIndex,
) -> NodeIndex {
    let channels = conv.outputs;
    let convolved = graph.push(conv_name, Op::Conv(conv), &[from]);
    batch_norm(graph, norm_name, channels, convolved)
}

/// Convolution, batch-norm and ReLU.
pub fn conv_norm_relu(
    graph: &mut Graph,
    conv_name: &str,
    norm_name: &str,
    conv: Conv,
    from: NodeIndex,
) -> NodeIndex {
    let normed = conv_norm(graph, conv_name, norm_name, conv, from);
    relu(graph, norm_name, normed)
}

/// ReLU, named after the layer it follows.
pub fn relu(graph: &mut Graph, after: &str, from: NodeIndex) -> NodeIndex {
    graph.push(format!("{after}.relu"), Op::Activation { kind: ActivationKind::Relu }, &[from])
}

/// Global average pooling, flattening and a linear classifier with bias.
pub fn classify(
    graph: &mut Graph,
    name: &str,
    features: usize,
    classes: usize,
    from: NodeIndex,
) -> NodeIndex {
    let pooled = graph.push("avgpool", Op::AdaptivePool { output: [1, 1] }, &[from]);
    let flat = graph.push("flatten", Op::Flatten, &[pooled]);
    graph.push(name, Op::Linear { inputs: features, outputs: classes, bias: true }, &[flat])
}
