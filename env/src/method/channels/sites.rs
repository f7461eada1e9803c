//! The sites of channel pruning: the coupling groups in scope and their legal numbers of channels.

use cgym_teachers::{
    coupling::{Coupling, Group},
    graph::{Flow, Graph, NodeIndex},
};

use super::{ChannelSettings, Scope, cost_model::uniform_groups};
use crate::method::{Ladder, Site};

/// The sites of `graph` in the order of their layers, each with the index of its coupling group.
///
/// A site is a coupling group. Its amounts are counted in atoms, and its channels are those of the
/// first producer of the group. If a grouped convolution couples channels, an atom has several
/// channels, which are kept or removed together. A site is named after the first layer that reads the
/// group; the name of the producer follows in brackets if several groups share that layer. Groups
/// that no layer reads and groups that are not uniform are kept whole.
pub(super) fn sites(graph: &Graph, coupling: &Coupling, settings: &ChannelSettings) -> Vec<(usize, Site)> {
    let uniform = uniform_groups(coupling);
    let summed = summed_atoms(graph, coupling);
    let in_scope = |group: &Group| match settings.scope {
        Scope::All => true,
        Scope::Inner => group.is_inner() && !group.atoms.iter().any(|&atom| summed[atom]),
    };
    let mut sites: Vec<(usize, Site)> = (coupling.groups.iter().enumerate())
        .filter(|&(index, group)| group.removable && uniform[index] && in_scope(group))
        .filter_map(|(index, group)| {
            let (&layer, &producer) = (group.consumers.first()?, group.producers.first()?);
            Some((index, site(graph, coupling, settings, index, [layer, producer])))
        })
        .collect();
    sites.sort_by_key(|(group, site)| (site.layer, *group));
    let layers: Vec<NodeIndex> = sites.iter().map(|(_, site)| site.layer).collect();
    for (group, site) in &mut sites {
        if layers.iter().filter(|&&layer| layer == site.layer).count() > 1 {
            let producer = coupling.groups[*group].producers[0];
            site.name = format!("{} ({})", site.name, graph.nodes()[producer].name);
        }
    }
    sites
}

fn site(
    graph: &Graph,
    coupling: &Coupling,
    settings: &ChannelSettings,
    group: usize,
    [layer, producer]: [NodeIndex; 2],
) -> Site {
    let atoms = coupling.groups[group].atoms.len();
    let channels_per_atom = (coupling.channels[producer].len() / atoms).max(1);
    let multiple = settings.channel_multiple;
    let step = multiple / greatest_common_divisor(multiple, channels_per_atom);
    // The margin absorbs rounding errors: 0.2 · 5 channels are 1 channel.
    let channels = (settings.lower_bound * (atoms * channels_per_atom) as f64 - 1e-9).ceil() as usize;
    let least = channels.div_ceil(channels_per_atom);
    Site {
        name: graph.nodes()[layer].name.clone(),
        layer,
        ladder: Ladder::multiples(least as u64, step as u64, atoms as u64),
        per_amount: channels_per_atom as u64,
    }
}

/// Per atom, whether it is part of a sum.
fn summed_atoms(graph: &Graph, coupling: &Coupling) -> Vec<bool> {
    let mut summed = vec![false; coupling.atoms];
    for (node, channels) in graph.nodes().iter().zip(&coupling.channels) {
        if node.op.facts().flow == Flow::Sum {
            channels.iter().for_each(|&atom| summed[atom] = true);
        }
    }
    summed
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
