//! `graph.json` files that are no network, or a network too large to be one.

use cgym_teachers::{
    coupling::Coupling,
    graph::{Conv, Graph, Op, limits},
    remove,
};
use serde_json::{Value, json};

/// A network of `nodes` between an image of 3 × 8 × 8 and 10 outputs; `last` gives `channels`.
fn file(nodes: &[Value], last: &str, channels: usize) -> Value {
    let input = json!({"name": "input", "op": "input", "shape": [3, 8, 8]});
    let tail = json!([
        {"name": "avgpool", "from": [last], "op": "adaptive-pool", "output": [1, 1]},
        {"name": "flatten", "from": ["avgpool"], "op": "flatten"},
        {"name": "fc", "from": ["flatten"], "op": "linear", "inputs": channels, "outputs": 10, "bias": true},
    ]);
    let tail = tail.as_array().expect("a list").clone();
    let nodes: Vec<Value> = [vec![input], nodes.to_vec(), tail].concat();
    json!({"format": 1, "name": "own", "nodes": nodes})
}

fn conv(changes: Value) -> Value {
    let mut conv = json!({
        "name": "conv", "from": ["input"], "op": "conv", "inputs": 3, "outputs": 4, "kernel": [3, 3],
        "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1, "bias": false,
    });
    let fields = conv.as_object_mut().expect("an object");
    fields.extend(changes.as_object().expect("an object").clone());
    conv
}

fn pool(kernel: u64, padding: u64) -> Value {
    json!({
        "name": "pool", "from": ["conv"], "op": "pool", "kind": "max", "kernel": [kernel, kernel],
        "stride": [1, 1], "padding": [padding, padding],
    })
}

