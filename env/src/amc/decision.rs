//! What is decided about: the coupling groups in scope, and which channel counts are legal.

use cgym_teachers::{
    coupling::{Coupling, Group},
    graph::{Graph, NodeIndex, Op},
};

use super::{AmcSettings, Scope};
use crate::cost_model::uniform_groups;

/// One decision: how many channels of one coupling group stay.
///
/// Channels are those of the group's first producer. Where a grouped convolution couples them,
/// only whole atoms of several channels can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Name of the layer decided about, the first that reads the group; with the producer's in
    /// brackets where several groups share it.
    pub name: String,
    /// Index in [`Coupling::groups`].
    pub group: usize,
    /// Node of the layer decided about.
    pub layer: NodeIndex,
    /// Atoms of the whole group.
    pub atoms: usize,
    /// Channels of one atom.
    pub channels_per_atom: usize,
    /// Legal counts are multiples of this many atoms, and all.
    pub step: usize,
    /// Least legal count of atoms.
    pub least: usize,
}

impl Decision {
    /// Channels of the whole group.
    pub fn channels(&self) -> usize {
        self.atoms * self.channels_per_atom
    }

    /// Number of legal counts.
    pub(super) fn levels(&self) -> usize {
        (self.atoms - self.least).div_ceil(self.step) + 1
    }

    /// The legal count of atoms number `level`, ascending from the least.
    pub(super) fn at_level(&self, level: usize) -> usize {
        (self.least + level * self.step).min(self.atoms)
    }

    /// The legal count of atoms that `preserve_ratio` asks for: to the nearest channel, half to
    /// even, then up to the next legal count, as AMC's code rounds.
    pub(super) fn round(&self, preserve_ratio: f32) -> usize {
        let channels = (self.channels() as f64 * f64::from(preserve_ratio)).round_ties_even() as usize;
        self.legal_from(channels)
    }

    /// The least legal count of atoms with `channels` or more, or all.
    fn legal_from(&self, channels: usize) -> usize {
        let atoms = channels.div_ceil(self.channels_per_atom).max(1);
        (atoms.div_ceil(self.step) * self.step).min(self.atoms).max(self.least)
    }
}

/// The decisions of `graph` in the order of the layers decided about.
///
/// Groups that no layer reads and groups whose cost does not follow from a count are left whole.
pub(super) fn decisions(graph: &Graph, coupling: &Coupling, settings: &AmcSettings) -> Vec<Decision> {
    let uniform = uniform_groups(coupling);
    let summed = summed_atoms(graph, coupling);
    let in_scope = |group: &Group| match settings.scope {
        Scope::All => true,
        Scope::Inner => group.is_inner() && !group.atoms.iter().any(|&atom| summed[atom]),
    };
    let mut decisions: Vec<Decision> = (coupling.groups.iter().enumerate())
        .filter(|&(index, group)| group.removable && uniform[index] && in_scope(group))
        .filter_map(|(index, group)| {
            let (&layer, &producer) = (group.consumers.first()?, group.producers.first()?);
            Some(decision(graph, coupling, settings, index, [layer, producer]))
        })
        .collect();
    decisions.sort_by_key(|decision| (decision.layer, decision.group));
    let layers: Vec<NodeIndex> = decisions.iter().map(|decision| decision.layer).collect();
    for decision in &mut decisions {
        if layers.iter().filter(|&&layer| layer == decision.layer).count() > 1 {
            let producer = coupling.groups[decision.group].producers[0];
            decision.name = format!("{} ({})", decision.name, graph.nodes()[producer].name);
        }
    }
    decisions
}

fn decision(
    graph: &Graph,
    coupling: &Coupling,
    settings: &AmcSettings,
    group: usize,
    [layer, producer]: [NodeIndex; 2],
) -> Decision {
    let atoms = coupling.groups[group].atoms.len();
    let channels_per_atom = (coupling.channels[producer].len() / atoms).max(1);
    let multiple = settings.channel_multiple;
    let mut decision = Decision {
        name: graph.nodes()[layer].name.clone(),
        group,
        layer,
        atoms,
        channels_per_atom,
        step: multiple / greatest_common_divisor(multiple, channels_per_atom),
        least: 1,
    };
    // 0.2 · 5 channels are 1 channel, whatever the last bit of the product says.
    let channels = (settings.lower_bound * decision.channels() as f64 - 1e-9).ceil() as usize;
    decision.least = decision.legal_from(channels);
    decision
}

/// Atoms that some sum adds up.
fn summed_atoms(graph: &Graph, coupling: &Coupling) -> Vec<bool> {
    let mut summed = vec![false; coupling.atoms];
    for (node, channels) in graph.nodes().iter().zip(&coupling.channels) {
        if node.op == Op::Add {
            channels.iter().for_each(|&atom| summed[atom] = true);
        }
    }
    summed
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
