//! The file format `graph.json`: inputs are listed by node name, and errors name the node.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Graph, Node, Op};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphFile {
    format: u32,
    name: String,
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

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
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
        GraphFile { format: FORMAT, name: self.name.clone(), nodes }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
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
        Self::from_nodes(file.name, nodes).map_err(D::Error::custom)
    }
}
