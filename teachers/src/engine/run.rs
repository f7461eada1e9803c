//! Runs the steps of an engine for some blocks of images.

use std::ops::Range;

use cgym_kernels::{Algorithm, Buffer, ConvBlock, KernelError, Residual};

use super::{
    Engine,
    step::{Kernel, Step, Summand},
};
use crate::{Error, graph::NodeIndex};

/// Most blocks of images that share a pass over large weights.
const MOST_TOGETHER: usize = 4;
/// Weights of a step from which on several blocks share a pass over them: those of a second-level
/// cache of 2 MiB, transformed by the fast algorithm.
const MANY_WEIGHTS: usize = 1 << 17;

/// What is called for every layer with weights, with its node and its input.
pub(super) type Observe<'a> = Option<&'a mut dyn FnMut(NodeIndex, &[f32])>;

/// Consecutive steps.
pub(super) struct Segment {
    pub steps: Range<usize>,
    /// Whether each step runs for all blocks before the next; otherwise each block runs through all
    /// steps, so that its values stay in the cache.
    pub together: bool,
}

/// Splits the steps wherever it changes whether blocks share the weights.
pub(super) fn segments(steps: &[Step]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let together =
            matches!(&step.kernel, Kernel::Conv(conv) if conv.shape().weight_len() >= MANY_WEIGHTS);
        match segments.last_mut() {
            Some(last) if last.together == together => last.steps.end = at + 1,
            _ => segments.push(Segment { steps: at..at + 1, together }),
        }
    }
    segments
}

impl Engine {
    /// Blocks that a thread runs together, out of `blocks`.
    pub(super) fn together(&self, blocks: usize) -> usize {
        let shares = self.segments.iter().any(|segment| segment.together);
        let fair = blocks.div_ceil(rayon::current_num_threads());
        if shares { fair.clamp(1, MOST_TOGETHER) } else { 1 }
    }

    /// Runs all steps for some blocks, each in its own workspace. Slot 0 is the input itself.
    pub(super) fn run(
        &self,
        algorithm: Algorithm,
        inputs: &[&[f32]],
        workspaces: &mut [Vec<Buffer>],
        observe: &mut Observe<'_>,
    ) -> Result<(), Error> {
        for segment in &self.segments {
            let steps = &self.steps[segment.steps.clone()];
            if segment.together {
                for step in steps {
                    self.run_step(step, algorithm, inputs, workspaces, observe)?;
                }
            } else {
                for (input, workspace) in inputs.chunks(1).zip(workspaces.chunks_mut(1)) {
                    for step in steps {
                        self.run_step(step, algorithm, input, workspace, observe)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn run_step(
        &self,
        step: &Step,
        algorithm: Algorithm,
        inputs: &[&[f32]],
        workspaces: &mut [Vec<Buffer>],
        observe: &mut Observe<'_>,
    ) -> Result<(), Error> {
        let refuse = |source: KernelError| Error::Kernel { node: step.name.clone(), source };
        let mut targets: Vec<Buffer> =
            workspaces.iter_mut().map(|slots| std::mem::take(&mut slots[step.writes])).collect();
        let mut blocks = Vec::with_capacity(targets.len());
        let mut done = Ok(());
        for ((target, input), slots) in targets.iter_mut().zip(inputs).zip(&*workspaces) {
            let slot = |slot: usize| if slot == 0 { *input } else { &slots[slot] };
            let output = &mut target[..step.length];
            if let (true, Some(observe)) = (step.observed, observe.as_mut()) {
                observe(step.node, slot(step.reads[0]));
            }
            match step.conv() {
                Some(conv) => {
                    let residual = match step.residual {
                        Summand::None => Residual::None,
                        Summand::Slot(residual) => Residual::Of(&slot(residual)[..step.length]),
                        Summand::Output => Residual::Output,
                    };
                    let input = slot(step.reads[0]);
                    let input = &input[..conv.input_len().min(input.len())];
                    blocks.push(ConvBlock { input, residual, output });
                }
                None => done = done.and(step.run(self.options.isa, slot, output)),
            }
        }
        match &step.kernel {
            Kernel::Conv(conv) => done = conv.run_blocks(algorithm, &mut blocks),
            Kernel::Pair { pair, node } => {
                if let Some(observe) = observe {
                    // Observers see what a pair otherwise never has as a whole.
                    let [depthwise, _] = pair.parts();
                    let mut between = Buffer::zeros(depthwise.output_len());
                    for block in &blocks {
                        done = done.and(depthwise.run(block.input, None, &mut between));
                        observe(*node, &between);
                    }
                }
                done = done.and(pair.run_blocks(&mut blocks));
            }
            _ => {}
        }
        for (slots, target) in workspaces.iter_mut().zip(targets) {
            slots[step.writes] = target;
        }
        done.map_err(refuse)
    }
}
