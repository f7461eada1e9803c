//! A hash of a network's operations and topology.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::graph::{Flow, Graph, NodeIndex, Op};

/// SHA-256 of the architecture of `graph`, in hexadecimal: 64 characters.
///
/// It depends on every operation with its settings and on the edges between nodes. It does not depend
/// on names, on the order of independent nodes, on the order of an addition's inputs, or on nodes
/// that the output does not depend on.
pub fn hash(graph: &Graph) -> String {
    let nodes = graph.nodes();
    let labels: Vec<String> = nodes.iter().map(|node| label(&node.op)).collect();
    let ordered = ordered_inputs(graph, &labels);
    let mut digest = Sha256::new();
    let mut numbers: HashMap<NodeIndex, usize> = HashMap::new();
    // Depth first from the output: a node is numbered and hashed after all its inputs.
    let mut stack = vec![(graph.output(), false)];
    while let Some((index, inputs_done)) = stack.pop() {
        if numbers.contains_key(&index) {
            continue;
        }
        if !inputs_done {
            stack.push((index, true));
            stack.extend(ordered[index].iter().rev().map(|&input| (input, false)));
            continue;
        }
        digest.update(labels[index].as_bytes());
        for input in &ordered[index] {
            digest.update(format!(" {}", numbers[input]));
        }
        digest.update("\n");
        numbers.insert(index, numbers.len());
    }
    hexadecimal(&digest.finalize())
}

/// The operation with all its settings.
fn label(op: &Op) -> String {
    serde_json::to_string(op).unwrap_or_else(|_| format!("{op:?}"))
}

/// The inputs of every node; those of an addition in the order of the hashes of all below them.
fn ordered_inputs(graph: &Graph, labels: &[String]) -> Vec<Vec<NodeIndex>> {
    let mut below: Vec<[u8; 32]> = Vec::with_capacity(labels.len());
    let mut ordered = Vec::with_capacity(labels.len());
    for (node, label) in graph.nodes().iter().zip(labels) {
        let mut inputs = node.inputs.clone();
        if node.op.facts().flow == Flow::Sum {
            inputs.sort_by_key(|&input| below[input]);
        }
        let mut digest = Sha256::new();
        digest.update(label.as_bytes());
        inputs.iter().for_each(|&input| digest.update(below[input]));
        below.push(digest.finalize().into());
        ordered.push(inputs);
    }
    ordered
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
