//! From a graph to steps: what is fused into what, and which buffer holds which value.

use std::sync::Mutex;

use cgym_kernels::{Activation, Isa};

use super::{
    Engine,
    step::{Kernel, Step},
};
use crate::{
    Error,
    graph::{Graph, NodeIndex, Op, Role, Shape, TensorFacts},
    weights::Weights,
};

/// Compiles a graph for the instruction set `isa`.
pub fn compile(graph: &Graph, weights: &Weights, isa: Isa) -> Result<Engine, Error> {
    weights.check(graph)?;
    let shapes = graph.shapes()?;
    let output = shapes[graph.output()];
    let mut planner = Planner {
        graph,
        weights,
        isa,
        users: graph.users(),
        shapes,
        value: vec![None; graph.nodes().len()],
        steps: Vec::new(),
    };
    planner.value[0] = Some(0);
    for index in 1..graph.nodes().len() {
        if planner.value[index].is_none() {
            planner.add(index)?;
        }
    }
    let Planner { shapes, steps, value, .. } = planner;
    // A graph that ends in the input itself, or in a value that a later step overwrites, does not
    // occur: the output is the last node, so its step is the last one or an alias of it.
    let last = value[graph.output()].unwrap_or_default();
    let slots = assign_slots(steps, last);
    Ok(Engine {
        isa,
        slots: slots.lengths,
        steps: slots.steps,
        input_length: shapes[0].iter().product::<usize>() * isa.lanes(),
        classes: output.iter().product(),
        workspaces: Mutex::new(Vec::new()),
    })
}

/// What follows a kernel and is fused into it.
pub(super) struct Tail {
    pub(super) end: NodeIndex,
    pub(super) activation: Activation,
}

/// The steps so far, while a graph is compiled.
pub(super) struct Planner<'a> {
    pub(super) graph: &'a Graph,
    pub(super) weights: &'a Weights,
    pub(super) isa: Isa,
    pub(super) users: Vec<Vec<NodeIndex>>,
    pub(super) shapes: Vec<Shape>,
    /// For each node, the value that holds its result: 0 is the input, n the result of step n - 1.
    pub(super) value: Vec<Option<usize>>,
    pub(super) steps: Vec<Step>,
}

impl Planner<'_> {
    /// Adds a step that computes nodes `first` to `end`.
    pub(super) fn push(
        &mut self,
        first: NodeIndex,
        end: NodeIndex,
        kernel: Kernel,
        residual: Option<usize>,
    ) -> Result<(), Error> {
        let node = &self.graph.nodes()[first];
        let reads = node.inputs.iter().map(|&input| self.value[input].unwrap_or_default()).collect();
        let value = self.steps.len() + 1;
        let length = self.shapes[end].iter().product::<usize>() * self.isa.lanes();
        let multiplied = |tensor: TensorFacts| tensor.role == Role::Multiplied;
        self.steps.push(Step {
            node: first,
            observed: node.op.facts().tensors.into_iter().any(multiplied),
            name: node.name.clone(),
            kernel,
            reads,
            residual,
            writes: value,
            length,
        });
        // Nodes inside the chain have no other reader; marking them keeps them from being added.
        let mut at = first;
        self.value[at] = Some(value);
        while at != end {
            at = self.users[at][0];
            self.value[at] = Some(value);
        }
        Ok(())
    }

    /// The only node that reads node `index`, where that is one of the wanted operations.
    pub(super) fn sole_user(&self, index: NodeIndex, wanted: impl Fn(&Op) -> bool) -> Option<NodeIndex> {
        match self.users[index][..] {
            [user] if wanted(&self.graph.nodes()[user].op) => Some(user),
            _ => None,
        }
    }

    /// The activation that alone reads node `index`, which its kernel then computes too.
    pub(super) fn activation_after(&self, index: NodeIndex) -> Tail {
        let user = self.sole_user(index, |op| matches!(op, Op::Activation { .. }));
        match user.map(|user| (user, &self.graph.nodes()[user].op)) {
            Some((end, Op::Activation { kind })) => Tail { end, activation: (*kind).into() },
            _ => Tail { end: index, activation: Activation::Identity },
        }
    }
}

struct Slots {
    lengths: Vec<usize>,
    steps: Vec<Step>,
}

/// Gives every value a buffer; a buffer is free again after the last step that reads it.
fn assign_slots(mut steps: Vec<Step>, output: usize) -> Slots {
    let mut last_read = vec![0; steps.len() + 1];
    for (at, step) in steps.iter().enumerate() {
        step.reads.iter().chain(&step.residual).for_each(|&value| last_read[value] = at);
    }
    last_read[output] = usize::MAX;
    let mut slot_of = vec![0; steps.len() + 1];
    let mut lengths = vec![0];
    let mut free: Vec<usize> = Vec::new();
    for (at, step) in steps.iter_mut().enumerate() {
        // The smallest free buffer that is large enough, else the largest, which then grows.
        let fit = |slot: &usize| (lengths[*slot] < step.length, lengths[*slot].abs_diff(step.length));
        let slot = match free.iter().copied().min_by_key(fit) {
            Some(slot) => slot,
            None => {
                lengths.push(0);
                lengths.len() - 1
            }
        };
        free.retain(|&other| other != slot);
        lengths[slot] = lengths[slot].max(step.length);
        slot_of[step.writes] = slot;
        let mut done: Vec<usize> = step.reads.iter().chain(&step.residual).copied().collect();
        done.push(step.writes);
        done.sort_unstable();
        done.dedup();
        for value in done {
            if value != 0 && last_read[value] <= at {
                free.push(slot_of[value]);
            }
        }
        step.writes = slot;
        step.reads.iter_mut().chain(&mut step.residual).for_each(|value| *value = slot_of[*value]);
    }
    Slots { lengths, steps }
}
