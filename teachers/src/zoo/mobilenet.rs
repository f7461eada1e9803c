//! MobileNet-V1 (Howard et al. 2017) and V2 (Sandler et al. 2018) with a width multiplier.
//!
//! With the CIFAR stem the first strides are 1, so that small images keep their resolution.

use super::{
    ModelOptions, Stem,
    builder::{classify, conv_norm, conv_norm_relu},
};
use crate::graph::{ActivationKind, Conv, Graph, NodeIndex, Op};

/// `channels` × width, to the nearest multiple of 8 that loses no more than 10 %.
fn scaled(channels: usize, width: f64) -> usize {
    let wanted = channels as f64 * width;
    let rounded = (((wanted + 4.0) / 8.0).floor() as usize * 8).max(8);
    if (rounded as f64) < 0.9 * wanted { rounded + 8 } else { rounded }
}

/// MobileNet-V1: a stem and 13 pairs of a depth-wise and a point-wise convolution.
pub fn v1(name: &str, options: &ModelOptions) -> Graph {
    const PAIRS: [(usize, usize); 13] = [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        (512, 1),
        (512, 1),
        (512, 1),
        (512, 1),
        (512, 1),
        (1024, 2),
        (1024, 1),
    ];
    let mut graph = Graph::new(name, options.input);
    let small = options.stem() == Stem::Cifar;
    let mut channels = scaled(32, options.width);
    let stem = Conv::square(options.input[0], channels, 3, if small { 1 } else { 2 });
    let mut at = conv_norm_relu(&mut graph, "features.0.0", "features.0.1", stem, 0);
    for (index, (outputs, stride)) in PAIRS.into_iter().enumerate() {
        let outputs = scaled(outputs, options.width);
        let path = |layer: usize| format!("features.{}.{layer}", index + 1);
        at = conv_norm_relu(&mut graph, &path(0), &path(1), Conv::depthwise(channels, 3, stride), at);
        at = conv_norm_relu(&mut graph, &path(3), &path(4), Conv::square(channels, outputs, 1, 1), at);
        channels = outputs;
    }
    classify(&mut graph, "classifier", channels, options.classes, at);
    graph
}

/// MobileNet-V2: inverted residual blocks with linear bottlenecks, under torchvision's names.
pub fn v2(name: &str, options: &ModelOptions) -> Graph {
    // expansion, channels, blocks, stride
    const STAGES: [(usize, usize, usize, usize); 7] = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ];
    let mut graph = Graph::new(name, options.input);
    let small = options.stem() == Stem::Cifar;
    let mut channels = scaled(32, options.width);
    let stem = Conv::square(options.input[0], channels, 3, if small { 1 } else { 2 });
    let mut at = conv_norm(&mut graph, "features.0.0", "features.0.1", stem, 0);
    at = relu6(&mut graph, "features.0.2", at);
    let mut block = 1;
    for (stage, (expansion, outputs, blocks, stride)) in STAGES.into_iter().enumerate() {
        let outputs = scaled(outputs, options.width);
        for repeat in 0..blocks {
            // Small images keep the resolution of the second stage too.
            let stride = if repeat > 0 || (small && stage == 1) { 1 } else { stride };
            at = inverted_residual(&mut graph, block, [channels, outputs], expansion, stride, at);
            channels = outputs;
            block += 1;
        }
    }
    let last = scaled(1280, options.width.max(1.0));
    at = conv_norm(&mut graph, "features.18.0", "features.18.1", Conv::square(channels, last, 1, 1), at);
    at = relu6(&mut graph, "features.18.2", at);
    classify(&mut graph, "classifier.1", last, options.classes, at);
    graph
}

fn inverted_residual(
    graph: &mut Graph,
    block: usize,
    [inputs, outputs]: [usize; 2],
    expansion: usize,
    stride: usize,
    from: NodeIndex,
) -> NodeIndex {
    let path = |layer: &str| format!("features.{block}.conv.{layer}");
    let hidden = inputs * expansion;
    let (mut at, mut layer) = (from, 0);
    if expansion != 1 {
        at = conv_norm(graph, &path("0.0"), &path("0.1"), Conv::square(inputs, hidden, 1, 1), at);
        at = relu6(graph, &path("0.2"), at);
        layer = 1;
    }
    let (conv, norm) = (path(&format!("{layer}.0")), path(&format!("{layer}.1")));
    at = conv_norm(graph, &conv, &norm, Conv::depthwise(hidden, 3, stride), at);
    at = relu6(graph, &path(&format!("{layer}.2")), at);
    let (conv, norm) = (path(&format!("{}", layer + 1)), path(&format!("{}", layer + 2)));
    at = conv_norm(graph, &conv, &norm, Conv::square(hidden, outputs, 1, 1), at);
    if stride == 1 && inputs == outputs {
        at = graph.push(format!("features.{block}.add"), Op::Add, &[at, from]);
    }
    at
}

fn relu6(graph: &mut Graph, name: &str, from: NodeIndex) -> NodeIndex {
    graph.push(name, Op::Activation { kind: ActivationKind::Relu6 }, &[from])
}
