//! `envs` and `describe`.

use std::{fmt::Write, path::Path};

use cgym_env::{Env, FEATURE_NAMES, registered};
use serde::Serialize;
use serde_json::json;

use super::search::game;
use crate::{Error, config::Config, report, settings::Settings};

pub(super) fn list(json: bool) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Listed {
        id: &'static str,
        description: &'static str,
    }
    let all: Vec<Listed> =
        registered().iter().map(|env| Listed { id: env.id, description: env.description }).collect();
    report::print(json, &json!({ "envs": all }), || {
        let width = all.iter().map(|env| env.id.len()).max().unwrap_or(0);
        let mut text = String::new();
        for env in &all {
            writeln!(text, "{:<width$}  {}", env.id, env.description).ok();
        }
        text + "every AMC-<Model>-<Dataset>-<MACs|Params><percent>-v0 is an environment, listed or not\n"
    })
}

pub(super) fn describe(
    id: Option<String>,
    file: Option<&Path>,
    mut settings: Settings,
    json: bool,
) -> Result<(), Error> {
    settings.env = id.or(settings.env);
    let config = Config::resolve(settings, file)?;
    let env = game(&config)?;
    let environment = &config.environment;
    let model = env.cost_model();
    let whole = model.cost(model.atoms());
    let decisions: Vec<serde_json::Value> = env
        .decisions()
        .iter()
        .map(|decision| {
            json!({
                "layer": decision.name,
                "channels": decision.channels(),
                "least": decision.least * decision.channels_per_atom,
                "step": decision.step * decision.channels_per_atom,
            })
        })
        .collect();
    let value = json!({
        "env": env.spec().id,
        "model": environment.model,
        "dataset": environment.dataset,
        "budget": env.spec().budget,
        "target": env.spec().target,
        "least_target": env.least_target(),
        "reward": env.spec().reward,
        "scope": environment.scope,
        "lower_bound": environment.lower_bound,
        "channel_multiple": environment.channel_multiple,
        "reconstruction": environment.reconstruction,
        "macs": whole.macs,
        "parameters": whole.parameters,
        "steps": env.spec().steps(),
        "observation_space": env.observation_space(),
        "features": FEATURE_NAMES,
        "action_space": env.action_space(),
        "decisions": decisions,
    });
    report::print(json, &value, || {
        let mut text = format!(
            "{}: {} on {}\nteacher  {} MACs, {} parameters\nbudget   {} of the {}, the least is {:.4}\n\
             reward   {}, at the last of {} steps\nactions  one preserve ratio in [{}, 1] a step\n\
             sees     {}\n",
            env.spec().id,
            environment.model,
            environment.dataset,
            report::count(Some(whole.macs)),
            report::count(Some(whole.parameters)),
            env.spec().target,
            report::unit_name(&env.spec().budget),
            env.least_target(),
            env.spec().reward,
            env.spec().steps(),
            environment.lower_bound,
            FEATURE_NAMES.join(", "),
        );
        for decision in env.decisions() {
            let per_atom = decision.channels_per_atom;
            writeln!(
                text,
                "  {:<24} {:>5} channels, {:>4} or more in steps of {}",
                decision.name,
                decision.channels(),
                decision.least * per_atom,
                decision.step * per_atom
            )
            .ok();
        }
        text
    })
}
