//! The cost of a pruned network as an exact integer function of the atoms kept per coupling group.
//!
//! The number of channels of a node is affine in the atoms kept of each group, and the cost of a
//! layer is at most a product of two numbers of channels. The cost of a network is therefore a
//! quadratic form with integer coefficients, which is built once from graph and coupling. After a
//! change of one group, only its terms and its products with groups of the same layers are computed.

use cgym_teachers::{
    Error,
    cost::Cost,
    coupling::{Coupling, Group},
    graph::{Axis, Graph, Node, Shape},
};

use crate::{BudgetUnit, method::CostFunction};

/// The quadratic form c + Σ aᵢ·kᵢ + Σ bᵢ·kᵢ² + Σ dᵢⱼ·kᵢ·kⱼ of the atoms kept kᵢ of each variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    constant: u64,
    linear: Vec<u64>,
    square: Vec<u64>,
    /// Per variable i, the pairs (j, dᵢⱼ); every product is listed under both of its variables.
    cross: Vec<Vec<(usize, u64)>>,
}

impl Form {
    fn zero(variables: usize) -> Self {
        Self {
            constant: 0,
            linear: vec![0; variables],
            square: vec![0; variables],
            cross: vec![Vec::new(); variables],
        }
    }

    /// The value of the form at `kept`.
    fn value(&self, kept: &[u64]) -> u64 {
        let mut twice_cross = 0;
        let mut sum = self.constant;
        for (variable, &count) in kept.iter().enumerate() {
            sum += self.part(variable, self.linear[variable], count);
            twice_cross +=
                count * self.cross[variable].iter().map(|&(other, d)| d * kept[other]).sum::<u64>();
        }
        sum + twice_cross / 2
    }

    /// The coefficient of `variable` at `kept`, without its square: aᵢ + Σ dᵢⱼ·kⱼ.
    fn slope(&self, variable: usize, kept: &[u64]) -> u64 {
        let cross = self.cross[variable].iter().map(|&(other, d)| d * kept[other]).sum::<u64>();
        self.linear[variable] + cross
    }

    /// The terms that depend on `variable`, for `count` atoms and this `slope`.
    fn part(&self, variable: usize, slope: u64, count: u64) -> u64 {
        (self.square[variable] * count + slope) * count
    }

    fn add_linear(&mut self, coefficient: u64, channels: &Affine) {
        self.constant += coefficient * channels.constant;
        for &(variable, slope) in &channels.slopes {
            self.linear[variable] += coefficient * slope;
        }
    }

    fn add_product(&mut self, coefficient: u64, left: &Affine, right: &Affine) {
        self.add_linear(coefficient * left.constant, right);
        for &(i, a) in &left.slopes {
            self.linear[i] += coefficient * a * right.constant;
            for &(j, b) in &right.slopes {
                if i == j {
                    self.square[i] += coefficient * a * b;
                } else {
                    self.add_cross(i, j, coefficient * a * b);
                    self.add_cross(j, i, coefficient * a * b);
                }
            }
        }
    }

    fn add_cross(&mut self, of: usize, with: usize, coefficient: u64) {
        match self.cross[of].iter_mut().find(|(other, _)| *other == with) {
            Some((_, sum)) => *sum += coefficient,
            None => self.cross[of].push((with, coefficient)),
        }
    }
}

impl CostFunction for Form {
    fn total(&self, kept: &[u64]) -> u64 {
        self.value(kept)
    }

    fn with(&self, kept: &[u64], total: u64, site: usize, amount: u64) -> u64 {
        let slope = self.slope(site, kept);
        total - self.part(site, slope, kept[site]) + self.part(site, slope, amount)
    }
}

/// A number of channels: a constant, and the channels per atom of each variable.
struct Affine {
    constant: u64,
    slopes: Vec<(usize, u64)>,
}

/// Costs of a graph as functions of the atoms kept of some of its coupling groups, the variables.
/// All other groups are kept whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostModel {
    groups: Vec<usize>,
    atoms: Vec<u64>,
    macs: Form,
    parameters: Form,
    activation_bytes: Form,
    weight_bytes: Form,
    /// Per node, the variables that its cost depends on.
    touching: Vec<Vec<usize>>,
}

impl CostModel {
    /// A model whose variables are the groups `groups` of `coupling`, without repeats.
    ///
    /// # Errors
    /// [`Error::Channels`] for a group that does not exist, is listed twice, is not removable or is not
    /// [uniform](uniform_groups); the error of shapes that do not fit.
    pub fn new(graph: &Graph, coupling: &Coupling, groups: &[usize]) -> Result<Self, Error> {
        let uniform = uniform_groups(coupling);
        let mut variable_of = vec![None; coupling.atoms];
        for (variable, &group) in groups.iter().enumerate() {
            let repeated = groups[..variable].contains(&group);
            let allowed = |of: &&Group| of.removable && uniform[group] && !repeated;
            let Some(of) = coupling.groups.get(group).filter(allowed) else {
                return Err(Error::Channels {
                    group: format!("#{group}"),
                    reason: "it cannot vary: fixed, listed twice, or made of atoms that are not alike"
                        .to_owned(),
                });
            };
            of.atoms.iter().for_each(|&atom| variable_of[atom] = Some(variable));
        }
        let atoms: Vec<u64> = groups.iter().map(|&group| coupling.groups[group].atoms.len() as u64).collect();
        let form = Form::zero(groups.len());
        let mut model = Self {
            groups: groups.to_vec(),
            macs: form.clone(),
            parameters: form.clone(),
            activation_bytes: form.clone(),
            weight_bytes: form,
            touching: Vec::with_capacity(graph.nodes().len()),
            atoms,
        };
        let channels: Vec<Affine> =
            coupling.channels.iter().map(|channels| affine(channels, &variable_of, &model.atoms)).collect();
        for ((index, node), shape) in graph.nodes().iter().enumerate().zip(graph.shapes()?) {
            let input = node.inputs.first().map_or(&channels[index], |&input| &channels[input]);
            model.add(node, shape, input, &channels[index]);
        }
        Ok(model)
    }

