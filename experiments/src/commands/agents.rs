//! `agents`.

use std::fmt::Write;

use cgym_agents::{AgentError, AgentFacts};
use serde_json::{Value, json};

use crate::{Error, report};

/// Arguments of `agents`.
#[derive(Debug, clap::Args)]
pub struct AgentsArgs {
    /// Describe this agent with its hyper-parameters
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn agents(args: &AgentsArgs, json: bool) -> Result<(), Error> {
    match &args.name {
        None => list(json),
        Some(name) => match cgym_agents::describe().find(|facts| facts.name == name) {
            Some(facts) => describe(facts, json),
            None => {
                let suggestion = cgym_env::nearest(name, cgym_agents::names());
                Err(AgentError::Unknown { name: name.clone(), suggestion }.into())
            }
        },
    }
}

fn list(json: bool) -> Result<(), Error> {
    let all: Vec<Value> = cgym_agents::describe().map(object).collect();
    report::print(json, &json!({ "agents": all }), || {
        let mut text = format!("{:<14}{:<17}description\n", "agent", "plays");
        for facts in cgym_agents::describe() {
            let plays = plays(facts).join(", ");
            writeln!(text, "{:<14}{plays:<17}{}", facts.name, facts.description).ok();
        }
        text + "\n`cgym agents NAME` shows paper and hyper-parameters\n"
    })
}

/// The games that an agent plays: those of numbers are layer-wise, those of indices are N2N's.
fn plays(facts: &AgentFacts) -> Vec<&'static str> {
    if facts.plays_indices { vec!["layer-wise", "N2N"] } else { vec!["layer-wise"] }
}

fn object(facts: &AgentFacts) -> Value {
    json!({
        "name": facts.name,
        "description": facts.description,
        "paper": facts.paper,
        "plays": plays(facts),
        "transfers": facts.transfers,
    })
}

fn describe(facts: &AgentFacts, json: bool) -> Result<(), Error> {
    let defaults = facts.defaults();
    let settings = facts
        .fields
        .iter()
        .map(|field| json!({ "key": field.key, "default": defaults[field.key], "help": field.help_line() }));
    let mut value = object(facts);
    value["settings"] = settings.collect();
    report::print(json, &value, || {
        let transfers = match facts.transfers {
            true => "--pretrained RUN starts from the policy of a run on any network",
            false => "no policy that another run could start from",
        };
        let mut text = format!(
            "{}: {}\npaper      {}\nplays      {}\ntransfers  {transfers}\n\n",
            facts.name,
            facts.description,
            facts.paper,
            plays(facts).join(", "),
        );
        if facts.fields.is_empty() {
            return text + "no hyper-parameters\n";
        }
        text += "hyper-parameters with their defaults, set by --set agent.KEY=VALUE\n";
        for field in facts.fields {
            let setting = format!("{} = {}", field.key, shown(&defaults[field.key]));
            writeln!(text, "{setting:<32} # {}", field.help_line()).ok();
        }
        text
    })
}

/// A value as in a file; an absent one is the word that empties a setting.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(word) => format!("\"{word}\""),
        other => other.to_string(),
    }
}
