//! Removing and shrinking layers: whatever is asked for, a network comes out, or a reason.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use cgym_teachers::{
    Error,
    architecture::hash,
    engine::Engine,
    graph::{ActivationKind, Conv, Graph, Node, NodeIndex, Op},
    inherit::inherit,
    remove::{removable, remove},
    shrink::{Value, configurable, shrink},
    weights::Weights,
    zoo::{MODELS, ModelOptions, Shortcut, build},
};
use common::{distance, random_graph, random_images, random_weights, rng};
use rand::RngExt;

fn small(model: &str) -> Graph {
    build(model, &ModelOptions::new([1, 8, 8], 10)).unwrap()
}

fn network(model: &str) -> Graph {
    build(model, &ModelOptions::new([3, 32, 32], 10)).unwrap()
}

fn option_b(model: &str) -> Graph {
    let options = ModelOptions { shortcut: Shortcut::B, ..ModelOptions::new([3, 32, 32], 10) };
    build(model, &options).unwrap()
}

fn named(graph: &Graph, names: &[&str]) -> Vec<NodeIndex> {
    names.iter().map(|name| graph.find(name).unwrap()).collect()
}

/// Some of the layers that may go, each with this probability.
fn some_of(graph: &Graph, probability: f64, seed: u64) -> Vec<NodeIndex> {
    let mut rng = rng(seed);
    removable(graph).unwrap().into_iter().filter(|_| rng.random::<f64>() < probability).collect()
}

fn some_factors(graph: &Graph, seed: u64) -> Vec<(NodeIndex, Value, f64)> {
    let mut rng = rng(seed);
    let factor = |(node, value)| (node, value, f64::from(rng.random_range(1..=10)) / 10.0);
    configurable(graph).unwrap().into_iter().map(factor).collect()
}

fn runs(graph: &Graph) {
    let engine = Engine::new(graph, &Weights::initialise(graph, 1)).unwrap();
    let (images, _) = random_images(graph, 3, 2);
    let logits = engine.logits(&images).unwrap();
    assert!(logits.iter().all(|logit| logit.is_finite()), "{}", graph.name);
}

fn logits(graph: &Graph, weights: &Weights) -> Vec<f32> {
    let (images, _) = random_images(graph, 5, 3);
    Engine::new(graph, weights).unwrap().logits(&images).unwrap()
}

#[test]
fn any_layers_removed_of_any_model_leave_a_network() {
    for model in MODELS {
        for graph in [small(model), network(model)] {
            for seed in 0..20 {
                let drop = some_of(&graph, [0.1, 0.5, 0.9, 1.0][seed as usize % 4], seed);
                let child = remove(&graph, &drop).unwrap_or_else(|e| panic!("{model} {seed}: {e}"));
                let shapes = child.shapes().unwrap();
                assert_eq!(shapes[child.output()], [10, 1, 1]);
                let kept = child.nodes().iter().all(|node| graph.find(&node.name).is_some());
                assert!(kept && child.nodes().len() <= graph.nodes().len());
                assert!(drop.iter().all(|&index| child.find(&graph.nodes()[index].name).is_none()));
            }
        }
    }
}

#[test]
fn what_is_left_of_any_model_runs() {
    for model in MODELS {
        let graph = small(model);
        runs(&remove(&graph, &some_of(&graph, 0.5, 1)).unwrap());
        runs(&remove(&graph, &removable(&graph).unwrap()).unwrap());
        let factors: Vec<_> = configurable(&graph)
            .unwrap()
            .into_iter()
            .filter(|(_, value)| matches!(value, Value::Filters | Value::Units))
            .enumerate()
            .map(|(place, (node, value))| (node, value, (1 + place % 10) as f64 / 10.0))
            .collect();
        runs(&shrink(&graph, &factors).unwrap());
    }
}

