//! `agents`.

use std::fmt::Write;

use serde::Serialize;
use serde_json::json;

use crate::{Error, report};

pub(super) fn list(json: bool) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Listed {
        name: &'static str,
        description: &'static str,
    }
    let all: Vec<Listed> =
        cgym_agents::describe().map(|(name, description)| Listed { name, description }).collect();
    report::print(json, &json!({ "agents": all }), || {
        let mut text = String::new();
        for agent in &all {
            writeln!(text, "{:<14}{}", agent.name, agent.description).ok();
        }
        text
    })
}
