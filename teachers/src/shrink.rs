//! Shrinking the layers of a network, N2N's second stage (Ashok et al., ICLR 2018, section 3.3).
//!
//! Only the architecture changes. The values that can be shrunk are found by walking the graph:
//! layers whose outputs are added share one decision, which is listed at the first of them.

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    coupling::Coupling,
    graph::{Class, Facts, Graph, Node, NodeIndex},
    repair::{Repair, channels_read},
};

/// A value of a layer that can be shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Height and width of a convolution's window.
    Kernel,
    /// Zeros around a convolution's input.
    Padding,
    /// Filters of a convolution and of all layers that are added to it.
    Filters,
    /// Units of a linear layer.
    Units,
}

impl Value {
    /// All values, in the order in which a layer's are decided.
    pub const ALL: [Self; 4] = [Self::Kernel, Self::Padding, Self::Filters, Self::Units];
}

/// Everything that can be shrunk, layer by layer and in the order of [`Value::ALL`].
///
/// Filters: one value per coupling group, at its first layer; a depth-wise convolution has as many
/// filters as input channels. Kernel and padding: convolutions of stride 1 that are on every path
/// from the image to the output, because beside a shortcut the sizes would no longer agree; windows
/// of one pixel and paddings of zero cannot shrink. The number of classes does not change.
///
/// # Errors
/// When shapes do not fit.
pub fn configurable(graph: &Graph) -> Result<Vec<(NodeIndex, Value)>, Error> {
    let coupling = Coupling::of(graph)?;
    let first: Vec<NodeIndex> = coupling
        .groups
        .iter()
        .filter(|group| group.removable)
        .filter_map(|group| group.producers.first().copied())
        .collect();
    let trunk = trunk(graph);
    let mut values = Vec::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        let facts = node.op.facts();
        if let Facts { class: Class::Convolution, window: Some(window), .. } = facts
            && window.stride == [1; 2]
            && trunk[index]
        {
            if window.kernel != [1; 2] {
                values.push((index, Value::Kernel));
            }
            if window.padding != [0; 2] {
                values.push((index, Value::Padding));
            }
        }
        if first.contains(&index) {
            let value = if facts.window.is_some() { Value::Filters } else { Value::Units };
            values.push((index, value));
        }
    }
    Ok(values)
}

/// `graph` with each listed value multiplied by its factor in (0, 1]; all others are unchanged.
///
/// Filters and units are rounded to the nearest, kernels and paddings down; all but paddings are at
/// least 1. A convolution or pooling whose window is larger than its input gets the largest window
/// that fits. N2N's code refuses such a network, which leaves a deep plain network almost no
/// candidates.
///
/// # Errors
/// [`Error::Node`] for a value that cannot be shrunk, is listed twice, or a factor outside (0, 1];
/// [`Error::Degenerate`] where the layers no longer fit together.
pub fn shrink(graph: &Graph, factors: &[(NodeIndex, Value, f64)]) -> Result<Graph, Error> {
    let allowed = configurable(graph)?;
    let coupling = Coupling::of(graph)?;
    let mut nodes = graph.nodes().to_vec();
    for (place, &(index, value, factor)) in factors.iter().enumerate() {
        let refuse = |reason: String| {
            let name = graph.nodes().get(index).map_or_else(|| format!("#{index}"), |node| node.name.clone());
            Err(Error::node(&name, reason))
        };
        if !allowed.contains(&(index, value)) {
            return refuse(format!("has no {value:?} that can be shrunk"));
        }
        if factors[..place].iter().any(|other| (other.0, other.1) == (index, value)) {
            return refuse(format!("{value:?} is listed twice"));
        }
        if !(factor > 0.0 && factor <= 1.0) {
            return refuse(format!("{factor} is not a factor in (0, 1]"));
        }
        let settings = nodes[index].op.settings();
        match value {
            Value::Kernel => settings
                .kernel
                .into_iter()
                .for_each(|kernel| *kernel = kernel.map(|side| down(side, factor).max(1))),
            Value::Padding => settings
                .padding
                .into_iter()
                .for_each(|padding| *padding = padding.map(|side| down(side, factor))),
            Value::Filters | Value::Units => {
                let group = coupling.groups.iter().find(|group| group.producers.first() == Some(&index));
                for &producer in group.iter().flat_map(|group| &group.producers) {
                    if let Some(outputs) = nodes[producer].op.settings().outputs {
                        *outputs = nearest(*outputs, factor);
                    }
                }
            }
        }
    }
    fit_windows(graph, nodes)
}

/// The network of these nodes, with windows that are larger than their input made smaller.
fn fit_windows(graph: &Graph, mut nodes: Vec<Node>) -> Result<Graph, Error> {
    let read = channels_read(graph)?;
    loop {
        let (node, reason) = match Repair::new(nodes.clone(), read.clone()).finish(&graph.name) {
            Err(Error::Degenerate { node, reason }) => (node, reason),
            other => return other,
        };
        let misfit = nodes.iter_mut().find(|other| other.name == node);
        let kernel = misfit.and_then(|node| {
            let is_pooling = node.op.facts().class == Class::Pooling;
            let settings = node.op.settings();
            if let Some(padding) = settings.padding
                && is_pooling
            {
                *padding = [0; 2];
            }
            settings.kernel
        });
        match kernel {
            Some(kernel) if *kernel != [1; 2] => *kernel = kernel.map(|side| side.saturating_sub(1).max(1)),
            _ => return Err(Error::Degenerate { node, reason }),
        }
    }
}

/// `side · factor` rounded down; the small summand makes 5 · 0.6 equal to 3 despite rounding.
fn down(side: usize, factor: f64) -> usize {
    (side as f64 * factor + 1e-9) as usize
}

/// `count · factor` rounded to the nearest, at least 1.
fn nearest(count: usize, factor: f64) -> usize {
    ((count as f64 * factor + 1e-9).round() as usize).max(1)
}

/// For each node, whether every path from the image to the output leads through it.
fn trunk(graph: &Graph) -> Vec<bool> {
    let last_use: Vec<NodeIndex> = graph
        .users()
        .iter()
        .enumerate()
        .map(|(index, users)| users.iter().copied().max().unwrap_or(index))
        .collect();
    let mut reach = 0;
    let mut trunk = Vec::with_capacity(last_use.len());
    for (index, &last) in last_use.iter().enumerate() {
        // Nothing before this node is read after it.
        trunk.push(reach <= index);
        reach = reach.max(last);
    }
    trunk
}
