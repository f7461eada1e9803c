//! Values of hyper-parameters in TensorBoard's table of runs.

use serde_json::Value;

/// The value of a hyper-parameter, in a type that TensorBoard's table supports.
#[derive(Clone, Debug, PartialEq)]
pub enum HParam {
    /// A number; the table can sort it and filter it by range.
    Number(f64),
    /// A Boolean.
    Flag(bool),
    /// A text, for all other values.
    Text(String),
}

impl From<&Value> for HParam {
    /// Null becomes the text `none`; arrays and objects become their JSON.
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Text("none".to_owned()),
            Value::Bool(flag) => Self::Flag(*flag),
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => {
                number.as_f64().map_or_else(|| Self::Text(number.to_string()), Self::Number)
            }
            Value::Array(_) | Value::Object(_) => Self::Text(value.to_string()),
        }
    }
}
