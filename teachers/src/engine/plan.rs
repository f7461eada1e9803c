//! Compiles a graph: its steps in order, and the buffer that holds each value.

use std::sync::Mutex;

use cgym_kernels::Isa;

use super::{
    Engine,
    step::{Planner, Step},
};
use crate::{Error, graph::Graph, weights::Weights};

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
    // The output is the last node, so its step is the last one or an alias of it, and no later step
    // overwrites its value.
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

struct Slots {
    lengths: Vec<usize>,
    steps: Vec<Step>,
}

/// Assigns a buffer to every value; a buffer is free again after the last step that reads it.
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
