//! Residual networks (He et al. 2016): the CIFAR family, Plain-20, ResNet-18 and -34.

use super::{
    ModelOptions, Shortcut, Stem,
    builder::{classify, conv_norm, conv_norm_relu, relu},
};
use crate::graph::{Conv, Graph, NodeIndex, Op, PoolKind};

/// CIFAR ResNet of `depth` = 6n + 2 layers: three stages of n blocks with 16, 32 and 64 channels.
pub fn cifar(name: &str, depth: usize, options: &ModelOptions) -> Graph {
    stages(name, depth, options, true)
}

/// The same layers without shortcuts.
pub fn plain(name: &str, depth: usize, options: &ModelOptions) -> Graph {
    stages(name, depth, options, false)
}

fn stages(name: &str, depth: usize, options: &ModelOptions, residual: bool) -> Graph {
    let mut graph = Graph::new(name, options.input);
    let mut at = conv_norm_relu(&mut graph, "conv1", "bn1", Conv::square(options.input[0], 16, 3, 1), 0);
    let mut channels = 16;
    for (stage, outputs) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..(depth - 2) / 6 {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let path = format!("layer{}.{block}", stage + 1);
            let shortcut = if residual { Some(options.shortcut) } else { None };
            at = basic_block(&mut graph, &path, "shortcut", [channels, outputs], stride, shortcut, at);
            channels = outputs;
        }
    }
    classify(&mut graph, "linear", channels, options.classes, at);
    graph
}

/// ResNet-18 or -34 under torchvision's names; the CIFAR stem is a 3×3 convolution of stride 1.
pub fn imagenet(name: &str, options: &ModelOptions) -> Graph {
    let blocks = if name == "resnet18" { [2, 2, 2, 2] } else { [3, 4, 6, 3] };
    let mut graph = Graph::new(name, options.input);
    let imagenet_stem = options.stem() == Stem::Imagenet;
    let (kernel, stride) = if imagenet_stem { (7, 2) } else { (3, 1) };
    let stem = Conv::square(options.input[0], 64, kernel, stride);
    let mut at = conv_norm_relu(&mut graph, "conv1", "bn1", stem, 0);
    if imagenet_stem {
        let pool = Op::Pool { kind: PoolKind::Max, kernel: [3; 2], stride: [2; 2], padding: [1; 2] };
        at = graph.push("maxpool", pool, &[at]);
    }
    let mut channels = 64;
    for (stage, outputs) in [64, 128, 256, 512].into_iter().enumerate() {
        for block in 0..blocks[stage] {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let path = format!("layer{}.{block}", stage + 1);
            at = basic_block(
                &mut graph,
                &path,
                "downsample",
                [channels, outputs],
                stride,
                Some(Shortcut::B),
                at,
            );
            channels = outputs;
        }
    }
    classify(&mut graph, "fc", channels, options.classes, at);
    graph
}

fn basic_block(
    graph: &mut Graph,
    path: &str,
    projection: &str,
    [inputs, outputs]: [usize; 2],
    stride: usize,
    shortcut: Option<Shortcut>,
    from: NodeIndex,
) -> NodeIndex {
    let name = |layer: &str| format!("{path}.{layer}");
    let changes = stride != 1 || inputs != outputs;
    // The parameter-free shortcut comes first: an engine can then add it where the block ends.
    let padded = (shortcut == Some(Shortcut::A) && changes).then(|| {
        let before = (outputs - inputs) / 2;
        let source = |channel: usize| channel.checked_sub(before).filter(|&source| source < inputs);
        let sources = (0..outputs).map(source).collect();
        graph.push(name(projection), Op::PadChannels { stride, sources }, &[from])
    });
    let first = Conv::square(inputs, outputs, 3, stride);
    let hidden = conv_norm_relu(graph, &name("conv1"), &name("bn1"), first, from);
    let second = Conv::square(outputs, outputs, 3, 1);
    let transformed = conv_norm(graph, &name("conv2"), &name("bn2"), second, hidden);
    let carried = match shortcut {
        None => return relu(graph, &name("bn2"), transformed),
        Some(Shortcut::B) if changes => {
            let conv = Conv { padding: [0; 2], ..Conv::square(inputs, outputs, 1, stride) };
            let names = [name(&format!("{projection}.0")), name(&format!("{projection}.1"))];
            conv_norm(graph, &names[0], &names[1], conv, from)
        }
        Some(_) => padded.unwrap_or(from),
    };
    let sum = graph.push(name("add"), Op::Add, &[transformed, carried]);
    relu(graph, path, sum)
}
