//! Candidates of N2N that are no network, or none that is worth training.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use cgym_env::n2n::DEGENERATE_REWARD;
use cgym_teachers::graph::{Conv, Graph, Op};
use common::{
    NO_OPTIONS, digits_network,
    n2n::{Diverges, env_of, env_with, last, removal, shrinkage, without},
};

#[test]
fn what_is_no_smaller_is_degenerate() {
    let mut env = env_of(&digits_network("resnet8"), &removal());
    let all = vec![1; env.game().decisions().len()];
    let step = last(&mut env, &NO_OPTIONS, &all);
    assert_eq!((step.reward(), step.info().outcome.is_none()), (DEGENERATE_REWARD, true));
    let reason = step.info().reason.clone().unwrap();
    assert!(reason.contains("not fewer than"), "{reason}");
    // An activation has no parameters: without it alone the network is no smaller either.
    let actions = without(&env, &["bn1.relu"]);
    assert_eq!(last(&mut env, &NO_OPTIONS, &actions).reward(), DEGENERATE_REWARD);
}

#[test]
fn what_does_not_fit_is_degenerate() {
    let mut graph = Graph::new("grouped", [1, 8, 8]);
    let stem = graph.push("stem", Op::Conv(Conv::square(1, 3, 3, 1)), &[0]);
    let wide = graph.push("wide", Op::Conv(Conv::square(3, 4, 3, 1)), &[stem]);
    let grouped = Op::Conv(Conv { groups: 2, ..Conv::square(4, 4, 3, 2) });
    let grouped = graph.push("grouped", grouped, &[wide]);
    graph.push("classes", Op::AdaptivePool { output: [1, 1] }, &[grouped]);
    let mut env = env_of(&graph, &removal());
    let step = last(&mut env, &NO_OPTIONS, &[0]);
    assert_eq!(step.reward(), DEGENERATE_REWARD);
    assert_eq!(step.info().reason.as_deref(), Some("`grouped` 2 groups do not divide 3 and 4 channels"));
}

#[test]
fn too_few_features_are_degenerate() {
    let mut env = env_of(&digits_network("lenet5"), &shrinkage());
    let factor = |name: &str| if name == "fc2 (units)" { 0 } else { 9 };
    let actions: Vec<usize> = env.game().decisions().iter().map(|decision| factor(&decision.name)).collect();
    let step = last(&mut env, &NO_OPTIONS, &actions);
    assert_eq!(step.reward(), DEGENERATE_REWARD);
    assert_eq!(step.info().reason.as_deref(), Some("`fc3` reads 8 features, under 10"));
}

#[test]
fn too_many_features_are_degenerate() {
    let mut graph = Graph::new("wide", [1, 56, 56]);
    let wide = graph.push("wide", Op::Conv(Conv::square(1, 64, 3, 1)), &[0]);
    let narrow = graph.push("narrow", Op::Conv(Conv::square(64, 8, 3, 1)), &[wide]);
    let flat = graph.push("flat", Op::Flatten, &[narrow]);
    graph.push("classes", Op::Linear { inputs: 8 * 56 * 56, outputs: 1, bias: true }, &[flat]);
    let graph = Graph::from_nodes("wide", graph.nodes().to_vec()).unwrap();
    let mut env = env_of(&graph, &removal());
    let step = last(&mut env, &NO_OPTIONS, &[0]);
    assert_eq!(step.info().reason.as_deref(), Some("`classes` reads 200704 features, over 50000"));
}

#[test]
fn a_student_that_cannot_be_trained_is_degenerate() {
    let graph = digits_network("resnet8");
    let mut env = env_with(&graph, &removal(), Arc::new(Diverges));
    let actions = without(&env, &["layer1.0.conv2"]);
    let step = last(&mut env, &NO_OPTIONS, &actions);
    assert_eq!(step.reward(), DEGENERATE_REWARD);
    assert_eq!(
        step.info().reason.as_deref(),
        Some(
            "the student's training diverged: the student's loss is not finite; a lower score.learning_rate may help"
        )
    );
}
