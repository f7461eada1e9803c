//! Handing a network's weights to a smaller one that was cut out of it.

use crate::{
    Error,
    graph::{Graph, Op},
    weights::{Tensor, Weights},
};

/// Weights for `child`: of each tensor the leading channels of its parent's tensor of the same name,
/// the middle of a window; fresh ones, drawn from `seed`, where the parent has no such layer or a
/// smaller one.
///
/// # Errors
/// When the parent's weights do not fit it.
pub fn inherit(parent: &Graph, weights: &Weights, child: &Graph, seed: u64) -> Result<Weights, Error> {
    weights.check(parent)?;
    let mut inherited = Weights::initialise(child, seed);
    for node in child.nodes() {
        let Some(index) = parent.find(&node.name) else { continue };
        let windowed = match (&node.op, &parent.nodes()[index].op) {
            (Op::Conv(_), Op::Conv(_)) => true,
            (Op::Linear { .. }, Op::Linear { .. }) | (Op::BatchNorm { .. }, Op::BatchNorm { .. }) => false,
            _ => continue,
        };
        for parameter in node.parameters() {
            if let Ok(tensor) = weights.get(&parameter.name)
                && let Some(part) = part(tensor, &parameter.shape, windowed)
            {
                inherited.insert(parameter.name, part);
            }
        }
    }
    Ok(inherited)
}

/// The part of `tensor` of this shape: leading rows and columns, the middle of axes 2 and 3 of a
/// window. `None` where it is too small.
fn part(tensor: &Tensor, shape: &[usize], windowed: bool) -> Option<Tensor> {
    let fits = tensor.shape.len() == shape.len() && shape.iter().zip(&tensor.shape).all(|(a, b)| a <= b);
    if !fits {
        return None;
    }
    let start = |axis: usize| if windowed && axis >= 2 { (tensor.shape[axis] - shape[axis]) / 2 } else { 0 };
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
    Some(Tensor { shape: shape.to_vec(), data: (0..count).map(value).collect() })
}
