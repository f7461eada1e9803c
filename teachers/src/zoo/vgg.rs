//! VGG with batch-norm (Simonyan & Zisserman 2015), under torchvision's names.
//!
//! Images of 64 pixels or less get the usual CIFAR head: one linear layer after global pooling.

use super::{
    ModelOptions, Stem,
    builder::{classify, conv_norm_relu},
};
use crate::graph::{ActivationKind, Conv, Graph, Op, PoolKind};

/// VGG-11, -13, -16 or -19.
pub fn vgg(name: &str, depth: usize, options: &ModelOptions) -> Graph {
    let convolutions: [usize; 5] = match depth {
        11 => [1, 1, 2, 2, 2],
        13 => [2, 2, 2, 2, 2],
        16 => [2, 2, 3, 3, 3],
        _ => [2, 2, 4, 4, 4],
    };
    let mut graph = Graph::new(name, options.input);
    let (mut at, mut channels, mut layer) = (0, options.input[0], 0);
    let mut size = options.input[1].min(options.input[2]);
    for (stage, outputs) in [64, 128, 256, 512, 512].into_iter().enumerate() {
        for _ in 0..convolutions[stage] {
            let (conv, norm) = (format!("features.{layer}"), format!("features.{}", layer + 1));
            at = conv_norm_relu(
                &mut graph,
                &conv,
                &norm,
                Conv::square(channels, outputs, 3, 1).with_bias(),
                at,
            );
            channels = outputs;
            layer += 3;
        }
        // A stage of one pixel is not pooled, so that small images still fit.
        if size > 1 {
            let pool = Op::Pool { kind: PoolKind::Max, kernel: [2; 2], stride: [2; 2], padding: [0; 2] };
            at = graph.push(format!("features.{layer}"), pool, &[at]);
            size /= 2;
        }
        layer += 1;
    }
    if options.stem() == Stem::Cifar {
        classify(&mut graph, "classifier", channels, options.classes, at);
        return graph;
    }
    at = graph.push("avgpool", Op::AdaptivePool { output: [7, 7] }, &[at]);
    at = graph.push("flatten", Op::Flatten, &[at]);
    let linear = |inputs, outputs| Op::Linear { inputs, outputs, bias: true };
    for (index, inputs) in [(0, 512 * 49), (3, 4096)] {
        at = graph.push(format!("classifier.{index}"), linear(inputs, 4096), &[at]);
        let relu = Op::Activation { kind: ActivationKind::Relu };
        at = graph.push(format!("classifier.{}", index + 1), relu, &[at]);
        at = graph.push(format!("classifier.{}", index + 2), Op::Dropout { probability: 0.5 }, &[at]);
    }
    graph.push("classifier.6", linear(4096, options.classes), &[at]);
    graph
}
