//! A network's tensors by name, and their files.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    Error, files,
    graph::{Graph, Initial},
};

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
        for parameter in graph.parameters() {
            let found = match self.0.get(&parameter.name) {
                None => "nothing".to_owned(),
                Some(tensor) if tensor.shape != parameter.shape => format!("{:?}", tensor.shape),
                Some(tensor) if tensor.data.iter().any(|value| !value.is_finite()) => {
                    "values that are not finite".to_owned()
                }
                Some(_) => continue,
            };
            return Err(Error::Tensor { tensor: parameter.name, expected: parameter.shape, found });
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

    /// Reads a PyTorch state dict (`.th`, `.pt`, `.pth`) or a safetensors file for `graph`.
    ///
    /// The prefix `module.` of data-parallel training is removed from names. Nothing in a PyTorch file
    /// is executed.
    ///
    /// # Errors
    /// [`Error::File`] for a file that cannot be read, [`Error::Tensor`] for the first tensor that
    /// does not fit.
    pub fn load(path: &Path, graph: &Graph) -> Result<Self, Error> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let all = match extension {
            "safetensors" => read_safetensors(path)?,
            "th" | "pt" | "pth" => read_pytorch(path)?,
            _ => return Err(Error::file(path, "weights are read from .th, .pt, .pth or .safetensors files")),
        };
        let mut weights = Self::default();
        for (name, tensor) in all {
            // Prefixes that training scripts and data-parallel training add to names.
            let mut short = name.as_str();
            for prefix in ["state_dict.", "model_state_dict.", "model.", "net.", "module."] {
                short = short.strip_prefix(prefix).unwrap_or(short);
            }
            weights.insert(short, tensor);
        }
        let needed: std::collections::HashSet<String> =
            graph.parameters().into_iter().map(|p| p.name).collect();
        weights.check(graph)?;
        weights.0.retain(|name, _| needed.contains(name));
        Ok(weights)
    }

    /// Reads a safetensors file that holds the same names and shapes as `pattern`.
    ///
    /// # Errors
    /// As [`Weights::load`].
    pub fn load_like(path: &Path, pattern: &Self) -> Result<Self, Error> {
        let weights = Self(read_safetensors(path)?.into_iter().collect());
        for (name, tensor) in pattern.iter() {
            if weights.get(name)?.shape != tensor.shape {
                return Err(Error::file(path, format!("tensor `{name}` is not {:?}", tensor.shape)));
            }
        }
        Ok(weights)
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
        let file = safetensors::serialize(views, None::<HashMap<String, String>>)
            .map_err(|e| Error::file(path, e))?;
        files::write_atomically(path, &file)
    }
}

/// A standard normal number (Box–Muller).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

fn read_safetensors(path: &Path) -> Result<Vec<(String, Tensor)>, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, e))?;
    from_safetensors(&bytes).map_err(|reason| Error::file(path, reason))
}

fn read_pytorch(path: &Path) -> Result<Vec<(String, Tensor)>, Error> {
    use burn_store::pytorch_reader::{DType, PytorchReader};
    let reader =
        PytorchReader::new(path).map_err(|e| Error::file(path, format!("not a whole PyTorch file: {e}")))?;
    let mut tensors = Vec::with_capacity(reader.len());
    for (name, tensor) in reader.into_tensors() {
        let raw = tensor.read().map_err(|e| Error::file(path, format!("tensor `{name}`: {e}")))?;
        let data: Vec<f32> = match tensor.dtype() {
            DType::F32 => raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            DType::F64 => raw
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32)
                .collect(),
            // Counters such as `num_batches_tracked`. A weight of this type is then reported missing.
            _ => continue,
        };
        tensors.push((name, Tensor { shape: tensor.shape().to_vec(), data }));
    }
    Ok(tensors)
}

/// Tensors of a safetensors file in memory.
fn from_safetensors(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("not a whole safetensors file: {e}"))?;
    file.iter()
        .map(|(name, view)| {
            if view.dtype() != Dtype::F32 {
                return Err(format!("tensor `{name}` is {:?}, expected F32", view.dtype()));
            }
            let data =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Ok((name.to_owned(), Tensor { shape: view.shape().to_vec(), data }))
        })
        .collect()
}

impl Weights {
    /// Reads a safetensors file from memory.
    ///
    /// # Errors
    /// [`Error::Tensor`] for the first tensor that does not fit, [`Error::Graph`] for bytes that are
    /// not a safetensors file.
    pub fn from_bytes(bytes: &[u8], graph: &Graph) -> Result<Self, Error> {
        let weights = Self(from_safetensors(bytes).map_err(Error::Graph)?.into_iter().collect());
        weights.check(graph)?;
        Ok(weights)
    }
}
