//! One settings table: a struct whose field docs are the help text and whose defaults stand once.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{EnvError, nearest};

/// One key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The key, as in a file and in `--set table.key=value`.
    pub key: &'static str,
    /// The field's documentation.
    pub help: &'static str,
    /// The Rust type, for values that may be `none`.
    pub kind: &'static str,
}

impl Field {
    /// Whether the value may be left out.
    pub fn is_optional(&self) -> bool {
        self.kind.starts_with("Option")
    }

    /// `value` as this field stores it: null for the word `none` where the value may be left out.
    /// `reads` tries to read it.
    ///
    /// # Errors
    /// What the value should be.
    pub fn admit(
        &self,
        value: &Value,
        reads: impl FnOnce(Value) -> serde_json::Result<()>,
    ) -> Result<Value, String> {
        if value.as_u64().is_some_and(|number| i64::try_from(number).is_err()) {
            return Err(format!("{value} is too large, the most is {}", i64::MAX));
        }
        let empties = self.is_optional() && value.as_str() == Some("none");
        let value = if empties { Value::Null } else { value.clone() };
        match (reads(value.clone()), self.expects()) {
            (Ok(()), _) => Ok(value),
            (Err(_), Some(expected)) => Err(format!("{value} is not {expected}")),
            (Err(error), None) => Err(reason(&error)),
        }
    }

    /// What a value of this field is; `None` where the error of its type says so.
    fn expects(&self) -> Option<&'static str> {
        let kind = self.kind.trim_start_matches("Option<").trim_end_matches('>');
        Some(match kind {
            "u64" | "usize" | "u32" => "a whole number from 0 on",
            "f64" => "a number",
            "bool" => "true or false",
            "String" | "PathBuf" => "a text",
            _ => return None,
        })
    }

    /// The help text in one line.
    pub fn help_line(&self) -> String {
        self.help.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A settings table. [`table!`](crate::table) writes this implementation.
pub trait Fields: Clone + Default + Serialize + DeserializeOwned {
    /// The keys in the order of the struct.
    const FIELDS: &'static [Field];
}

/// A settings table with the rules that its values obey.
pub trait Table: Fields {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`EnvError::Setting`] with the first such key, without the name of the table.
    fn check(&self) -> Result<(), EnvError> {
        Ok(())
    }
}

/// A table without keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoSettings {}

impl Fields for NoSettings {
    const FIELDS: &'static [Field] = &[];
}

impl Table for NoSettings {}

/// An error about a key.
pub(crate) fn refuse(key: &str, reason: impl Into<String>) -> EnvError {
    EnvError::Setting { key: key.to_owned(), reason: reason.into() }
}

/// Puts the name of the table before the key of an error.
fn within(table: &str, error: EnvError) -> EnvError {
    match error {
        EnvError::Setting { key, reason } => EnvError::Setting { key: format!("{table}.{key}"), reason },
        EnvError::Teacher(cgym_teachers::Error::Setting { key, reason }) => {
            EnvError::Setting { key: format!("{table}.{key}"), reason }
        }
        other => other,
    }
}

/// Reads and checks the table `name` from `given`; absent keys keep their default, and the word
/// `none` empties an optional one.
///
/// # Errors
/// [`EnvError::Setting`] with the key: an unknown one with the nearest known key, or a value that
/// does not fit.
pub fn read<T: Table>(name: &str, given: &Map<String, Value>) -> Result<T, EnvError> {
    let mut values = Map::new();
    for (key, value) in given {
        let path = format!("{name}.{key}");
        let Some(field) = T::FIELDS.iter().find(|field| field.key == key) else {
            return Err(refuse(&path, unknown(key, T::FIELDS)));
        };
        let alone =
            |value| serde_json::from_value::<T>(Value::Object(Map::from_iter([(key.clone(), value)])));
        let value =
            field.admit(value, |value| alone(value).map(|_| ())).map_err(|reason| refuse(&path, reason))?;
        values.insert(key.clone(), value);
    }
    let table: T =
        serde_json::from_value(Value::Object(values)).map_err(|error| refuse(name, error.to_string()))?;
    table.check().map_err(|error| within(name, error))?;
    Ok(table)
}

/// The message of a value that does not fit, without the key that a name's own message starts with.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.strip_prefix("setting `").and_then(|rest| rest.split_once("`: ")) {
        Some((_, reason)) => reason.to_owned(),
        None => text,
    }
}

fn unknown(key: &str, known: &[Field]) -> String {
    match known {
        [] => "this table has no settings here; leave it out".to_owned(),
        _ => format!("no such setting here{}", nearest(key, known.iter().map(|field| field.key))),
    }
}

/// The table as a JSON object with every key.
pub fn write<T: Table>(table: &T) -> Map<String, Value> {
    match serde_json::to_value(table) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Declares a settings table: a struct in which each field has a documentation, which is also its
/// help text, and a default.
///
/// ```
/// cgym_env::table! {
///     /// Settings of an example.
///     pub struct Example {
///         /// Number of examples, at least 1.
///         pub count: usize = 3,
///     }
/// }
/// use cgym_env::settings::Fields;
/// assert_eq!(Example::default().count, 3);
/// assert_eq!(Example::FIELDS[0].help_line(), "Number of examples, at least 1.");
/// ```
#[macro_export]
macro_rules! table {
    (
        $(#[doc = $doc:expr])*
        pub struct $name:ident {
            $(
                $(#[doc = $help:expr])*
                pub $field:ident : $type:ty = $default:expr
            ),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[doc = $help])*
                pub $field: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }

        impl $crate::settings::Fields for $name {
            const FIELDS: &'static [$crate::settings::Field] = &[
                $($crate::settings::Field {
                    key: stringify!($field),
                    help: concat!($($help, "\n"),*),
                    kind: stringify!($type),
                }),+
            ];
        }
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    table! {
        /// A table to test with.
        pub struct Toy {
            /// Number of things,
            /// at least 1.
            pub count: usize = 3,
            /// A limit.
            pub limit: Option<f64> = Some(0.5),
        }
    }

    impl Table for Toy {
        fn check(&self) -> Result<(), EnvError> {
            if self.count == 0 { Err(refuse("count", "0 is too few")) } else { Ok(()) }
        }
    }

    fn toy(value: Value) -> Result<Toy, EnvError> {
        read("toy", value.as_object().unwrap_or(&Map::new()))
    }

    #[test]
    fn absent_keys_keep_the_default_and_none_empties_an_optional_one() {
        assert_eq!(toy(json!({})).ok(), Some(Toy { count: 3, limit: Some(0.5) }));
        assert_eq!(toy(json!({ "limit": "none", "count": 4 })).ok(), Some(Toy { count: 4, limit: None }));
        assert_eq!(Toy::FIELDS[0].help_line(), "Number of things, at least 1.");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_table() {
        let refused = |value| toy(value).expect_err("refused").to_string();
        assert_eq!(
            refused(json!({ "cuont": 3 })),
            "setting `toy.cuont`: no such setting here; did you mean `count`?"
        );
        assert!(refused(json!({ "count": -1 })).starts_with("setting `toy.count`: -1 is not a whole number"));
        assert_eq!(refused(json!({ "count": 0 })), "setting `toy.count`: 0 is too few");
    }
}
