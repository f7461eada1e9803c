//! `envs`.

use std::fmt::Write;

use cgym_env::{FAMILIES, listed, settings::EnvSettings};
use cgym_worlds::network;
use serde_json::json;

use crate::{Error, report};

pub(super) fn list(json: bool) -> Result<(), Error> {
    let all = listed();
    let needs =
        all.iter().map(|env| Ok(needs(&EnvSettings::from_id(env.id)?))).collect::<Result<Vec<_>, Error>>()?;
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
    let envs: Vec<serde_json::Value> = all
        .iter()
        .zip(&needs)
        .map(|(env, needs)| json!({ "id": env.id, "needs": needs, "description": env.description }))
        .collect();
    report::print(json, &json!({ "games": games, "envs": envs }), || {
        let width = all.iter().map(|env| env.id.len()).max().unwrap_or(0);
        let shown: Vec<String> = needs.iter().map(|needs| in_words(needs)).collect();
        let second = shown.iter().map(String::len).max().unwrap_or(0);
        let mut text = format!("{:<width$}  {:<second$}  description\n", "id", "needs");
        for (env, needs) in all.iter().zip(&shown) {
            writeln!(text, "{:<width$}  {needs:<second$}  {}", env.id, env.description).ok();
        }
        text += "\ndownload: the dataset is downloaded once, or given with --data DIR\n\
                 images: a folder of images is given with --data DIR\n\
                 weights: a trained network is given with --weights FILE; `cgym teacher train` makes one\n\
                 \nEvery id of these forms is an environment, listed or not:\n";
        for family in FAMILIES {
            writeln!(text, "  {:<52}  {}", ids(*family), family.description()).ok();
        }
        text
    })
}

/// What has to be there before the environment can be played, beside the program.
fn needs(settings: &EnvSettings) -> Vec<&'static str> {
    let dataset = settings.data.dataset;
    let mut needs = Vec::new();
    match (dataset.is_embedded(), dataset.is_downloaded()) {
        (true, _) => (),
        (_, true) => needs.push("download"),
        _ => needs.push("images"),
    }
    if !network::is_shipped(&settings.network, &settings.data) {
        needs.push("weights");
    }
    needs
}

fn in_words(needs: &[&str]) -> String {
    if needs.is_empty() { "nothing".to_owned() } else { needs.join(", ") }
}

/// The form of a family's ids.
fn ids(family: &dyn cgym_env::Family) -> String {
    let units: Vec<&str> = family.units().iter().map(|unit| unit.id_word()).collect();
    let budget = if units.is_empty() { String::new() } else { format!("[-<{}><percent>]", units.join("|")) };
    format!("{}-<Model>-<Dataset>{budget}-v<N>", family.id_word())
}
