//! `describe`.

use std::fmt::Write;

use cgym_env::{
    Layout,
    settings::{Field, Fields},
};
use serde_json::{Value, json};

use crate::{
    Error,
    config::{Config, RunSettings},
    flags::SettingFlags,
    loading, report,
};

/// Arguments of `describe`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub struct DescribeArgs {
    /// Id of the environment
    #[arg(value_name = "ID", conflicts_with = "env")]
    id: Option<String>,
    /// Print every setting with its value and meaning
    #[arg(long)]
    settings: bool,
    #[command(flatten)]
    flags: SettingFlags,
}

pub(super) fn describe(args: &DescribeArgs, json: bool) -> Result<(), Error> {
    let mut flags = args.flags.clone();
    flags.env = args.id.clone().or(flags.env);
    let config = flags.resolve()?;
    let told = if args.settings { settings(&config, json) } else { environment(&config, json) };
    told.map_err(|error| flags.locate(error))
}

fn environment(config: &Config, json: bool) -> Result<(), Error> {
    let blueprint = loading::blueprint(config)?;
    let (outline, settings) = (blueprint.outline(), blueprint.settings());
    // An agent that is asked for is checked too.
    config.agent(&*outline.env)?;
    let (spec, whole) = (outline.env.spec(), outline.whole);
    let network = blueprint.graph().cost()?;
    let bounds = match spec.layout {
        Layout::Vector => serde_json::to_value(outline.env.observation_space()).unwrap_or_default(),
        Layout::Table { .. } => {
            json!({ "kind": "box", "low": 0, "high": 1, "length": outline.env.observation_space().length() })
        }
    };
    let value = json!({
        "env": spec.id,
        "game": settings.family.name(),
        "model": settings.network.model,
        "dataset": settings.data.dataset,
        "unit": spec.unit,
        "budget": spec.budget,
        "least_budget": outline.least_share,
        "reward": spec.reward,
        "tables": settings.to_layer().tables,
        "macs": whole.macs,
        "parameters": whole.parameters,
        "bytes": whole.weight_bytes,
        "network_macs": network.macs,
        "network_parameters": network.parameters,
        "steps": spec.steps(),
        "layout": spec.layout,
        "observation_space": bounds,
        "features": outline.features,
        "action": outline.action,
        "action_space": outline.env.action_space(),
        "decisions": outline.sites,
    });
    report::print(json, &value, || {
        let cost = |macs, parameters| {
            format!("{} MACs, {} parameters", report::count(Some(macs)), report::count(Some(parameters)))
        };
        let mut text = format!(
            "{}: {} on {}\nteacher  {}\n",
            spec.id,
            settings.network.model,
            settings.data.dataset,
            cost(whole.macs, whole.parameters)
        );
        if settings.network.from.is_some() {
            text += &format!("network  {}\n", cost(network.macs, network.parameters));
        }
        match (spec.budget, outline.least_share) {
            (Some(share), Some(least)) => {
                let unit = report::unit_title(&spec.unit);
                text += &format!("budget   {share} of the {unit}, the least is {least:.4}\n");
            }
            _ => text += "budget   none\n",
        }
        text += &format!(
            "reward   {}, at the last of {} steps\nactions  {}\nsees     {}\n",
            spec.reward,
            spec.steps(),
            outline.action,
            outline.features.join(", ")
        );
        for site in &outline.sites {
            let range = match site.least {
                0 => String::new(),
                least => {
                    format!(" {:>7} {}, {least} or more in steps of {}", site.whole, site.unit, site.step)
                }
            };
            writeln!(text, "  {:<24}{range}", site.layer).ok();
        }
        text
    })
}

/// Every table with its keys, values and help texts.
fn settings(config: &Config, json: bool) -> Result<(), Error> {
    const NAME: Field = Field { key: "name", help: "The agent; `cgym agents` lists them.", kind: "String" };
    let blueprint = loading::blueprint(config)?;
    let agent = config.agent(&*blueprint.outline().env)?;
    let mut layer = config.to_layer();
    // The agent fills in the defaults that depend on environment and episodes.
    for (key, value) in agent.settings().as_object().into_iter().flatten() {
        layer.set("agent", key, value.clone());
    }
    let mut tables: Vec<(&str, Vec<Field>)> = config.env.fields();
    tables.push(("agent", [&[NAME], cgym_agents::fields(&config.agent).unwrap_or_default()].concat()));
    tables.push(("run", RunSettings::FIELDS.to_vec()));
    let value_of = |table: &str, key: &str| layer.get(table, key).cloned().unwrap_or(Value::Null);
    let mut object = serde_json::Map::new();
    for (table, fields) in &tables {
        let describe = |field: &Field| {
            let entry = json!({ "value": value_of(table, field.key), "help": field.help_line() });
            (field.key.to_owned(), entry)
        };
        object.insert((*table).to_owned(), Value::Object(fields.iter().map(describe).collect()));
    }
    let value = json!({ "env": config.env.id(), "tables": object, "agent": config.agent });
    report::print(json, &value, || {
        let mut text = format!("env = \"{}\"\n", config.env.id());
        for (table, fields) in tables.iter().filter(|(_, fields)| !fields.is_empty()) {
            writeln!(text, "\n[{table}]").ok();
            for field in fields {
                let shown = match value_of(table, field.key) {
                    Value::Null => "none".to_owned(),
                    Value::String(word) => format!("\"{word}\""),
                    other => other.to_string(),
                };
                let setting = format!("{} = {shown}", field.key);
                writeln!(text, "{setting:<28} # {}", field.help_line()).ok();
            }
        }
        text
    })
}
