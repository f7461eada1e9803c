//! Which channels can only be removed together, found by walking the graph.
//!
//! Every channel of every node belongs to one *atom*: the smallest set of channels that can be
//! removed together. Element-wise nodes and depth-wise convolutions keep the atoms of their input,
//! an addition joins the atoms of its inputs, a grouped convolution joins all channels of one of its
//! groups, flattening joins the pixels of a channel. Atoms that come from the same dense layers form
//! a *group*, about which an agent decides. This reads only [`Op::facts`](crate::graph::Op::facts),
//! so that it covers any graph.

use crate::{
    Error,
    graph::{Flow, Graph, NodeIndex},
};

/// Index of an atom.
pub type Atom = usize;

/// The atoms that the same layers produce, in the order of their first channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The atoms.
    pub atoms: Vec<Atom>,
    /// Dense convolutions and linear layers whose outputs these are.
    pub producers: Vec<NodeIndex>,
    /// Dense convolutions and linear layers that read them.
    pub consumers: Vec<NodeIndex>,
    /// Nodes that the atoms come from: the producers, and shortcuts that pad channels.
    pub sources: usize,
    /// Whether channels may be removed: false where image channels, class scores or channels that no
    /// layer produces are among them.
    pub removable: bool,
}

impl Group {
    /// Whether a single layer is the source of the group, so that no residual sum is involved.
    pub fn is_inner(&self) -> bool {
        self.sources == 1 && self.producers.len() == 1
    }
}

/// The coupling of a graph's channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupling {
    /// For each node, the atom of each output channel.
    pub channels: Vec<Vec<Atom>>,
    /// All groups in the order of their first producer.
    pub groups: Vec<Group>,
    /// Number of atoms.
    pub atoms: usize,
}

impl Coupling {
    /// Finds the coupling of `graph`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn of(graph: &Graph) -> Result<Self, Error> {
        let shapes = graph.shapes()?;
        let mut sets = DisjointSets::default();
        let mut channels: Vec<Vec<usize>> = Vec::with_capacity(shapes.len());
        for (index, node) in graph.nodes().iter().enumerate() {
            let first = node.inputs.first().map(|&input| channels[input].clone()).unwrap_or_default();
            let own = match node.op.facts().flow {
                Flow::Source(_) | Flow::Dense(_) | Flow::Mapped(_) => sets.fresh(shapes[index][0]),
                Flow::Grouped { groups, inputs, outputs } => {
                    let (per_input, per_output) = (inputs / groups, outputs / groups);
                    for block in first.chunks(per_input) {
                        block.iter().for_each(|&channel| sets.join(block[0], channel));
                    }
                    (0..outputs).map(|channel| first[channel / per_output * per_input]).collect()
                }
                Flow::PerChannel => first,
                Flow::Flatten => {
                    let pixels = shapes[node.inputs[0]][1] * shapes[node.inputs[0]][2];
                    first.iter().flat_map(|&channel| std::iter::repeat_n(channel, pixels)).collect()
                }
                Flow::Sum => {
                    for &other in &node.inputs[1..] {
                        first.iter().zip(&channels[other]).for_each(|(&a, &b)| sets.join(a, b));
                    }
                    first
                }
                Flow::Concatenation => {
                    node.inputs.iter().flat_map(|&input| channels[input].clone()).collect()
                }
            };
            channels.push(own);
        }
        let atoms = sets.number(&mut channels);
        let groups = groups(graph, &channels, atoms);
        Ok(Self { channels, groups, atoms })
    }
}

fn groups(graph: &Graph, channels: &[Vec<Atom>], atoms: usize) -> Vec<Group> {
    let nodes = graph.nodes();
    let is_source = |index: usize| match nodes[index].op.facts().flow {
        Flow::Source(_) | Flow::Dense(_) | Flow::Mapped(_) => true,
        Flow::Grouped { .. } | Flow::PerChannel | Flow::Sum | Flow::Concatenation | Flow::Flatten => false,
    };
    // Atoms of one source belong to one group.
    let mut sets = DisjointSets::default();
    sets.fresh(atoms);
    for index in (0..nodes.len()).filter(|&index| is_source(index)) {
        channels[index].iter().for_each(|&atom| sets.join(channels[index][0], atom));
    }
    let mut fixed = vec![false; atoms];
    for index in [0, graph.output()] {
        channels[index].iter().for_each(|&atom| fixed[atom] = true);
    }
    let mut place = vec![usize::MAX; atoms];
    let mut groups: Vec<Group> = Vec::new();
    for index in (0..nodes.len()).filter(|&index| is_source(index)) {
        let root = sets.root(channels[index][0]);
        if place[root] == usize::MAX {
            place[root] = groups.len();
            groups.push(Group {
                atoms: Vec::new(),
                producers: Vec::new(),
                consumers: Vec::new(),
                sources: 0,
                removable: true,
            });
        }
        groups[place[root]].sources += 1;
        if nodes[index].is_dense() {
            groups[place[root]].producers.push(index);
        }
    }
    for atom in 0..atoms {
        let group = &mut groups[place[sets.root(atom)]];
        group.atoms.push(atom);
        group.removable &= !fixed[atom];
    }
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.is_dense()) {
        let mut read: Vec<usize> =
            channels[node.inputs[0]].iter().map(|&atom| place[sets.root(atom)]).collect();
        read.sort_unstable();
        read.dedup();
        read.into_iter().for_each(|group| groups[group].consumers.push(index));
    }
    for group in &mut groups {
        group.removable &= !group.producers.is_empty();
    }
    groups.retain(|group| !group.producers.is_empty() || !group.atoms.is_empty());
    groups
}

/// Union-find over channels.
#[derive(Default)]
struct DisjointSets {
    parent: Vec<usize>,
}

impl DisjointSets {
    fn fresh(&mut self, count: usize) -> Vec<usize> {
        let start = self.parent.len();
        self.parent.extend(start..start + count);
        (start..start + count).collect()
    }

    fn root(&mut self, mut item: usize) -> usize {
        while self.parent[item] != item {
            self.parent[item] = self.parent[self.parent[item]];
            item = self.parent[item];
        }
        item
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The earlier channel stays the root, so atoms keep the order of the graph.
        self.parent[a.max(b)] = a.min(b);
    }

    /// Replaces items by consecutive numbers of their sets and counts the sets.
    fn number(&mut self, channels: &mut [Vec<usize>]) -> usize {
        let mut numbers = vec![usize::MAX; self.parent.len()];
        let mut count = 0;
        for item in channels.iter_mut().flatten() {
            let root = self.root(*item);
            if numbers[root] == usize::MAX {
                numbers[root] = count;
                count += 1;
            }
            *item = numbers[root];
        }
        count
    }
}
