//! `baselines`.

use std::{fs, time::Instant};

use cgym_agents::{AgentContext, make};
use serde_json::Value;

use super::search::{game, load};
use crate::{
    Error,
    cli::BaselinesArgs,
    config::Config,
    files, interrupt, report,
    report::Summary,
    run::{self, directory},
};

pub(super) fn baselines(args: BaselinesArgs, json: bool) -> Result<(), Error> {
    let started = Instant::now();
    let out = args.out.as_deref();
    directory::refuse_existing(out)?;
    let given = !args.settings.agent_set.is_empty();
    let mut config = Config::resolve(args.settings, args.config.as_deref())?;
    super::use_threads(config.threads)?;
    // A policy that is not there is refused before anything is played.
    let env = game(&config)?;
    // Those of a run's own file are just not needed where its agent is not played.
    if !args.agents.contains(&config.agent) {
        if given {
            return Err(Error::Input(format!(
                "agent-set: these are settings of `{}`, which is not among the policies; name their policy with \
                 --agent",
                config.agent
            )));
        }
        config.agent_settings = Value::Null;
    }
    let settings = &config.agent_settings;
    for name in &args.agents {
        let settings = if *name == config.agent { settings } else { &Value::Null };
        make(name, settings, &AgentContext { env: &*env, episodes: config.episodes, seed: 0 })?;
    }
    let stop = interrupt::flag();
    let world = load(config, &[])?;
    if let Some(folder) = out {
        fs::create_dir_all(folder)
            .map_err(|error| Error::file(folder, format!("cannot be made: {error}")))?;
        files::write_atomically(&folder.join("config.toml"), world.config.to_toml()?.as_bytes())?;
    }
    let file = out.map(|folder| folder.join("baselines.jsonl"));
    let episodes = world.config.episodes;
    let played = run::baselines(&world, &args.agents, episodes, true, file.as_deref(), stop)?;
    let mut summary = Summary::new(&world);
    summary.finished = played.is_some();
    let played = played.unwrap_or_default();
    summary.played = played.iter().map(|(_, records)| records.len() as u64).sum();
    run::compare(&world, &mut summary, &played)?;
    summary.evaluated = world.game.evaluations();
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
