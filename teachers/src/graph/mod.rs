//! The network as data: named nodes, shape inference, parameters.
//!
//! A graph is a list of nodes in topological order; the last one is the output. Node names are
//! PyTorch's module paths, so that the tensors of a state dict are called `<node>.weight` and so on.

mod facts;
mod file;
pub mod limits;
mod op;
mod shape;

use crate::Error;

pub use facts::{Axis, Class, Facts, Flow, Initial, Role, Settings, TensorFacts, Window};
pub use file::NetworkFile;
pub use op::{ActivationKind, Conv, Op, PoolKind};
pub(crate) use shape::infer;

/// Position of a node in [`Graph::nodes`].
pub type NodeIndex = usize;

/// Channels, height, width. A vector of n features is `[n, 1, 1]`.
pub type Shape = [usize; 3];

/// A named operation and where its inputs come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique name; PyTorch's module path where the node has parameters.
    pub name: String,
    /// The operation.
    pub op: Op,
    /// Earlier nodes.
    pub inputs: Vec<NodeIndex>,
}

/// One tensor of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `<node>.<kind>`, as in a PyTorch state dict.
    pub name: String,
    /// Axes in PyTorch's order.
    pub shape: Vec<usize>,
    /// False for running statistics.
    pub trainable: bool,
}

/// A network: nodes in topological order, the last one the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Its name, like `resnet20`.
    pub name: String,
    nodes: Vec<Node>,
}

impl Graph {
    /// An empty graph that takes images of `shape`; the input is node 0.
    pub fn new(name: impl Into<String>, shape: Shape) -> Self {
        let input = Node { name: "input".to_owned(), op: Op::Input { shape }, inputs: Vec::new() };
        Self { name: name.into(), nodes: vec![input] }
    }

    /// A graph from a finished list of nodes.
    ///
    /// # Errors
    /// When a name is empty, too long or used twice, a node comes before one of its inputs, shapes do
    /// not fit, or the network is larger than the [`limits`].
    pub fn from_nodes(name: impl Into<String>, nodes: Vec<Node>) -> Result<Self, Error> {
        if !matches!(nodes.first(), Some(Node { op: Op::Input { .. }, .. })) {
            return Err(Error::Graph("the first node is not an input".to_owned()));
        }
        let graph = Self { name: name.into(), nodes };
        check_name("the network", &graph.name)?;
        let mut names = std::collections::HashSet::new();
        for (index, Node { name, .. }) in graph.nodes.iter().enumerate() {
            check_name(&format!("node {index}"), name)?;
            if !names.insert(name.as_str()) {
                return Err(Error::Graph(format!("two nodes are called `{name}`")));
            }
        }
        graph.shapes()?;
        Ok(graph)
    }

    /// Adds a node and returns its index. [`Graph::shapes`] checks whether it fits.
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[NodeIndex]) -> NodeIndex {
        self.nodes.push(Node { name: name.into(), op, inputs: inputs.to_vec() });
        self.nodes.len() - 1
    }

    /// All nodes in topological order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Index of the output node.
    pub fn output(&self) -> NodeIndex {
        self.nodes.len() - 1
    }

    /// Channels, height and width of the image.
    pub fn input_shape(&self) -> Shape {
        match &self.nodes[0].op {
            Op::Input { shape } => *shape,
            _ => [0; 3],
        }
    }

    /// The node called `name`.
    pub fn find(&self, name: &str) -> Option<NodeIndex> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// For each node, the nodes that read it.
    pub fn users(&self) -> Vec<Vec<NodeIndex>> {
        let mut users = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                users[input].push(index);
            }
        }
        users
    }

    /// Every tensor of the network in the order of the nodes.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.nodes.iter().flat_map(Node::parameters).collect()
    }
}

/// Refuses a name that a line of a table or of a log cannot hold.
fn check_name(of: &str, name: &str) -> Result<(), Error> {
    let most = limits::LONGEST_NAME;
    let fits = (1..=most).contains(&name.chars().count()) && !name.contains(char::is_control);
    let refuse =
        || Error::Graph(format!("the name of {of} is not 1 to {most} characters without line breaks"));
    if fits { Ok(()) } else { Err(refuse()) }
}
