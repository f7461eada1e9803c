//! Compiles a graph: its steps in order, and the buffer that holds each value.

use std::sync::Mutex;

use super::{
    Engine, EngineOptions,
    planner::Planner,
    run::segments,
    step::{Step, Summand},
};
use crate::{Error, graph::Graph, weights::Weights};

/// Values of the buffers that one thread needs, all lanes included: 4 GiB.
const MOST_BUFFERED: usize = 1 << 30;

/// Compiles a graph.
pub fn compile(graph: &Graph, weights: &Weights, options: EngineOptions) -> Result<Engine, Error> {
    let EngineOptions { isa, convolution } = options;
    weights.check(graph)?;
    let shapes = graph.shapes()?;
    let output = shapes[graph.output()];
    let mut planner = Planner {
        graph,
        weights,
        isa,
        algorithm: convolution.into(),
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
    let buffered = slots.lengths.iter().fold(0usize, |sum, &length| sum.saturating_add(length));
    if buffered > MOST_BUFFERED {
        let most = MOST_BUFFERED * size_of::<f32>();
        let reason = format!(
            "needs {} bytes of memory for the {} images that a thread computes side by side; the most is {most}",
            buffered.saturating_mul(size_of::<f32>()),
            isa.lanes()
        );
        return Err(Error::Graph(reason));
    }
    Ok(Engine {
        options,
        segments: segments(&slots.steps),
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
        step.sources().for_each(|value| last_read[value] = at);
    }
    last_read[output] = usize::MAX;
    let mut slot_of = vec![0; steps.len() + 1];
    let mut lengths = vec![0];
    let mut free: Vec<usize> = Vec::new();
    for (at, step) in steps.iter_mut().enumerate() {
        let dying = |value: usize| value != 0 && last_read[value] == at && !step.reads.contains(&value);
        let slot = match step.residual {
            // A residual that nothing reads any more is overwritten, which takes one buffer less.
            Summand::Slot(value) if step.adds_in_place() && dying(value) => {
                step.residual = Summand::Output;
                let slot = slot_of[value];
                free.push(slot);
                slot
            }
            _ => {
                // The smallest free buffer that is large enough, else the largest, which then grows.
                let fit = |slot: &usize| (lengths[*slot] < step.length, lengths[*slot].abs_diff(step.length));
                free.iter().copied().min_by_key(fit).unwrap_or_else(|| {
                    lengths.push(0);
                    lengths.len() - 1
                })
            }
        };
        free.retain(|&other| other != slot);
        lengths[slot] = lengths[slot].max(step.length);
        slot_of[step.writes] = slot;
        let mut done: Vec<usize> = step.sources().collect();
        done.push(step.writes);
        done.sort_unstable();
        done.dedup();
        for value in done {
            if value != 0 && last_read[value] <= at {
                free.push(slot_of[value]);
            }
        }
        step.writes = slot;
        step.reads.iter_mut().for_each(|value| *value = slot_of[*value]);
        if let Summand::Slot(value) = &mut step.residual {
            *value = slot_of[*value];
        }
    }
    Slots { lengths, steps }
}
