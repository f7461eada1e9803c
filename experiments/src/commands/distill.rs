//! `distill` and `finetune`: training the best network of a run to the end.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use cgym_env::TrainedNetwork;
use cgym_teachers::{
    data::Splits,
    engine::Images,
    graph::Graph,
    train::{self, DistillLoss, DistillOptions, Distillation},
    weights::Weights,
};
use cgym_worlds::{World, files, network};
use serde_json::json;

use crate::{
    Error,
    device::{self, Device},
    interrupt, loading,
    output::note,
    progress::Progress,
    report,
    run::{
        self, BestNetwork, remember_teacher,
        work::{self, WorkFolder},
    },
};

/// Arguments of `distill` and `finetune`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct StudentArgs {
    /// The run directory
    run: PathBuf,
    /// Folder for graph.json, weights.safetensors and train.json; a stopped training continues in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Passes over the training images [default: 40]; the best on the reward images is kept
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Images per step, 2 to 4096
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Learning rate at the start
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// l2-logits, kd, ce-l2 or ce [default: ce-l2 in distill, ce in finetune]
    #[arg(long, value_name = "NAME")]
    loss: Option<DistillLoss>,
    /// Temperature of `kd`
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// Weight of the teacher in `kd`, in [0, 1]; the labels have the rest
    #[arg(long, value_name = "ALPHA")]
    alpha: Option<f64>,
    /// Weight of the squared difference of logits in `ce-l2`
    #[arg(long, value_name = "LAMBDA")]
    lambda: Option<f64>,
    /// Start from new weights and not from the run's
    #[arg(long)]
    fresh: bool,
    /// Seed of order and new weights
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads [default: as in the run]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where to compute
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    device: Device,
}

/// What the student learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lessons {
    /// The teacher's logits and, by default, the labels.
    Teacher,
    /// The labels alone.
    Labels,
}

impl Lessons {
    fn command(self) -> &'static str {
        match self {
            Self::Teacher => "distill",
            Self::Labels => "finetune",
        }
    }
}

/// Folder of a training that is not finished.
const CHECKPOINTS: &str = "checkpoints";
/// Epochs of a final training.
const EPOCHS: usize = 40;

pub(super) fn train(args: &StudentArgs, lessons: Lessons, json: bool) -> Result<(), Error> {
    let started = Instant::now();
    let (config, log) = run::read(&args.run)?;
    work::refuse_finished(&args.out)?;
    let mut options = options(args, lessons)?;
    let device = device::resolve(args.device)?;
    let BestNetwork { episode, graph, weights: found, .. } = BestNetwork::read(&args.run, &log)?;
    super::use_threads(args.threads.or(config.run.threads))?;
    let world = loading::load(loading::blueprint(&config)?)?;
    remember_teacher(&world, &args.run)?;
    // A network that was pruned weight by weight keeps its zeros.
    let outcome = episode.record.outcome.as_ref();
    let candidate = outcome.map(|outcome| world.network(outcome)).transpose()?;
    options.keep_zeros = candidate.is_some_and(|candidate| candidate.coded.is_some());
    if options.keep_zeros && args.fresh {
        let reason = "fresh: new weights would not keep the zeros of this network; leave it out";
        return Err(Error::Input(reason.to_owned()));
    }
    let plan = json!({
        "command": lessons.command(),
        "run": config.digest(),
        "teacher": world.fingerprint(),
        "episode": episode.episode,
        "fresh": args.fresh,
        "options": options,
    });
    let plan = plan.as_object().cloned().unwrap_or_default();
    let before = world.score(&graph, &found)?;
    let initial = if args.fresh { train::fresh_weights(&graph, options.seed) } else { found };
    let work = WorkFolder::open(&args.out, &plan)?;
    let checkpoints = work.join(CHECKPOINTS);
    let trained = teach(&world, &graph, initial, &options, &device, &checkpoints)?;
    if !trained.finished {
        let done = trained.epochs.len();
        note(format!("stopped after {done} of {} epochs; the same command goes on", options.epochs));
        return Err(Error::Stopped);
    }
    let after = world.score(&graph, &trained.weights)?;
    let saved = world.trained(graph.clone(), trained.weights)?;
    let cost = graph.cost()?;
    let parameters = outcome.map_or(cost.parameters, |outcome| outcome.parameters);
    let bytes = saved.coded.as_ref().map_or(cost.weight_bytes, |(_, file)| file.len() as u64);
    let value = json!({
        "env": world.settings().id(),
        "episode": episode.episode,
        "options": options,
        "fresh": args.fresh,
        "epochs": trained.epochs,
        "teacher_reward_top1": world.teacher_top1(),
        "reward_top1_before": before[0],
        "test_top1_before": before[1],
        "reward_top1": after[0],
        "test_top1": after[1],
        "macs": outcome.map_or(cost.macs, |outcome| outcome.macs),
        "parameters": parameters,
        "bytes": bytes,
        "preserve_ratio": outcome.map(|outcome| outcome.preserve_ratio),
        "seconds": started.elapsed().as_secs_f64(),
        "out": args.out,
    });
    cgym_teachers::train::checkpoints(&checkpoints).remove();
    work.finish(network::FORMAT, value.clone(), |folder| {
        let preprocessing = world.preprocessing();
        network::save(folder, &saved.graph, &saved.weights, Some(&preprocessing), saved.coded.as_ref())?;
        Ok(files::write_json(&folder.join("train.json"), &value)?)
    })?;
    report::print(json, &value, || {
        format!(
            "{} of {} parameters: {:.2} % of the test images, {:.2} % before; saved to {}\n",
            report::count(Some(parameters)),
            report::count(Some(world.teacher_cost().parameters)),
            100.0 * after[1],
            100.0 * before[1],
            args.out.display()
        )
    })
}

