//! LeNet-5 (LeCun et al. 1998) in its usual ReLU and max-pooling form.

use super::{ModelOptions, builder::relu};
use crate::graph::{Conv, Graph, Op, PoolKind};

/// Two 5×5 convolutions (6 and 16 channels) and three linear layers (120, 84, classes).
///
/// The first convolution pads so that 28-pixel images give the original's 5×5 map; images under
/// 28 pixels keep their size through both convolutions.
pub fn lenet5(name: &str, options: &ModelOptions) -> Graph {
    let mut graph = Graph::new(name, options.input);
    let size = options.input[1].min(options.input[2]);
    let paddings = if size >= 32 {
        [0, 0]
    } else if size >= 28 {
        [2, 0]
    } else {
        [2, 2]
    };
    let (mut at, mut channels) = (0, options.input[0]);
    let mut extent = [options.input[1], options.input[2]];
    for (index, outputs) in [6, 16].into_iter().enumerate() {
        let layer = format!("conv{}", index + 1);
        let conv =
            Conv { padding: [paddings[index]; 2], ..Conv::square(channels, outputs, 5, 1) }.with_bias();
        at = graph.push(layer.as_str(), Op::Conv(conv), &[at]);
        at = relu(&mut graph, &layer, at);
        let pool = Op::Pool { kind: PoolKind::Max, kernel: [2; 2], stride: [2; 2], padding: [0; 2] };
        at = graph.push(format!("pool{}", index + 1), pool, &[at]);
        extent = extent.map(|pixels| ((pixels + 2 * paddings[index]).saturating_sub(4) / 2).max(1));
        channels = outputs;
    }
    at = graph.push("flatten", Op::Flatten, &[at]);
    let mut features = channels * extent[0] * extent[1];
    for (index, outputs) in [120, 84, options.classes].into_iter().enumerate() {
        let layer = format!("fc{}", index + 1);
        at = graph.push(layer.as_str(), Op::Linear { inputs: features, outputs, bias: true }, &[at]);
        if index < 2 {
            at = relu(&mut graph, &layer, at);
        }
        features = outputs;
    }
    graph
}
