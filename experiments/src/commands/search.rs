//! `search` and `resume`.

use std::path::{Path, PathBuf};

use cgym_agents::{Agent, Schedule};
use cgym_env::Env;
use serde_json::Value;

use crate::{
    Error, Summary,
    config::Config,
    flags::SettingFlags,
    interrupt, loading,
    output::note,
    report,
    run::{self, Run, RunDirectory, directory},
    terminal,
};

/// Arguments of `search`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct SearchArgs {
    #[command(flatten)]
    settings: SettingFlags,
    /// Run directory; must not exist [default: runs/ENV-AGENT-<N>episodes-seed<N>-<N>]
    #[arg(long, help_heading = "Run", value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do not play the baselines that the agent is compared with
    #[arg(long, help_heading = "Run")]
    no_baselines: bool,
    /// Show at the end where the time of the episodes went
    #[arg(long, help_heading = "Run")]
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
    /// Extend a finished run to this many exploring episodes
    #[arg(long, value_name = "N")]
    episodes: Option<u64>,
    /// Threads [default: as before]; results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What is finished before a search stops.
const TASK: &str = "this episode";

pub(super) fn search(args: &SearchArgs, json: bool) -> Result<(), Error> {
    let mut config = args.settings.resolve()?;
    config.run.baselines &= !args.no_baselines;
    refuse_untaught(&config).map_err(|error| args.settings.locate(error))?;
    super::use_threads(config.run.threads)?;
    directory::refuse_existing(args.out.as_deref())?;
    let run = Run {
        out: args.out.clone(),
        settings: config.run.clone(),
        profile: args.profile,
        stop: Some(interrupt::flag(TASK)),
    };
    let pretrained = config.run.pretrained.as_deref().map(run::newest_agent).transpose()?;
    let summary = start(&config, &run, pretrained.as_deref()).map_err(|error| args.settings.locate(error))?;
    if let Some(profile) = &summary.profile {
        note(profile.table());
    }
    tell(&summary, json)
}

/// Refuses an agent that neither has a policy from another run nor learns one.
pub(super) fn refuse_untaught(config: &Config) -> Result<(), Error> {
    let frozen = config.agent_settings.get("frozen") == Some(&Value::Bool(true));
    if !frozen || config.run.pretrained.is_some() {
        return Ok(());
    }
    let reason = "a policy that never learns has to come from a run: give --pretrained RUN, or leave it out";
    Err(cgym_worlds::WorldError::setting("agent.frozen", reason).into())
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
    let mut config = directory::config(path)?;
    super::use_threads(args.threads.or(config.run.threads))?;
    if let Some(episodes) = args.episodes {
        config = extend(path, episodes)?;
    }
    config.run.baselines &= !args.no_baselines;
    tell(&go_on(path, &config)?, json)
}

/// Asks a finished run for more episodes.
fn extend(path: &Path, episodes: u64) -> Result<Config, Error> {
    let (directory, mut config) = RunDirectory::open(path)?;
    let so_far = config.episodes();
    // The same command again, after a stop.
    if episodes == so_far {
        return Ok(config);
    }
    if directory::result(path)?.is_none() {
        let reason =
            format!("has not finished its {so_far} episodes; `cgym resume` it without --episodes first");
        return Err(Error::file(path, reason));
    }
    if episodes < so_far {
        return Err(Error::Input(format!("episodes: the run has {so_far}; give more than that")));
    }
    // What cannot go on is refused before the run is changed.
    let (_, log) = run::read(path)?;
    let played = log.records().len();
    config.run.extended_from.push(so_far);
    config.run.episodes = Some(episodes);
    let blueprint = loading::blueprint(&config)?;
    let mut agent = config.agent(&*blueprint.outline().env)?;
    if run::checkpoint::restore(path, &mut *agent, &log, &mut |_| ())? != played {
        let reason = "cannot be extended: the checkpoint after its last episode is missing or damaged";
        return Err(Error::file(path, reason));
    }
    if (Schedule { episodes, exploit: true }).next(&*agent, played as u64).is_none() {
        let reason =
            format!("cannot be extended: `{}` ended by itself after {played} episodes", config.agent);
        return Err(Error::file(path, reason));
    }
    directory.extend(so_far, &config)?;
    Ok(config)
}

/// Continues the search of a run directory; returns its result where it has finished.
pub(super) fn go_on(path: &Path, config: &Config) -> Result<Summary, Error> {
    if let Some(summary) = directory::result(path)? {
        return Ok(summary);
    }
    let run = Run {
        out: Some(path.to_owned()),
        settings: config.run.clone(),
        profile: false,
        stop: Some(interrupt::flag(TASK)),
    };
    let own = path.join(directory::PRETRAINED);
    let pretrained = config.run.pretrained.is_some().then_some(own);
    start(config, &run, pretrained.as_deref()).map_err(|error| match error {
        Error::Agent(cgym_agents::AgentError::Unknown { name, .. }) => Error::Input(format!(
            "the agent `{name}` of {} is not built in: call `cgym::search` again from the program that made it",
            path.display()
        )),
        other => other,
    })
}

/// Prints a result and what can be done with it.
///
/// # Errors
/// [`Error::Stopped`] where the search was stopped.
fn tell(summary: &Summary, json: bool) -> Result<(), Error> {
    let run = summary.run.clone().unwrap_or_default();
    let shown = run.display();
    if !summary.finished {
        let when = match summary.played < summary.episodes {
            true => format!("after {} of {} episodes", summary.played, summary.episodes),
            false => "after the last episode, before the baselines were done".to_owned(),
        };
        note(format!("interrupted {when}; everything is saved"));
    }
    let printed = report::print(json, summary, || {
        let mut text = summary.table();
        text += &terminal::picture(&run);
        if !summary.finished {
            return text + &format!("continue with: cgym resume {shown}\n");
        }
        text += &match run.join("best").is_dir() {
            true => format!("saved to {shown}, the best network in {shown}/best\n"),
            false => format!("saved to {shown}; no admissible candidate was found\n"),
        };
        text + &format!(
            "one page: cgym report {shown} --out report.html; curves: tensorboard --logdir {shown}\n"
        )
    });
    // A command that was stopped says so by its exit code, whether or not anybody reads the rest.
    if summary.finished { printed } else { Err(Error::Stopped) }
}

/// The hyper-parameters of `config`'s agent as an object.
pub(super) fn hyper_parameters(config: &Config) -> Value {
    Value::Object(config.agent_settings.clone())
}
