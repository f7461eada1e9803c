//! The trained network and its data.

use std::path::Path;

use cgym_teachers::{
    data::{DataSource, DatasetName, LoadOptions, SplitSizes, load},
    graph::{Graph, Shape},
    shipped,
    weights::Weights,
    zoo::{self, ModelOptions},
};

use crate::Error;

/// The splits belong to the environment, so that runs of all seeds compare.
pub const SPLIT_SEED: u64 = 0;

/// Reads a dataset; a download is told about on the error output.
///
/// # Errors
/// A missing, damaged or unfitting file.
pub fn load_data(name: DatasetName, options: &LoadOptions) -> Result<DataSource, Error> {
    let mut tenths = 0;
    let source = load(name, options, &mut |done, total| {
        let now = 10 * done / total.max(1);
        if now > tenths {
            tenths = now;
            eprintln!("downloading {name}: {} % of {} MB", 10 * now, total / 1_000_000);
        }
    })?;
    Ok(source)
}

/// Image shape and classes of a dataset whose files need not be there; `None` for image folders.
pub fn known_shape(name: DatasetName) -> Option<(Shape, usize)> {
    match name {
        DatasetName::Digits => Some(([1, 8, 8], 10)),
        DatasetName::Mnist | DatasetName::FashionMnist => Some(([1, 28, 28], 10)),
        DatasetName::Cifar10 => Some(([3, 32, 32], 10)),
        DatasetName::Cifar100 => Some(([3, 32, 32], 100)),
        DatasetName::ImageFolder => None,
    }
}

/// The model for this image shape and number of classes.
///
/// # Errors
/// An unknown model, or images that it cannot take.
pub fn build(model: &str, (shape, classes): (Shape, usize)) -> Result<Graph, Error> {
    Ok(zoo::build(model, &ModelOptions::new(shape, classes))?)
}

/// The weights of `file`, or those shipped for `model` and `dataset`.
///
/// # Errors
/// A file that does not fit the model; no file, and none shipped.
pub fn weights(
    file: Option<&Path>,
    model: &str,
    dataset: DatasetName,
    graph: &Graph,
) -> Result<Weights, Error> {
    if let Some(path) = file {
        return Weights::load(path, graph).map_err(|error| match error {
            named @ cgym_teachers::Error::File { .. } => named.into(),
            other => Error::file(path, format!("does not fit `{model}` on {dataset}: {other}")),
        });
    }
    match shipped::weights(model, dataset.as_str(), graph)? {
        Some(weights) => Ok(weights),
        None => Err(Error::Input(format!(
            "no weights are shipped for `{model}` on {dataset}: give --weights FILE, or train with \
             `cgym teacher train --model {model} --dataset {dataset} --out DIR`"
        ))),
    }
}

/// Sizes of the splits, the dataset's own where absent.
pub fn split_sizes(
    dataset: DatasetName,
    source: &DataSource,
    calibration: Option<usize>,
    reward: Option<usize>,
) -> SplitSizes {
    let sizes = SplitSizes::for_dataset(dataset, source, SPLIT_SEED);
    SplitSizes {
        calibration: calibration.unwrap_or(sizes.calibration),
        reward: reward.unwrap_or(sizes.reward),
        seed: SPLIT_SEED,
    }
}