#[test]
fn any_factors_on_any_model_give_a_network_or_a_reason() {
    for model in MODELS {
        for graph in [small(model), network(model)] {
            let mut made = 0;
            for seed in 0..20 {
                let parent = remove(&graph, &some_of(&graph, 0.2, seed)).unwrap();
                match shrink(&parent, &some_factors(&parent, seed)) {
                    Ok(child) => {
                        made += 1;
                        assert_eq!(child.shapes().unwrap()[child.output()], [10, 1, 1]);
                        let (small, large) = (child.cost().unwrap(), parent.cost().unwrap());
                        let flat = parent.nodes().iter().any(|node| matches!(node.op, Op::Flatten));
                        assert!(small.parameters <= large.parameters || flat, "{model} {seed}");
                    }
                    Err(Error::Degenerate { reason, .. }) => assert!(!reason.is_empty()),
                    Err(other) => panic!("{model} {seed}: {other}"),
                }
            }
            assert!(made > 0, "no factors at all make a smaller {model}");
        }
    }
}

#[test]
fn strange_networks_give_a_network_or_a_reason_too() {
    for seed in 0..60 {
        let graph = random_graph(seed);
        let check = |result: Result<Graph, Error>| match result {
            Ok(child) => runs(&child),
            Err(Error::Degenerate { .. }) => (),
            Err(other) => panic!("{seed}: {other}"),
        };
        check(remove(&graph, &some_of(&graph, 0.4, seed)));
        check(shrink(&graph, &some_factors(&graph, seed)));
    }
}

#[test]
fn all_kept_is_the_network_itself() {
    for graph in MODELS.iter().map(|model| network(model)) {
        assert_eq!(remove(&graph, &[]).unwrap(), graph);
        assert_eq!(shrink(&graph, &[]).unwrap(), graph);
        let whole: Vec<_> = configurable(&graph).unwrap().into_iter().map(|(n, v)| (n, v, 1.0)).collect();
        assert_eq!(shrink(&graph, &whole).unwrap(), graph);
    }
}

#[test]
fn only_what_keeps_the_resolution_may_go() {
    let graph = option_b("resnet20");
    let names: Vec<&str> =
        removable(&graph).unwrap().iter().map(|&i| graph.nodes()[i].name.as_str()).collect();
    for kept in ["conv1", "layer2.0.conv1", "layer2.0.shortcut.0", "layer2.0.shortcut.1", "layer2.0.add"] {
        assert!(!names.contains(&kept), "{kept}");
    }
    for kept in ["avgpool", "flatten", "linear", "input"] {
        assert!(!names.contains(&kept), "{kept}");
    }
    for gone in ["bn1", "bn1.relu", "layer1.0.conv1", "layer2.0.bn1", "layer2.0.conv2", "layer3.2.relu"] {
        assert!(names.contains(&gone), "{gone}");
    }
    let error = remove(&graph, &named(&graph, &["layer2.0.conv1"])).unwrap_err().to_string();
    assert_eq!(error, "node `layer2.0.conv1`: is not a layer that may be removed");
    assert!(remove(&graph, &[9999]).is_err());
}

#[test]
fn an_emptied_block_is_the_identity() {
    let graph = network("resnet20");
    let weights = random_weights(&graph, 5);
    let main = ["conv1", "bn1", "bn1.relu", "conv2", "bn2"].map(|layer| format!("layer1.1.{layer}"));
    let names: Vec<&str> = main.iter().map(String::as_str).collect();
    let child = remove(&graph, &named(&graph, &names)).unwrap();
    assert!(child.find("layer1.1.add").is_none() && child.find("layer1.1.relu").is_none());
    // A second convolution of zeros and a norm without shift add nothing to the block's input.
    let mut silent = weights.clone();
    silent.get_mut("layer1.1.bn2.weight").unwrap().data.fill(0.0);
    silent.get_mut("layer1.1.bn2.bias").unwrap().data.fill(0.0);
    let inherited = inherit(&graph, &weights, &child, 0).unwrap();
    assert!(distance(&logits(&child, &inherited), &logits(&graph, &silent)) < 1e-5);
    // Norm and activation alone are no block either.
    let convolutions = named(&graph, &["layer1.1.conv1", "layer1.1.conv2"]);
    assert_eq!(remove(&graph, &convolutions).unwrap(), child);
}

#[test]
fn a_decision_is_about_the_layer_that_it_names() {
    for graph in [option_b("resnet20"), network("resnet20"), network("resnet18")] {
        for index in removable(&graph).unwrap() {
            let name = &graph.nodes()[index].name;
            let child = remove(&graph, &[index]).unwrap();
            assert!(child.find(name).is_none());
            let lost: Vec<&Node> = graph.nodes().iter().filter(|n| child.find(&n.name).is_none()).collect();
            assert_eq!(lost.len(), 1, "{name}: {lost:?}");
        }
    }
}