#[track_caller]
fn refused(file: &Value, words: &str) {
    let error = serde_json::from_value::<Graph>(file.clone()).expect_err("refused").to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn sizes_beyond_the_limits_are_refused_by_the_node() {
    serde_json::from_value::<Graph>(file(&[conv(json!({}))], "conv", 4)).expect("the network itself fits");
    let huge = 1u64 << 63;
    let cases = [
        (json!({"stride": [huge, 1]}), "node `conv`: stride"),
        (json!({"padding": [1_000_000, 1_000_000]}), "node `conv`: padding"),
        (json!({"padding": [1u64 << 40, 0]}), "node `conv`: padding"),
        (json!({"padding": [60_000, 60_000]}), "node `conv`: gives"),
        (json!({"dilation": [huge, 1]}), "node `conv`: dilation"),
        (json!({"kernel": [huge, 1]}), "node `conv`: kernel"),
        (json!({"kernel": [257, 1], "padding": [200, 0]}), "256 a side"),
        (json!({"kernel": [100, 100], "padding": [50, 50]}), "4096 taps"),
        (json!({"outputs": huge}), "node `conv`: gives"),
        (json!({"inputs": huge}), "takes 9223372036854775808 channels"),
        (json!({"groups": huge}), "groups do not divide"),
    ];
    for (changes, words) in cases {
        refused(&file(&[conv(changes)], "conv", 4), words);
    }
    for (kernel, padding) in [(2, huge), (huge, huge), (3, 1 << 40), (1 << 40, 0)] {
        refused(&file(&[conv(json!({})), pool(kernel, padding)], "pool", 4), "node `pool`");
    }
    let adaptive = json!({"name": "a", "from": ["conv"], "op": "adaptive-pool", "output": [1u64 << 40, 1]});
    refused(&file(&[conv(json!({})), adaptive], "a", 4), "the most rows are 65536");
    let pad = json!({"name": "a", "from": ["conv"], "op": "pad-channels", "stride": huge, "sources": [0]});
    refused(&file(&[conv(json!({})), pad], "a", 1), "node `a`: stride");
}

#[test]
fn a_network_as_a_whole_has_limits() {
    let relu = |name: usize, from: &str| json!({"name": format!("r{name}"), "from": [from], "op": "activation", "kind": "relu"});
    let nodes: Vec<Value> = std::iter::once(conv(json!({})))
        .chain((0..limits::MOST_NODES).map(|index| relu(index, "conv")))
        .collect();
    refused(&file(&nodes, "conv", 4), "the most is 10000");

    let sum = json!({"name": "sum", "from": vec!["conv"; limits::MOST_EDGES + 1], "op": "add"});
    refused(&file(&[conv(json!({})), sum], "sum", 4), "the most is 30000");

    // Sixty times twice as many channels.
    let double = |index: usize| {
        let from = if index == 0 { "conv".to_owned() } else { format!("c{}", index - 1) };
        json!({"name": format!("c{index}"), "from": [from, from], "op": "concat"})
    };
    let nodes: Vec<Value> = std::iter::once(conv(json!({}))).chain((0..60).map(double)).collect();
    refused(&file(&nodes, "c59", 4), "the most values are");

    let wide = [
        json!({"name": "flat", "from": ["input"], "op": "flatten"}),
        json!({"name": "a", "from": ["flat"], "op": "linear", "inputs": 192, "outputs": 4_000_000, "bias": false}),
        json!({"name": "b", "from": ["a"], "op": "linear", "inputs": 4_000_000, "outputs": 4_000_000, "bias": false}),
    ];
    refused(&file(&wide, "b", 4_000_000), "parameters up to here");
}

#[test]
fn lists_that_are_no_graph_are_refused() {
    let second = json!({"name": "again", "op": "input", "shape": [4, 8, 8]});
    let sum = json!({"name": "sum", "from": ["conv", "again"], "op": "add"});
    refused(&file(&[conv(json!({})), second, sum], "sum", 4), "node `again`: a second input");
    refused(&file(&[conv(json!({})), conv(json!({}))], "conv", 4), "two nodes are called `conv`");
    refused(&file(&[conv(json!({"name": ""}))], "", 4), "the name of node 1");
    refused(&file(&[conv(json!({"name": "a\nb"}))], "a\nb", 4), "the name of node 1");
    refused(&file(&[conv(json!({"name": "a".repeat(257)}))], "input", 3), "the name of node 1");
    refused(&file(&[conv(json!({"from": ["conv"]}))], "conv", 4), "node `conv` reads `conv`");
    refused(&file(&[conv(json!({"from": ["none"]}))], "conv", 4), "reads `none`");
    let mut pool = pool(2, 0);
    pool["ceil_mode"] = json!(true);
    refused(&file(&[conv(json!({})), pool], "pool", 4), "ceil_mode");
    refused(&json!({"format": 1, "name": "own", "nodes": []}), "first node is not an input");
}

#[test]
fn a_graph_made_node_by_node_is_checked_too() {
    let mut graph = Graph::new("own", [3, 8, 8]);
    let conv = graph.push("conv", Op::Conv(Conv::square(3, 4, 3, 1)), &[0]);
    let second = graph.push("again", Op::Input { shape: [4, 8, 8] }, &[]);
    graph.push("sum", Op::Add, &[conv, second]);
    assert!(remove::removable(&graph).is_err() && remove::remove(&graph, &[]).is_err());
    assert!(Coupling::of(&graph).is_err());

    let mut graph = Graph::new("own", [3, 8, 8]);
    graph.push("sum", Op::Add, &[0, 7]);
    let error = graph.shapes().expect_err("refused").to_string();
    assert!(error.contains("an input does not come before it"), "{error}");
}

#[test]
fn the_greatest_chain_of_layers_can_be_walked() {
    let mut graph = Graph::new("chain", [1, 1, 1]);
    let mut last = 0;
    for index in 1..limits::MOST_NODES {
        last = graph.push(format!("flat{index}"), Op::Flatten, &[last]);
    }
    assert_eq!(graph.shapes().expect("fits").len(), limits::MOST_NODES);
    assert_eq!(Coupling::of(&graph).expect("fits").atoms, 1);
    assert_eq!(remove::remove(&graph, &[]).expect("fits"), graph);
}
