//! The network as a table with one row per layer: N2N's state (Ashok et al., ICLR 2018, section 3.1).

use cgym_teachers::{
    Error,
    graph::{Class, Graph, NodeIndex, Op, Shape},
    remove,
};

/// Names of the columns that describe a layer; the mask and the cursor follow.
///
/// The columns are the paper's x = (l, k, s, p, n, s_start, s_end). Constants that are the same for
/// all networks scale every value to [0, 1], so that a policy can be transferred between networks:
///
/// | columns | feature | scale |
/// |---|---|---|
/// | 0–8 | type of the layer, one-hot: `conv`, `depthwise`, `norm`, `activation`, `pool`, `linear`, `join` (sum or concatenation), `shortcut` (padding of channels), `other` (flattening, dropout) | |
/// | 9 | `kernel`: height of the window; 0 if the layer has none | / 11 |
/// | 10 | `stride`: vertical stride; 0 if the layer has none | / 4 |
/// | 11 | `padding`: rows of zeros above the input | / 5 |
/// | 12 | `outputs`: output channels or units | log2 / 12 |
/// | 13 | `skip_start`: layers since the start of the residual block; 0 outside blocks | / 16 |
/// | 14 | `skip_end`: layers to the sum of the residual block; 0 outside blocks | / 16 |
///
/// Greater values are clipped to 1. The input node has no row.
pub const LAYER_FEATURES: [&str; 15] = [
    "conv",
    "depthwise",
    "norm",
    "activation",
    "pool",
    "linear",
    "join",
    "shortcut",
    "other",
    "kernel",
    "stride",
    "padding",
    "outputs",
    "skip_start",
    "skip_end",
];

/// Index of the mask column.
pub(super) const MASK: usize = LAYER_FEATURES.len();

const KERNEL: usize = 9;
const LARGEST: [f32; 6] = [11.0, 4.0, 5.0, 12.0, 16.0, 16.0];

/// Default number of rows: the number of layers, rounded up to a multiple of 32.
pub(super) fn default_rows(graph: &Graph) -> usize {
    layers(graph).next_multiple_of(32)
}

/// Number of layers of `graph`: all nodes except the input.
pub(super) fn layers(graph: &Graph) -> usize {
    graph.nodes().len() - 1
}

/// The row of a layer.
pub(super) fn row_of(node: NodeIndex) -> usize {
    node - 1
}

/// The table as `rows` × `columns` values in row-major order, with the cursor columns zero.
pub(super) fn table(graph: &Graph, rows: usize, columns: usize) -> Result<Vec<f32>, Error> {
    let shapes = graph.shapes()?;
    let skips = skips(graph);
    let mut table = vec![0.0; rows * columns];
    for (node, row) in (1..graph.nodes().len()).zip(table.chunks_exact_mut(columns)) {
        let (kind, window) = describe(graph, node, &shapes);
        row[kind] = 1.0;
        let outputs = (shapes[node][0].max(1) as f32).log2();
        let [start, end] = skips[node].map(|offset| offset as f32);
        let values = [window[0] as f32, window[1] as f32, window[2] as f32, outputs, start, end];
        for (place, (value, largest)) in values.into_iter().zip(LARGEST).enumerate() {
            row[KERNEL + place] = (value / largest).min(1.0);
        }
        row[MASK] = 1.0;
    }
    Ok(table)
}

/// The column of the type of a layer, and its kernel, stride and padding.
fn describe(graph: &Graph, node: NodeIndex, shapes: &[Shape]) -> (usize, [usize; 3]) {
    let node = &graph.nodes()[node];
    let facts = node.op.facts();
    let column = match facts.class {
        Class::Convolution => usize::from(facts.flow.is_depthwise()),
        Class::Norm => 2,
        Class::Activation => 3,
        Class::Pooling => 4,
        Class::Linear => 5,
        Class::Join => 6,
        Class::Shortcut => 7,
        Class::Other => 8,
    };
    let window = match (&node.op, facts.window) {
        (_, Some(window)) => [window.kernel[0], window.stride[0], window.padding[0]],
        (Op::AdaptivePool { output }, None) => {
            let window = shapes[node.inputs[0]][1].div_ceil(output[0].max(1));
            [window, window, 0]
        }
        (Op::PadChannels { stride, .. }, None) => [0, *stride, 0],
        _ => [0; 3],
    };
    (column, window)
}

/// Per node, the layers since the start and to the sum of its residual block; zeros outside blocks.
fn skips(graph: &Graph) -> Vec<[usize; 2]> {
    let mut skips = vec![[0; 2]; graph.nodes().len()];
    for block in remove::blocks(graph) {
        let inside = &mut skips[block.fork + 1..=block.sum];
        inside.iter_mut().zip(block.fork + 1..).for_each(|(skip, node)| {
            *skip = [node - block.fork, block.sum - node];
        });
    }
    skips
}
