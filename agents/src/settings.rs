//! Reading hyper-parameters so that a mistake is answered with the key it is in.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::AgentError;

/// An error about the setting `key`.
pub(crate) fn refuse(key: &str, reason: impl Into<String>) -> AgentError {
    AgentError::Setting { key: key.to_owned(), reason: reason.into() }
}

/// Fails unless `good`, saying what `key` would have to be.
pub(crate) fn require(good: bool, key: &str, reason: &str) -> Result<(), AgentError> {
    if good { Ok(()) } else { Err(refuse(key, reason)) }
}

/// Reads `settings`, an object or null, into `S`; keys that are absent keep their default.
///
/// Keys are read one by one, so that a wrong one is named.
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
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(refuse(key, format!("no such setting here{}", suggest(key, &names))));
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

/// `; did you mean …?` where a known name is near, else the list of all.
pub(crate) fn suggest(name: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|candidate| distance(name, candidate));
    match nearest {
        Some(nearest) if distance(name, nearest) <= 1 + name.len().min(nearest.len()) / 3 => {
            format!("; did you mean `{nearest}`?")
        }
        Some(_) => format!("; there are {}", known.join(", ")),
        None => "; there are none".to_owned(),
    }
}

/// Letters to insert, delete or change between two names (Levenshtein), whatever their case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &b) in right.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_gets_the_list() {
        let known = ["ddpg", "random", "uniform"];
        assert_eq!(suggest("dpg", &known), "; did you mean `ddpg`?");
        assert_eq!(suggest("Uniform", &known), "; did you mean `uniform`?");
        assert_eq!(suggest("nothing-like-it", &known), "; there are ddpg, random, uniform");
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
