//! Channel surgery: makes a smaller graph and its weights from a graph and its weights.

use std::borrow::Cow;

use crate::{
    Error,
    coupling::{Atom, Coupling},
    graph::{Axis, Flow, Graph, Node, Op},
    weights::{Tensor, Weights},
};

/// The atoms that surgery keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep(Vec<bool>);

impl Keep {
    /// Keeps every atom.
    pub fn all(coupling: &Coupling) -> Self {
        Self(vec![true; coupling.atoms])
    }

    /// Keeps exactly `atoms` of the group `group`.
    ///
    /// # Errors
    /// [`Error::Channels`] when the group cannot lose channels, none would be left, or an atom is
    /// not of this group.
    pub fn set(
        &mut self,
        graph: &Graph,
        coupling: &Coupling,
        group: usize,
        atoms: &[Atom],
    ) -> Result<(), Error> {
        let of = coupling.groups.get(group).ok_or_else(|| Error::Channels {
            group: format!("#{group}"),
            reason: format!("there are {} groups", coupling.groups.len()),
        })?;
        let refuse = |reason: String| Error::Channels {
            group: of.producers.first().map_or("input".to_owned(), |&p| graph.nodes()[p].name.clone()),
            reason,
        };
        if atoms.is_empty() {
            return Err(refuse("at least one channel must be kept".to_owned()));
        }
        if !of.removable && atoms.len() < of.atoms.len() {
            return Err(refuse("image channels and class scores cannot be removed".to_owned()));
        }
        if let Some(atom) = atoms.iter().find(|atom| of.atoms.binary_search(atom).is_err()) {
            return Err(refuse(format!("atom {atom} is not in this group")));
        }
        of.atoms.iter().for_each(|&atom| self.0[atom] = false);
        atoms.iter().for_each(|&atom| self.0[atom] = true);
        Ok(())
    }

    /// Whether `atom` is kept.
    pub fn keeps(&self, atom: Atom) -> bool {
        self.0[atom]
    }

    /// Positions of the channels that are kept.
    pub fn positions(&self, channels: &[Atom]) -> Vec<usize> {
        (0..channels.len()).filter(|&position| self.0[channels[position]]).collect()
    }
}

/// Removes channels physically. On the remaining channels the result computes the same as the
/// network that [`mask`] gives.
///
/// # Errors
/// When weights and graph do not fit each other.
pub fn slice(
    graph: &Graph,
    weights: &Weights,
    coupling: &Coupling,
    keep: &Keep,
) -> Result<(Graph, Weights), Error> {
    let kept: Vec<Vec<usize>> = coupling.channels.iter().map(|channels| keep.positions(channels)).collect();
    let mut nodes = Vec::with_capacity(graph.nodes().len());
    let mut sliced = Weights::default();
    for (index, node) in graph.nodes().iter().enumerate() {
        let outputs = &kept[index];
        let inputs = node.inputs.first().map(|&input| kept[input].as_slice()).unwrap_or_default();
        let op = slice_op(&node.op, inputs, outputs);
        for facts in node.op.facts().tensors {
            let name = format!("{}.{}", node.name, facts.kind);
            let small = take(weights.get(&name)?, &facts.axes, inputs, outputs);
            sliced.insert(name, small);
        }
        nodes.push(Node { name: node.name.clone(), op, inputs: node.inputs.clone() });
    }
    Ok((Graph::from_nodes(graph.name.clone(), nodes)?, sliced))
}

/// The operation with the input channels `inputs` and the output channels `outputs` alone.
fn slice_op(op: &Op, inputs: &[usize], outputs: &[usize]) -> Op {
    let mut small = op.clone();
    let settings = small.settings();
    if let Some(count) = settings.inputs {
        *count = inputs.len();
    }
    if let Some(count) = settings.outputs {
        *count = outputs.len();
    }
    if let (Some(count), Flow::Grouped { groups, inputs: before, .. }) = (settings.groups, op.facts().flow) {
        *count = inputs.len() / (before / groups);
    }
    if let Some(sources) = settings.sources {
        let moved = |source: usize| inputs.binary_search(&source).ok();
        *sources = outputs.iter().map(|&channel| sources[channel].and_then(moved)).collect();
    }
    small
}

/// The part of a tensor that belongs to these input and output channels.
fn take(tensor: &Tensor, axes: &[Axis], inputs: &[usize], outputs: &[usize]) -> Tensor {
    let mut data = Cow::Borrowed(&tensor.data);
    let mut shape = tensor.shape.clone();
    // Values behind one position along the axis, and behind all of them.
    let mut inner: usize = shape.iter().product();
    for (axis, length) in axes.iter().zip(&mut shape) {
        let outer = inner;
        inner /= (*length).max(1);
        let kept = match axis {
            Axis::Outputs(_) => outputs,
            Axis::Inputs(_) => inputs,
            Axis::Block(_) | Axis::Taps(_) => continue,
        };
        let mut part = Vec::with_capacity(data.len() / (*length).max(1) * kept.len());
        for row in data.chunks_exact(outer.max(1)) {
            kept.iter().for_each(|&at| part.extend_from_slice(&row[at * inner..(at + 1) * inner]));
        }
        (*length, data) = (kept.len(), Cow::Owned(part));
    }
    Tensor { shape, data: data.into_owned() }
}

/// Sets removed channels to zero and keeps all shapes.
///
/// # Errors
/// When weights and graph do not fit each other.
pub fn mask(
    graph: &Graph,
    weights: &Weights,
    coupling: &Coupling,
    keep: &Keep,
) -> Result<(Graph, Weights), Error> {
    let mut masked = weights.clone();
    let mut nodes = graph.nodes().to_vec();
    for (index, node) in nodes.iter_mut().enumerate() {
        let removed = coupling.channels[index].iter().map(|&atom| !keep.keeps(atom));
        // A padding shortcut has no weights: removed channels read nothing instead.
        if let Some(sources) = node.op.settings().sources {
            sources
                .iter_mut()
                .zip(removed.clone())
                .filter(|(_, removed)| *removed)
                .for_each(|(s, _)| *s = None);
        }
        for parameter in node.parameters().into_iter().filter(|parameter| parameter.trainable) {
            let mut tensor = weights.get(&parameter.name)?.clone();
            let row_length: usize = tensor.shape[1..].iter().product();
            for (row, removed) in removed.clone().enumerate() {
                if removed {
                    tensor.data[row * row_length..(row + 1) * row_length].fill(0.0);
                }
            }
            masked.insert(parameter.name, tensor);
        }
    }
    Ok((Graph::from_nodes(graph.name.clone(), nodes)?, masked))
}
