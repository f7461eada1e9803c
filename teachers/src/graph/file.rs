//! The file format `graph.json`: inputs are listed by node name, and errors name the node.
//!
//! The file is an object with these keys; `docs/formats.md` describes it with every kind of node.
//!
//! - `format`: 1. The number rises when the meaning of a file changes that older versions would read;
//!   a file of another number is refused. A new optional key does not change it, and an unknown key is
//!   refused.
//! - `name`: the network's name.
//! - `preprocessing`, optional: [`Preprocessing`], how images become numbers and what the outputs
//!   mean. It is no part of the [`Graph`], which is the architecture alone: two graphs are equal, and
//!   have the same hash, whatever images they were trained on.
//! - `nodes`: the layers in topological order.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Graph, Node, Op};
use crate::data::Preprocessing;

/// The contents of `graph.json`. A [`Graph`] alone is written without the block `preprocessing`, and
/// read from a file with or without it.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkFile {
    /// The architecture.
    pub graph: Graph,
    /// How images become numbers, and the classes; `None` in a file that does not say.
    pub preprocessing: Option<Preprocessing>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphFile {
    format: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preprocessing: Option<Preprocessing>,
    nodes: Vec<NodeFile>,
}

#[derive(Serialize, Deserialize)]
struct NodeFile {
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    from: Vec<String>,
    #[serde(flatten)]
    op: Op,
}

const FORMAT: u32 = 1;

impl Graph {
    fn to_file(&self) -> GraphFile {
        let name_of = |&index: &usize| self.nodes[index].name.clone();
        let nodes = self
            .nodes
            .iter()
            .map(|node| NodeFile {
                name: node.name.clone(),
                from: node.inputs.iter().map(name_of).collect(),
                op: node.op.clone(),
            })
            .collect();
        GraphFile { format: FORMAT, name: self.name.clone(), preprocessing: None, nodes }
    }
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_file().serialize(serializer)
    }
}

impl Serialize for NetworkFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        GraphFile { preprocessing: self.preprocessing.clone(), ..self.graph.to_file() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(NetworkFile::deserialize(deserializer)?.graph)
    }
}

impl<'de> Deserialize<'de> for NetworkFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let file = GraphFile::deserialize(deserializer)?;
        if file.format != FORMAT {
            return Err(D::Error::custom(format!(
                "graph format {}, this version reads {FORMAT}",
                file.format
            )));
        }
        let mut indices: HashMap<String, usize> = HashMap::new();
        let mut nodes = Vec::with_capacity(file.nodes.len());
        for (index, node) in file.nodes.into_iter().enumerate() {
            let mut inputs = Vec::with_capacity(node.from.len());
            for from in &node.from {
                let input = indices.get(from).ok_or_else(|| {
                    D::Error::custom(format!(
                        "node `{}` reads `{from}`, which does not come before it",
                        node.name
                    ))
                })?;
                inputs.push(*input);
            }
            indices.insert(node.name.clone(), index);
            nodes.push(Node { name: node.name, op: node.op, inputs });
        }
        let graph = Graph::from_nodes(file.name, nodes).map_err(D::Error::custom)?;
        if let Some(preprocessing) = &file.preprocessing {
            let outputs = graph.shapes().map_err(D::Error::custom)?[graph.output()][0];
            let checked = preprocessing.check(graph.input_shape()[0], outputs);
            checked.map_err(|problem| D::Error::custom(format!("preprocessing: {problem}")))?;
        }
        Ok(Self { graph, preprocessing: file.preprocessing })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{data::DatasetName, zoo};

    fn digits() -> NetworkFile {
        let graph = zoo::build("lenet5", &zoo::ModelOptions::new([1, 8, 8], 10)).expect("a model");
        NetworkFile { graph, preprocessing: Some(DatasetName::Digits.preprocessing()) }
    }

    #[test]
    fn preprocessing_is_written_and_read_back() {
        let file = digits();
        let text = serde_json::to_string_pretty(&file).expect("JSON");
        assert_eq!(serde_json::from_str::<NetworkFile>(&text).expect("a network"), file);
        // Numbers are written as short as they are read back to the same bits.
        assert!(text.contains("\"scale\": 16.0") && text.contains("0.30538613"), "{text}");
    }

    #[test]
    fn a_graph_is_the_architecture_alone() {
        let file = digits();
        let with = serde_json::to_string(&file).expect("JSON");
        let without = serde_json::to_string(&file.graph).expect("JSON");
        assert_ne!(with, without);
        let read: NetworkFile = serde_json::from_str(&without).expect("a network");
        assert_eq!(read, NetworkFile { preprocessing: None, ..file.clone() });
        assert_eq!(serde_json::from_str::<Graph>(&with).expect("a graph"), file.graph);
    }

    #[test]
    fn rejects_preprocessing_that_does_not_fit_the_network() {
        let sound = serde_json::to_value(digits()).expect("JSON");
        for (key, value, problem) in [
            ("mean", json!([0.5, 0.5, 0.5]), "preprocessing: mean has 3 values for 1 channels"),
            ("std", json!([0.0]), "preprocessing: std 0 is not a number above 0"),
            ("scale", json!(-1), "preprocessing: scale -1 is not a number above 0"),
            ("classes", json!(["cat", "dog"]), "preprocessing: classes has 2 names for 10 outputs"),
            ("classes", json!("cat"), "expected a sequence"),
            ("means", json!([0.5]), "unknown field `means`"),
            ("mean", Value::Null, "expected a sequence"),
        ] {
            let mut other = sound.clone();
            other["preprocessing"][key] = value;
            let error = serde_json::from_value::<NetworkFile>(other).expect_err("refused").to_string();
            assert!(error.contains(problem), "`{problem}` is not in: {error}");
        }
    }
}
