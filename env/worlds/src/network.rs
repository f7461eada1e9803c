//! Networks: models of the zoo with their weights, and networks from folders.

use std::path::Path;

use cgym_env::{
    TrainedNetwork,
    settings::{Data, Network},
};
use cgym_teachers::{
    files,
    graph::{Graph, Shape},
    manifest::{MANIFEST, Manifest},
    shipped,
    weights::Weights,
    zoo,
};

use crate::WorldError;

/// Format in the manifest of a folder with a network.
pub const FORMAT: &str = "cgym-network-1";

/// Shape and number of classes of a dataset's images.
pub type ImageKind = (Shape, usize);

/// The model of the zoo that `network` names, for these images.
///
/// # Errors
/// An unknown model, or images that it cannot take.
pub fn build(network: &Network, (shape, classes): ImageKind) -> Result<Graph, WorldError> {
    Ok(zoo::build(&network.model, &network.options(shape, classes))?)
}

/// The weights that `network` names for `graph`, or the shipped ones.
///
/// # Errors
/// A file that does not fit the model; no file, and none shipped for this model.
pub fn weights(network: &Network, data: &Data, graph: &Graph) -> Result<Weights, WorldError> {
    let (model, dataset) = (&network.model, data.dataset);
    if let Some(path) = &network.weights {
        return Weights::load(path, graph).map_err(|error| match error {
            named @ cgym_teachers::Error::File { .. } => named.into(),
            other => WorldError::file(path, format!("does not fit `{model}` on {dataset}: {other}")),
        });
    }
    let own = match dataset.known_shape() {
        Some(images) => *graph == build(&Network { model: model.clone(), ..Network::default() }, images)?,
        None => false,
    };
    match shipped::weights(model, dataset.as_str(), graph) {
        Ok(Some(weights)) if own => Ok(weights),
        Err(error) if own => Err(error.into()),
        _ => {
            let options = network.flags();
            Err(WorldError::setting(
                "network.weights",
                format!(
                    "no weights are shipped for `{model}`{options} on {dataset}: give --weights FILE, or train with \
                     `cgym teacher train --model {model}{options} --dataset {dataset} --out DIR`"
                ),
            ))
        }
    }
}

/// Whether weights of this network ship with the project.
pub fn is_shipped(network: &Network, data: &Data) -> bool {
    let network = Network { weights: None, ..network.clone() };
    let Some(images) = data.dataset.known_shape() else { return false };
    build(&network, images).is_ok_and(|graph| weights(&network, data, &graph).is_ok())
}

/// The network of a run's `best/`, or of a folder with `graph.json` and `weights.safetensors`.
///
/// # Errors
/// A folder without a network, a damaged file.
pub fn from_folder(folder: &Path) -> Result<TrainedNetwork, WorldError> {
    let best = folder.join("best");
    let home = if best.is_dir() { best } else { folder.to_owned() };
    let (graph, weights) = (home.join("graph.json"), home.join("weights.safetensors"));
    if !graph.is_file() || !weights.is_file() {
        return Err(WorldError::file(
            folder,
            "holds no network: give a run that has saved one in best/, or a folder with graph.json and \
             weights.safetensors",
        ));
    }
    if home.join(MANIFEST).is_file() {
        Manifest::<serde_json::Value>::verify(&home, FORMAT)?;
    }
    let graph: Graph = files::read_json(&graph)?;
    let weights = Weights::load(&weights, &graph)?;
    Ok(TrainedNetwork { graph, weights })
}

/// Writes `graph.json`, `weights.safetensors` and, where `coded` is there, the coded file into
/// `folder`, which is made if missing.
///
/// # Errors
/// [`WorldError::File`] when it cannot be written.
pub fn save(
    folder: &Path,
    graph: &Graph,
    weights: &Weights,
    coded: Option<&(&'static str, Vec<u8>)>,
) -> Result<(), WorldError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| WorldError::file(folder, format!("cannot be made: {error}")))?;
    files::write_json(&folder.join("graph.json"), graph)?;
    weights.save(&folder.join("weights.safetensors"))?;
    if let Some((name, bytes)) = coded {
        files::write_atomically(&folder.join(name), bytes)?;
    }
    Ok(())
}
