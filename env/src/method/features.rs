//! The eleven features of a decision, scaled to [0, 1].

use cgym_teachers::{Error, graph::Graph};

use super::Site;
use crate::BudgetUnit;

/// Length of an observation.
pub const FEATURES: usize = 11;

/// Names of the features in their order, AMC's state (He et al., ECCV 2018, section 3.2):
/// `s_t = (t, n, c, h, w, stride, k, FLOPs[t], reduced, rest, a_{t−1})`.
///
/// | # | name | value for the layer decided about (kernel n×c×k×k, input c×h×w) |
/// |---|---|---|
/// | 0 | `t` | place among the decisions |
/// | 1 | `n` | output channels; units of a linear layer |
/// | 2 | `c` | input channels; features of a linear layer |
/// | 3 | `h` | height of the input; 1 for a linear layer |
/// | 4 | `w` | width of the input; 1 for a linear layer |
/// | 5 | `stride` | step over rows; 0 for a linear layer, as in AMC's code |
/// | 6 | `k` | height of the window; 1 for a linear layer |
/// | 7 | `macs` | multiply-accumulates of this layer, whatever the budget counts |
/// | 8 | `reduced` | cost removed by the decisions taken, undecided sites counted whole |
/// | 9 | `rest` | cost of the layers that a decision after this one touches |
/// | 10 | `previous` | preserve ratio executed at the decision before; 1 at the first |
///
/// Features 0 to 7 describe the uncompressed network and are scaled by minimum and maximum over the
/// decisions; a feature that is the same everywhere is 0. Features 8 and 9 are shares of the whole
/// network's cost in the budget's unit: `reduced` is the exact cost that the decisions taken have
/// removed, coupled layers included; `rest` is the uncompressed cost of the layers to come.
///
/// The observation after the last decision repeats that decision's features 0 to 7 and 9, with the
/// final `reduced` and with its own executed preserve ratio as `previous`.
pub const FEATURE_NAMES: [&str; FEATURES] =
    ["t", "n", "c", "h", "w", "stride", "k", "macs", "reduced", "rest", "previous"];

pub(crate) const REDUCED: usize = 8;
const REST: usize = 9;
pub(crate) const PREVIOUS: usize = 10;

/// The static features of `sites`, one row each, with dynamic features 0. `touching` lists, for each
/// node of `graph`, the sites that its cost depends on, in ascending order.
///
/// # Errors
/// When shapes do not fit.
pub fn static_features(
    graph: &Graph,
    sites: &[Site],
    touching: &[Vec<usize>],
    unit: BudgetUnit,
) -> Result<Vec<[f32; FEATURES]>, Error> {
    let (shapes, costs) = (graph.shapes()?, graph.costs()?);
    let mut rows = Vec::with_capacity(sites.len());
    for (t, site) in sites.iter().enumerate() {
        let node = &graph.nodes()[site.layer];
        let [inputs, height, width] = shapes[node.inputs[0]];
        let outputs = shapes[site.layer][0];
        let (stride, window) = match node.op.facts().window {
            Some(window) => (window.stride[0], window.kernel[0]),
            None => (0, 1),
        };
        let macs = costs[site.layer].macs;
        rows.push([t, outputs, inputs, height, width, stride, window, macs as usize]);
    }
    let rest = rest(graph, sites.len(), touching, unit)?;
    let mut scaled = vec![[0.0; FEATURES]; rows.len()];
    for (t, target) in scaled.iter_mut().enumerate() {
        for (feature, value) in target.iter_mut().enumerate().take(REDUCED) {
            let column = rows.iter().map(|row| row[feature]);
            let least = column.clone().min().unwrap_or(0);
            let range = column.max().unwrap_or(0) - least;
            *value = ((rows[t][feature] - least) as f64 / range.max(1) as f64) as f32;
        }
        target[REST] = rest[t] as f32;
    }
    Ok(scaled)
}

/// For each site, the uncompressed cost of layers that a later site touches, as a share of all.
fn rest(graph: &Graph, sites: usize, touching: &[Vec<usize>], unit: BudgetUnit) -> Result<Vec<f64>, Error> {
    let mut settled_by = vec![0_u64; sites];
    let mut total = 0;
    for (cost, touching) in graph.costs()?.into_iter().zip(touching) {
        let cost = unit.of(&cost);
        total += cost;
        if let Some(&last) = touching.last() {
            settled_by[last] += cost;
        }
    }
    let later = |t: usize| settled_by[t + 1..].iter().sum::<u64>();
    Ok((0..sites).map(|t| later(t) as f64 / total.max(1) as f64).collect())
}
