//! `sweep.json`: the claim that a folder is of one sweep.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
};

use cgym_env::settings::Layer;
use cgym_worlds::files::{self, Staging};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::plan::Agent;
use crate::Error;

const FORMAT: &str = "cgym-sweep-1";
const PLAN: &str = "sweep.json";
/// Folders of a sweep beside its results.
const FOLDERS: [&str; 3] = ["runs", "logs", "configs"];

/// What `sweep.json` says: everything that decides what is played.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    format: String,
    seeds: Vec<u64>,
    /// Agents and the hyper-parameters they were given.
    agents: BTreeMap<String, Map<String, Value>>,
    /// Policies that are played once, beside the agents.
    baselines: bool,
    pub(super) episodes: BTreeMap<String, u64>,
    pub(super) checkpoint_every: u64,
    /// Resolved settings of each environment and budget, by the beginning of the names of its runs.
    pub(super) environments: BTreeMap<String, Layer>,
}

impl Claim {
    /// A claim without environments.
    pub(super) fn new(seeds: &[u64], agents: &[Agent], baselines: bool) -> Self {
        Self {
            format: FORMAT.to_owned(),
            seeds: seeds.to_vec(),
            agents: agents.iter().cloned().collect(),
            baselines,
            episodes: BTreeMap::new(),
            checkpoint_every: 0,
            environments: BTreeMap::new(),
        }
    }

    /// Refuses a folder that holds anything but this sweep, before anything is loaded.
    ///
    /// # Errors
    /// [`Error::File`] that names the first differences.
    pub(super) fn refuse_other(&self, out: &Path) -> Result<(), Error> {
        let path = out.join(PLAN);
        if !path.is_file() {
            return match out.symlink_metadata() {
                Ok(_) => Err(Error::file(out, "already exists and holds no sweep; give another --out")),
                Err(_) => Ok(()),
            };
        }
        let theirs: Value = files::read_json(&path)?;
        if theirs.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(Error::file(&path, format!("is not a plan of the format `{FORMAT}`")));
        }
        let mine = serde_json::to_value(self).map_err(|error| Error::file(&path, error))?;
        let mut differences = differences(&mine, &theirs);
        match differences.len() {
            0 => Ok(()),
            count => {
                let more = if count > 3 { format!(" and {} more", count - 3) } else { String::new() };
                differences.truncate(3);
                Err(Error::file(
                    out,
                    format!(
                        "holds a sweep with other settings: {}{more}; give another --out",
                        differences.join("; ")
                    ),
                ))
            }
        }
    }

    /// Takes `out` for this sweep, or continues in it. The lock keeps other sweeps out.
    ///
    /// # Errors
    /// As [`Claim::refuse_other`]; a folder that cannot be made, or that another process sweeps in.
    pub(super) fn take(&self, out: &Path) -> Result<Option<File>, Error> {
        self.refuse_other(out)?;
        if out.symlink_metadata().is_ok() {
            return match files::lock(out)? {
                None => Err(Error::file(out, "another process sweeps in this folder; stop it first")),
                lock => Ok(lock),
            };
        }
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let staging = Staging::new(out.parent().unwrap_or(Path::new("")), &name)?;
        for folder in FOLDERS {
            let folder = staging.path().join(folder);
            fs::create_dir(&folder)
                .map_err(|error| Error::file(&folder, format!("cannot be made: {error}")))?;
        }
        files::write_json(&staging.path().join(PLAN), self)?;
        staging.claim(out).map_err(|error| Error::file(out, format!("cannot be made: {error}")))
    }
}

/// Where two plans differ, in words: what differs in all environments alike is said once.
fn differences(mine: &Value, theirs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let part = |plan: &Value, key: &str| plan.get(key).cloned().unwrap_or_default();
    for key in ["seeds", "agents", "baselines", "checkpoint_every"] {
        differ(key, &part(mine, key), &part(theirs, key), &mut found);
    }
    let names = |plan: &Value| -> Vec<String> {
        part(plan, "environments").as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
    };
    if names(mine) != names(theirs) {
        let (here, there) = (names(mine).join(", "), names(theirs).join(", "));
        found.push(format!("environments and budgets are {there} there, {here} here"));
    }
    for name in names(mine).iter().filter(|name| names(theirs).contains(name)) {
        for (key, path) in [("episodes", "episodes"), ("environments", "")] {
            let of = |plan: &Value| part(&part(plan, key), name);
            differ(path, &of(mine), &of(theirs), &mut found);
        }
    }
    let mut once = Vec::new();
    for difference in found {
        if !once.contains(&difference) {
            once.push(difference);
        }
    }
    // Whatever else there is.
    if once.is_empty() {
        differ("", mine, theirs, &mut once);
    }
    once
}

/// The places where two values differ, in words.
fn differ(path: &str, mine: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (mine, theirs) {
        (Value::Object(mine), Value::Object(theirs)) => {
            let keys: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                differ(&path, &of(mine), &of(theirs), found);
            }
        }
        _ if mine == theirs => {}
        _ => found.push(format!("{path} is {} there, {} here", short(theirs), short(mine))),
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::Object(_) => "present".to_owned(),
        other => {
            let text = other.to_string();
            match text.char_indices().nth(60) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}
