//! Networks: models of the zoo with their weights, and networks from folders.

mod fitting;

use std::path::Path;

use cgym_env::{
    TrainedNetwork,
    settings::{Data, Network},
};
use cgym_teachers::{
    data::Preprocessing,
    files,
    graph::{Graph, NetworkFile, Shape},
    manifest::{MANIFEST, Manifest},
    shipped,
    weights::{Weights, WeightsFile},
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
        let file = WeightsFile::open(path)?;
        return file.read(graph, network.allow_extra_tensors).map_err(|error| match error {
            cgym_teachers::Error::Weights { path, source } => {
                let hint = fitting::hint(&file, network, graph, &source);
                WorldError::file(&path, format!("does not fit `{model}` on {dataset}: {source}{hint}"))
            }
            other => other.into(),
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

/// The network of a run's `best/`, or of a folder with `graph.json` and `weights.safetensors`. The
/// latter may hold other tensors too only where `allow_extra_tensors`.
///
/// # Errors
/// A folder without a network, a damaged file, weights that are not those of the graph.
pub fn from_folder(folder: &Path, allow_extra_tensors: bool) -> Result<TrainedNetwork, WorldError> {
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
    let NetworkFile { graph, preprocessing } = read_graph(&graph)?;
    let weights =
        WeightsFile::open(&weights)?.read(&graph, allow_extra_tensors).map_err(|error| match error {
            cgym_teachers::Error::Weights { path, source } => {
                let flag = fitting::extra_flag(&source);
                WorldError::file(&path, format!("does not fit graph.json beside it: {source}{flag}"))
            }
            other => other.into(),
        })?;
    Ok(TrainedNetwork { graph, weights, preprocessing })
}

/// Longest `graph.json` that is read, in bytes.
const LONGEST_GRAPH: u64 = 64 << 20;

/// Reads a `graph.json`.
///
/// # Errors
/// A file that cannot be read, is longer than 64 MiB, or is not a network.
pub fn read_graph(path: &Path) -> Result<NetworkFile, WorldError> {
    let length = path.metadata().map_err(|error| WorldError::file(path, error))?.len();
    if length > LONGEST_GRAPH {
        return Err(WorldError::file(path, format!("has {length} bytes; the most is {LONGEST_GRAPH}")));
    }
    Ok(files::read_json(path)?)
}

/// Refuses a network from a folder that takes other images, or gives other outputs, than the dataset.
///
/// # Errors
/// [`WorldError::Setting`] with both.
pub fn check_images(graph: &Graph, data: &Data, images: ImageKind) -> Result<(), WorldError> {
    let takes = (graph.input_shape(), graph.shapes()?[graph.output()]);
    let (shape, classes) = images;
    if takes == (shape, [classes, 1, 1]) {
        return Ok(());
    }
    Err(WorldError::setting(
        "network.from",
        format!(
            "`{}` turns images of {:?} into {:?}, {} has images of {shape:?} in {classes} classes, which takes {:?}",
            graph.name,
            takes.0,
            takes.1,
            data.dataset,
            [classes, 1, 1]
        ),
    ))
}

/// Writes `graph.json` with the preprocessing, `weights.safetensors` and, where `coded` is there, the coded file into
/// `folder`, which is made if missing.
///
/// # Errors
/// [`WorldError::File`] when it cannot be written.
pub fn save(
    folder: &Path,
    graph: &Graph,
    weights: &Weights,
    preprocessing: Option<&Preprocessing>,
    coded: Option<&(&'static str, Vec<u8>)>,
) -> Result<(), WorldError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| WorldError::file(folder, format!("cannot be made: {error}")))?;
    let file = NetworkFile { graph: graph.clone(), preprocessing: preprocessing.cloned() };
    files::write_json(&folder.join("graph.json"), &file)?;
    weights.save(&folder.join("weights.safetensors"))?;
    if let Some((name, bytes)) = coded {
        files::write_atomically(&folder.join(name), bytes)?;
    }
    Ok(())
}
