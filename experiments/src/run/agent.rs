//! The agent of a run, with another run's policy where that was asked for.

use std::path::{Path, PathBuf};

use cgym_agents::{Agent, AgentContext, make};
use cgym_env::Env;

use super::{EpisodeLog, checkpoint, directory};
use crate::{Error, config::Config, seeds};

/// A fresh agent for `config` on `env`, with the policy of the agent saved in `pretrained`.
///
/// # Errors
/// An agent that cannot play here; a policy that does not fit.
pub fn agent(config: &Config, env: &dyn Env, pretrained: Option<&Path>) -> Result<Box<dyn Agent>, Error> {
    let seed = seeds::derive(config.seed, "agent", 0);
    let context = AgentContext { env, episodes: config.episodes, seed };
    let mut agent = make(&config.agent, &config.agent_settings, &context)?;
    if let Some(folder) = pretrained {
        agent.load_policy(folder)?;
    }
    Ok(agent)
}

/// The agent in the newest sound checkpoint of `run`.
///
/// # Errors
/// A folder that is no run, or has no such checkpoint.
pub fn newest_agent(run: &Path) -> Result<PathBuf, Error> {
    directory::check(run)?;
    let log = EpisodeLog::read(&run.join("episodes.jsonl"))?;
    let all = checkpoint::list(&run.join("checkpoints"));
    let sound = all.into_iter().rev().find(|(_, path)| checkpoint::verify(path, &log).is_ok());
    match sound {
        Some((_, path)) => Ok(path.join(checkpoint::AGENT)),
        None => Err(Error::file(run, "has no sound checkpoint whose policy could be taken over")),
    }
}
