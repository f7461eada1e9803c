//! `bench --model`: random images through a network with fresh weights, forward or for training.

use std::{hint::black_box, sync::Arc};

use burn::tensor::{Tensor, TensorData};
use cgym_env::{AmcEnv, AmcSettings, Surrogate};
use cgym_teachers::{
    engine::{Engine, Images},
    graph::Graph,
    pruner::Pruner,
    train::{Interpreter, Learner, TrainOptions},
    weights::Weights,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{in_megabytes, median, peak_memory, repeat};
use crate::{
    Error,
    cli::{BenchArgs, BenchEngine},
    device, report,
    settings::Settings,
    teacher,
};

/// Values of a batch at most: 4 GiB.
const MOST_VALUES: usize = 1 << 30;

/// What a batch took, repeat by repeat, and the instruction set that the engine was compiled for.
struct Measured {
    times: Vec<f64>,
    instructions: Option<String>,
}

pub(super) fn bench(args: BenchArgs, json: bool) -> Result<(), Error> {
    let BenchArgs { network, seconds, settings, .. } = args;
    let model = own_settings(&settings)?;
    let input = network.input.unwrap_or([3, 32, 32]);
    let (classes, batch) = (network.classes.unwrap_or(10), network.batch.unwrap_or(64));
    let (engine, threads) = (network.engine.unwrap_or_default(), settings.threads);
    if engine == BenchEngine::Fused && network.device.is_some() {
        return Err(Error::Input("device: the fused engine computes on the processor; leave it out".into()));
    }
    let device = device::resolve(network.device.unwrap_or_default())?;
    let count = [batch, input[0], input[1], input[2]].into_iter().try_fold(1, usize::checked_mul);
    let count = count.filter(|count| (1..=MOST_VALUES).contains(count)).ok_or_else(|| {
        Error::Input(format!(
            "batch: {batch} images of {}x{}x{} are not 1 to {MOST_VALUES} values",
            input[0], input[1], input[2]
        ))
    })?;
    let whole = teacher::build(model, settings.variant(), (input, classes))?;
    super::super::use_threads(threads)?;
    let seed = settings.seed.unwrap_or(1);
    let weights = Weights::initialise(&whole, seed);
    let (teacher_cost, (graph, weights)) = (
        whole.cost()?,
        match network.prune {
            Some(preserve_ratio) => pruned(whole, weights, preserve_ratio)?,
            None => (whole, weights),
        },
    );
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..count).map(|_| 2.0 * rng.random::<f32>() - 1.0).collect();
    let Measured { times, instructions } = match engine {
        _ if network.training => {
            let labels: Vec<usize> = (0..batch).map(|_| rng.random_range(0..classes)).collect();
            let stock = engine == BenchEngine::Burn;
            training((&graph, weights), values, &labels, (&device, stock), seconds)?
        }
        BenchEngine::Fused => fused(&graph, &weights, values, batch, seconds)?,
        BenchEngine::Burn => {
            let [channels, height, width] = input;
            let images = TensorData::new(values, [batch, channels, height, width]);
            interpreted(&graph, &weights, images, &device, seconds)?
        }
    };
    let (repeats, each, cost) = (times.len(), median(times).max(f64::MIN_POSITIVE), graph.cost()?);
    let images_per_second = batch as f64 / each;
    let (threads, peak) = (rayon::current_num_threads(), peak_memory());
    let value = json!({
        "model": model,
        "input": input,
        "classes": classes,
        "engine": engine,
        "training": network.training,
        "device": network.device.unwrap_or_default(),
        "instructions": instructions,
        "threads": threads,
        "batch": batch,
        "prune": network.prune,
        "teacher_macs": teacher_cost.macs,
        "teacher_parameters": teacher_cost.parameters,
        "macs": cost.macs,
        "parameters": cost.parameters,
        "repeats": repeats,
        "seconds": each,
        "images_per_second": images_per_second,
        "macs_per_second": images_per_second * cost.macs as f64,
        "peak_memory_bytes": peak,
    });
    report::print(json, &value, || {
        format!(
            "{model}: {} of {} MACs, {} of {} parameters\n{images_per_second:.1} images/s, {:.2} GMAC/s \
             ({batch} images in {:.3} ms, median of {repeats}; {threads} threads, {})",
            report::count(Some(cost.macs)),
            report::count(Some(teacher_cost.macs)),
            report::count(Some(cost.parameters)),
            report::count(Some(teacher_cost.parameters)),
            images_per_second * cost.macs as f64 / 1e9,
            1e3 * each,
            in_megabytes(peak),
        )
    })
}