#[test]
fn channels_are_repaired_after_an_expansion_has_lost_its_projection() {
    let graph = network("mobilenet-v2");
    let child = remove(&graph, &named(&graph, &["features.3.conv.2"])).unwrap();
    let Op::Conv(expansion) = &child.nodes()[child.find("features.3.conv.0.0").unwrap()].op else { panic!() };
    let Op::Conv(depthwise) = &child.nodes()[child.find("features.3.conv.1.0").unwrap()].op else { panic!() };
    assert_eq!((expansion.inputs, expansion.outputs), (24, 24));
    assert_eq!((depthwise.inputs, depthwise.outputs, depthwise.groups), (24, 24, 24));
}

#[test]
fn layers_that_are_added_up_share_one_decision() {
    let graph = network("resnet20");
    let decisions: Vec<(&str, Value)> = configurable(&graph)
        .unwrap()
        .into_iter()
        .map(|(index, value)| (graph.nodes()[index].name.as_str(), value))
        .collect();
    assert_eq!(
        decisions[..4],
        [
            ("conv1", Value::Kernel),
            ("conv1", Value::Padding),
            ("conv1", Value::Filters),
            ("layer1.0.conv1", Value::Filters)
        ]
    );
    // 1 window, 1 padding, 9 inner widths, 3 streams.
    assert_eq!(decisions.len(), 14);
    let index = graph.find("conv1").unwrap();
    let child = shrink(&graph, &[(index, Value::Filters, 0.5)]).unwrap();
    let outputs = |name: &str| child.shapes().unwrap()[child.find(name).unwrap()][0];
    assert_eq!(["conv1", "layer1.2.conv2", "layer1.2.conv1"].map(outputs), [8, 8, 16]);
    let Op::PadChannels { sources, .. } = &child.nodes()[child.find("layer2.0.shortcut").unwrap()].op else {
        panic!()
    };
    assert_eq!(sources.iter().flatten().copied().collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert_eq!((sources.len(), sources[12]), (32, Some(0)));
}

#[test]
fn a_stream_may_become_narrower_than_the_one_before_it() {
    let graph = network("resnet20");
    let index = graph.find("layer2.0.conv2").unwrap();
    let child = shrink(&graph, &[(index, Value::Filters, 0.1)]).unwrap();
    assert_eq!(child.shapes().unwrap()[child.find("layer2.0.shortcut").unwrap()][0], 3);
    runs(&child);
}

#[test]
fn windows_and_paddings_shrink_in_plain_networks() {
    let graph = network("vgg11");
    let index = graph.find("features.4").unwrap();
    let child = shrink(&graph, &[(index, Value::Kernel, 0.7), (index, Value::Padding, 0.5)]).unwrap();
    let Op::Conv(conv) = &child.nodes()[index].op else { panic!() };
    assert_eq!((conv.kernel, conv.padding), ([2, 2], [0, 0]));
    // 15 pixels are pooled to 7, 3 and 1: the last pooling has one pixel left.
    let Op::Pool { kernel, .. } = &child.nodes()[graph.find("features.28").unwrap()].op else { panic!() };
    assert_eq!(*kernel, [1, 1]);
    runs(&child);
}

#[test]
fn rejects_factors_that_make_no_sense() {
    let graph = network("resnet20");
    let conv = graph.find("layer1.0.conv1").unwrap();
    for (factors, expected) in [
        (vec![(conv, Value::Filters, 0.0)], "0 is not a factor in (0, 1]"),
        (vec![(conv, Value::Filters, 1.5)], "1.5 is not a factor"),
        (vec![(conv, Value::Filters, f64::NAN)], "NaN is not a factor"),
        (vec![(conv, Value::Kernel, 0.5)], "has no Kernel that can be shrunk"),
        (vec![(conv, Value::Filters, 0.5), (conv, Value::Filters, 0.5)], "is listed twice"),
        (vec![(9999, Value::Filters, 0.5)], "#9999"),
    ] {
        let error = shrink(&graph, &factors).unwrap_err();
        assert!(matches!(error, Error::Node { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn the_hash_depends_on_what_is_computed_and_not_on_names_or_order() {
    let graph = network("resnet20");
    let rename = |node: &Node| Node { name: format!("x.{}", node.name), ..node.clone() };
    let renamed = Graph::from_nodes("other", graph.nodes().iter().map(rename).collect()).unwrap();
    assert_eq!(hash(&graph), hash(&renamed));
    assert_eq!(hash(&graph).len(), 64);
    let fork = |swapped: bool, kernels: [usize; 2]| {
        let mut graph = Graph::new("fork", [2, 8, 8]);
        let convs = kernels
            .map(|kernel| graph.push(format!("k{kernel}"), Op::Conv(Conv::square(2, 4, kernel, 1)), &[0]));
        let inputs = if swapped { [convs[1], convs[0]] } else { convs };
        graph.push("sum", Op::Add, &inputs);
        hash(&graph)
    };
    assert_eq!(fork(false, [1, 3]), fork(true, [1, 3]));
    assert_eq!(fork(false, [1, 3]), fork(false, [3, 1]));
    assert_ne!(fork(false, [1, 3]), fork(false, [1, 5]));
    // One layer read twice is not two layers.
    let mut once = Graph::new("once", [2, 8, 8]);
    let conv = once.push("conv", Op::Conv(Conv::square(2, 4, 3, 1)), &[0]);
    once.push("sum", Op::Add, &[conv, conv]);
    let mut twice = Graph::new("twice", [2, 8, 8]);
    let convs = ["a", "b"].map(|name| twice.push(name, Op::Conv(Conv::square(2, 4, 3, 1)), &[0]));
    twice.push("sum", Op::Add, &convs);
    assert_ne!(hash(&once), hash(&twice));
}

#[test]
fn the_hash_tells_children_apart_and_finds_them_again() {
    let graph = small("resnet20");
    let mut seen = std::collections::HashSet::new();
    let mut drops = removable(&graph).unwrap();
    drops.retain(|&index| matches!(graph.nodes()[index].op, Op::Conv(_)));
    for &index in &drops {
        let child = remove(&graph, &[index]).unwrap();
        assert_eq!(hash(&child), hash(&remove(&graph, &[index]).unwrap()));
        seen.insert(hash(&child));
    }
    // Two blocks of equal shape are not one: their place in the network differs.
    assert_eq!(seen.len(), drops.len());
    let text = serde_json::to_string(&graph).unwrap();
    assert_eq!(hash(&serde_json::from_str(&text).unwrap()), hash(&graph));
}

#[test]
fn a_child_inherits_leading_channels_and_the_middle_of_windows() {
    let mut graph = Graph::new("plain", [1, 8, 8]);
    let conv = graph.push("conv", Op::Conv(Conv::square(1, 4, 3, 1).with_bias()), &[0]);
    let relu = graph.push("relu", Op::Activation { kind: ActivationKind::Relu }, &[conv]);
    let second = graph.push("second", Op::Conv(Conv::square(4, 4, 3, 1)), &[relu]);
    let pool = graph.push("pool", Op::AdaptivePool { output: [1, 1] }, &[second]);
    let flat = graph.push("flat", Op::Flatten, &[pool]);
    graph.push("classes", Op::Linear { inputs: 4, outputs: 3, bias: true }, &[flat]);
    let weights = random_weights(&graph, 1);
    let child = shrink(&graph, &[(conv, Value::Filters, 0.5), (second, Value::Kernel, 0.4)]).unwrap();
    let inherited = inherit(&graph, &weights, &child, 9).unwrap();
    inherited.check(&child).unwrap();
    let of = |weights: &Weights, name: &str| weights.get(name).unwrap().data.clone();
    assert_eq!(of(&inherited, "conv.weight"), of(&weights, "conv.weight")[..18]);
    assert_eq!(of(&inherited, "conv.bias"), of(&weights, "conv.bias")[..2]);
    assert_eq!(of(&inherited, "classes.weight"), of(&weights, "classes.weight"));
    // Filter 0 of the second layer: input channels 0 and 1, the middle of nine taps.
    let whole = of(&weights, "second.weight");
    assert_eq!(of(&inherited, "second.weight")[..2], [whole[4], whole[9 + 4]]);
    assert_eq!(inherit(&graph, &weights, &graph, 0).unwrap(), weights);
}
