//! `transfer`: policies transferred from network to network, beside runs from scratch.

mod plan;
pub(crate) mod result;

use std::path::{Path, PathBuf};

use self::{plan::Plan, result::Transferred};
use super::{search, teacher::train_network};
use crate::{
    Error,
    curves::Series,
    flags::SettingFlags,
    interrupt, loading,
    output::note,
    report,
    run::{self, Run, directory},
};

/// Arguments of `transfer`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct TransferArgs {
    /// Network that policies come from
    #[arg(long, value_name = "MODEL", requires = "to", required_unless_present = "networks")]
    from: Option<String>,
    /// Network that they are transferred to
    #[arg(long, value_name = "MODEL", requires = "from")]
    to: Option<String>,
    /// Also transfer policies the other way
    #[arg(long, requires = "from")]
    both_ways: bool,
    /// Transfer policies from every one of these to every other
    #[arg(long, value_name = "MODELS", value_delimiter = ',', conflicts_with_all = ["from", "to"])]
    networks: Vec<String>,
    /// Number of seeds, counted from --seed
    #[arg(long, value_name = "N", default_value_t = 3)]
    seeds: u64,
    /// Weights of a network; a network without shipped or given weights is trained first
    #[arg(long = "teacher", value_name = "MODEL=FILE", value_parser = parse_teacher)]
    teachers: Vec<(String, PathBuf)>,
    /// Epochs that missing teachers are trained for [default: the dataset's own]
    #[arg(long, value_name = "N")]
    teacher_epochs: Option<usize>,
    /// Iterations that the table covers
    #[arg(long, value_name = "N", default_value_t = 10)]
    first: usize,
    /// Folder for teachers, runs, transfer.json and curves.svg; the same command continues in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    settings: SettingFlags,
}

fn parse_teacher(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((model, file)) if !model.is_empty() && !file.is_empty() => Ok((model.to_owned(), file.into())),
        _ => Err(format!("`{text}` is not MODEL=FILE")),
    }
}

pub(super) fn transfer(args: &TransferArgs, json: bool) -> Result<(), Error> {
    play_all(args, json).map_err(|error| args.settings.locate(error))
}

fn play_all(args: &TransferArgs, json: bool) -> Result<(), Error> {
    let plan = Plan::new(args)?;
    super::use_threads(plan.threads())?;
    let stop = interrupt::flag("this episode");
    plan.check()?;
    let _work = plan.claim(&args.out)?;
    for model in plan.networks() {
        let Some(training) = plan.training(model, &args.out)? else { continue };
        note(format!("training the teacher {model}"));
        if train_network(&training)?.test_top1.is_none() {
            return interrupted(&args.out, json);
        }
    }
    let mut played = Vec::new();
    for &seed in plan.seeds() {
        for run in plan.runs() {
            let folder = args.out.join("runs").join(run.name(seed));
            let Some(series) = play(&plan, &run, seed, &args.out)? else {
                return interrupted(&args.out, json);
            };
            note(format!("{} is done", folder.display()));
            played.push((run, series));
        }
        if stop.load(std::sync::atomic::Ordering::SeqCst) {
            return interrupted(&args.out, json);
        }
    }
    let result = Transferred::new(&plan, &played, args.first);
    result.save(&args.out)?;
    report::print(json, &result, || {
        format!("{}saved to {}, learning curves in curves.svg\n", result.table(), args.out.display())
    })
}

fn interrupted(out: &Path, json: bool) -> Result<(), Error> {
    let value = serde_json::json!({ "finished": false, "out": out });
    report::print(json, &value, || {
        format!("interrupted; the same command continues in {}\n", out.display())
    })?;
    Err(Error::Stopped)
}

/// Plays a run to its end, or goes on with it; `None` where it was stopped.
fn play(plan: &Plan, of: &plan::Run, seed: u64, out: &Path) -> Result<Option<Series>, Error> {
    let folder = out.join("runs").join(of.name(seed));
    let mut config = plan.config(of, seed, out)?;
    config.run.baselines = false;
    let exploring = config.episodes() as usize;
    let batch = {
        let blueprint = loading::blueprint(&config)?;
        config.agent(&*blueprint.outline().env)?.batch()
    };
    let finished = if directory::check(&folder).is_ok() {
        search::go_on(&folder, &directory::config(&folder)?)?.finished
    } else {
        let new = Run {
            out: Some(folder.clone()),
            settings: config.run.clone(),
            profile: false,
            stop: Some(interrupt::flag("this episode")),
        };
        let pretrained = config.run.pretrained.as_deref().map(run::newest_agent).transpose()?;
        search::start(&config, &new, pretrained.as_deref())?.finished
    };
    if !finished {
        return Ok(None);
    }
    let (_, log) = run::read(&folder)?;
    // The last episode is the policy without noise and no part of its learning.
    Ok(Some(Series::of(&log.records()[..exploring.min(log.records().len())], batch)))
}
