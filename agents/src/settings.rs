//! Reading hyper-parameters; every error names the key that it is about.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::AgentError;

/// An error about the setting `key`.
pub(crate) fn refuse(key: &str, reason: impl Into<String>) -> AgentError {
    AgentError::Setting { key: key.to_owned(), reason: reason.into() }
}

/// Fails unless `good`; `reason` says what `key` must be.
pub(crate) fn require(good: bool, key: &str, reason: &str) -> Result<(), AgentError> {
    if good { Ok(()) } else { Err(refuse(key, reason)) }
}

/// Reads `settings`, an object or null, into `S`; absent keys have their default.
///
/// Keys are read one by one, so that the error names the wrong one.
pub(crate) fn parse<S>(settings: &Value) -> Result<S, AgentError>
where
    S: Default + Serialize + DeserializeOwned,
{
    let given = match settings {
        Value::Null => return Ok(S::default()),
        Value::Object(given) => given,
        other => return Err(refuse("settings", format!("expected a table of settings, found {other}"))),
    };
    let known: Vec<String> = match serde_json::to_value(S::default()) {
        Ok(Value::Object(defaults)) => defaults.keys().cloned().collect(),
        _ => Vec::new(),
    };
    for (key, value) in given {
        if !known.contains(key) {
            let hint = match known.is_empty() {
                true => "; this agent has none".to_owned(),
                false => cgym_env::nearest(key, known.iter().map(String::as_str)),
            };
            return Err(refuse(key, format!("no such setting{hint}")));
        }
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        serde_json::from_value::<S>(Value::Object(alone)).map_err(|error| refuse(key, error.to_string()))?;
    }
    serde_json::from_value(settings.clone()).map_err(|error| refuse("settings", error.to_string()))
}

/// `settings` as a JSON object, for a run's record.
pub(crate) fn recorded<S: Serialize>(settings: &S) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}
