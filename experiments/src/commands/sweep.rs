//! `sweep`: the product of environments, budgets, agents and seeds, each a run of its own.

mod children;
mod claim;
mod lists;
mod pareto;
mod plan;
mod play;
mod progress;
mod result;

use std::path::PathBuf;

use self::{
    children::Stage,
    lists::{Budgets, Names, Seeds},
    plan::Plan,
    result::Swept,
};
use crate::{Error, flags::SettingFlags, interrupt, report};

/// Most runs at once.
const MOST_JOBS: usize = 1024;

const EXAMPLE: &str = "\
Under each budget, every agent plays the same number of episodes with the same seeds.
Each run is a folder in DIR/runs that `resume`, `validate`, `export` and `compare` read.

Example: cgym sweep --agents ddpg,cem,random --budgets macs=0.3,0.5,0.7 --seeds 1..10 --out DIR";

/// Arguments of `sweep`.
#[derive(Debug, clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = EXAMPLE,
    mut_arg("threads", |threads| threads.help("Threads of each run [default: 1]; results do not depend on it")),
    mut_arg("agent", |agent| agent.hide(true)),
    mut_arg("seed", |seed| seed.hide(true)),
    mut_arg("pretrained", |pretrained| pretrained.hide(true)),
)]
pub struct SweepArgs {
    /// Agents, separated by commas; uniform, shallow and deep are played once, not with every seed
    #[arg(long, value_name = "NAMES", value_parser = lists::parse_names)]
    agents: Names,
    /// Seeds: 1..10 (1 to 10, both included), 1,2,5 or 3
    #[arg(long, value_name = "SEEDS", value_parser = lists::parse_seeds)]
    seeds: Seeds,
    /// Budgets: macs=0.3,0.5,0.7 or macs=0.5,params=0.5,none [default: the environment's own]
    #[arg(long, value_name = "BUDGETS", value_parser = lists::parse_budgets)]
    budgets: Option<Budgets>,
    /// Environments, instead of the one of --env
    #[arg(long, value_name = "IDS", value_parser = lists::parse_names)]
    envs: Option<Names>,
    /// Hyper-parameter of one of several agents; may be given many times
    #[arg(long, value_name = "AGENT:KEY=VALUE", value_parser = lists::parse_agent_setting)]
    set_for: Vec<(String, String, serde_json::Value)>,
    /// Do not play uniform, shallow and deep beside the agents
    #[arg(long)]
    no_baselines: bool,
    /// Runs at once [default: as many as there are cores for]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Folder for the runs and the result; the same command continues in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn sweep(args: &SweepArgs, json: bool) -> Result<(), Error> {
    play_all(args, json).map_err(|error| args.settings.locate(error))
}

fn play_all(args: &SweepArgs, json: bool) -> Result<(), Error> {
    if let Some(jobs) = args.jobs.filter(|jobs| !(1..=MOST_JOBS).contains(jobs)) {
        return Err(Error::Input(format!("jobs: {jobs} is none of 1 to {MOST_JOBS}")));
    }
    super::use_threads(None)?;
    let mut plan = Plan::new(args)?;
    let out = &args.out;
    plan.claim.refuse_other(out)?;
    let stop = interrupt::flag(play::TASK);
    if plan.tasks.iter().any(|task| children::stage(out, task) != Stage::Finished) {
        plan.load()?;
    }
    let lock = plan.claim.take(out)?;
    let ended = play::play(out, &plan.tasks, args.jobs.unwrap_or_else(|| jobs(&plan)), stop);
    drop(lock);
    let result = Swept::new(&plan, out, &ended)?;
    if ended.interrupted {
        return interrupted(&result, json);
    }
    result.save()?;
    report::print(json, &result, || {
        format!("{}saved to {}: result.json, result.csv, runs/\n", result.table(), out.display())
    })?;
    match ended.failed.len() {
        0 => Ok(()),
        count => Err(Error::Check(format!(
            "{count} of {} runs failed; the same command plays them again",
            plan.tasks.len()
        ))),
    }
}

/// As many runs as the cores have room for.
fn jobs(plan: &Plan) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = plan.tasks.first().and_then(|task| task.config.run.threads).unwrap_or(1);
    (cores / threads.max(1)).max(1)
}

fn interrupted(result: &Swept, json: bool) -> Result<(), Error> {
    report::print(json, result, || format!("{}interrupted; the same command continues\n", result.count()))?;
    Err(Error::Stopped)
}
