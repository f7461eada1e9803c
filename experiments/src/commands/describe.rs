//! `describe`.

use std::{collections::BTreeMap, fmt::Write};

use cgym_env::{
    Layout, SiteDescription,
    settings::{Field, Fields},
};
use cgym_teachers::{cost::Cost, graph::Graph};
use serde_json::{Value, json};

use super::agents::shown;
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
    let costs = layer_costs(blueprint.graph())?;
    let cost_of = |site: &SiteDescription| {
        // In shrinkage a value of the layer follows its name.
        let layer = site.layer.split(" (").next().unwrap_or_default();
        costs.get(layer).copied().unwrap_or_default()
    };
    let mut decisions = serde_json::to_value(&outline.sites).unwrap_or_default();
    for (decision, site) in decisions.as_array_mut().into_iter().flatten().zip(&outline.sites) {
        (decision["macs"], decision["parameters"]) =
            (cost_of(site).macs.into(), cost_of(site).parameters.into());
    }
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
        "decisions": decisions,
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
        text + &table(&outline.sites, &cost_of)
    })
}

/// The cost of each layer by its name.
fn layer_costs(graph: &Graph) -> Result<BTreeMap<&str, Cost>, Error> {
    let names = graph.nodes().iter().map(|node| node.name.as_str());
    Ok(names.zip(graph.costs()?).collect())
}

/// A line for each decision: the layer with its own cost, and what can be kept of it.
fn table(sites: &[SiteDescription], cost_of: &dyn Fn(&SiteDescription) -> Cost) -> String {
    let width = sites.iter().map(|site| site.layer.len()).max().unwrap_or(0).max("decision".len());
    let mut text = format!("\n{:<width$} {:>14} {:>12}  can be kept\n", "decision", "MACs", "parameters");
    for site in sites {
        let kept = match site.least {
            0 => format!("{} to {} {}", site.least, site.whole, site.unit),
            least => format!("{least} to {} {} in steps of {}", site.whole, site.unit, site.step),
        };
        let (macs, parameters) = (cost_of(site).macs, cost_of(site).parameters);
        let (macs, parameters) = (report::count(Some(macs)), report::count(Some(parameters)));
        writeln!(text, "{:<width$} {macs:>14} {parameters:>12}  {kept}", site.layer).ok();
    }
    text
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
                let setting = format!("{} = {}", field.key, shown(&value_of(table, field.key)));
                writeln!(text, "{setting:<28} # {}", field.help_line()).ok();
            }
        }
        text
    })
}