    /// Adds the costs of a node, as [`Node::cost`] counts them, as functions of its input and output
    /// channels.
    fn add(&mut self, node: &Node, shape: Shape, input: &Affine, output: &Affine) {
        let pixels = (shape[1] * shape[2]) as u64;
        let mut touching = Vec::new();
        self.activation_bytes.add_linear(4 * pixels, output);
        for tensor in node.op.facts().tensors {
            let fixed = |axis: &Axis| if axis.is_channels() { 1 } else { axis.length() as u64 };
            let cell: u64 = tensor.axes.iter().map(fixed).product();
            let mixes = tensor.axes.iter().any(|axis| matches!(axis, Axis::Inputs(_)));
            let forms = [
                (&mut self.macs, tensor.uses(shape)),
                (&mut self.parameters, u64::from(tensor.trainable())),
                (&mut self.weight_bytes, 4),
            ];
            for (form, factor) in forms.into_iter().filter(|(_, factor)| *factor > 0) {
                if mixes {
                    form.add_product(factor * cell, input, output);
                } else {
                    form.add_linear(factor * cell, output);
                }
            }
            touching.extend(&output.slopes);
            touching.extend(input.slopes.iter().filter(|_| mixes));
        }
        let mut touching: Vec<usize> = touching.into_iter().map(|&(variable, _)| variable).collect();
        touching.sort_unstable();
        touching.dedup();
        self.touching.push(touching);
    }

    /// The groups that are variables, in the order of `kept`.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// Number of atoms of each variable in the whole network.
    pub fn atoms(&self) -> &[u64] {
        &self.atoms
    }

    /// Per node of the graph, the variables that its MACs or parameters depend on, in ascending order.
    pub fn touching(&self) -> &[Vec<usize>] {
        &self.touching
    }

    /// The cost with `kept` atoms of each variable. It equals [`Graph::cost`] of the network after
    /// surgery.
    ///
    /// # Panics
    /// If `kept` does not have one count per variable.
    pub fn cost(&self, kept: &[u64]) -> Cost {
        assert_eq!(kept.len(), self.groups.len(), "one count per variable");
        Cost {
            macs: self.macs.value(kept),
            parameters: self.parameters.value(kept),
            activation_bytes: self.activation_bytes.value(kept),
            weight_bytes: self.weight_bytes.value(kept),
        }
    }

    /// The cost in `unit`; `None` if it is not a function of the numbers of channels.
    pub fn form(&self, unit: BudgetUnit) -> Option<&dyn CostFunction> {
        [
            (BudgetUnit::MACS, &self.macs),
            (BudgetUnit::PARAMS, &self.parameters),
            (BudgetUnit::BYTES, &self.weight_bytes),
        ]
        .into_iter()
        .find(|(known, _)| *known == unit)
        .map(|(_, form)| form as &dyn CostFunction)
    }
}

fn affine(channels: &[usize], variable_of: &[Option<usize>], atoms: &[u64]) -> Affine {
    let mut tally = vec![0; atoms.len()];
    let mut constant = 0;
    for &atom in channels {
        match variable_of[atom] {
            Some(variable) => tally[variable] += 1,
            None => constant += 1,
        }
    }
    let slopes = tally.iter().zip(atoms).enumerate();
    let slopes = slopes.filter(|(_, (count, _))| **count > 0).map(|(v, (count, all))| (v, count / all));
    Affine { constant, slopes: slopes.collect() }
}

/// Per group, whether it is uniform: in every node all of its atoms have the same number of channels.
/// Only then is the cost a function of the number of atoms kept. A group that is not uniform, such as
/// one from a sum of a concatenation and a single layer, has to be kept whole.
pub fn uniform_groups(coupling: &Coupling) -> Vec<bool> {
    let mut group_of = vec![0; coupling.atoms];
    for (index, group) in coupling.groups.iter().enumerate() {
        group.atoms.iter().for_each(|&atom| group_of[atom] = index);
    }
    let mut uniform = vec![true; coupling.groups.len()];
    let mut tally = vec![0_usize; coupling.atoms];
    for channels in &coupling.channels {
        channels.iter().for_each(|&atom| tally[atom] += 1);
        let mut groups: Vec<usize> = channels.iter().map(|&atom| group_of[atom]).collect();
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            let atoms = &coupling.groups[group].atoms;
            uniform[group] &= atoms.iter().all(|&atom| tally[atom] == tally[atoms[0]]);
        }
        channels.iter().for_each(|&atom| tally[atom] = 0);
    }
    uniform
}
