//! Making nodes fit together again after some have gone or changed their width.

use crate::{
    Error,
    graph::{Flow, Graph, Node, NodeIndex},
};

/// A network under repair: its nodes in topological order.
///
/// Convolutions, batch-norms and linear layers take the channels that come, depth-wise convolutions
/// hand them on, option-A shortcuts are drawn up anew where what they read has changed. The widths
/// of dense layers stay as they are, but where the inputs of a sum differ: there a padding shortcut
/// adapts, else the last layer of a path that the sum alone reads.
pub(crate) struct Repair {
    nodes: Vec<Node>,
    /// Channels that each node read when its operation was last drawn up.
    formerly: Vec<usize>,
    depthwise: Vec<bool>,
    /// How often each node is read.
    users: Vec<usize>,
}

impl Repair {
    /// Of `nodes` which formerly read so many channels each.
    pub(crate) fn new(nodes: Vec<Node>, formerly: Vec<usize>) -> Self {
        let depthwise = nodes.iter().map(|node| node.op.facts().flow.is_depthwise()).collect();
        let mut users = vec![0; nodes.len()];
        nodes.iter().flat_map(|node| &node.inputs).for_each(|&input| users[input] += 1);
        Self { nodes, formerly, depthwise, users }
    }

    /// The repaired network.
    ///
    /// # Errors
    /// [`Error::Degenerate`] where no layer is left that could make it fit.
    pub(crate) fn finish(mut self, name: &str) -> Result<Graph, Error> {
        // A round mends one input of one sum, and may have to mend it again when another has moved.
        for _ in 0..=4 * self.nodes.len() {
            let Some((node, channels)) = self.pass()? else {
                return Graph::from_nodes(name, self.nodes).map_err(degenerate);
            };
            self.widen(node, channels);
        }
        let reason = "its sums cannot all be made to fit".to_owned();
        Err(Error::Degenerate { node: name.to_owned(), reason })
    }

    /// One walk: the first layer that has to change its width, and to what.
    fn pass(&mut self) -> Result<Option<(NodeIndex, usize)>, Error> {
        let mut channels = vec![0; self.nodes.len()];
        for index in 0..self.nodes.len() {
            let inputs: Vec<usize> = self.nodes[index].inputs.iter().map(|&input| channels[input]).collect();
            if self.nodes[index].op.facts().flow == Flow::Sum
                && inputs.iter().any(|&width| width != inputs[0])
            {
                return self.mend(index, &channels).map(Some);
            }
            self.read(index, inputs.first().copied().unwrap_or_default())?;
            channels[index] = self.width(index, &inputs)?;
        }
        Ok(None)
    }

    /// Channels that node `index` gives, all before it being repaired.
    fn width(&self, index: NodeIndex, inputs: &[usize]) -> Result<usize, Error> {
        Ok(match self.nodes[index].op.facts().flow {
            Flow::Source(channels) => channels,
            Flow::Dense(outputs) | Flow::Grouped { outputs, .. } => outputs,
            Flow::Mapped(sources) => sources.len(),
            Flow::Concatenation => inputs.iter().sum(),
            Flow::PerChannel | Flow::Sum => inputs.first().copied().unwrap_or_default(),
            Flow::Flatten => {
                let so_far = Graph::from_nodes("", self.nodes[..=index].to_vec()).map_err(degenerate)?;
                so_far.shapes().map_err(degenerate)?[index][0]
            }
        })
    }

    /// Draws node `index` up for the number of channels that it reads.
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

    /// Sets the channels that a layer gives.
    fn widen(&mut self, index: NodeIndex, channels: usize) {
        let settings = self.nodes[index].op.settings();
        if let Some(outputs) = settings.outputs {
            *outputs = channels;
        }
        if let Some(sources) = settings.sources {
            *sources = centred(self.formerly[index], channels);
        }
    }

    /// The layer that mends the sum `add` whose inputs are of different widths, and its new width.
    fn mend(&self, add: NodeIndex, channels: &[usize]) -> Result<(NodeIndex, usize), Error> {
        let inputs = &self.nodes[add].inputs;
        let sources: Vec<Option<NodeIndex>> = inputs.iter().map(|&input| self.adjustable(input)).collect();
        let is_padding = |place: usize| {
            let is_mapped = |source: NodeIndex| matches!(self.nodes[source].op.facts().flow, Flow::Mapped(_));
            sources[place].is_some_and(is_mapped)
        };
        // What cannot change is the measure, else the first convolution.
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
                "adds {wanted} and {} channels, and no layer is left that could change that",
                differing().next().map_or(wanted, |place| channels[inputs[place]])
            ),
        })
    }

    /// The layer that sets the width of `at` and whose width nobody else reads.
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

/// Channels that each node of `graph` reads.
///
/// # Errors
/// When shapes do not fit.
pub(crate) fn channels_read(graph: &Graph) -> Result<Vec<usize>, Error> {
    let shapes = graph.shapes()?;
    let read = |node: &Node| node.inputs.first().map_or(0, |&input| shapes[input][0]);
    Ok(graph.nodes().iter().map(read).collect())
}

/// What does not fit any more is the fault of what was asked for.
pub(crate) fn degenerate(error: Error) -> Error {
    match error {
        Error::Node { node, reason } => Error::Degenerate { node, reason },
        other => other,
    }
}

/// Option A for any widths: zeros on both sides, or the middle channels where there are too many.
fn centred(inputs: usize, outputs: usize) -> Vec<Option<usize>> {
    let before = outputs.saturating_sub(inputs) / 2;
    let skipped = inputs.saturating_sub(outputs) / 2;
    let source = |channel: usize| {
        let place = channel.checked_sub(before)? + skipped;
        (place < inputs).then_some(place)
    };
    (0..outputs).map(source).collect()
}
