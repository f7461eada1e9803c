//! Poolings and the selection of channels for a batch in lanes, and their gradients.

use super::batch::Batch;
use super::memory::Aligned;
use super::share;
use crate::error::check_length;
use crate::{ChannelGather, KernelError, Pool};
use rayon::prelude::*;

/// Pools a batch; the pooling is of the batch's instruction set.
///
/// # Errors
/// [`KernelError::Length`] names a slice of another length.
pub fn pool_forward(batch: Batch, pool: &Pool, input: &[f32]) -> Result<Aligned, KernelError> {
    each_group(batch, [pool.input_len(), pool.output_len()], input, |input, output| pool.run(input, output))
}

/// Adds the gradient of a pooling's input to `target`; `input` is that of the forward pass.
///
/// # Errors
/// As [`pool_forward`].
pub fn pool_backward(
    batch: Batch,
    pool: &Pool,
    input: &[f32],
    gradient: &[f32],
    target: &mut [f32],
) -> Result<(), KernelError> {
    check_groups(batch, "input", input, pool.input_len())?;
    let lens = [pool.output_len(), pool.input_len()];
    add_each_group(batch, lens, gradient, target, |group, gradient, target| {
        pool.add_gradient(&input[group * pool.input_len()..][..pool.input_len()], gradient, target)
    })
}

/// Selects channels and pixels of a batch.
///
/// # Errors
/// As [`pool_forward`].
pub fn gather_forward(batch: Batch, gather: &ChannelGather, input: &[f32]) -> Result<Aligned, KernelError> {
    let lens = [gather.input_len(), gather.output_len()];
    each_group(batch, lens, input, |input, output| gather.run(input, output))
}

/// Adds the gradient of a selection's input to `target`.
///
/// # Errors
/// As [`pool_forward`].
pub fn gather_backward(
    batch: Batch,
    gather: &ChannelGather,
    gradient: &[f32],
    target: &mut [f32],
) -> Result<(), KernelError> {
    let lens = [gather.output_len(), gather.input_len()];
    let add = |_, gradient: &[f32], target: &mut [f32]| gather.add_back(gradient, target);
    add_each_group(batch, lens, gradient, target, add)
}

/// Refuses a tensor that does not have `len` numbers in each group.
fn check_groups(batch: Batch, name: &'static str, tensor: &[f32], len: usize) -> Result<(), KernelError> {
    check_length(name, tensor.len(), batch.len(len / batch.isa().lanes())?)
}

fn each_group(
    batch: Batch,
    [from, to]: [usize; 2],
    input: &[f32],
    run: impl Fn(&[f32], &mut [f32]) -> Result<(), KernelError> + Sync,
) -> Result<Aligned, KernelError> {
    check_groups(batch, "input", input, from)?;
    let mut output = Aligned::zeros(batch.groups() * to);
    let groups = output.par_chunks_exact_mut(to).zip(input.par_chunks_exact(from));
    groups.with_min_len(share(8 * from)).try_for_each(|(output, input)| run(input, output))?;
    Ok(output)
}

fn add_each_group(
    batch: Batch,
    [from, to]: [usize; 2],
    gradient: &[f32],
    target: &mut [f32],
    add: impl Fn(usize, &[f32], &mut [f32]) -> Result<(), KernelError> + Sync,
) -> Result<(), KernelError> {
    check_groups(batch, "output_gradient", gradient, from)?;
    check_groups(batch, "target", target, to)?;
    let groups = target.par_chunks_exact_mut(to).zip(gradient.par_chunks_exact(from)).enumerate();
    let groups = groups.with_min_len(share(8 * to));
    groups.try_for_each(|(group, (target, gradient))| add(group, gradient, target))
}
