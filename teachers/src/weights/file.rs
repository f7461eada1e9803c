//! A file of weights: its tensors are known when it is opened, and read where a network needs them.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    Tensor, Weights,
    entry::Entry,
    names::{choose, unwrapped},
    pytorch, safetensors,
};
use crate::{
    Error,
    graph::{Graph, Parameter},
};

/// A PyTorch or safetensors file whose tensors have not been read yet.
///
/// Opening it takes memory for the names and shapes of its tensors, reading it for the tensors of the
/// network.
pub struct WeightsFile {
    path: PathBuf,
    /// In the order of their names.
    entries: Vec<Entry<'static>>,
}

impl std::fmt::Debug for WeightsFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        formatter.debug_struct("WeightsFile").field("path", &self.path).field("tensors", &names).finish()
    }
}

impl WeightsFile {
    /// Reads the names, shapes and types of all tensors.
    ///
    /// # Errors
    /// [`Error::File`] for a path without a file, a file of another format, or a damaged one.
    pub fn open(path: &Path) -> Result<Self, Error> {
        match path.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::file(path, "there is no such file"));
            }
            Err(error) => return Err(Error::file(path, error)),
            Ok(found) if found.is_dir() => {
                return Err(Error::file(path, "is a folder; give a .th, .pt, .pth or .safetensors file"));
            }
            Ok(found) if !found.is_file() => return Err(Error::file(path, "is not a regular file")),
            Ok(_) => {}
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let entries = match extension {
            "safetensors" => safetensors::entries(path),
            "th" | "pt" | "pth" => pytorch::entries(path),
            _ => Err("weights are read from .th, .pt, .pth or .safetensors files".to_owned()),
        };
        let entries = entries.and_then(sorted).map_err(|reason| Error::file(path, reason))?;
        Ok(Self { path: path.to_owned(), entries })
    }

    /// Checks that the file holds the tensors of `graph` in their shapes and no others, without reading
    /// them.
    ///
    /// # Errors
    /// [`Error::Tensor`], [`Error::TensorType`], [`Error::SurplusTensor`] or
    /// [`Error::AmbiguousTensor`] for the first tensor that does not fit.
    pub fn fits(&self, graph: &Graph) -> Result<(), Error> {
        choose(&self.entries, &graph.parameters(), false).map(|_| ())
    }

    /// The shape of the tensor `name` of a network, prefixes before it left out.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let is_named = |entry: &&Entry<'_>| unwrapped(&entry.name).any(|(_, rest)| rest == name);
        self.entries.iter().find(is_named).map(|entry| entry.shape.as_slice())
    }

    /// Reads the tensors of `graph`. Others are refused, unless `allow_extra_tensors`.
    ///
    /// # Errors
    /// [`Error::Weights`] with what [`WeightsFile::fits`] finds, or with a tensor that is not finite;
    /// [`Error::File`] where the values cannot be read.
    pub fn read(&self, graph: &Graph, allow_extra_tensors: bool) -> Result<Weights, Error> {
        self.read_parameters(&graph.parameters(), allow_extra_tensors)
    }

    pub(super) fn read_parameters(&self, wanted: &[Parameter], allow_extra: bool) -> Result<Weights, Error> {
        read(&self.entries, wanted, allow_extra).map_err(|error| match error {
            Unread::Values(reason) => Error::file(&self.path, reason),
            Unread::Misfit(source) => Error::Weights { path: self.path.clone(), source: Box::new(source) },
        })
    }
}

/// Why tensors cannot be read.
pub(super) enum Unread {
    /// They are not those of the network.
    Misfit(Error),
    /// The file does not give the values that it lists.
    Values(String),
}

/// The tensors `wanted`, read from `entries`.
pub(super) fn read(
    entries: &[Entry<'_>],
    wanted: &[Parameter],
    allow_extra: bool,
) -> Result<Weights, Unread> {
    let chosen = choose(entries, wanted, allow_extra).map_err(Unread::Misfit)?;
    let mut weights = Weights::default();
    for (parameter, entry) in wanted.iter().zip(chosen) {
        let data =
            entry.values().map_err(|reason| Unread::Values(format!("tensor `{}`: {reason}", entry.name)))?;
        weights.insert(parameter.name.clone(), Tensor { shape: entry.shape.clone(), data });
    }
    weights.check_parameters(wanted).map_err(Unread::Misfit)?;
    Ok(weights)
}

/// `entries` in the order of their names, each of which is there once.
pub(super) fn sorted(mut entries: Vec<Entry<'_>>) -> Result<Vec<Entry<'_>>, String> {
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    match entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(format!("two tensors are called `{}`", pair[0].name)),
        None => Ok(entries),
    }
}
