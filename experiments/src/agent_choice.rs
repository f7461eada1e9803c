//! The agent as a user names it: a name, or a table of a name and hyper-parameters.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
    ser::SerializeMap,
};

/// `agent = "ddpg"`, or `[agent]` with `name = "ddpg"` and hyper-parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentChoice {
    /// Name in the registry.
    pub name: Option<String>,
    /// Hyper-parameters.
    pub settings: toml::Table,
}

impl AgentChoice {
    /// `upper`, and `base` where it says nothing; hyper-parameters of another agent are dropped.
    pub fn over(upper: Option<Self>, base: Option<Self>) -> Option<Self> {
        let (Some(mut upper), Some(base)) = (upper.clone(), base.clone()) else { return upper.or(base) };
        if upper.name.is_none() || upper.name == base.name {
            upper.name = base.name;
            let own = std::mem::replace(&mut upper.settings, base.settings);
            upper.settings.extend(own);
        }
        Some(upper)
    }
}

/// `key=value`, the value as in TOML; a bare word is a string.
pub(crate) fn parse_setting(text: &str) -> Result<(String, toml::Value), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    let (key, value) = (key.trim(), value.trim());
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
    let parsed = parsed.and_then(|mut table| table.remove("value"));
    Ok((key.to_owned(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()))))
}

impl FromStr for AgentChoice {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self { name: Some(name.to_owned()), settings: toml::Table::new() })
    }
}

impl Serialize for AgentChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        for (key, value) in &self.settings {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for AgentChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;

        impl<'de> Visitor<'de> for Choice {
            type Value = AgentChoice;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of an agent, or a table with `name` and hyper-parameters")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<AgentChoice, E> {
                Ok(AgentChoice { name: Some(name.to_owned()), settings: toml::Table::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AgentChoice, A::Error> {
                let mut choice = AgentChoice::default();
                while let Some(key) = map.next_key::<String>()? {
                    match (key.as_str(), map.next_value::<toml::Value>()?) {
                        ("name", toml::Value::String(name)) => choice.name = Some(name),
                        ("name", other) => {
                            return Err(A::Error::custom(format!(
                                "`name` is {}, not a string",
                                other.type_str()
                            )));
                        }
                        (_, value) => {
                            choice.settings.insert(key, value);
                        }
                    }
                }
                Ok(choice)
            }
        }

        deserializer.deserialize_any(Choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyper_parameters_of_another_agent_are_dropped() {
        let file: AgentChoice = toml::from_str("name = \"ddpg\"\nwarmup = 5").expect("a table");
        let cem = AgentChoice::over("cem".parse().ok(), Some(file.clone())).expect("a choice");
        assert_eq!((cem.name.as_deref(), cem.settings.len()), (Some("cem"), 0));
        let ddpg = AgentChoice::over("ddpg".parse().ok(), Some(file)).expect("a choice");
        assert_eq!(ddpg.settings.get("warmup"), Some(&toml::Value::Integer(5)));
    }

    #[test]
    fn values_are_read_as_in_toml_and_bare_words_as_strings() {
        let value = |text: &str| parse_setting(text).expect("a setting").1;
        assert_eq!(value("hidden=[4, 4]"), toml::Value::Array(vec![4.into(), 4.into()]));
        assert_eq!(value("target=bootstrap"), toml::Value::String("bootstrap".to_owned()));
        assert_eq!(value("sigma=0.5"), toml::Value::Float(0.5));
        assert!(parse_setting("sigma").is_err());
    }
}
