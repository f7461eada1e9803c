//! `search` and `resume`.

use std::path::{Path, PathBuf};

use cgym_agents::Agent;
use cgym_env::{Env, settings::Layer};
use serde_json::Value;

use crate::{
    Error, Summary,
    config::Config,
    flags::SettingFlags,
    interrupt, loading, report,
    run::{self, Run, directory},
    terminal,
};

/// Arguments of `search`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct SearchArgs {
    #[command(flatten)]
    settings: SettingFlags,
    /// Run directory; must not exist [default: runs/ENV-AGENT-seedSEED-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do not play the baselines that the agent is compared with
    #[arg(long)]
    no_baselines: bool,
    /// Show at the end where the time of the episodes went
    #[arg(long)]
    profile: bool,
}

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The run directory
    run: PathBuf,
    /// Do not play the baselines that the agent is compared with
    #[arg(long)]
    no_baselines: bool,
    /// Threads [default: as before]; results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

pub(super) fn search(args: &SearchArgs, json: bool) -> Result<(), Error> {
    let config = args.settings.resolve()?;
    super::use_threads(config.run.threads)?;
    directory::refuse_existing(args.out.as_deref())?;
    let run = Run {
        out: args.out.clone(),
        settings: config.run.clone(),
        baselines: !args.no_baselines,
        profile: args.profile,
        stop: Some(interrupt::flag()),
    };
    let pretrained = config.run.pretrained.as_deref().map(run::newest_agent).transpose()?;
    let summary = start(&config, &run, pretrained.as_deref()).map_err(|error| args.settings.locate(error))?;
    if let Some(profile) = &summary.profile {
        eprint!("{}", profile.table());
    }
    tell(&summary, json)
}

/// Searches with the agent of `config`, which starts from the policy of the agent saved in
/// `pretrained`.
pub(super) fn start(config: &Config, run: &Run, pretrained: Option<&Path>) -> Result<Summary, Error> {
    let blueprint = loading::blueprint(config)?;
    // An agent or policy that does not fit is refused before anything is loaded.
    agent(config, &*blueprint.outline().env, pretrained)?;
    let world = loading::load(blueprint)?;
    let agent = agent(config, &*world.env(), pretrained)?;
    run::search(&world, agent, run)
}

fn agent(config: &Config, env: &dyn Env, pretrained: Option<&Path>) -> Result<Box<dyn Agent>, Error> {
    let mut agent = config.agent(env)?;
    if let Some(folder) = pretrained {
        agent.load_policy(folder)?;
    }
    Ok(agent)
}

pub(super) fn resume(args: &ResumeArgs, json: bool) -> Result<(), Error> {
    let path = &args.run;
    directory::check(path)?;
    let config = saved_config(path)?;
    super::use_threads(args.threads.or(config.run.threads))?;
    tell(&go_on(path, !args.no_baselines)?, json)
}

/// Continues the search of a run directory; returns its result where it has finished.
pub(super) fn go_on(path: &Path, baselines: bool) -> Result<Summary, Error> {
    let result = path.join("summary.json");
    if result.is_file() {
        let summary: Summary = cgym_worlds::files::read_json(&result)?;
        return Ok(Summary { run: Some(path.to_owned()), ..summary });
    }
    let config = saved_config(path)?;
    let run = Run {
        out: Some(path.to_owned()),
        settings: config.run.clone(),
        baselines,
        profile: false,
        stop: Some(interrupt::flag()),
    };
    let own = path.join(directory::PRETRAINED);
    let pretrained = config.run.pretrained.is_some().then_some(own);
    start(&config, &run, pretrained.as_deref()).map_err(|error| match error {
        Error::Agent(cgym_agents::AgentError::Unknown { name, .. }) => Error::Input(format!(
            "the agent `{name}` of {} is not built in: call `cgym::search` again from the program that made it",
            path.display()
        )),
        other => other,
    })
}

/// The configuration of a run directory.
pub(super) fn saved_config(path: &Path) -> Result<Config, Error> {
    Config::resolve(Layer::default(), Some(&path.join("config.toml")))
}

/// Prints a result and what can be done with it.
fn tell(summary: &Summary, json: bool) -> Result<(), Error> {
    let run = summary.run.clone().unwrap_or_default();
    let shown = run.display();
    if !summary.finished {
        eprintln!(
            "interrupted after {} of {} episodes; everything is saved",
            summary.played, summary.episodes
        );
    }
    report::print(json, summary, || {
        let mut text = summary.table();
        text += &terminal::picture(&run);
        if summary.finished {
            text += &format!("saved to {shown}, the best network in {shown}/best\n");
            text += &format!("curves: tensorboard --logdir {shown}\n");
        } else {
            text += &format!("continue with: cgym resume {shown}\n");
        }
        text
    })
}

/// The hyper-parameters of `config`'s agent as an object.
pub(super) fn hyper_parameters(config: &Config) -> Value {
    Value::Object(config.agent_settings.clone())
}
