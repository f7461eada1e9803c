//! `envs`.

use std::fmt::Write;

use cgym_env::{FAMILIES, listed};
use serde_json::json;

use crate::{Error, report};

pub(super) fn list(json: bool) -> Result<(), Error> {
    let all = listed();
    let games: Vec<serde_json::Value> = FAMILIES
        .iter()
        .map(|family| {
            json!({
                "name": family.name(),
                "ids": ids(*family),
                "description": family.description(),
                "versions": family.versions().iter().map(|version| version.number).collect::<Vec<_>>(),
            })
        })
        .collect();
    let envs: Vec<serde_json::Value> =
        all.iter().map(|env| json!({ "id": env.id, "description": env.description })).collect();
    report::print(json, &json!({ "games": games, "envs": envs }), || {
        let width = all.iter().map(|env| env.id.len()).max().unwrap_or(0);
        let mut text = String::new();
        for env in &all {
            writeln!(text, "{:<width$}  {}", env.id, env.description).ok();
        }
        text += "\nEvery id of these forms is an environment, listed or not:\n";
        for family in FAMILIES {
            writeln!(text, "  {:<52}  {}", ids(*family), family.description()).ok();
        }
        text
    })
}

/// The form of a family's ids.
fn ids(family: &dyn cgym_env::Family) -> String {
    let units: Vec<&str> = family.units().iter().map(|unit| unit.id_word()).collect();
    let budget = if units.is_empty() { String::new() } else { format!("[-<{}><percent>]", units.join("|")) };
    format!("{}-<Model>-<Dataset>{budget}-v<N>", family.id_word())
}
