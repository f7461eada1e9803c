//! Repairs channel counts after nodes were removed or changed their width.

use crate::{
    Error,
    graph::{Flow, Graph, Node, NodeIndex, Shape, infer},
};

/// A network under repair: its nodes in topological order.
///
/// Convolutions, batch-norms and linear layers are set to the channels that they read. Depth-wise
/// convolutions give as many channels as they read. An option-A shortcut gets a new mapping where
/// the channels that it reads have changed. Dense layers keep their output channels, except where
/// the inputs of a sum differ: a padding shortcut is adapted first, else the last layer of a path
/// that only the sum reads.
pub(crate) struct Repair {
    nodes: Vec<Node>,
    /// Channels that each node read when its operation was last set.
    formerly: Vec<usize>,
    depthwise: Vec<bool>,
    /// Number of readers of each node.
    users: Vec<usize>,
}

impl Repair {
    /// Starts from `nodes`, which so far read `formerly` channels each.
    pub(crate) fn new(nodes: Vec<Node>, formerly: Vec<usize>) -> Self {
        let depthwise = nodes.iter().map(|node| node.op.facts().flow.is_depthwise()).collect();
        let mut users = vec![0; nodes.len()];
        nodes.iter().flat_map(|node| &node.inputs).for_each(|&input| users[input] += 1);
        Self { nodes, formerly, depthwise, users }
    }

    /// The repaired network.
    ///
    /// # Errors
    /// [`Error::Degenerate`] where no remaining layer can make the shapes fit.
    pub(crate) fn finish(mut self, name: &str) -> Result<Graph, Error> {
        // A round repairs one input of one sum, and later rounds may have to repair it again.
        for _ in 0..=4 * self.nodes.len() {
            let Some((node, channels)) = self.pass()? else {
                return Graph::from_nodes(name, self.nodes).map_err(degenerate);
            };
            self.widen(node, channels);
        }
        let reason = "its sums cannot all be made to fit".to_owned();
        Err(Error::Degenerate { node: name.to_owned(), reason })
    }

    /// Walks the nodes once. Gives the first layer that has to change its width, and the new width.
    fn pass(&mut self) -> Result<Option<(NodeIndex, usize)>, Error> {
        let mut channels = vec![0; self.nodes.len()];
        // Shapes of the repaired nodes, as far as a flattening has asked for them.
        let mut shapes = Vec::new();
        for index in 0..self.nodes.len() {
            let inputs: Vec<usize> = self.nodes[index].inputs.iter().map(|&input| channels[input]).collect();
            if self.nodes[index].op.facts().flow == Flow::Sum
                && inputs.iter().any(|&width| width != inputs[0])
            {
                return self.repair_sum(index, &channels).map(Some);
            }
            self.read(index, inputs.first().copied().unwrap_or_default())?;
            channels[index] = self.width(index, &inputs, &mut shapes)?;
        }
        Ok(None)
    }

    /// Output channels of node `index`, when all nodes before it are repaired.
    fn width(&self, index: NodeIndex, inputs: &[usize], shapes: &mut Vec<Shape>) -> Result<usize, Error> {
        Ok(match self.nodes[index].op.facts().flow {
            Flow::Source(channels) => channels,
            Flow::Dense(outputs) | Flow::Grouped { outputs, .. } => outputs,
            Flow::Mapped(sources) => sources.len(),
            Flow::Concatenation => inputs.iter().sum(),
            Flow::PerChannel | Flow::Sum => inputs.first().copied().unwrap_or_default(),
            Flow::Flatten => {
                for next in shapes.len()..=index {
                    shapes.push(infer(&self.nodes[next], next, shapes).map_err(degenerate)?);
                }
                shapes[index][0]
            }
        })
    }