/// The model asked for, where nothing is asked for that only an environment has.
fn own_settings(settings: &Settings) -> Result<&str, Error> {
    let Settings { model, width, stem, shortcut, threads, seed, .. } = settings.clone();
    if *settings != (Settings { model, width, stem, shortcut, threads, seed, ..Settings::default() }) {
        return Err(Error::Input(
            "settings of an environment or an agent say nothing about a network's speed: give --env ID too, or \
             leave them out"
                .into(),
        ));
    }
    let missing = || Error::Input("nothing to measure: give --model NAME or --env ID".into());
    settings.model.as_deref().ok_or_else(missing)
}

/// The network with the share `preserve_ratio` of the channels of every group that an environment
/// decides about, to the nearest count.
fn pruned(graph: Graph, weights: Weights, preserve_ratio: f64) -> Result<(Graph, Weights), Error> {
    if !(preserve_ratio > 0.0 && preserve_ratio <= 1.0) {
        return Err(Error::Input(format!("prune: {preserve_ratio} is not a share in (0, 1]")));
    }
    let pruner = Pruner::new(graph, weights)?;
    let (graph, coupling) = (pruner.graph(), pruner.coupling());
    let settings = AmcSettings { target: 1.0, ..AmcSettings::default() };
    let env =
        AmcEnv::new(&graph.name, graph, coupling, &settings, Arc::new(Surrogate::new(graph, coupling)?))?;
    let count = |atoms: usize| ((atoms as f64 * preserve_ratio).round() as usize).max(1);
    let kept: Vec<(usize, usize)> =
        env.decisions().iter().map(|decision| (decision.group, count(decision.atoms))).collect();
    Ok(pruner.prune(&kept)?)
}

fn fused(
    graph: &Graph,
    weights: &Weights,
    values: Vec<f32>,
    batch: usize,
    seconds: f64,
) -> Result<Measured, Error> {
    let engine = Engine::new(graph, weights)?;
    let images = Images::from_values(&values, values.len() / batch, &vec![0; batch], engine.isa())?;
    drop(values);
    // The first time pages are touched and threads started.
    engine.logits(&images)?;
    let times = repeat(seconds, || {
        black_box(engine.logits(&images)?);
        Ok(())
    })?;
    Ok(Measured { times, instructions: Some(format!("{:?}", engine.isa()).to_lowercase()) })
}

fn interpreted(
    graph: &Graph,
    weights: &Weights,
    images: TensorData,
    device: &burn::tensor::Device,
    seconds: f64,
) -> Result<Measured, Error> {
    let network = Interpreter::new(graph, weights, device)?;
    let images = Tensor::<4>::from_data(images, device);
    // Reading the logits waits for a device that computes behind our back.
    network.evaluate(images.clone())?.into_data();
    let times = repeat(seconds, || {
        black_box(network.evaluate(images.clone())?.into_data());
        Ok(())
    })?;
    Ok(Measured { times, instructions: None })
}

/// Steps of training, the upload of a batch and the optimiser included.
fn training(
    (graph, weights): (&Graph, Weights),
    pixels: Vec<f32>,
    labels: &[usize],
    (device, stock): (&burn::tensor::Device, bool),
    seconds: f64,
) -> Result<Measured, Error> {
    let options = TrainOptions { stock_kernels: stock, ..TrainOptions::default() };
    let mut learner = Learner::new(graph, weights, &options, device)?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut step = || {
        // Small steps: noise is learned as long as it takes, and must not end in infinity.
        black_box(learner.step(pixels.clone(), labels, 1e-3, &mut rng)?);
        Ok(())
    };
    step()?;
    let times = repeat(seconds, step)?;
    let instructions = learner.isa().map(|isa| format!("{isa:?}").to_lowercase());
    Ok(Measured { times, instructions })
}
