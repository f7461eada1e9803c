//! Chooses the nodes that a training step computes together.

use crate::graph::{ActivationKind, Graph, NodeIndex, Op};

/// How a node is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fusion {
    /// By itself.
    Alone,
    /// By the node before or after it; the interpreter passes its input through.
    Elsewhere,
    /// A batch-norm with the ReLU that reads it.
    Relu,
    /// A sum of two with the batch-norm that it reads and the ReLU that reads it.
    Sum {
        /// The batch-norm.
        norm: NodeIndex,
    },
}

/// How each node is computed. Only values with a single reader are fused.
pub fn plan(graph: &Graph) -> Vec<Fusion> {
    let (nodes, users) = (graph.nodes(), graph.users());
    let mut plan = vec![Fusion::Alone; nodes.len()];
    for (relu, node) in nodes.iter().enumerate() {
        if node.op != (Op::Activation { kind: ActivationKind::Relu }) {
            continue;
        }
        let before = node.inputs[0];
        if users[before] != [relu] {
            continue;
        }
        match &nodes[before].op {
            Op::BatchNorm { .. } => {
                plan[before] = Fusion::Relu;
                plan[relu] = Fusion::Elsewhere;
            }
            Op::Add if nodes[before].inputs.len() == 2 => {
                let fits = |&&norm: &&NodeIndex| {
                    matches!(nodes[norm].op, Op::BatchNorm { .. }) && users[norm] == [before]
                };
                if let Some(&norm) = nodes[before].inputs.iter().find(fits) {
                    plan[norm] = Fusion::Elsewhere;
                    plan[before] = Fusion::Sum { norm };
                    plan[relu] = Fusion::Elsewhere;
                }
            }
            _ => {}
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::{ModelOptions, build};

    #[test]
    fn every_batch_norm_of_a_resnet_takes_its_relu_along() {
        let graph = build("resnet20", &ModelOptions::new([3, 32, 32], 10)).expect("builds");
        let plan = plan(&graph);
        let count = |wanted: fn(&Fusion) -> bool| plan.iter().filter(|fusion| wanted(fusion)).count();
        assert_eq!(count(|fusion| *fusion == Fusion::Relu), 10);
        assert_eq!(count(|fusion| matches!(fusion, Fusion::Sum { .. })), 9);
        assert_eq!(count(|fusion| *fusion == Fusion::Elsewhere), 10 + 2 * 9);
    }

    #[test]
    fn a_value_that_is_read_twice_is_kept() {
        let mut graph = Graph::new("twice", [2, 4, 4]);
        let norm = graph.push("norm", Op::BatchNorm { channels: 2, epsilon: 1e-5 }, &[0]);
        let relu = graph.push("relu", Op::Activation { kind: ActivationKind::Relu }, &[norm]);
        graph.push("sum", Op::Add, &[norm, relu]);
        assert_eq!(plan(&graph), [Fusion::Alone; 4]);
    }
}
