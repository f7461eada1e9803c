//! Reconstruction against a direct least-squares solve.

mod common;

use cgym_teachers::{
    engine::{Convolution, Images},
    graph::{ActivationKind, Conv, Graph, Op},
    reconstruct::{Sampling, Statistics},
    weights::Weights,
};
use common::{random_images, random_weights};

const POINTS: Sampling = Sampling { points: 1000, seed: 1, convolution: Convolution::Fast };

/// One hidden layer that hands its activations to the layer under test.
fn network(conv: Conv) -> (Graph, Weights, usize) {
    let mut graph = Graph::new("one", [2, 7, 6]);
    let first = graph.push("first", Op::Conv(Conv::square(2, conv.inputs, 3, 1).with_bias()), &[0]);
    let relu = graph.push("relu", Op::Activation { kind: ActivationKind::Relu }, &[first]);
    let node = graph.push("layer", Op::Conv(conv), &[relu]);
    let weights = random_weights(&graph, 5);
    (graph, weights, node)
}

/// Rows of windows and of outputs, computed one by one.
fn rows(
    graph: &Graph,
    weights: &Weights,
    node: usize,
    values: &[f32],
    count: usize,
) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let Op::Conv(conv) = &graph.nodes()[node].op else { panic!("no convolution") };
    let mut head = Graph::new("head", graph.input_shape());
    for before in &graph.nodes()[1..node] {
        head.push(before.name.clone(), before.op.clone(), &before.inputs);
    }
    let device = burn::tensor::Device::flex();
    let [c, h, w] = graph.input_shape();
    let images = burn::tensor::Tensor::<4>::from_data(
        burn::tensor::TensorData::new(values.to_vec(), [count, c, h, w]),
        &device,
    );
    let interpreter = cgym_teachers::train::Interpreter::new(&head, weights, &device).expect("fits");
    let hidden: Vec<f32> = interpreter.evaluate(images).expect("runs").into_data().iter::<f32>().collect();
    let [_, oh, ow] = graph.shapes().expect("fits")[node];
    let weight = &weights.get("layer.weight").expect("there").data;
    let bias = weights.of("layer", "bias");
    let (mut xs, mut ys) = (Vec::new(), Vec::new());
    for image in hidden.chunks(conv.inputs * h * w) {
        for y in 0..oh {
            for x in 0..ow {
                let mut row = Vec::new();
                for channel in 0..conv.inputs {
                    for ky in 0..conv.kernel[0] {
                        for kx in 0..conv.kernel[1] {
                            let sy = (y * conv.stride[0] + ky * conv.dilation[0]) as isize
                                - conv.padding[0] as isize;
                            let sx = (x * conv.stride[1] + kx * conv.dilation[1]) as isize
                                - conv.padding[1] as isize;
                            let inside = sy >= 0 && sx >= 0 && (sy as usize) < h && (sx as usize) < w;
                            row.push(if inside {
                                f64::from(image[(channel * h + sy as usize) * w + sx as usize])
                            } else {
                                0.0
                            });
                        }
                    }
                }
                let output = |o: usize| {
                    let own = &weight[o * row.len()..(o + 1) * row.len()];
                    own.iter().zip(&row).map(|(&w, x)| f64::from(w) * x).sum::<f64>()
                        + bias.map_or(0.0, |bias| f64::from(bias.data[o]))
                };
                ys.push((0..conv.outputs).map(output).collect());
                xs.push(row);
            }
        }
    }
    (xs, ys)
}

/// Solves min ‖X·B − Y‖² by Gram–Schmidt on the columns: shares nothing with normal equations.
fn least_squares_residual(xs: &[Vec<f64>], ys: &[f64]) -> f64 {
    let columns = xs[0].len();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for column in 0..columns {
        let mut v: Vec<f64> = xs.iter().map(|row| row[column]).collect();
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let before = norm(&v);
        for _ in 0..2 {
            for q in &basis {
                let dot: f64 = q.iter().zip(&v).map(|(a, b)| a * b).sum();
                v.iter_mut().zip(q).for_each(|(x, q)| *x -= dot * q);
            }
        }
        let length = norm(&v);
        if length > 1e-9 * before.max(1e-300) {
            basis.push(v.iter().map(|x| x / length).collect());
        }
    }
    let mut rest = ys.to_vec();
    for q in &basis {
        let dot: f64 = q.iter().zip(&rest).map(|(a, b)| a * b).sum();
        rest.iter_mut().zip(q).for_each(|(x, q)| *x -= dot * q);
    }
    rest.iter().map(|x| x * x).sum()
}

