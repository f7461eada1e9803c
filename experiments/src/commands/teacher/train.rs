//! `teacher train`.

use std::{path::PathBuf, time::Instant};

use cgym_env::settings::Data;
use cgym_teachers::{
    data::Splits,
    engine::{Engine, Images},
    train::{TrainOptions, Training, train as fit},
    weights::Weights,
};
use cgym_worlds::{files, network, preprocessing};
use serde_json::json;

use super::{NetworkArgs, load_data, preprocessing_value, split_sizes};
use crate::{
    Error,
    commands::use_threads,
    device::{self, Device},
    interrupt, loading,
    progress::Progress,
    report,
    run::work::{self, WorkFolder},
};

/// Arguments of `teacher train`; what is absent is the dataset's own.
#[derive(Debug, Clone, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct TrainArgs {
    #[command(flatten)]
    pub(in crate::commands) network: NetworkArgs,
    /// Folder for weights.safetensors, graph.json and train.json; a stopped training continues in it
    #[arg(long, value_name = "DIR")]
    pub(in crate::commands) out: PathBuf,
    /// Passes over the training images [default: the dataset's own]
    #[arg(long, value_name = "N")]
    pub(in crate::commands) epochs: Option<usize>,
    /// Images per step, 2 to 4096
    #[arg(long, value_name = "N")]
    pub(in crate::commands) batch: Option<usize>,
    /// Learning rate at the start
    #[arg(long, value_name = "RATE")]
    pub(in crate::commands) learning_rate: Option<f64>,
    /// Weight decay
    #[arg(long, value_name = "DECAY")]
    pub(in crate::commands) weight_decay: Option<f64>,
    /// Seed of initial weights, order and augmentation
    #[arg(long, value_name = "N")]
    pub(in crate::commands) seed: Option<u64>,
    /// Images held out for rewards
    #[arg(long, value_name = "N")]
    pub(in crate::commands) reward_images: Option<usize>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub(in crate::commands) threads: Option<usize>,
    /// Compute with Burn's kernels instead of ours, as the shipped teacher was trained
    #[arg(long)]
    pub(in crate::commands) stock_kernels: bool,
    /// Where to compute
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    pub(in crate::commands) device: Device,
}

/// Folder of a training that is not finished.
const CHECKPOINTS: &str = "checkpoints";

/// The result of a training.
pub(in crate::commands) struct Report {
    /// The object of `train.json`.
    value: serde_json::Value,
    /// Share of the test split classified correctly; `None` where it was stopped.
    pub(in crate::commands) test_top1: Option<f64>,
    epochs: usize,
    of: usize,
}

pub(super) fn train(args: &TrainArgs, json: bool) -> Result<(), Error> {
    use_threads(args.threads)?;
    let trained = train_network(args)?;
    let TrainArgs { network, out, .. } = args;
    report::print(json, &trained.value, || match trained.test_top1 {
        Some(top1) => format!(
            "{} on {}: {:.2} % of the test images; saved to {}",
            network.model,
            network.dataset,
            100.0 * top1,
            out.display()
        ),
        None => {
            format!("stopped after {} of {} epochs; the same command goes on", trained.epochs, trained.of)
        }
    })?;
    if trained.test_top1.is_some() { Ok(()) } else { Err(Error::Stopped) }
}

/// Trains a network, or goes on with its training, until it is done or interrupted.
pub(in crate::commands) fn train_network(request: &TrainArgs) -> Result<Report, Error> {
    let started = Instant::now();
    let out = &request.out;
    let (network, mut data) = request.network.tables(&["weights", "allow_extra_tensors", "from"])?;
    preprocessing::settle(&mut data, None, &mut loading::observer())?;
    let device = device::resolve(request.device)?;
    work::refuse_finished(out)?;
    if let Some(images) = data.dataset.known_shape() {
        network::build(&network, images)?;
    }
    let source = load_data(&data)?;
    let (shape, classes) = (source.train.shape(), source.train.classes());
    let graph = network::build(&network, (shape, classes))?;
    let sizes = split_sizes(&data, &source, None, request.reward_images)?;
    let splits = Splits::new(&source, &sizes)?;
    let defaults = TrainOptions::for_dataset(data.dataset.as_str());
    let options = TrainOptions {
        epochs: request.epochs.unwrap_or(defaults.epochs),
        batch: request.batch.unwrap_or(defaults.batch),
        learning_rate: request.learning_rate.unwrap_or(defaults.learning_rate),
        weight_decay: request.weight_decay.unwrap_or(defaults.weight_decay),
        seed: request.seed.unwrap_or(defaults.seed),
        stock_kernels: request.stock_kernels,
        ..defaults
    };
    let validation = Images::new(&source.train, &splits.reward)?;
    let [channels, height, width] = shape;
    let task = format!(
        "{}{} on {}, {classes} classes of {channels}x{height}x{width}, {} of {} images, {} held out, \
         split seed {}{}",
        network.model,
        network.flags(),
        data.dataset,
        splits.training.len(),
        source.train.len(),
        splits.reward.len(),
        sizes.seed,
        own_preprocessing(&data),
    );
    options.check(splits.training.len())?;
    let plan = json!({ "command": "teacher train", "task": task, "options": options });
    let work = WorkFolder::open(out, &plan.as_object().cloned().unwrap_or_default())?;
    let checkpoints = work.join(CHECKPOINTS);
    let training = Training {
        task: &task,
        dataset: &source.train,
        indices: &splits.training,
        validation: &validation,
        checkpoints: Some(checkpoints.clone()),
        stop: interrupt::flag("this batch"),
    };
    let mut progress = Progress::new("epoch", options.epochs as u64, 0);
    let initial = Weights::initialise(&graph, options.seed);
    let trained = fit(&graph, initial, &training, &options, &device, &mut |event| progress.training(&event))?;
    drop(progress);
    let engine = Engine::new(&graph, &trained.weights)?;
    let (mut test_top1, cost) = (None, graph.cost()?);
    if trained.finished {
        test_top1 = Some(engine.top1(&Images::new(&source.test, &splits.test)?)?);
    }
    let value = json!({
        "model": network.model,
        "dataset": data.dataset,
        "options": options,
        "width": network.width,
        "stem": network.stem,
        "shortcut": network.shortcut,
        "preprocessing": preprocessing_value(&source.train),
        "split_seed": sizes.seed,
        "training_images": splits.training.len(),
        "reward_images": splits.reward.len(),
        "finished": trained.finished,
        "epochs": trained.epochs,
        "reward_top1": engine.top1(&validation)?,
        "test_top1": test_top1,
        "macs": cost.macs,
        "parameters": cost.parameters,
        "seconds": started.elapsed().as_secs_f64(),
        "out": out,
    });
    if trained.finished {
        cgym_teachers::train::checkpoints(&checkpoints).remove();
        work.finish(network::FORMAT, value.clone(), |folder| {
            network::save(folder, &graph, &trained.weights, Some(&source.train.preprocessing()), None)?;
            Ok(files::write_json(&folder.join("train.json"), &value)?)
        })?;
    }
    Ok(Report { value, test_top1, epochs: trained.epochs.len(), of: options.epochs })
}

/// What a task says about preprocessing that is not the dataset's own.
fn own_preprocessing(data: &Data) -> String {
    let mut text = String::new();
    for (key, values) in [("mean", &data.mean), ("std", &data.std), ("scale", &data.scale.map(|it| vec![it]))]
    {
        if let Some(values) = values {
            text += &format!(", {key} {values:?}");
        }
    }
    text
}
