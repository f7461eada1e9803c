//! Surgery: a graph and its weights in, a smaller graph and its weights out.

use crate::{
    Error,
    coupling::{Atom, Coupling},
    graph::{Conv, Graph, Node, Op},
    weights::{Tensor, Weights},
};

/// Which atoms stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep(Vec<bool>);

impl Keep {
    /// Everything stays.
    pub fn all(coupling: &Coupling) -> Self {
        Self(vec![true; coupling.atoms])
    }

    /// Keeps of group `group` exactly `atoms`.
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
            return Err(refuse("at least one channel has to stay".to_owned()));
        }
        if !of.removable && atoms.len() < of.atoms.len() {
            return Err(refuse("image channels and class scores cannot be removed".to_owned()));
        }
        if let Some(atom) = atoms.iter().find(|atom| of.atoms.binary_search(atom).is_err()) {
            return Err(refuse(format!("atom {atom} is not of this group")));
        }
        of.atoms.iter().for_each(|&atom| self.0[atom] = false);
        atoms.iter().for_each(|&atom| self.0[atom] = true);
        Ok(())
    }

    /// Whether `atom` stays.
    pub fn keeps(&self, atom: Atom) -> bool {
        self.0[atom]
    }

    /// Positions of the channels that stay.
    pub fn positions(&self, channels: &[Atom]) -> Vec<usize> {
        (0..channels.len()).filter(|&position| self.0[channels[position]]).collect()
    }
}

/// Removes channels physically. The result computes what [`mask`] computes, on the channels left.
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
        for parameter in node.parameters() {
            let tensor = weights.get(&parameter.name)?;
            let mixes_inputs = tensor.shape.len() > 1 && node.is_dense();
            let small = take(tensor, outputs, mixes_inputs.then_some(inputs));
            sliced.insert(parameter.name, small);
        }
        nodes.push(Node { name: node.name.clone(), op, inputs: node.inputs.clone() });
    }
    Ok((Graph::from_nodes(graph.name.clone(), nodes)?, sliced))
}

fn slice_op(op: &Op, inputs: &[usize], outputs: &[usize]) -> Op {
    match op {
        Op::Conv(conv) => {
            let per_group = conv.inputs / conv.groups;
            let groups = if conv.groups == 1 { 1 } else { inputs.len() / per_group };
            Op::Conv(Conv { inputs: inputs.len(), outputs: outputs.len(), groups, ..conv.clone() })
        }
        Op::BatchNorm { epsilon, .. } => Op::BatchNorm { channels: outputs.len(), epsilon: *epsilon },
        Op::Linear { bias, .. } => Op::Linear { inputs: inputs.len(), outputs: outputs.len(), bias: *bias },
        Op::PadChannels { stride, sources } => {
            let moved = |source: usize| inputs.binary_search(&source).ok();
            let sources = outputs.iter().map(|&channel| sources[channel].and_then(moved)).collect();
            Op::PadChannels { stride: *stride, sources }
        }
        other => other.clone(),
    }
}

/// Rows `rows` of the first axis and, where given, `columns` of the second.
fn take(tensor: &Tensor, rows: &[usize], columns: Option<&[usize]>) -> Tensor {
    let row_length: usize = tensor.shape[1..].iter().product();
    let mut shape = tensor.shape.clone();
    shape[0] = rows.len();
    let mut data = Vec::new();
    match columns {
        None => {
            rows.iter().for_each(|&row| data.extend(&tensor.data[row * row_length..(row + 1) * row_length]))
        }
        Some(columns) => {
            shape[1] = columns.len();
            let cell: usize = tensor.shape[2..].iter().product();
            for &row in rows {
                for &column in columns {
                    let start = row * row_length + column * cell;
                    data.extend(&tensor.data[start..start + cell]);
                }
            }
        }
    }
    Tensor { shape, data }
}

/// Silences channels in place of removing them: same shapes, removed channels are exactly zero.
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
        // A padding shortcut has no weights: what it hands to a removed channel is cut here.
        if let Op::PadChannels { sources, .. } = &mut node.op {
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
