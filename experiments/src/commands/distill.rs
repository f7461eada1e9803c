//! `distill` and `finetune`: training the best network of a run to the end.

use std::{fs, path::Path, time::Instant};

use cgym_teachers::{
    data::Splits,
    engine::Images,
    graph::Graph,
    train::{self, DistillLoss, DistillOptions, Distillation},
    weights::Weights,
};
use serde_json::json;

use super::search::{load, remember_teacher, saved_config};
use crate::{
    Error,
    cli::StudentArgs,
    device, files, interrupt,
    progress::Progress,
    report,
    run::{BestEpisode, directory, write_network},
    world::World,
};

/// What the student learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lessons {
    /// The teacher's logits and, by default, the labels.
    Teacher,
    /// The labels alone.
    Labels,
}

/// Epochs of a final training.
const EPOCHS: usize = 40;

pub(super) fn train(args: StudentArgs, lessons: Lessons, json: bool) -> Result<(), Error> {
    let started = Instant::now();
    directory::check(&args.run)?;
    directory::refuse_existing(Some(&args.out))?;
    let options = options(&args, lessons)?;
    let device = device::resolve(args.device)?;
    let best = args.run.join("best");
    if !best.is_dir() {
        return Err(Error::file(
            &best,
            "is not there: no network was saved yet; `cgym resume` the run first",
        ));
    }
    let episode: BestEpisode = files::read_json(&best.join("episode.json"))?;
    let graph: Graph = files::read_json(&best.join("graph.json"))?;
    let found = Weights::load(&best.join("weights.safetensors"), &graph)?;
    let config = saved_config(&args.run)?;
    super::use_threads(args.threads.or(config.threads))?;
    let world = load(config, &[])?;
    remember_teacher(&world, &args.run)?;
    let before = world.score(&graph, &found)?;
    let initial = if args.fresh { train::fresh_weights(&graph, options.seed) } else { found };
    let trained = teach(&world, &graph, initial, &options, &device)?;
    let after = world.score(&graph, &trained.weights)?;
    let cost = graph.cost()?;
    let value = json!({
        "env": world.env.spec().id,
        "episode": episode.episode,
        "options": options,
        "fresh": args.fresh,
        "finished": trained.finished,
        "epochs": trained.epochs,
        "teacher_reward_top1": world.teacher_top1,
        "reward_top1_before": before[0],
        "test_top1_before": before[1],
        "reward_top1": after[0],
        "test_top1": after[1],
        "macs": cost.macs,
        "parameters": cost.parameters,
        "preserve_ratio": cost.parameters as f64 / world.teacher_cost.parameters as f64,
        "seconds": started.elapsed().as_secs_f64(),
        "out": args.out,
    });
    save(&args.out, &graph, &trained.weights, &value)?;
    report::print(json, &value, || {
        format!(
            "{} of {} parameters: {:.2} % of the test images, {:.2} % before; saved to {}\n",
            report::count(Some(cost.parameters)),
            report::count(Some(world.teacher_cost.parameters)),
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
) -> Result<train::Trained, Error> {
    let Splits { training, reward, .. } = &world.splits;
    let (teacher, weights) = &*world.teacher;
    let logits = train::teacher_logits(teacher, weights, &world.train, training)?;
    let validation = Images::new(&world.train, reward)?;
    let distillation = Distillation {
        dataset: &world.train,
        indices: training,
        teacher_logits: &logits,
        validation: &validation,
        stop: Some(interrupt::flag()),
    };
    let mut progress = Progress::new("epoch", options.epochs as u64, 0);
    let trained = train::distill(graph, initial, &distillation, options, device, &mut |epoch| {
        let remark = format!("loss {:.4}, {:.2} % of the held-out images", epoch.loss, 100.0 * epoch.top1);
        progress.set(epoch.epoch as u64, &remark);
    })?;
    Ok(trained)
}

/// Writes the folder `out`, which appears whole or not at all.
fn save(out: &Path, graph: &Graph, weights: &Weights, summary: &serde_json::Value) -> Result<(), Error> {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let temporary = out.with_file_name(format!(".{name}-{}.tmp", std::process::id()));
    let written = write_network(&temporary, graph, weights)
        .and_then(|()| files::write_json(&temporary.join("train.json"), summary))
        .and_then(|()| {
            fs::rename(&temporary, out).map_err(|error| Error::file(out, format!("cannot be made: {error}")))
        });
    if written.is_err() {
        fs::remove_dir_all(&temporary).ok();
    }
    written
}
