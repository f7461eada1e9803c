//! Losses against values worked out by hand.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::{data::Normalization, graph::Op};

/// The loss of two images whose logits are `student`'s, with classes 0 and 1.
fn loss_of(options: DistillOptions, student: [f32; 4], teacher: [f32; 4]) -> f32 {
    let normalization = Normalization::new(&[0.0], &[1.0]);
    let dataset = Dataset::new("two", 2, [1, 1, 1], vec![0, 1], vec![0, 1], 1.0, normalization).unwrap();
    let mut graph = Graph::new("linear", [1, 1, 1]);
    graph.push("classes", Op::Linear { inputs: 1, outputs: 2, bias: false }, &[0]);
    let validation = Images::new(&dataset, &[0]).unwrap();
    let distillation = Distillation {
        dataset: &dataset,
        indices: &[0, 1],
        teacher_logits: &teacher,
        validation: &validation,
        stop: None,
        checkpoints: None,
    };
    let student_of = Student {
        graph: &graph,
        zeros: BTreeMap::new(),
        options: &options,
        distillation: &distillation,
        classes: 2,
        device: Device::flex().autodiff(),
        weights: Weights::initialise(&graph, 0),
        adam: BTreeMap::new(),
        velocity: Weights::default(),
    };
    let logits = Tensor::from_data(TensorData::new(student.to_vec(), [2, 2]), &student_of.device);
    let loss = student_of.loss(logits, &[0, 1], &[0, 1]);
    loss.into_data().iter::<f32>().next().unwrap()
}

fn options(loss: DistillLoss) -> DistillOptions {
    DistillOptions { loss, ..DistillOptions::default() }
}

const STUDENT: [f32; 4] = [1.0, 0.0, 0.0, 2.0];
const TEACHER: [f32; 4] = [2.0, 0.0, -1.0, 2.0];

fn near(found: f32, expected: f64) {
    assert!((f64::from(found) - expected).abs() < 1e-5, "{found}, expected {expected}");
}

/// Mean cross-entropy of the student: −ln σ(1) and −ln σ(2).
fn hard() -> f64 {
    ((1.0 + (-1.0_f64).exp()).ln() + (1.0 + (-2.0_f64).exp()).ln()) / 2.0
}

#[test]
fn the_difference_of_logits_is_a_mean_over_images_and_classes() {
    near(loss_of(options(DistillLoss::L2Logits), STUDENT, TEACHER), 0.5);
}

#[test]
fn cross_entropy_and_the_difference_add_up() {
    near(loss_of(options(DistillLoss::Ce), STUDENT, TEACHER), hard());
    let both = DistillOptions { lambda: 3.0, ..options(DistillLoss::CeL2) };
    near(loss_of(both, STUDENT, TEACHER), hard() + 1.5);
}

#[test]
fn the_softened_loss_is_a_divergence_times_the_squared_temperature() {
    let kd = |alpha| DistillOptions { alpha, temperature: 2.0, ..options(DistillLoss::Kd) };
    near(loss_of(kd(1.0), TEACHER, TEACHER), 0.0);
    let sigmoid = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    let divergence = |p: f64, q: f64| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
    // Differences of the two logits, halved by the temperature.
    let soft = (divergence(sigmoid(1.0), sigmoid(0.5)) + divergence(sigmoid(1.5), sigmoid(1.0))) / 2.0;
    near(loss_of(kd(1.0), STUDENT, TEACHER), 4.0 * soft);
    near(loss_of(kd(0.25), STUDENT, TEACHER), soft + 0.75 * hard());
}
