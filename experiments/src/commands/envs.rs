//! `envs` and `describe`.

use std::{fmt::Write, path::Path};

use cgym_env::{Env, EnvConfig, FEATURE_NAMES, Family, LAYER_FEATURES, N2nConfig, Space, registered};
use serde::Serialize;
use serde_json::json;

use super::search::{game, network};
use crate::{Error, config::Config, game::preview_amc, report, settings::Settings};

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
        text + "every AMC-<Model>-<Dataset>-<MACs|Params><percent>-v0 and N2N-<Removal|Shrinkage>-<Model>-<Dataset>-v0 \
                is an environment, listed or not\n"
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
    match &config.environment {
        Family::Amc(environment) => describe_amc(&config, environment, json),
        Family::N2n(environment) => describe_n2n(&config, environment, json),
    }
}

fn describe_n2n(config: &Config, environment: &N2nConfig, json: bool) -> Result<(), Error> {
    let (env, teacher) = (game(config)?, network(config)?);
    let parent = config.parent.as_deref().map(crate::teacher::parent).transpose()?;
    let (whole, spec) = (teacher.cost()?, env.spec());
    let parent = parent.map_or(Ok(whole), |parent| parent.graph.cost())?;
    let value = json!({
        "env": spec.id,
        "model": environment.model,
        "dataset": environment.dataset,
        "stage": environment.stage,
        "reward": spec.reward,
        "constraints": environment.constraints,
        "student": environment.student,
        "inherit": environment.inherit,
        "macs": whole.macs,
        "parameters": whole.parameters,
        "parent_macs": parent.macs,
        "parent_parameters": parent.parameters,
        "steps": spec.steps(),
        "layout": spec.layout,
        "observation_space": { "kind": "box", "low": 0, "high": 1, "length": env.observation_space().length() },
        "features": LAYER_FEATURES,
        "action_space": env.action_space(),
        "decisions": spec.decisions,
    });
    report::print(json, &value, || {
        let actions = match env.action_space() {
            Space::Discrete { count: 2 } => "0 removes a layer, 1 keeps it",
            _ => "index i keeps (i + 1)/10 of a layer's kernel, padding, filters or units",
        };
        let mut text = format!(
            "{}: {} on {}\nteacher  {} MACs, {} parameters\nparent   {} MACs, {} parameters\n\
             reward   {}, at the last of {} steps; each student is trained for {} epochs first\n\
             actions  {actions}\nsees     a row a layer: {}; and the layer decided about\n",
            spec.id,
            environment.model,
            environment.dataset,
            report::count(Some(whole.macs)),
            report::count(Some(whole.parameters)),
            report::count(Some(parent.macs)),
            report::count(Some(parent.parameters)),
            spec.reward,
            spec.steps(),
            environment.student.epochs,
            LAYER_FEATURES.join(", "),
        );
        for decision in &spec.decisions {
            writeln!(text, "  {decision}").ok();
        }
        text
    })
}

fn describe_amc(config: &Config, environment: &EnvConfig, json: bool) -> Result<(), Error> {
    let env = preview_amc(environment, &network(config)?)?;
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
