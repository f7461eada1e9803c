//! `bench network`: random images through a network with new weights, forward or for training.

use std::hint::black_box;

use burn::tensor::{Tensor, TensorData};
use cgym_env::{
    method::{
        Method,
        channels::{ChannelMethod, ChannelSettings},
    },
    settings::Network,
};
use cgym_teachers::{
    engine::{Engine, Images},
    graph::Graph,
    pruner::Pruner,
    train::{Interpreter, Learner, MOST_BATCH, TrainOptions},
    weights::Weights,
};
use clap::ValueEnum;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{in_megabytes, median, parse_seconds, peak_memory, repeat};
use crate::{
    Error,
    commands::teacher::{network_table, parse_classes, parse_shape},
    device::{self, Device},
    flags::parse_setting,
    report,
};

/// Arguments of `bench network`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct NetworkArgs {
    /// Model of the zoo
    #[arg(long, value_name = "NAME")]
    model: String,
    /// A setting of the model, like network.width=0.5; may be given many times
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE", value_parser = parse_setting)]
    sets: Vec<(String, Value)>,
    /// Channels, height and width of an image, each at most 4096
    #[arg(long, value_name = "CxHxW", default_value = "3x32x32", value_parser = parse_shape)]
    input: [usize; 3],
    /// Classes, at most 65536
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = parse_classes)]
    classes: usize,
    /// Images per repeat
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch: usize,
    /// Where `burn` computes
    #[arg(long, value_enum, value_name = "NAME")]
    device: Option<Device>,
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    engine: BenchEngine,
    /// Measure steps of training, on random labels, instead of evaluation
    #[arg(long)]
    training: bool,
    /// Share of the channels to keep in every group that no residual sum passes through, in (0, 1]
    #[arg(long, value_name = "RATIO")]
    prune: Option<f64>,
    /// Seconds to repeat for; at least three repeats are made
    #[arg(long, value_name = "S", default_value = "3", value_parser = parse_seconds)]
    seconds: f64,
    /// Seed of weights and images
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What computes a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum BenchEngine {
    /// Our kernels: the engine that evaluates candidates, the steps that train teachers
    #[default]
    Fused,
    /// The graph interpreted on Burn with Burn's own kernels
    Burn,
}

/// Values of a batch at most: 1 GiB.
const MOST_VALUES: usize = 1 << 28;

/// What a batch took, repeat by repeat, and the instruction set that the engine was compiled for.
struct Measured {
    times: Vec<f64>,
    instructions: Option<String>,
}

pub(super) fn bench(args: &NetworkArgs, json: bool) -> Result<(), Error> {
    let NetworkArgs { input, classes, batch, engine, seed, seconds, .. } = *args;
    let network = network_table(&args.model, &args.sets)?;
    let model = network.model.as_str();
    if engine == BenchEngine::Fused && args.device.is_some() {
        return Err(Error::Input("device: the fused engine computes on the processor; leave it out".into()));
    }
    let device = device::resolve(args.device.unwrap_or_default())?;
    let count = [batch, input[0], input[1], input[2]].into_iter().try_fold(1, usize::checked_mul);
    let count = count.filter(|count| (1..=MOST_VALUES).contains(count)).ok_or_else(|| {
        Error::Input(format!(
            "batch: {batch} images of {}x{}x{} are not 1 to {MOST_VALUES} values",
            input[0], input[1], input[2]
        ))
    })?;
    if (args.training || engine == BenchEngine::Burn) && batch > MOST_BATCH {
        return Err(Error::Input(format!(
            "batch: {batch} images are too many for a step, give at most {MOST_BATCH}"
        )));
    }
    let whole = build(&network, input, classes)?;
    crate::commands::use_threads(args.threads)?;
    let weights = Weights::initialise(&whole, seed);
    let (teacher_cost, (graph, weights)) = (
        whole.cost()?,
        match args.prune {
            Some(preserve_ratio) => pruned(whole, weights, preserve_ratio)?,
            None => (whole, weights),
        },
    );
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..count).map(|_| 2.0 * rng.random::<f32>() - 1.0).collect();
    let Measured { times, instructions } = match engine {
        _ if args.training => {
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
        "training": args.training,
        "device": args.device.unwrap_or_default(),
        "instructions": instructions,
        "threads": threads,
        "batch": batch,
        "prune": args.prune,
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

fn build(network: &Network, input: [usize; 3], classes: usize) -> Result<Graph, Error> {
    Ok(cgym_worlds::network::build(network, (input, classes))?)
}

/// The network with the share `preserve_ratio` of the channels of every group that an environment
/// decides about, to the nearest count.
fn pruned(graph: Graph, weights: Weights, preserve_ratio: f64) -> Result<(Graph, Weights), Error> {
    if !(preserve_ratio > 0.0 && preserve_ratio <= 1.0) {
        return Err(Error::Input(format!("prune: {preserve_ratio} is not a share in (0, 1]")));
    }
    let pruner = Pruner::new(graph, weights)?;
    let method = ChannelMethod::new(pruner.graph(), &ChannelSettings::default())?;
    let count = |atoms: u64| ((atoms as f64 * preserve_ratio).round() as usize).max(1);
    let atoms = method.sites().iter().map(|site| count(site.ladder.whole()));
    let kept: Vec<(usize, usize)> = method.cost_model().groups().iter().copied().zip(atoms).collect();
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