    /// Sets node `index` to the number of channels that it reads.
    fn read(&mut self, index: NodeIndex, channels: usize) -> Result<(), Error> {
        let node = &mut self.nodes[index];
        let settings = node.op.settings();
        if let Some(inputs) = settings.inputs {
            *inputs = channels;
        }
        if let (Some(outputs), Some(groups)) = (settings.outputs, settings.groups) {
            if self.depthwise[index] {
                (*outputs, *groups) = (channels, channels);
            }
            if !channels.is_multiple_of(*groups) || !outputs.is_multiple_of(*groups) {
                let reason = format!("{groups} groups do not divide {channels} and {outputs} channels");
                return Err(Error::Degenerate { node: node.name.clone(), reason });
            }
        }
        if let Some(sources) = settings.sources
            && self.formerly[index] != channels
        {
            *sources = centred(channels, sources.len());
        }
        self.formerly[index] = channels;
        Ok(())
    }

    /// Sets the output channels of a layer.
    fn widen(&mut self, index: NodeIndex, channels: usize) {
        let settings = self.nodes[index].op.settings();
        if let Some(outputs) = settings.outputs {
            *outputs = channels;
        }
        if let Some(sources) = settings.sources {
            *sources = centred(self.formerly[index], channels);
        }
    }

    /// The layer to change where the inputs of the sum `add` have different widths, and its new width.
    fn repair_sum(&self, add: NodeIndex, channels: &[usize]) -> Result<(NodeIndex, usize), Error> {
        let inputs = &self.nodes[add].inputs;
        let sources: Vec<Option<NodeIndex>> = inputs.iter().map(|&input| self.adjustable(input)).collect();
        let is_padding = |place: usize| {
            let is_mapped = |source: NodeIndex| matches!(self.nodes[source].op.facts().flow, Flow::Mapped(_));
            sources[place].is_some_and(is_mapped)
        };
        // Inputs that cannot change set the width, else the first convolution does.
        let measure = (0..inputs.len())
            .find(|&place| sources[place].is_none())
            .or_else(|| (0..inputs.len()).find(|&place| !is_padding(place)))
            .unwrap_or(0);
        let wanted = channels[inputs[measure]];
        let differing = || (0..inputs.len()).filter(|&place| channels[inputs[place]] != wanted);
        let chosen = differing().find_map(|place| sources[place]);
        chosen.map(|source| (source, wanted)).ok_or_else(|| Error::Degenerate {
            node: self.nodes[add].name.clone(),
            reason: format!(
                "adds {wanted} and {} channels, and no remaining layer can change that",
                differing().next().map_or(wanted, |place| channels[inputs[place]])
            ),
        })
    }

    /// The layer that sets the width of `at`, where no other node reads that layer.
    fn adjustable(&self, mut at: NodeIndex) -> Option<NodeIndex> {
        loop {
            if self.users[at] != 1 {
                return None;
            }
            let facts = self.nodes[at].op.facts();
            match facts.flow {
                _ if self.depthwise[at] => (),
                // Linear layers, which have no window, keep their width.
                Flow::Dense(_) if facts.window.is_some() => return Some(at),
                Flow::Mapped(_) => return Some(at),
                Flow::PerChannel => (),
                Flow::Source(_)
                | Flow::Dense(_)
                | Flow::Grouped { .. }
                | Flow::Sum
                | Flow::Concatenation
                | Flow::Flatten => return None,
            }
            at = self.nodes[at].inputs[0];
        }
    }
}

/// Input channels of each node of `graph`.
///
/// # Errors
/// When shapes do not fit.
pub(crate) fn channels_read(graph: &Graph) -> Result<Vec<usize>, Error> {
    let shapes = graph.shapes()?;
    let read = |node: &Node| node.inputs.first().map_or(0, |&input| shapes[input][0]);
    Ok(graph.nodes().iter().map(read).collect())
}

/// An error of shape inference after surgery, as one that the requested surgery caused.
pub(crate) fn degenerate(error: Error) -> Error {
    match error {
        Error::Node { node, reason } => Error::Degenerate { node, reason },
        other => other,
    }
}

/// The option-A mapping for any widths: zeros on both sides, or the middle channels where the input
/// has more.
fn centred(inputs: usize, outputs: usize) -> Vec<Option<usize>> {
    let before = outputs.saturating_sub(inputs) / 2;
    let skipped = inputs.saturating_sub(outputs) / 2;
    let source = |channel: usize| {
        let place = channel.checked_sub(before)? + skipped;
        (place < inputs).then_some(place)
    };
    (0..outputs).map(source).collect()
}
