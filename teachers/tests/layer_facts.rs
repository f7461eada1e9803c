//! What each kind of layer says about itself agrees with what the rest of the crate computes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use cgym_teachers::{
    engine::Engine,
    graph::{ActivationKind, Axis, Conv, Flow, Graph, Op, PoolKind},
    train::Interpreter,
};
use common::{distance, random_images, random_weights};

/// A network of one layer that reads an image of 4 x 6 x 6, for every kind of layer.
fn examples() -> Vec<Graph> {
    let window = |kind| Op::Pool { kind, kernel: [2, 3], stride: [2; 2], padding: [1, 0] };
    let sources = vec![None, Some(3), Some(1), None, Some(0)];
    let of_one = [
        Op::Conv(Conv::square(4, 6, 3, 2).with_bias()),
        Op::Conv(Conv { dilation: [2; 2], ..Conv::square(4, 6, 3, 1) }),
        Op::Conv(Conv::depthwise(4, 3, 1)),
        Op::Conv(Conv { groups: 2, ..Conv::square(4, 6, 3, 1) }),
        Op::BatchNorm { channels: 4, epsilon: 1e-5 },
        Op::Activation { kind: ActivationKind::Relu },
        Op::Activation { kind: ActivationKind::Relu6 },
        window(PoolKind::Max),
        window(PoolKind::Average),
        Op::AdaptivePool { output: [2, 1] },
        Op::Flatten,
        Op::PadChannels { stride: 2, sources },
        Op::Dropout { probability: 0.5 },
    ];
    let mut graphs: Vec<Graph> = of_one.into_iter().map(|op| after_relu(&[op], 1)).collect();
    graphs.push(after_relu(&[Op::Flatten, Op::Linear { inputs: 144, outputs: 5, bias: true }], 1));
    graphs.extend([Op::Add, Op::Concat].map(|op| after_relu(&[op], 3)));
    graphs
}

/// An activation and `last`, the first of which reads it `times` times.
fn after_relu(last: &[Op], times: usize) -> Graph {
    let mut graph = Graph::new("example", [4, 6, 6]);
    let mut inputs = vec![graph.push("relu6", Op::Activation { kind: ActivationKind::Relu6 }, &[0]); times];
    for (place, op) in last.iter().enumerate() {
        inputs = vec![graph.push(format!("layer{place}"), op.clone(), &inputs)];
    }
    Graph::from_nodes("example", graph.nodes().to_vec()).unwrap()
}

#[test]
fn the_channels_that_a_flow_promises_are_those_of_the_shape() {
    for graph in examples() {
        let shapes = graph.shapes().unwrap();
        for (index, node) in graph.nodes().iter().enumerate() {
            let read: Vec<_> = node.inputs.iter().map(|&input| shapes[input]).collect();
            let facts = node.op.facts();
            assert!(facts.arity.contains(&read.len()), "{:?}", node.op);
            let channels = match facts.flow {
                Flow::Source(channels) | Flow::Dense(channels) => channels,
                Flow::Grouped { outputs, .. } => outputs,
                Flow::PerChannel | Flow::Sum => read[0][0],
                Flow::Concatenation => read.iter().map(|shape| shape[0]).sum(),
                Flow::Flatten => read[0].iter().product(),
                Flow::Mapped(sources) => sources.len(),
            };
            assert_eq!(channels, shapes[index][0], "{:?}", node.op);
        }
    }
}

#[test]
fn what_facts_describe_settings_can_change() {
    for graph in examples() {
        for node in graph.nodes() {
            let facts = node.op.facts();
            let mut op = node.op.clone();
            let settings = op.settings();
            let weights = facts.flow == Flow::PerChannel && !facts.tensors.is_empty();
            let mixes = matches!(facts.flow, Flow::Dense(_) | Flow::Grouped { .. });
            assert_eq!(settings.inputs.is_some(), mixes || weights, "{:?}", node.op);
            assert_eq!(settings.outputs.is_some(), mixes, "{:?}", node.op);
            assert_eq!(settings.kernel.is_some(), facts.window.is_some(), "{:?}", node.op);
            assert_eq!(settings.padding.is_some(), facts.window.is_some(), "{:?}", node.op);
            assert_eq!(settings.sources.is_some(), matches!(facts.flow, Flow::Mapped(_)), "{:?}", node.op);
            assert!(settings.groups.is_some() || !matches!(facts.flow, Flow::Grouped { .. }));
        }
    }
}

#[test]
fn tensors_have_a_row_per_output_channel_and_a_column_per_input_channel() {
    for graph in examples() {
        let shapes = graph.shapes().unwrap();
        for (index, node) in graph.nodes().iter().enumerate() {
            for tensor in node.op.facts().tensors {
                assert_eq!(tensor.axes[0], Axis::Outputs(shapes[index][0]), "{:?}", node.op);
                let read = shapes[node.inputs[0]][0];
                let columns = tensor.axes.iter().filter(|axis| matches!(axis, Axis::Inputs(_)));
                assert!(columns.clone().all(|axis| axis.length() == read), "{:?}", node.op);
                assert!(columns.count() <= usize::from(node.is_dense()), "{:?}", node.op);
            }
        }
    }
}

#[test]
fn the_engine_computes_every_kind_as_training_does() {
    for graph in examples() {
        let weights = random_weights(&graph, 1);
        let (images, values) = random_images(&graph, 3, 2);
        let device = Device::flex();
        let data = Tensor::from_data(TensorData::new(values, [3, 4, 6, 6]), &device);
        let reference = Interpreter::new(&graph, &weights, &device).unwrap().evaluate(data).unwrap();
        let reference: Vec<f32> = reference.into_data().iter::<f32>().collect();
        let engine = Engine::new(&graph, &weights).unwrap().logits(&images).unwrap();
        assert!(distance(&engine, &reference) < 1e-4, "{:?}", graph.nodes().last());
    }
}

#[test]
fn rejects_a_convolution_without_groups() {
    let mut graph = Graph::new("broken", [4, 6, 6]);
    graph.push("conv", Op::Conv(Conv { groups: 0, ..Conv::square(4, 6, 3, 1) }), &[0]);
    let error = graph.shapes().unwrap_err().to_string();
    assert!(error.contains("`conv`") && error.contains("zero"), "{error}");
}
