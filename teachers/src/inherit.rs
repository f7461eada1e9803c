//! Copies a network's weights to a smaller network that was derived from it.

use std::mem::discriminant;

use crate::{
    Error,
    graph::{Axis, Graph},
    weights::{Tensor, Weights},
};

/// Weights for `child`, copied from its parent's tensors of the same name: the leading channels, and
/// the middle of each window. Where the parent has no such layer, or a smaller one, weights are drawn
/// from `seed`.
///
/// # Errors
/// When the parent's weights do not fit it.
pub fn inherit(parent: &Graph, weights: &Weights, child: &Graph, seed: u64) -> Result<Weights, Error> {
    weights.check(parent)?;
    let mut inherited = Weights::initialise(child, seed);
    for node in child.nodes() {
        let Some(index) = parent.find(&node.name) else { continue };
        if discriminant(&node.op) != discriminant(&parent.nodes()[index].op) {
            continue;
        }
        for facts in node.op.facts().tensors {
            let name = format!("{}.{}", node.name, facts.kind);
            if let Ok(tensor) = weights.get(&name)
                && let Some(part) = part(tensor, &facts.axes)
            {
                inherited.insert(name, part);
            }
        }
    }
    Ok(inherited)
}

/// The part of `tensor` with axes of these lengths: the leading channels, and the middle of a window.
/// `None` where the tensor is too small.
fn part(tensor: &Tensor, axes: &[Axis]) -> Option<Tensor> {
    let shape: Vec<usize> = axes.iter().map(|axis| axis.length()).collect();
    let fits = tensor.shape.len() == shape.len() && shape.iter().zip(&tensor.shape).all(|(a, b)| a <= b);
    if !fits {
        return None;
    }
    let start = |axis: usize| match axes[axis] {
        Axis::Taps(taps) => (tensor.shape[axis] - taps) / 2,
        Axis::Outputs(_) | Axis::Inputs(_) | Axis::Block(_) => 0,
    };
    let starts: Vec<usize> = (0..shape.len()).map(start).collect();
    let count: usize = shape.iter().product();
    let value = |flat: usize| {
        let (mut rest, mut source, mut stride) = (flat, 0, 1);
        for axis in (0..shape.len()).rev() {
            source += (rest % shape[axis] + starts[axis]) * stride;
            rest /= shape[axis];
            stride *= tensor.shape[axis];
        }
        tensor.data[source]
    };
    let data = (0..count).map(value).collect();
    Some(Tensor { shape, data })
}
