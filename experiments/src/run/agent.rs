//! The agent of a run, with another run's policy where that was asked for.

use std::path::Path;

use cgym_agents::{Agent, AgentContext, make};
use cgym_env::Env;

use super::{EpisodeLog, checkpoint, directory};
use crate::{Error, config::Config, seeds};

/// A fresh agent for `config` on `env`.
///
/// # Errors
/// An agent that cannot play here; a run with no policy to start from, or one that does not fit.
pub fn agent(config: &Config, env: &dyn Env) -> Result<Box<dyn Agent>, Error> {
    let seed = seeds::derive(config.seed, "agent", 0);
    let context = AgentContext { env, episodes: config.episodes, seed };
    let mut agent = make(&config.agent, &config.agent_settings, &context)?;
    if let Some(run) = &config.pretrained {
        load_policy(&mut *agent, run)?;
    }
    Ok(agent)
}

/// Gives `agent` the policy of the newest sound checkpoint of `run`.
fn load_policy(agent: &mut dyn Agent, run: &Path) -> Result<(), Error> {
    directory::check(run)?;
    let log = EpisodeLog::read(&run.join("episodes.jsonl"))?;
    let all = checkpoint::list(&run.join("checkpoints"));
    let sound = all.iter().rev().find(|(_, path)| checkpoint::verify(path, &log).is_ok());
    let Some((_, path)) = sound else {
        return Err(Error::file(run, "has no sound checkpoint whose policy could be taken over"));
    };
    Ok(agent.load_policy(&path.join(checkpoint::AGENT))?)
}
