//! How the images of a world become numbers: as the user says, else as the network's files say, else
//! as is usual for the dataset.

use std::path::{Path, PathBuf};

use cgym_env::settings::{Data, Network};
use cgym_teachers::{
    data::{Classes, DataSource, LoadOptions, Normalization, Preprocessing, load},
    graph::NetworkFile,
};

use crate::{Event, Observer, WorldError, files};

/// Names of classes that a warning lists at most.
const NAMES_SHOWN: usize = 5;

/// What the files of a network say about its images.
#[derive(Debug, Clone, PartialEq)]
pub struct Brought {
    /// The setting that names the network: `network.from` or `network.weights`.
    pub key: &'static str,
    /// Its folder or file.
    pub path: PathBuf,
    /// What it says.
    pub preprocessing: Preprocessing,
}

/// What `graph.json` says that lies beside the weights of `network`, as `cgym teacher train` and
/// `cgym export` write them; `None` where there is none, or nothing is said there.
pub fn beside_weights(network: &Network, observer: Observer<'_>) -> Option<Brought> {
    let path = network.weights.as_deref()?;
    let graph = path.with_file_name("graph.json");
    if path.file_name() != Some("weights.safetensors".as_ref()) || !graph.is_file() {
        return None;
    }
    match files::read_json::<NetworkFile>(&graph) {
        Ok(file) => Some(Brought::new("network.weights", path, file.preprocessing?)),
        Err(error) => {
            observer(Event::Warning(format!(
                "the preprocessing of {} is not known: {error}",
                path.display()
            )));
            None
        }
    }
}

impl Brought {
    /// What the network at `path`, which the setting `key` names, says.
    pub fn new(key: &'static str, path: &Path, preprocessing: Preprocessing) -> Self {
        Self { key, path: path.to_owned(), preprocessing }
    }

    /// Compares the classes with those of the dataset: tells unknown names as a warning.
    ///
    /// # Errors
    /// [`WorldError::Setting`] for the same names in another order.
    pub fn check_classes(
        &self,
        data: &Data,
        classes: &[String],
        observer: Observer<'_>,
    ) -> Result<(), WorldError> {
        let (place, dataset) = (self.path.display(), data.dataset);
        match self.preprocessing.compare_classes(classes) {
            Classes::Same => Ok(()),
            Classes::Permuted { index, network, dataset: other } => Err(WorldError::setting(
                self.key,
                format!(
                    "class {index} of {place} is `{network}`, that of {dataset} is `{other}`: the classes are the same \
                     in another order, so that predictions would count as other classes; put the dataset's into the \
                     network's order"
                ),
            )),
            Classes::Unknown(names) => {
                let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
                let more = if names.len() > NAMES_SHOWN { ", ..." } else { "" };
                observer(Event::Warning(format!(
                    "{dataset} has {} classes that {place} does not name ({}{more}); they are compared by number",
                    names.len(),
                    shown.join(", "),
                )));
                Ok(())
            }
        }
    }
}

/// Writes the preprocessing that is used into `data`: what it says already, else what the network
/// brings. What is the dataset's own anyway is left absent.
///
/// # Errors
/// [`WorldError::Setting`] for another number of values than channels.
pub fn settle(data: &mut Data, brought: Option<&Brought>, observer: Observer<'_>) -> Result<(), WorldError> {
    let own = data.dataset.preprocessing();
    let channels = own.mean.len();
    for (key, values) in [("data.mean", &data.mean), ("data.std", &data.std)] {
        if let Some(count) = values.as_ref().map(Vec::len).filter(|count| *count != channels) {
            let reason = format!("{count} values for the {channels} channels of {}", data.dataset);
            return Err(WorldError::setting(key, reason));
        }
    }
    // A network of other images is refused by whoever compares shapes.
    let brought = brought.filter(|it| it.preprocessing.mean.len() == channels);
    let said = brought.map_or(&own, |it| &it.preprocessing);
    let mut contradicted = Vec::new();
    let mut settled = |key, given: Option<Vec<f64>>, said: &[f32], own: &[f32]| {
        let given =
            given.filter(|given| *given.iter().map(|&value| value as f32).collect::<Vec<_>>() != *said);
        match given {
            Some(values) => {
                if brought.is_some() {
                    contradicted.push(format!("{key} {said:?}"));
                }
                Some(values)
            }
            None if said == own => None,
            None => Some(said.iter().copied().map(shortest).collect()),
        }
    };
    data.mean = settled("mean", data.mean.take(), &said.mean, &own.mean);
    data.std = settled("std", data.std.take(), &said.std, &own.std);
    let scale = settled("scale", data.scale.map(|scale| vec![scale]), &[said.scale], &[own.scale]);
    data.scale = scale.and_then(|scale| scale.first().copied());
    if let (Some(it), false) = (brought, contradicted.is_empty()) {
        observer(Event::Warning(format!(
            "{} was saved with {}; the settings of [data] take its place",
            it.path.display(),
            contradicted.join(", ")
        )));
    }
    Ok(())
}

/// The number whose shortest decimal spelling is that of `value`: 0.1 for 0.1 in single precision.
pub fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(value.into())
}

/// Reads the dataset of `data`, images processed as it says.
///
/// # Errors
/// Files that are missing or do not fit.
pub fn read(data: &Data, observer: Observer<'_>) -> Result<DataSource, WorldError> {
    let own = data.dataset.preprocessing();
    let values = |given: &Option<Vec<f64>>, own: Vec<f32>| {
        given.as_ref().map_or(own, |given| given.iter().map(|&value| value as f32).collect())
    };
    let options = LoadOptions {
        directory: data.path.clone(),
        image_size: data.image_size.map(|size| size.0),
        normalization: Some(Normalization {
            mean: values(&data.mean, own.mean),
            deviation: values(&data.std, own.std),
        }),
        scale: data.scale.map(|scale| scale as f32),
    };
    Ok(load(data.dataset, &options, &mut |done, total| observer(Event::Download(done, total)))?)
}
