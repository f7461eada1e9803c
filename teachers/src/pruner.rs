//! Channel pruning: makes a smaller network from the number of channels to keep in each group.

use rayon::prelude::*;

use crate::{
    Error,
    coupling::{Atom, Coupling},
    engine::Images,
    graph::{Graph, NodeIndex, Window},
    reconstruct::{Sampling, Statistics},
    surgery::{Keep, slice},
    weights::Weights,
};

/// A teacher prepared for pruning, with everything that does not depend on the choice of channels.
pub struct Pruner {
    graph: Graph,
    weights: Weights,
    coupling: Coupling,
    /// For each group, its atoms from the greatest magnitude to the least.
    ranking: Vec<Vec<Atom>>,
    statistics: Option<Statistics>,
}

impl Pruner {
    /// Prepares a teacher for pruning without reconstruction.
    ///
    /// # Errors
    /// When weights and graph do not fit each other.
    pub fn new(graph: Graph, weights: Weights) -> Result<Self, Error> {
        weights.check(&graph)?;
        let coupling = Coupling::of(&graph)?;
        let ranking = rank(&graph, &weights, &coupling)?;
        Ok(Self { graph, weights, coupling, ranking, statistics: None })
    }

    /// Adds least-squares reconstruction from a calibration split for every layer that reads a
    /// removable group.
    ///
    /// # Errors
    /// When the images do not fit the network.
    pub fn with_reconstruction(mut self, calibration: &Images, sampling: Sampling) -> Result<Self, Error> {
        let mut layers: Vec<NodeIndex> = self
            .coupling
            .groups
            .iter()
            .filter(|group| group.removable)
            .flat_map(|group| group.consumers.clone())
            .collect();
        layers.sort_unstable();
        layers.dedup();
        self.statistics =
            Some(Statistics::collect(&self.graph, &self.weights, calibration, &layers, sampling)?);
        Ok(self)
    }

    /// The teacher's graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The teacher's weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The coupling of the teacher's channels.
    pub fn coupling(&self) -> &Coupling {
        &self.coupling
    }

    /// Prunes each listed group to its atoms of greatest magnitude and refits the layers that lost
    /// inputs: [`Pruner::cut`] and [`Pruner::refit`] in one. `kept` lists indices into the coupling's
    /// groups with the number of atoms to keep; all other groups keep every atom.
    ///
    /// # Errors
    /// [`Error::Channels`] for a choice that the graph does not allow.
    pub fn prune(&self, kept: &[(usize, usize)]) -> Result<(Graph, Weights), Error> {
        let (graph, mut weights) = self.cut(kept)?;
        self.refit(kept, &mut weights)?;
        Ok((graph, weights))
    }

    /// The network with only the atoms to keep, its remaining weights as they were.
    ///
    /// # Errors
    /// As [`Pruner::prune`].
    pub fn cut(&self, kept: &[(usize, usize)]) -> Result<(Graph, Weights), Error> {
        slice(&self.graph, &self.weights, &self.coupling, &self.choose(kept)?)
    }

    /// Refits the layers that lost inputs in `weights`, those of [`Pruner::cut`] for the same `kept`.
    /// Without reconstruction nothing changes.
    ///
    /// # Errors
    /// As [`Pruner::prune`].
    pub fn refit(&self, kept: &[(usize, usize)], weights: &mut Weights) -> Result<(), Error> {
        let Some(statistics) = &self.statistics else { return Ok(()) };
        let keep = self.choose(kept)?;
        let layers: Vec<NodeIndex> =
            (0..self.graph.nodes().len()).filter(|&index| self.graph.nodes()[index].is_dense()).collect();
        let fits: Vec<_> = layers
            .into_par_iter()
            .map(|index| {
                let node = &self.graph.nodes()[index];
                let read = &self.coupling.channels[node.inputs[0]];
                let inputs = keep.positions(read);
                if inputs.len() == read.len() {
                    return Ok(None);
                }
                let outputs = keep.positions(&self.coupling.channels[index]);
                let fit = statistics.refit(&self.graph, &self.weights, index, &inputs, &outputs)?;
                Ok(fit.map(|fit| (&node.name, fit)))
            })
            .collect::<Result<_, Error>>()?;
        for (name, (weight, bias)) in fits.into_iter().flatten() {
            weights.insert(format!("{name}.weight"), weight);
            if let Some(bias) = bias {
                weights.insert(format!("{name}.bias"), bias);
            }
        }
        Ok(())
    }

    /// The atoms that [`Pruner::prune`] keeps.
    ///
    /// # Errors
    /// [`Error::Channels`] for a choice that the graph does not allow.
    pub fn choose(&self, kept: &[(usize, usize)]) -> Result<Keep, Error> {
        let mut keep = Keep::all(&self.coupling);
        for &(group, count) in kept {
            let ranking = self.ranking.get(group).map(Vec::as_slice).unwrap_or_default();
            if count > ranking.len() {
                return Err(Error::Channels {
                    group: format!("#{group}"),
                    reason: format!("{count} channels of {}", ranking.len()),
                });
            }
            keep.set(&self.graph, &self.coupling, group, &ranking[..count])?;
        }
        Ok(keep)
    }
}

/// Ranks the atoms of every group by Σ|w| over all weights that read them. Of equal atoms the earlier
/// one ranks higher.
fn rank(graph: &Graph, weights: &Weights, coupling: &Coupling) -> Result<Vec<Vec<Atom>>, Error> {
    let mut magnitude = vec![0.0f64; coupling.atoms];
    let dense = |index: &NodeIndex| graph.nodes()[*index].is_dense();
    for index in (0..graph.nodes().len()).filter(dense) {
        let node = &graph.nodes()[index];
        let weight = weights.get(&format!("{}.weight", node.name))?;
        let read = &coupling.channels[node.inputs[0]];
        let cell = node.op.facts().window.unwrap_or(Window::POINT).area();
        for row in weight.data.chunks_exact(read.len() * cell) {
            for (values, &atom) in row.chunks_exact(cell).zip(read) {
                magnitude[atom] += values.iter().map(|value| f64::from(value.abs())).sum::<f64>();
            }
        }
    }
    Ok(coupling
        .groups
        .iter()
        .map(|group| {
            let mut atoms = group.atoms.clone();
            atoms.sort_by(|&a, &b| magnitude[b].total_cmp(&magnitude[a]).then(a.cmp(&b)));
            atoms
        })
        .collect())
}
