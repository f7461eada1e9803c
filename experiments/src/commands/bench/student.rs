//! `bench student`: the training that N2N scores a student by.

use cgym_env::{n2n::StudentSettings, settings::read};
use cgym_teachers::{
    engine::Images,
    train::{self, Device, Distillation},
};
use serde_json::json;

use super::{in_megabytes, median, parse_seconds, peak_memory, repeat};
use crate::{Error, flags::SettingFlags, loading, report};

/// Arguments of `bench student`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct StudentArgs {
    /// Seconds to repeat for; at least three students are trained
    #[arg(long, value_name = "S", default_value = "3", value_parser = parse_seconds)]
    seconds: f64,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn bench(args: &StudentArgs, json: bool) -> Result<(), Error> {
    measure(args, json).map_err(|error| args.settings.locate(error))
}

/// Trains the whole network from new weights, as a game of N2N trains a candidate.
fn measure(args: &StudentArgs, json: bool) -> Result<(), Error> {
    let config = args.settings.resolve()?;
    crate::commands::use_threads(config.run.threads)?;
    let id = config.env.id();
    if !config.env.rules.measures_against_model() {
        return Err(Error::Input(format!("env: `{id}` trains no students; the environments of N2N do")));
    }
    let settings: StudentSettings = read("score", &config.env.to_layer().table("score"))?;
    let options = settings.options();
    let world = loading::load(loading::blueprint(&config)?)?;
    let teacher = world.teacher();
    let splits = world.splits();
    let learned = match settings.training_images {
        None => &splits.training,
        Some(_) => &splits.calibration,
    };
    let logits = train::teacher_logits(&teacher.graph, &teacher.weights, world.train(), learned)?;
    let validation = Images::new(world.train(), &splits.reward)?;
    let distillation = Distillation {
        dataset: world.train(),
        indices: learned,
        teacher_logits: &logits,
        validation: &validation,
        stop: None,
        checkpoints: None,
    };
    let mut top1 = None;
    let times = repeat(args.seconds, || {
        let initial = train::fresh_weights(&teacher.graph, options.seed);
        let device = Device::flex();
        let trained = train::distill(&teacher.graph, initial, &distillation, &options, &device, &mut |_| ())?;
        top1 = trained.epochs.last().map(|epoch| epoch.top1);
        Ok(())
    })?;
    let (repeats, seconds) = (times.len(), median(times).max(f64::MIN_POSITIVE));
    let images_per_second = (options.epochs * learned.len()) as f64 / seconds;
    let (threads, peak, cost) = (rayon::current_num_threads(), peak_memory(), world.teacher_cost());
    let value = json!({
        "env": id,
        "model": teacher.graph.name,
        "macs": cost.macs,
        "parameters": cost.parameters,
        "images": learned.len(),
        "validation_images": splits.reward.len(),
        "epochs": options.epochs,
        "batch": options.batch,
        "learning_rate": options.learning_rate,
        "weight_decay": options.weight_decay,
        "optimiser": options.optimiser,
        "loss": options.loss,
        "threads": threads,
        "repeats": repeats,
        "seconds": seconds,
        "images_per_second": images_per_second,
        "reward_top1": top1,
        "peak_memory_bytes": peak,
    });
    report::print(json, &value, || {
        format!(
            "{}, {} epochs of {} images in {seconds:.3} s, median of {repeats}; {images_per_second:.0} images/s, \
             {threads} threads, {}",
            teacher.graph.name,
            options.epochs,
            learned.len(),
            in_megabytes(peak),
        )
    })
}
