//! `teacher train`.

use std::{fs, time::Instant};

use cgym_teachers::{
    data::Splits,
    engine::{Engine, Images},
    train::{TrainOptions, Training, train as fit},
    weights::Weights,
};
use serde_json::json;

use crate::{
    Error, cli::TeacherCommand, device, files, interrupt, progress::Progress, report, run::write_network,
    teacher,
};

pub(super) fn train(command: TeacherCommand, json: bool) -> Result<(), Error> {
    let TeacherCommand::Train {
        teacher: args,
        out,
        epochs,
        batch,
        learning_rate,
        weight_decay,
        seed,
        reward_images,
        threads,
        device,
    } = command
    else {
        return Ok(());
    };
    let device = device::resolve(device)?;
    super::super::use_threads(threads)?;
    let started = Instant::now();
    let finished_weights = out.join("weights.safetensors");
    if finished_weights.exists() {
        return Err(Error::file(
            &finished_weights,
            "is already trained and never overwritten; give another --out",
        ));
    }
    let source = teacher::load_data(args.dataset, &super::load_options(&args))?;
    let graph = teacher::build(&args.model, (source.train.shape(), source.train.classes()))?;
    let splits = Splits::new(&source, &teacher::split_sizes(args.dataset, &source, None, reward_images))?;
    let defaults = TrainOptions::for_dataset(args.dataset.as_str());
    let options = TrainOptions {
        epochs: epochs.unwrap_or(defaults.epochs),
        batch: batch.unwrap_or(defaults.batch),
        learning_rate: learning_rate.unwrap_or(defaults.learning_rate),
        weight_decay: weight_decay.unwrap_or(defaults.weight_decay),
        seed: seed.unwrap_or(defaults.seed),
        ..defaults
    };
    fs::create_dir_all(&out).map_err(|error| Error::file(&out, format!("cannot be made: {error}")))?;
    let validation = Images::new(&source.train, &splits.reward)?;
    let training = Training {
        dataset: &source.train,
        indices: &splits.training,
        validation: &validation,
        checkpoints: Some(out.join("checkpoint")),
        stop: interrupt::flag(),
    };
    let mut progress = Progress::new("epoch", options.epochs as u64, 0);
    let initial = Weights::initialise(&graph, options.seed);
    let trained = fit(&graph, initial, &training, &options, &device, &mut |epoch| {
        let remark = format!("loss {:.4}, {:.2} % of the held-out images", epoch.loss, 100.0 * epoch.top1);
        progress.set(epoch.epoch as u64, &remark);
    })?;
    drop(progress);
    let engine = Engine::new(&graph, &trained.weights)?;
    let (mut test_top1, cost) = (None, graph.cost()?);
    if trained.finished {
        test_top1 = Some(engine.top1(&Images::new(&source.test, &splits.test)?)?);
        write_network(&out, &graph, &trained.weights)?;
        fs::remove_dir_all(out.join("checkpoint")).ok();
    }
    let value = json!({
        "model": args.model,
        "dataset": args.dataset,
        "options": options,
        "split_seed": teacher::SPLIT_SEED,
        "finished": trained.finished,
        "epochs": trained.epochs,
        "reward_top1": engine.top1(&validation)?,
        "test_top1": test_top1,
        "macs": cost.macs,
        "parameters": cost.parameters,
        "seconds": started.elapsed().as_secs_f64(),
        "out": out,
    });
    files::write_json(&out.join("train.json"), &value)?;
    report::print(json, &value, || match test_top1 {
        Some(top1) => format!(
            "{} on {}: {:.2} % of the test images; saved to {}",
            args.model,
            args.dataset,
            100.0 * top1,
            out.display()
        ),
        None => format!(
            "stopped after {} of {} epochs; the same command goes on",
            trained.epochs.len(),
            options.epochs
        ),
    })
}
