//! A network's tensors by name, and their files.

mod entry;
mod file;
mod names;
mod pytorch;
mod safetensors;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use ::safetensors::{Dtype, tensor::TensorView};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    Error, files,
    graph::{Graph, Initial, Parameter},
};

pub use file::WeightsFile;

/// A dense fp32 array in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Axes.
    pub shape: Vec<usize>,
    /// Values.
    pub data: Vec<f32>,
}

impl Tensor {
    /// An array filled with one value.
    pub fn full(shape: Vec<usize>, value: f32) -> Self {
        let data = vec![value; shape.iter().product()];
        Self { shape, data }
    }
}

/// Tensors by name: `<node>.weight`, `.bias`, `.running_mean`, `.running_var`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Tensor>);

impl Weights {
    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is none.
    pub fn get(&self, name: &str) -> Result<&Tensor, Error> {
        self.0.get(name).ok_or_else(|| Error::Tensor {
            tensor: name.to_owned(),
            expected: Vec::new(),
            found: "nothing".to_owned(),
        })
    }

    /// The tensor `<node>.<kind>` where there is one.
    pub fn of(&self, node: &str, kind: &str) -> Option<&Tensor> {
        self.0.get(&format!("{node}.{kind}"))
    }

    /// The tensor called `name`, mutable.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Tensor> {
        self.0.get_mut(name)
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.0.insert(name.into(), tensor);
    }

    /// All tensors in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.0.iter()
    }

    /// Checks that every tensor of `graph` is here in its shape and finite.
    ///
    /// # Errors
    /// [`Error::Tensor`] for the first one, in the order of the nodes, that is not.
    pub fn check(&self, graph: &Graph) -> Result<(), Error> {
        self.check_parameters(&graph.parameters())
    }

    fn check_parameters(&self, parameters: &[Parameter]) -> Result<(), Error> {
        for parameter in parameters {
            let found = match self.0.get(&parameter.name) {
                None => "nothing".to_owned(),
                Some(tensor) if tensor.shape != parameter.shape => format!("{:?}", tensor.shape),
                Some(tensor) if tensor.data.iter().any(|value| !value.is_finite()) => {
                    "values that are not finite".to_owned()
                }
                Some(_) => continue,
            };
            let Parameter { name, shape, .. } = parameter.clone();
            return Err(Error::Tensor { tensor: name, expected: shape, found });
        }
        Ok(())
    }

    /// Fresh weights: He-normal convolutions (fan-out, as in torchvision), uniform linear layers
    /// within ±1/√inputs, batch-norm as the identity. The same seed gives the same bytes.
    pub fn initialise(graph: &Graph, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut weights = Self::default();
        for node in graph.nodes() {
            for facts in node.op.facts().tensors {
                let count = facts.values();
                let data = match facts.initial {
                    Initial::Zeros => vec![0.0; count],
                    Initial::Ones => vec![1.0; count],
                    Initial::HeNormal { fan_out } => {
                        let deviation = (2.0 / fan_out.max(1) as f32).sqrt();
                        (0..count).map(|_| deviation * normal(&mut rng)).collect()
                    }
                    Initial::Uniform { fan_in } => {
                        let bound = 1.0 / (fan_in as f32).sqrt();
                        (0..count).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)).collect()
                    }
                };
                let name = format!("{}.{}", node.name, facts.kind);
                weights.insert(name, Tensor { shape: facts.shape(), data });
            }
        }
        weights
    }

    /// Reads a PyTorch state dict (`.th`, `.pt`, `.pth`) or a safetensors file that holds the tensors of
    /// `graph` and no others; see [`WeightsFile`].
    ///
    /// Prefixes such as the `module.` of data-parallel training are left out where all tensors of the
    /// network have them. Values of 16 and 64 bits are converted. Nothing in a PyTorch file is executed.
    ///
    /// # Errors
    /// [`Error::File`] for a file that cannot be read, [`Error::Weights`] for the first tensor that
    /// does not fit.
    pub fn load(path: &Path, graph: &Graph) -> Result<Self, Error> {
        WeightsFile::open(path)?.read(graph, false)
    }

    /// Reads a file that holds the same names and shapes as `pattern`.
    ///
    /// # Errors
    /// As [`Weights::load`].
    pub fn load_like(path: &Path, pattern: &Self) -> Result<Self, Error> {
        WeightsFile::open(path)?.read_parameters(&pattern.parameters(), false)
    }

    /// Reads a safetensors file from memory; it is as strict as [`Weights::load`].
    ///
    /// # Errors
    /// [`Error::Graph`] for bytes that are not a safetensors file, else as [`WeightsFile::fits`].
    pub fn from_bytes(bytes: &[u8], graph: &Graph) -> Result<Self, Error> {
        let entries = safetensors::entries_of(bytes).and_then(file::sorted).map_err(Error::Graph)?;
        file::read(&entries, &graph.parameters(), false).map_err(|error| match error {
            file::Unread::Misfit(error) => error,
            file::Unread::Values(reason) => Error::Graph(reason),
        })
    }

    /// Its tensors by name and shape.
    fn parameters(&self) -> Vec<Parameter> {
        let parameter = |(name, tensor): (&String, &Tensor)| Parameter {
            name: name.clone(),
            shape: tensor.shape.clone(),
            trainable: true,
        };
        self.iter().map(parameter).collect()
    }

    /// Writes a safetensors file, through a temporary file beside it.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes: Vec<(&String, &Tensor, Vec<u8>)> = self
            .0
            .iter()
            .map(|(name, tensor)| (name, tensor, tensor.data.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, tensor, raw) in &bytes {
            let view =
                TensorView::new(Dtype::F32, tensor.shape.clone(), raw).map_err(|e| Error::file(path, e))?;
            views.push((name.as_str(), view));
        }
        let file = ::safetensors::serialize(views, None::<HashMap<String, String>>)
            .map_err(|e| Error::file(path, e))?;
        files::write_atomically(path, &file)
    }
}

/// A standard normal number (Box–Muller).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}
