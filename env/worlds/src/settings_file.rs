//! Settings in a TOML file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cgym_env::{EnvError, nearest, settings::Layer};
use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::WorldError;

/// Keys whose value is a path; relative ones start from the folder of the file.
const PATHS: [&str; 4] = ["network.weights", "network.from", "data.path", "run.pretrained"];

/// A settings file: its values, and the line of each.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    path: PathBuf,
    /// What it says.
    pub layer: Layer,
    lines: BTreeMap<String, usize>,
}

impl SettingsFile {
    /// Reads the tables of a TOML file: `env = "ID"` and the tables named in `tables`.
    ///
    /// # Errors
    /// [`WorldError::File`] with the line of what is not TOML, no table, or unknown.
    pub fn read(path: &Path, tables: &[&str]) -> Result<Self, WorldError> {
        let text = fs::read_to_string(path).map_err(|error| WorldError::file(path, error))?;
        let parsed = DeTable::parse(&text).map_err(|error| WorldError::file(path, error))?;
        let line_of = |start: usize| 1 + text[..start.min(text.len())].matches('\n').count();
        let mut file = Self { path: path.to_owned(), layer: Layer::default(), lines: BTreeMap::new() };
        for (name, value) in parsed.get_ref().iter() {
            let (line, name) = (line_of(name.span().start), name.get_ref().as_ref());
            let refuse = |reason: String| WorldError::file(path, format!("line {line}: {reason}"));
            match value.get_ref() {
                DeValue::String(id) if name == "env" => {
                    file.layer.env = Some(id.to_string());
                    file.lines.insert("env".to_owned(), line);
                }
                DeValue::Table(values) if tables.contains(&name) => {
                    for (key, value) in values.iter() {
                        let path = format!("{name}.{}", key.get_ref().replace('-', "_"));
                        file.lines.insert(path.clone(), line_of(key.span().start));
                        let line = line_of(key.span().start);
                        let located = |error: WorldError| match error {
                            WorldError::Setting { key, reason } => {
                                WorldError::file(&file.path, format!("line {line}: {path}: {key} {reason}"))
                            }
                            other => other,
                        };
                        let value = file.rooted(&path, json(value).map_err(located)?);
                        file.layer.set(name, key.get_ref(), value);
                    }
                }
                DeValue::Table(_) | DeValue::String(_) if !tables.contains(&name) => {
                    let known = tables.iter().copied().chain(["env"]);
                    let known: Vec<&str> = known.collect();
                    return Err(refuse(format!(
                        "unknown key `{name}`{}",
                        nearest(name, known.iter().copied())
                    )));
                }
                _ if name == "env" => {
                    return Err(refuse("env: write the id of an environment as a string".to_owned()));
                }
                _ if tables.contains(&name) => {
                    return Err(refuse(format!("`{name}` is a table: write [{name}] and its keys below")));
                }
                _ => return Err(refuse(format!("unknown key `{name}`; settings stand in tables"))),
            }
        }
        Ok(file)
    }

    /// A relative path starts from the file's folder.
    fn rooted(&self, path: &str, value: Value) -> Value {
        match value {
            Value::String(inner) if PATHS.contains(&path) && inner != "none" => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                Value::String(folder.join(inner).display().to_string())
            }
            other => other,
        }
    }

    /// `error` with the file and line, where it is about a value that this file sets.
    pub fn locate(&self, error: WorldError, flags: &Layer) -> WorldError {
        let (key, reason) = match &error {
            WorldError::Setting { key, reason }
            | WorldError::Env(EnvError::Setting { key, reason })
            | WorldError::Teacher(cgym_teachers::Error::Setting { key, reason }) => {
                (key.clone(), reason.clone())
            }
            WorldError::Env(EnvError::UnknownId { .. }) if flags.env.is_none() => {
                ("env".to_owned(), error.to_string())
            }
            WorldError::Env(EnvError::Infeasible { .. }) if flags.env.is_none() => {
                ("budget.share".to_owned(), error.to_string())
            }
            _ => return error,
        };
        let set_by_flags = key.split_once('.').is_some_and(|(table, key)| flags.get(table, key).is_some());
        match self.lines.get(&key).filter(|_| !set_by_flags) {
            Some(line) if key == "env" => WorldError::file(&self.path, format!("line {line}: {reason}")),
            Some(line) => WorldError::file(&self.path, format!("line {line}: {key}: {reason}")),
            None => error,
        }
    }
}

