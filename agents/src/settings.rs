//! Reading hyper-parameters; every error names the key that it is about.

use cgym_env::settings::Fields;
use serde::Serialize;
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
pub(crate) fn parse<S: Fields>(settings: &Value) -> Result<S, AgentError> {
    let given = match settings {
        Value::Null => return Ok(S::default()),
        Value::Object(given) => given,
        other => return Err(refuse("settings", format!("expected a table of settings, found {other}"))),
    };
    let mut values = Map::new();
    for (key, value) in given {
        let Some(field) = S::FIELDS.iter().find(|field| field.key == key) else {
            let hint = match S::FIELDS {
                [] => "; this agent has none".to_owned(),
                fields => cgym_env::nearest(key, fields.iter().map(|field| field.key)),
            };
            return Err(refuse(key, format!("no such setting{hint}")));
        };
        let alone =
            |value| serde_json::from_value::<S>(Value::Object(Map::from_iter([(key.clone(), value)])));
        let value =
            field.admit(value, |value| alone(value).map(|_| ())).map_err(|reason| refuse(key, reason))?;
        values.insert(key.clone(), value);
    }
    serde_json::from_value(Value::Object(values)).map_err(|error| refuse("settings", error.to_string()))
}

/// `settings` as a JSON object, for a run's record.
pub(crate) fn recorded<S: Serialize>(settings: &S) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}
