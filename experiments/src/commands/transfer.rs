//! `transfer`: policies carried from network to network, beside runs from scratch.

mod plan;
mod result;

use std::path::Path;

use cgym_agents::{AgentContext, make};

use self::{plan::Plan, result::Transferred};
use super::{
    search::{self, Start},
    teacher::train_network,
};
use crate::{
    Error,
    cli::TransferArgs,
    curves::Series,
    interrupt, report,
    run::{EpisodeLog, directory},
};

pub(super) fn transfer(args: TransferArgs, json: bool) -> Result<(), Error> {
    let plan = Plan::new(&args)?;
    super::use_threads(plan.threads())?;
    let stop = interrupt::flag();
    plan.claim(&args.out)?;
    for model in plan.networks() {
        let Some(training) = plan.training(model, &args.out)? else { continue };
        eprintln!("training the teacher {model}");
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
            eprintln!("{} is done", folder.display());
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
    report::print(json, &value, || format!("interrupted; the same command goes on in {}\n", out.display()))
}

/// Plays a run to its end, or goes on with it; `None` where it was stopped.
fn play(plan: &Plan, run: &plan::Run, seed: u64, out: &Path) -> Result<Option<Series>, Error> {
    let folder = out.join("runs").join(run.name(seed));
    let config = plan.config(run, seed, out)?;
    let exploring = config.episodes as usize;
    let batch = {
        let env = search::game(&config)?;
        let context = AgentContext { env: &*env, episodes: config.episodes, seed: 0 };
        make(&config.agent, &config.agent_settings, &context)?.batch()
    };
    let finished = if directory::check(&folder).is_ok() {
        search::go_on(&folder, false)?.finished
    } else {
        search::start(config, &Start { out: Some(&folder), compare: false, profile: false })?.finished
    };
    if !finished {
        return Ok(None);
    }
    let log = EpisodeLog::read(&folder.join("episodes.jsonl"))?;
    // The last episode is the policy without noise and no part of its learning.
    Ok(Some(Series::of(&log.records()[..exploring.min(log.records().len())], batch)))
}