/// A TOML value as JSON.
fn json(value: &Spanned<DeValue<'_>>) -> Result<Value, WorldError> {
    let unusable = |text: &str| WorldError::setting(text, "is not a number that can be used");
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Integer(number) => {
            let text = number.as_str().replace('_', "");
            i64::from_str_radix(&text, number.radix()).map_err(|_| unusable(number.as_str()))?.into()
        }
        DeValue::Float(number) => {
            let text = number.as_str().replace('_', "");
            // Not-a-number and infinities have no JSON: the table's own check refuses their text.
            match text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => Value::Number(number),
                None => Value::String(text),
            }
        }
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Array(values) => Value::Array(values.iter().map(json).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), json(value)?)));
            Value::Object(entries.collect::<Result<_, WorldError>>()?)
        }
    })
}

/// Reads `text` as the value of a setting: as in TOML, a bare word as a string.
pub fn parse_value(text: &str) -> Value {
    let line = format!("value = {text}");
    let parsed = DeTable::parse(&line).ok();
    let parsed = parsed.as_ref().and_then(|table| {
        let mut values = table.get_ref().iter();
        let only = values.next().map(|(_, value)| json(value));
        if values.next().is_some() { None } else { only?.ok() }
    });
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// A layer as TOML text, `env` first; values that are null are left out, since TOML has no null.
///
/// # Errors
/// A value that TOML cannot spell.
pub fn to_toml(layer: &Layer) -> Result<String, WorldError> {
    let mut text = String::new();
    let refuse = |error: toml::ser::Error| {
        WorldError::setting("settings", format!("cannot be written as TOML: {error}"))
    };
    if let Some(env) = &layer.env {
        text += &format!("env = {}\n", toml::Value::String(env.clone()));
    }
    for (name, values) in &layer.tables {
        let mut table = toml::Table::new();
        for (key, value) in values.iter().filter(|(_, value)| !value.is_null()) {
            table.insert(key.clone(), toml::Value::try_from(value).map_err(refuse)?);
        }
        if !table.is_empty() {
            text += &format!("\n[{name}]\n{}", toml::to_string(&table).map_err(refuse)?);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<SettingsFile, WorldError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        fs::write(&path, text).expect("written");
        SettingsFile::read(&path, &["game", "run", "network"])
    }

    #[test]
    fn tables_are_read_with_hyphens_as_underscores() {
        let file = read("env = \"ID\"\n[game]\nlower-bound = 0.1\n[run]\nseed = 1_000\n").expect("a file");
        assert_eq!(file.layer.env.as_deref(), Some("ID"));
        assert_eq!(file.layer.get("game", "lower_bound"), Some(&json!(0.1)));
        assert_eq!(file.layer.get("run", "seed"), Some(&json!(1000)));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        let file = read("[run]\nseed = 1\n\n[game]\nlower_bond = 0.1\n").expect("a file");
        let error = || WorldError::setting("game.lower_bond", "no such setting");
        let located = file.locate(error(), &Layer::default()).to_string();
        assert!(located.ends_with("settings.toml: line 5: game.lower_bond: no such setting"), "{located}");
        let flags = Layer::default().with("game", "lower_bond", 3);
        assert!(matches!(file.locate(error(), &flags), WorldError::Setting { .. }));
    }

    #[test]
    fn an_unknown_table_is_refused_with_the_nearest() {
        let refusal = read("[gmae]\n").expect_err("no such table").to_string();
        assert!(refusal.ends_with("line 1: unknown key `gmae`; did you mean `game`?"), "{refusal}");
        assert!(read("game = 3").is_err() && read("[[").is_err());
    }

    #[test]
    fn relative_paths_start_from_the_file() {
        let file = read("[network]\nweights = \"a.th\"\n").expect("a file");
        let path = file.layer.get("network", "weights").and_then(Value::as_str).expect("a path");
        assert!(Path::new(path).parent().is_some_and(|folder| folder.is_absolute()), "{path}");
    }

    #[test]
    fn values_are_read_as_in_toml_and_bare_words_as_strings() {
        assert_eq!(parse_value("[4, 4]"), json!([4, 4]));
        assert_eq!(parse_value("bootstrap"), json!("bootstrap"));
        assert_eq!(parse_value("0.5"), json!(0.5));
        assert_eq!(parse_value("true"), json!(true));
        assert_eq!(parse_value("nan"), json!("nan"));
    }
}
