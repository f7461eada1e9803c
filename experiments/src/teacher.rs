//! The trained network and its data.

use std::{fmt, path::Path};

use cgym_teachers::{
    data::{DataSource, DatasetName, LoadOptions, SplitSizes, load},
    graph::{Graph, Shape},
    shipped,
    weights::Weights,
    zoo::{self, ModelOptions, Shortcut, Stem},
};

use crate::{Error, files, game::Parent, progress::Progress};

/// The splits belong to the environment, so that runs of all seeds compare.
pub const SPLIT_SEED: u64 = 0;

/// Reads a dataset; a download is told about on the error output.
///
/// # Errors
/// A missing, damaged or unfitting file.
pub fn load_data(name: DatasetName, options: &LoadOptions) -> Result<DataSource, Error> {
    let mut progress = None;
    let source = load(name, options, &mut |done, total| {
        let label = || format!("downloading {name}");
        progress.get_or_insert_with(|| Progress::of_bytes(&label(), total)).set(done, "");
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

/// How a model of the zoo is varied; what is absent is the model's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, clap::Args)]
pub struct Variant {
    /// Width multiplier of the MobileNets [default: 1]
    #[arg(long, value_name = "FACTOR")]
    pub width: Option<f64>,
    /// imagenet or cifar [default: by the image's size]
    #[arg(long, value_name = "NAME", value_parser = crate::cli::parse_word::<Stem>)]
    pub stem: Option<Stem>,
    /// Shortcut of the CIFAR ResNets, a or b [default: a]
    #[arg(long, value_name = "NAME", value_parser = crate::cli::parse_word::<Shortcut>)]
    pub shortcut: Option<Shortcut>,
}

impl Variant {
    fn options(self, (shape, classes): (Shape, usize)) -> ModelOptions {
        let own = ModelOptions::new(shape, classes);
        ModelOptions {
            width: self.width.unwrap_or(own.width),
            stem: self.stem.or(own.stem),
            shortcut: self.shortcut.unwrap_or(own.shortcut),
            ..own
        }
    }

    /// Refuses what is asked for and would change nothing in `model`.
    fn check(self, model: &str) -> Result<(), Error> {
        let imagenet = ["resnet18", "resnet34"].contains(&model);
        let stems = imagenet || model.starts_with("vgg") || model.starts_with("mobilenet");
        let shortcuts = model.starts_with("resnet") && !imagenet;
        let reason = match self {
            Self { stem: Some(_), .. } if !stems => {
                "stem: `MODEL` has only one; resnet18, resnet34, the VGGs and the MobileNets have two"
            }
            Self { shortcut: Some(_), .. } if !shortcuts => {
                "shortcut: `MODEL` has no choice of it; resnet8, resnet14, resnet20, resnet32, resnet44, resnet56 \
                 and resnet110 have"
            }
            _ => return Ok(()),
        };
        Err(Error::Input(format!("{}; leave it out", reason.replace("MODEL", model))))
    }
}

/// As it is typed, ` --width 0.5` for example, and nothing where nothing was asked for.
impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(width) = self.width {
            write!(f, " --width {width}")?;
        }
        if let Some(stem) = self.stem {
            write!(f, " --stem {}", format!("{stem:?}").to_lowercase())?;
        }
        if let Some(shortcut) = self.shortcut {
            write!(f, " --shortcut {}", format!("{shortcut:?}").to_lowercase())?;
        }
        Ok(())
    }
}

/// The model for this image shape and number of classes.
///
/// # Errors
/// An unknown model, images that it cannot take, or a variant that it does not have.
pub fn build(model: &str, variant: Variant, images: (Shape, usize)) -> Result<Graph, Error> {
    let graph = zoo::build(model, &variant.options(images))?;
    variant.check(model)?;
    Ok(graph)
}

/// The weights of `file`, or those shipped for `model` and `dataset`.
///
/// # Errors
/// A file that does not fit the model; no file, and none shipped for this variant.
pub fn weights(
    file: Option<&Path>,
    model: &str,
    variant: Variant,
    dataset: DatasetName,
    graph: &Graph,
) -> Result<Weights, Error> {
    if let Some(path) = file {
        return Weights::load(path, graph).map_err(|error| match error {
            named @ cgym_teachers::Error::File { .. } => named.into(),
            other => Error::file(path, format!("does not fit `{model}` on {dataset}: {other}")),
        });
    }
    let own = match known_shape(dataset) {
        Some(images) => *graph == build(model, Variant::default(), images)?,
        None => false,
    };
    match shipped::weights(model, dataset.as_str(), graph) {
        Ok(Some(weights)) if own => Ok(weights),
        Err(error) if own => Err(error.into()),
        _ => Err(Error::Input(format!(
            "no weights are shipped for `{model}{variant}` on {dataset}: give --weights FILE, or train with \
             `cgym teacher train --model {model}{variant} --dataset {dataset} --out DIR`"
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

/// Whether weights of this network ship with the project.
pub fn is_shipped(model: &str, variant: Variant, dataset: DatasetName) -> bool {
    let Some(images) = known_shape(dataset) else { return false };
    build(model, variant, images).is_ok_and(|graph| weights(None, model, variant, dataset, &graph).is_ok())
}

/// The network of a run's `best/`, or of a folder with `graph.json`; with its weights, where there
/// are any.
///
/// # Errors
/// A folder without a network, a damaged file.
pub fn parent(folder: &Path) -> Result<Parent, Error> {
    let best = folder.join("best");
    let home = if best.is_dir() { best } else { folder.to_owned() };
    let path = home.join("graph.json");
    if !path.is_file() {
        return Err(Error::file(
            folder,
            "holds no network: give a run that has saved one in best/, or a folder with graph.json",
        ));
    }
    let graph: Graph = files::read_json(&path)?;
    let tensors = home.join("weights.safetensors");
    let weights = tensors.is_file().then(|| Weights::load(&tensors, &graph)).transpose()?;
    Ok(Parent { graph, weights })
}
