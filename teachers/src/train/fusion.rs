//! Chooses the nodes that a training step computes together.

use cgym_kernels::Activation;

use crate::graph::{ActivationKind, Graph, NodeIndex, Op};

/// A batch-norm with the nodes around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The convolution that only the batch-norm reads.
    pub conv: Option<NodeIndex>,
    /// The batch-norm.
    pub norm: NodeIndex,
    /// The activation that alone reads the batch-norm or the sum.
    pub activation: Activation,
}

/// How a node is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fusion {
    /// By itself.
    Alone,
    /// By a node before or after it; the interpreter passes its input through.
    Elsewhere,
    /// A batch-norm with convolution and activation.
    Norm(Block),
    /// A sum of two that alone reads a batch-norm, with convolution, batch-norm and activation.
    Sum(Block),
}

/// The non-linearity as the kernels name it.
pub fn activation(kind: ActivationKind) -> Activation {
    match kind {
        ActivationKind::Relu => Activation::Relu,
        ActivationKind::Relu6 => Activation::Relu6,
    }
}

/// How each node is computed. Only values with a single reader are fused.
pub fn plan(graph: &Graph) -> Vec<Fusion> {
    let (nodes, users) = (graph.nodes(), graph.users());
    let mut plan = vec![Fusion::Alone; nodes.len()];
    for (norm, node) in nodes.iter().enumerate() {
        if !matches!(node.op, Op::BatchNorm { .. }) || plan[norm] != Fusion::Alone {
            continue;
        }
        let before = node.inputs[0];
        let conv = (nodes[before].op.is_convolution() && users[before] == [norm]).then_some(before);
        let only_reader = |node: NodeIndex| match users[node][..] {
            [reader] => Some(reader),
            _ => None,
        };
        // A sum of two batch-norms takes the first along.
        let sum = only_reader(norm).filter(|&sum| {
            nodes[sum].op == Op::Add && nodes[sum].inputs.len() == 2 && plan[sum] == Fusion::Alone
        });
        let last = sum.unwrap_or(norm);
        let after = only_reader(last).and_then(|after| match nodes[after].op {
            Op::Activation { kind } => Some((after, activation(kind))),
            _ => None,
        });
        let block = Block { conv, norm, activation: after.map_or(Activation::Identity, |(_, kind)| kind) };
        for other in conv.into_iter().chain([norm]).chain(after.map(|(after, _)| after)) {
            plan[other] = Fusion::Elsewhere;
        }
        plan[last] = if sum.is_some() { Fusion::Sum(block) } else { Fusion::Norm(block) };
    }
    plan
}

/// For each node, how many reads of its value lead to the output, which itself counts as one.
pub fn readers(graph: &Graph) -> Vec<usize> {
    let mut readers = vec![0; graph.nodes().len()];
    readers[graph.output()] = 1;
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        if readers[index] > 0 {
            node.inputs.iter().for_each(|&input| readers[input] += 1);
        }
    }
    readers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::{ModelOptions, build};

    #[test]
    fn every_batch_norm_of_a_resnet_takes_its_convolution_and_its_relu_along() {
        let graph = build("resnet20", &ModelOptions::new([3, 32, 32], 10)).expect("builds");
        let plan = plan(&graph);
        let whole = |block: &Block| block.conv.is_some() && block.activation == Activation::Relu;
        let count = |wanted: fn(&Fusion) -> bool| plan.iter().filter(|fusion| wanted(fusion)).count();
        assert_eq!(count(|fusion| matches!(fusion, Fusion::Norm(_))), 10);
        assert_eq!(count(|fusion| matches!(fusion, Fusion::Sum(_))), 9);
        assert!(plan.iter().all(|fusion| match fusion {
            Fusion::Norm(block) | Fusion::Sum(block) => whole(block),
            _ => true,
        }));
        assert_eq!(count(|fusion| *fusion == Fusion::Elsewhere), 2 * 10 + 3 * 9);
    }

    #[test]
    fn a_value_that_is_read_twice_is_kept() {
        let mut graph = Graph::new("twice", [2, 4, 4]);
        let norm = graph.push("norm", Op::BatchNorm { channels: 2, epsilon: 1e-5 }, &[0]);
        let relu = graph.push("relu", Op::Activation { kind: ActivationKind::Relu }, &[norm]);
        graph.push("sum", Op::Add, &[norm, relu]);
        let alone = Fusion::Norm(Block { conv: None, norm, activation: Activation::Identity });
        assert_eq!(plan(&graph), [Fusion::Alone, alone, Fusion::Alone, Fusion::Alone]);
        assert_eq!(readers(&graph), [1, 2, 1, 1]);
    }

    #[test]
    fn only_reads_that_lead_to_the_output_count() {
        let mut graph = Graph::new("side branch", [2, 4, 4]);
        let relu = graph.push("relu", Op::Activation { kind: ActivationKind::Relu }, &[0]);
        graph.push("unread", Op::Flatten, &[relu]);
        graph.push("flat", Op::Flatten, &[relu]);
        assert_eq!(readers(&graph), [1, 1, 0, 1]);
    }
}
