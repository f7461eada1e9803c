//! Removing layers from a network, N2N's first stage (Ashok et al., ICLR 2018, section 3.2).
//!
//! Only the architecture changes. The result has no weights of its own: [`crate::inherit`] copies
//! those that fit, and a distillation trains the rest.
//!
//! Differences from the released code: an emptied residual block is the identity, as the paper
//! describes (the code computes ReLU(2x)), and decisions name nodes, so that the layers of a shortcut
//! do not shift the decisions about later layers.

use crate::{
    Error,
    graph::{Class, Facts, Flow, Graph, Node, NodeIndex, Shape},
    repair::{Repair, channels_read},
};

/// The layers that may be removed, in their order: single convolutions, batch-norms, activations,
/// poolings and dropouts.
///
/// Excluded are the first and the last layer; layers that change the resolution (by a stride, by a
/// window without matching padding, by adaptive pooling); linear layers; sums, concatenations and
/// flattening; and all layers on the shortcut of a residual block.
///
/// # Errors
/// When shapes do not fit.
pub fn removable(graph: &Graph) -> Result<Vec<NodeIndex>, Error> {
    let shapes = graph.shapes()?;
    let mut shortcut = vec![false; shapes.len()];
    for block in blocks(graph) {
        block.shortcut.iter().for_each(|&index| shortcut[index] = true);
    }
    let may_go = |index: NodeIndex| {
        let node = &graph.nodes()[index];
        let keeps_size = |input: Shape| input[1..] == shapes[index][1..];
        let facts = node.op.facts();
        let steps_by_one = facts.window.is_none_or(|window| window.stride == [1; 2]);
        facts.optional && steps_by_one && keeps_size(shapes[node.inputs[0]]) && !shortcut[index]
    };
    // Node 0 is the image, node 1 the first layer.
    Ok((2..graph.output()).filter(|&index| may_go(index)).collect())
}

/// `graph` without the layers `drop`, repaired so that all shapes fit.
///
/// Every layer keeps its output channels and is set to the input channels that remain. A residual
/// block with no convolution left on its main path and an identity shortcut is removed as a whole:
/// its output is its input. An activation that directly follows the same activation is removed too,
/// because it has no effect.
///
/// # Errors
/// [`Error::Node`] for a layer that may not be removed; [`Error::Degenerate`] where the remaining
/// layers do not form a valid network.
pub fn remove(graph: &Graph, drop: &[NodeIndex]) -> Result<Graph, Error> {
    let nodes = graph.nodes();
    let allowed = removable(graph)?;
    let mut dropped = vec![false; nodes.len()];
    for &index in drop {
        if allowed.binary_search(&index).is_err() {
            let name = nodes.get(index).map_or_else(|| format!("#{index}"), |node| node.name.clone());
            return Err(Error::node(&name, "is not a layer that may be removed"));
        }
        dropped[index] = true;
    }
    // The node whose value replaces each node's value.
    let mut stand_in: Vec<NodeIndex> = (0..nodes.len()).collect();
    let emptied = emptied_sums(graph, &dropped);
    for index in 1..nodes.len() {
        let node = &nodes[index];
        let first = stand_in[node.inputs[0]];
        let facts = node.op.facts();
        let gone = if facts.flow == Flow::Sum {
            let fork = emptied[index].map(|fork| stand_in[fork]);
            let alike = node.inputs.iter().all(|&input| stand_in[input] == first);
            fork.or(alike.then_some(first))
        } else {
            let repeats = facts.idempotent && nodes[first].op == node.op;
            (repeats || dropped[index]).then_some(first)
        };
        stand_in[index] = gone.unwrap_or(index);
    }
    rebuild(graph, &stand_in)
}

/// The nodes that the output still depends on, under their old names, with repaired channels.
fn rebuild(graph: &Graph, stand_in: &[NodeIndex]) -> Result<Graph, Error> {
    let nodes = graph.nodes();
    let mut needed = vec![false; nodes.len()];
    needed[0] = true;
    needed[stand_in[graph.output()]] = true;
    for index in (0..nodes.len()).rev().filter(|&index| stand_in[index] == index) {
        if needed[index] {
            nodes[index].inputs.iter().for_each(|&input| needed[stand_in[input]] = true);
        }
    }
    let read = channels_read(graph)?;
    let mut place = vec![0; nodes.len()];
    let (mut left, mut formerly) = (Vec::new(), Vec::new());
    for index in (0..nodes.len()).filter(|&index| needed[index]) {
        place[index] = left.len();
        let node = &nodes[index];
        let inputs = node.inputs.iter().map(|&input| place[stand_in[input]]).collect();
        left.push(Node { name: node.name.clone(), op: node.op.clone(), inputs });
        formerly.push(read[index]);
    }
    Repair::new(left, formerly).finish(&graph.name)
}

/// For each sum of an emptied residual block, the node that the block starts from.
fn emptied_sums(graph: &Graph, dropped: &[bool]) -> Vec<Option<NodeIndex>> {
    let mut emptied = vec![None; graph.nodes().len()];
    for block in blocks(graph) {
        let is_left = |&&index: &&NodeIndex| graph.nodes()[index].op.is_convolution() && !dropped[index];
        if block.shortcut.is_empty() && block.main.iter().find(is_left).is_none() {
            emptied[block.sum] = Some(block.fork);
        }
    }
    emptied
}

/// A residual block: two paths from one node to one sum.
pub struct Block {
    /// The node that both paths start from.
    pub fork: NodeIndex,
    /// The sum that both end in.
    pub sum: NodeIndex,
    /// The path with the larger window, else the longer one, from the sum back to the fork, both
    /// excluded.
    pub main: Vec<NodeIndex>,
    /// The other path; empty where it is the identity.
    pub shortcut: Vec<NodeIndex>,
}

/// The residual blocks of `graph` in the order of their sums.
pub fn blocks(graph: &Graph) -> Vec<Block> {
    let nodes = graph.nodes();
    let users = graph.users();
    // Nodes with one input and one reader, from `end` back; and what they start from.
    let walk = |mut end: NodeIndex| {
        let mut path = Vec::new();
        while users[end].len() == 1 && nodes[end].inputs.len() == 1 {
            path.push(end);
            end = nodes[end].inputs[0];
        }
        (path, end)
    };
    let window = |&index: &NodeIndex| match nodes[index].op.facts() {
        Facts { class: Class::Convolution, window: Some(window), .. } => window.area(),
        _ => 0,
    };
    let weight = |path: &[NodeIndex]| (path.iter().map(window).max().unwrap_or(0), path.len());
    let is_sum = |node: &Node| node.op.facts().flow == Flow::Sum && node.inputs.len() == 2;
    let sums = (0..nodes.len()).filter(|&index| is_sum(&nodes[index]));
    sums.filter_map(|sum| {
        let [(first, fork), (second, other)] = [0, 1].map(|place| walk(nodes[sum].inputs[place]));
        let (main, shortcut) =
            if weight(&second) > weight(&first) { (second, first) } else { (first, second) };
        (fork == other).then_some(Block { fork, sum, main, shortcut })
    })
    .collect()
}
