//! The evaluation engine on one thread: a block of images through a network, and the way from a
//! choice of channels to an engine.

use std::hint::black_box;

use cgym_kernels::Isa;
use cgym_teachers::{
    engine::{Engine, Images},
    pruner::Pruner,
    weights::Weights,
    zoo::{self, ModelOptions},
};
use criterion::{BenchmarkId, Criterion, Throughput};

/// Shares of the channels of every inner group that stay.
const PRESERVE_RATIOS: [(&str, f64); 2] = [("whole", 1.0), ("half", 0.5)];
const MODELS: [&str; 4] = ["resnet20", "resnet56", "vgg16", "mobilenet-v1"];

/// The model for 32x32 images with fresh weights.
fn pruner(model: &str) -> Pruner {
    let graph = zoo::build(model, &ModelOptions::new([3, 32, 32], 10)).expect("a model of the zoo");
    let weights = Weights::initialise(&graph, 1);
    Pruner::new(graph, weights).expect("weights that fit")
}

/// That share of the atoms of every removable group that one layer alone produces.
fn candidate(pruner: &Pruner, preserve_ratio: f64) -> Vec<(usize, usize)> {
    let count = |atoms: usize| ((atoms as f64 * preserve_ratio).round() as usize).max(1);
    let groups = pruner.coupling().groups.iter().enumerate();
    let inner = groups.filter(|(_, group)| group.removable && group.is_inner());
    inner.map(|(index, group)| (index, count(group.atoms.len()))).collect()
}

/// As many images as go side by side.
fn block(length: usize) -> Images {
    let isa = Isa::best();
    let values: Vec<f32> = (0..isa.lanes() * length).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    Images::from_values(&values, length, &vec![0; isa.lanes()], isa).expect("a block")
}

fn evaluate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluate");
    let images = block(3 * 32 * 32);
    group.throughput(Throughput::Elements(images.len() as u64));
    for model in MODELS {
        let pruner = pruner(model);
        for (name, preserve_ratio) in PRESERVE_RATIOS {
            let (graph, weights) = pruner.prune(&candidate(&pruner, preserve_ratio)).expect("a network");
            let engine = Engine::new(&graph, &weights).expect("an engine");
            group.bench_function(BenchmarkId::new(model, name), |bencher| {
                bencher.iter(|| black_box(engine.logits(&images).expect("logits")));
            });
        }
    }
    group.finish();
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("to_engine");
    for model in MODELS {
        let pruner = pruner(model);
        let candidate = candidate(&pruner, 0.5);
        group.bench_function(BenchmarkId::new(model, "prune"), |bencher| {
            bencher.iter(|| black_box(pruner.prune(&candidate).expect("a network")));
        });
        let (graph, weights) = pruner.prune(&candidate).expect("a network");
        group.bench_function(BenchmarkId::new(model, "compile"), |bencher| {
            bencher.iter(|| black_box(Engine::new(&graph, &weights).expect("an engine")));
        });
    }
    group.finish();
}

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    evaluate(&mut criterion);
    compile(&mut criterion);
    criterion.final_summary();
}