#[test]
fn the_refit_reaches_the_optimum_of_a_direct_solve() {
    let cases = [
        Conv::square(6, 4, 1, 1),
        Conv::square(6, 4, 1, 2),
        Conv::square(5, 3, 3, 1),
        Conv::square(5, 3, 3, 2).with_bias(),
        Conv { kernel: [5, 3], padding: [2, 0], dilation: [1, 2], ..Conv::square(4, 3, 3, 1) }.with_bias(),
    ];
    for conv in cases {
        let (graph, weights, node) = network(conv.clone());
        let (images, values): (Images, Vec<f32>) = random_images(&graph, 40, 3);
        let statistics = Statistics::collect(&graph, &weights, &images, &[node], POINTS).expect("collects");
        let (kept, outputs) = ([0, 2, 3], [0, 2]);
        let (weight, bias) =
            statistics.refit(&graph, &weights, node, &kept, &outputs).expect("solves").expect("known");
        let (xs, ys) = rows(&graph, &weights, node, &values, 40);
        let taps = conv.kernel[0] * conv.kernel[1];
        let features: Vec<usize> = kept.iter().flat_map(|&c| c * taps..(c + 1) * taps).collect();
        for (row, &output) in outputs.iter().enumerate() {
            let mut design: Vec<Vec<f64>> =
                xs.iter().map(|x| features.iter().map(|&f| x[f]).collect()).collect();
            if conv.bias {
                design.iter_mut().for_each(|x| x.push(1.0));
            }
            let target: Vec<f64> = ys.iter().map(|y| y[output]).collect();
            let best = least_squares_residual(&design, &target);
            let own = &weight.data[row * features.len()..(row + 1) * features.len()];
            let intercept = bias.as_ref().map_or(0.0, |bias| f64::from(bias.data[row]));
            let reached: f64 = xs
                .iter()
                .zip(&target)
                .map(|(x, y)| {
                    let fitted: f64 = own.iter().zip(&features).map(|(&w, &f)| f64::from(w) * x[f]).sum();
                    (fitted + intercept - y).powi(2)
                })
                .sum();
            assert!(reached <= best * (1.0 + 1e-4) + 1e-6, "{conv:?}: {reached} against {best}");
        }
    }
}

#[test]
fn keeping_everything_changes_nothing() {
    let (graph, weights, node) = network(Conv::square(5, 3, 3, 1).with_bias());
    let (images, _) = random_images(&graph, 40, 3);
    let statistics = Statistics::collect(&graph, &weights, &images, &[node], POINTS).expect("collects");
    let (weight, bias) = statistics
        .refit(&graph, &weights, node, &[0, 1, 2, 3, 4], &[0, 1, 2])
        .expect("solves")
        .expect("known");
    assert_eq!(&weight, weights.get("layer.weight").expect("there"));
    assert_eq!(bias.as_ref(), weights.of("layer", "bias"));
}

#[test]
fn statistics_do_not_depend_on_the_number_of_threads() {
    let (graph, weights, node) = network(Conv::square(5, 3, 3, 1));
    let (images, _) = random_images(&graph, 100, 3);
    let refit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
        let sampling = Sampling { points: 7, seed: 4, ..POINTS };
        pool.install(|| {
            let statistics =
                Statistics::collect(&graph, &weights, &images, &[node], sampling).expect("collects");
            statistics.refit(&graph, &weights, node, &[1, 4], &[0, 1]).expect("solves").expect("known").0
        })
    };
    assert_eq!(refit(1), refit(3));
}

#[test]
fn layers_that_do_not_mix_channels_are_passed_over() {
    let mut graph = Graph::new("depthwise", [3, 6, 6]);
    let node = graph.push("layer", Op::Conv(Conv::depthwise(3, 3, 1)), &[0]);
    let weights = random_weights(&graph, 1);
    let (images, _) = random_images(&graph, 4, 1);
    let statistics = Statistics::collect(&graph, &weights, &images, &[node], POINTS).expect("collects");
    assert!(statistics.refit(&graph, &weights, node, &[0], &[0]).expect("answers").is_none());
}

#[test]
fn fewer_samples_than_features_still_give_a_fit() {
    let (graph, weights, node) = network(Conv::square(6, 4, 3, 1).with_bias());
    for (count, points) in [(1, 1), (2, 3), (5, 4)] {
        let (images, _) = random_images(&graph, count, 3);
        let sampling = Sampling { points, ..POINTS };
        let statistics = Statistics::collect(&graph, &weights, &images, &[node], sampling).expect("collects");
        let (weight, _) =
            statistics.refit(&graph, &weights, node, &[0, 1, 2, 4], &[0, 3]).expect("solves").expect("known");
        assert!(weight.data.iter().all(|value| value.is_finite()));
    }
}
