//! `baselines`.

use std::{fs, path::PathBuf, time::Instant};

use cgym_agents::{AgentContext, Schedule, make};
use cgym_worlds::files;
use serde_json::Value;

use super::search::hyper_parameters;
use crate::{Error, Summary, config::Config, flags::SettingFlags, interrupt, loading, report, run};

const SEED: &str = "Seed of all randomness; each policy draws from a seed by its name, so that the agent of `search` \
                    with the same name and --seed plays other episodes";

/// Arguments of `baselines`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, mut_arg("seed", |seed| seed.help(SEED)))]
pub struct BaselinesArgs {
    /// Policies, separated by commas; --set agent.key=value is for the one that --agent names
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "uniform,shallow,deep")]
    agents: Vec<String>,
    /// Folder for config.toml, baselines.jsonl and summary.json; must not exist
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn baselines(args: &BaselinesArgs, json: bool) -> Result<(), Error> {
    play(args, json).map_err(|error| args.settings.locate(error))
}

fn play(args: &BaselinesArgs, json: bool) -> Result<(), Error> {
    let started = Instant::now();
    let out = args.out.as_deref();
    super::refuse_existing(out)?;
    let flags = args.settings.layer()?;
    if flags.get("run", "pretrained").is_some() {
        let reason = "baselines have no policy to start from; leave it out";
        return Err(cgym_worlds::WorldError::setting("run.pretrained", reason).into());
    }
    let given = flags.table("agent").keys().any(|key| key != "name");
    let mut config = args.settings.resolve()?;
    super::use_threads(config.run.threads)?;
    // The hyper-parameters of a run's own file are simply not needed where its agent is not played.
    if !args.agents.contains(&config.agent) {
        if given {
            return Err(Error::Input(format!(
                "agent: these are settings of `{}`, which is not among the policies; name their policy with --agent",
                config.agent
            )));
        }
        config.agent_settings.clear();
    }
    let policies = policies(&config, &args.agents);
    let blueprint = loading::blueprint(&config)?;
    // A policy that does not exist is refused before anything is played.
    for (name, settings) in &policies {
        let env = &*blueprint.outline().env;
        make(name, settings, &AgentContext { env, episodes: config.episodes(), seed: 0 })?;
    }
    let stop = interrupt::flag();
    let world = loading::load(blueprint)?;
    config.env = world.settings().clone();
    if let Some(folder) = out {
        fs::create_dir_all(folder)
            .map_err(|error| Error::file(folder, format!("cannot be made: {error}")))?;
        files::write_atomically(&folder.join("config.toml"), config.to_toml()?.as_bytes())?;
    }
    let file = out.map(|folder| folder.join("baselines.jsonl"));
    let schedule = Schedule { episodes: config.episodes(), exploit: true };
    let played = run::baselines(&world, &policies, schedule, config.run.seed, file.as_deref(), stop)?;
    let mut summary = Summary::new(&world, &config.run);
    summary.finished = played.is_some();
    let played = played.unwrap_or_default();
    summary.played = played.iter().map(|(_, records)| records.len() as u64).sum();
    run::compare(&world, &mut summary, &played)?;
    summary.evaluated = world.evaluations();
    summary.seconds = started.elapsed().as_secs_f64();
    summary.run = out.map(ToOwned::to_owned);
    if let Some(folder) = out {
        files::write_json(&folder.join("summary.json"), &summary)?;
    }
    if !summary.finished {
        eprintln!("interrupted");
    }
    report::print(json, &summary, || summary.table())
}

/// Each policy with its hyper-parameters.
fn policies<'a>(config: &Config, names: &'a [String]) -> Vec<(&'a str, Value)> {
    let settings = |name: &str| if name == config.agent { hyper_parameters(config) } else { Value::Null };
    names.iter().map(|name| (name.as_str(), settings(name))).collect()
}
