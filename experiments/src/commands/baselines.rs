//! `baselines`.

use std::{path::PathBuf, time::Instant};

use cgym_agents::{AgentContext, Schedule, make};
use cgym_worlds::files;
use serde_json::{Map, Value, json};

use super::search::hyper_parameters;
use crate::{
    Error, Summary,
    config::Config,
    flags::SettingFlags,
    interrupt, loading,
    output::note,
    report,
    run::{
        self, BaselineLog, Baselines,
        work::{self, WorkFolder},
    },
};

/// Format in the manifest of a folder with baselines.
const FORMAT: &str = "cgym-baselines-1";
const SEED: &str = "Seed of all randomness; each policy draws from a seed by its name, so that the agent of `search` \
                    with the same name and --seed plays other episodes";

/// Arguments of `baselines`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true, mut_arg("seed", |seed| seed.help(SEED)))]
pub struct BaselinesArgs {
    /// Policies, separated by commas; --set agent.key=value is for the one that --agent names
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "uniform,shallow,deep")]
    agents: Vec<String>,
    /// Folder for config.toml, baselines.jsonl and summary.json; the same command goes on in it
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
    out.map_or(Ok(()), work::refuse_finished)?;
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
    let stop = interrupt::flag("this episode");
    let world = loading::load(blueprint)?;
    world.stop_when(stop);
    config.env = world.settings().clone();
    let work = out.map(|path| WorkFolder::open(path, &plan(&config, &policies)?)).transpose()?;
    let mut log = None;
    if let Some(work) = &work {
        files::write_atomically(&work.join("config.toml"), config.to_toml()?.as_bytes())?;
        log = Some(BaselineLog::open_or_create(&work.join("baselines.jsonl"), vec![config.digest()])?);
        let known: Vec<_> = run::recorded(&work.join("baselines.jsonl"));
        world.remember(&known)?;
    }
    let schedule = Schedule { episodes: config.episodes(), exploit: true };
    let baselines = Baselines { policies: &policies, schedule, seed: config.run.seed };
    let played = baselines.play(&world, log.as_mut(), stop)?;
    let mut summary = Summary::new(&world, &config.run);
    summary.finished = played.is_some();
    let played = played.unwrap_or_default();
    summary.played = played.iter().map(|(_, records)| records.len() as u64).sum();
    run::compare(&world, &mut summary, &played)?;
    summary.evaluated = world.evaluations();
    summary.seconds = started.elapsed().as_secs_f64();
    summary.run = out.map(ToOwned::to_owned);
    if let (Some(work), true) = (work, summary.finished) {
        log.map_or(Ok(()), |log| log.sync())?;
        let about = json!({ "run": config.digest() });
        work.finish(FORMAT, about, |folder| Ok(files::write_json(&folder.join("summary.json"), &summary)?))?;
    }
    if !summary.finished {
        note(match out {
            Some(_) => "interrupted; the same command goes on",
            None => "interrupted; with --out the same command would go on",
        });
        return Err(Error::Stopped);
    }
    report::print(json, &summary, || summary.table())
}

/// What the folder of the baselines is for.
fn plan(config: &Config, policies: &[(&str, Value)]) -> Result<Map<String, Value>, Error> {
    let value = json!({ "command": "baselines", "policies": policies });
    let Value::Object(mut plan) = value else { return Ok(Map::new()) };
    // The policies carry the hyper-parameters that matter.
    let tables = config.decisive().tables.into_iter().filter(|(name, _)| name != "agent");
    plan.extend(tables.map(|(name, table)| (name, Value::Object(table))));
    Ok(plan)
}

/// Each policy with its hyper-parameters.
fn policies<'a>(config: &Config, names: &'a [String]) -> Vec<(&'a str, Value)> {
    let settings = |name: &str| if name == config.agent { hyper_parameters(config) } else { Value::Null };
    names.iter().map(|name| (name.as_str(), settings(name))).collect()
}