fn options(args: &StudentArgs, lessons: Lessons) -> Result<DistillOptions, Error> {
    let loss = match (lessons, args.loss) {
        (Lessons::Teacher, loss) => loss.unwrap_or(DistillLoss::CeL2),
        (Lessons::Labels, None | Some(DistillLoss::Ce)) => DistillLoss::Ce,
        (Lessons::Labels, Some(loss)) => {
            return Err(Error::Input(format!("loss: `{loss}` asks a teacher; `cgym distill` has it")));
        }
    };
    let unread = [
        ("temperature", args.temperature.is_some() && loss != DistillLoss::Kd, "kd"),
        ("alpha", args.alpha.is_some() && loss != DistillLoss::Kd, "kd"),
        ("lambda", args.lambda.is_some() && loss != DistillLoss::CeL2, "ce-l2"),
    ];
    if let Some((flag, _, reader)) = unread.into_iter().find(|(_, given, _)| *given) {
        return Err(Error::Input(format!(
            "{flag}: the loss `{loss}` does not read it, `{reader}` does; leave it out"
        )));
    }
    let defaults = DistillOptions::default();
    let options = DistillOptions {
        epochs: args.epochs.unwrap_or(EPOCHS),
        batch: args.batch.unwrap_or(defaults.batch),
        learning_rate: args.learning_rate.unwrap_or(defaults.learning_rate),
        temperature: args.temperature.unwrap_or(defaults.temperature),
        alpha: args.alpha.unwrap_or(defaults.alpha),
        lambda: args.lambda.unwrap_or(defaults.lambda),
        seed: args.seed.unwrap_or(defaults.seed),
        loss,
        best_epoch: true,
        ..defaults
    };
    options.check()?;
    Ok(options)
}

/// Trains on all training images; the epoch that is best on the reward split is kept.
fn teach(
    world: &World,
    graph: &Graph,
    initial: Weights,
    options: &DistillOptions,
    device: &train::Device,
    checkpoints: &Path,
) -> Result<train::Trained, Error> {
    let Splits { training, reward, .. } = world.splits();
    let TrainedNetwork { graph: teacher, weights, .. } = world.teacher();
    let logits = match options.loss.asks_teacher() {
        true => train::teacher_logits(teacher, weights, world.train(), training)?,
        false => Vec::new(),
    };
    let validation = Images::new(world.train(), reward)?;
    let distillation = Distillation {
        dataset: world.train(),
        indices: training,
        teacher_logits: &logits,
        validation: &validation,
        stop: Some(interrupt::flag("this batch")),
        // The folder's plan says what is trained.
        checkpoints: Some(("the network of a run", checkpoints)),
    };
    let mut progress = Progress::new("epoch", options.epochs as u64, 0);
    Ok(train::distill(graph, initial, &distillation, options, device, &mut |event| {
        progress.training(&event)
    })?)
}
