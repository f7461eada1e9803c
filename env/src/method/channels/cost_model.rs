//! The cost of a pruned network as an exact integer function of how much is kept.
//!
//! Every node's channel count is affine in the atoms kept of each coupling group, and every cost
//! is at most a product of two channel counts. So a whole network's cost is a quadratic form with
//! whole coefficients, built once from graph and coupling; changing one group costs only the work
//! of the groups that meet it in some layer.

use cgym_teachers::{
    Error,
    cost::Cost,
    coupling::{Coupling, Group},
    graph::{Axis, Graph, Node, Shape},
};

use crate::{BudgetUnit, method::CostFunction};

/// Σ c + Σ aᵢ·kᵢ + Σ bᵢ·kᵢ² + Σ dᵢⱼ·kᵢ·kⱼ over the atoms kept kᵢ of each variable group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    constant: u64,
    linear: Vec<u64>,
    square: Vec<u64>,
    /// For each variable, who it is multiplied with; every pair stands under both of its ends.
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

    /// The whole form at `kept`.
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

    /// The cost of one more atom of `variable` at `kept`, without its own square.
    fn slope(&self, variable: usize, kept: &[u64]) -> u64 {
        let cross = self.cross[variable].iter().map(|&(other, d)| d * kept[other]).sum::<u64>();
        self.linear[variable] + cross
    }

    /// The share of the value that depends on `variable`, with `count` atoms at this `slope`.
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

/// A channel count: the channels that always stay and those that each variable's atom adds.
struct Affine {
    constant: u64,
    slopes: Vec<(usize, u64)>,
}

/// Costs of a graph as functions of the atoms kept of some of its coupling groups; all other
/// groups are whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostModel {
    groups: Vec<usize>,
    atoms: Vec<u64>,
    macs: Form,
    parameters: Form,
    activation_bytes: Form,
    weight_bytes: Form,
    /// For each node, the variables that its cost hangs on.
    touching: Vec<Vec<usize>>,
}

impl CostModel {
    /// A model in which the groups `groups` of `coupling`, without repeats, vary.
    ///
    /// # Errors
    /// [`Error::Channels`] for a group that does not exist, cannot lose channels or is not
    /// [uniform](uniform_groups); shapes that do not fit.
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

    /// Adds the costs of a node, as [`Node::cost`] counts them, as functions of the channels that it
    /// reads and gives.
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

    /// The variable groups, in the order in which `kept` lists them.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// Atoms of each variable group of the whole network.
    pub fn atoms(&self) -> &[u64] {
        &self.atoms
    }

    /// For each node of the graph, the variables that its MACs or parameters hang on, ascending.
    pub fn touching(&self) -> &[Vec<usize>] {
        &self.touching
    }

    /// The cost with `kept` atoms of each variable group; what [`Graph::cost`] gives of the
    /// network after surgery.
    ///
    /// # Panics
    /// When `kept` has not one count for each variable group.
    pub fn cost(&self, kept: &[u64]) -> Cost {
        assert_eq!(kept.len(), self.groups.len(), "one count a variable group");
        Cost {
            macs: self.macs.value(kept),
            parameters: self.parameters.value(kept),
            activation_bytes: self.activation_bytes.value(kept),
            weight_bytes: self.weight_bytes.value(kept),
        }
    }

    /// The cost in `unit`; `None` where it is not a function of channel counts.
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

/// For each group, whether its atoms are alike: in every node each stands for as many channels as
/// the others. Only then does a cost follow from how many are kept, whichever they are. A group
/// that is not (a sum of a concatenation and a single layer makes one) has to stay whole.
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
