//! Image datasets: five classification sets, image folders, and the splits cut from them.
//!
//! [`load`] reads the official train/test split of one dataset; [`Splits`] cuts a calibration
//! split and a reward split out of the train part. Images are kept as raw bytes, channel first
//! (`C x H x W`), and normalised when they are read out: `(raw / scale - mean) / deviation`.
//!
//! | name | images | where they come from |
//! |---|---|---|
//! | `digits` | 1437 + 360, 1x8x8, 10 classes | embedded in the library |
//! | `mnist`, `fashion-mnist` | 60000 + 10000, 1x28x28, 10 classes | IDX files, gzipped or not |
//! | `cifar10`, `cifar100` | 50000 + 10000, 3x32x32, 10 or 100 classes | the "binary version" |
//! | `folder` | the user's, 3 x height x width | `train/<class>/*.png` and `test/<class>/*.jpg` |
//!
//! A dataset is read from [`LoadOptions::directory`]. By default it is read from a cache folder, into
//! which the official archive is downloaded once (cargo feature `download`).
//!
//! The digits are "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998),
//! UCI Machine Learning Repository, <https://doi.org/10.24432/C50P49>, under CC BY 4.0.
//!
//! Headers are read before memory is allocated, and sizes over a documented limit are refused:
//! [`MOST_IMAGES_IN_FILE`], [`LARGEST_SIDE`], [`MOST_PIXELS`], [`LARGEST_FILE`], [`LARGEST_IMAGE`],
//! [`LARGEST_PART`], [`MOST_CLASSES`].
//!
//! Architecture Invariant: malformed files end in a [`DataError`] that names the file, never in a
//! panic, and every random generator here is seeded by the caller.

mod cache;
mod cifar;
mod dataset;
mod digits;
#[cfg(feature = "download")]
mod download;
mod error;
mod facts;
mod files;
mod folder;
#[doc(hidden)]
pub mod fuzz;
mod idx;
mod image_file;
mod limits;
mod mnist;
mod name;
mod preprocessing;
#[cfg(feature = "download")]
mod recipes;
mod resize;
mod splits;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use facts::Source;

pub use dataset::{DataSource, Dataset, Normalization};
pub use error::DataError;
pub(crate) use facts::TrainingDefaults;
pub use limits::{
    LARGEST_FILE, LARGEST_IMAGE, LARGEST_PART, LARGEST_SIDE, MOST_CLASSES, MOST_IMAGES_IN_FILE, MOST_PIXELS,
};
pub use preprocessing::{Classes, Preprocessing};
pub use splits::{SplitSizes, Splits};

// The table of datasets. A new one is a row here and a module that declares its facts.
name::datasets! {
    /// UCI handwritten digits, 8 x 8 grey, embedded.
    Digits => digits::DIGITS,
    /// MNIST, 28 x 28 grey.
    Mnist => mnist::MNIST,
    /// Fashion-MNIST, 28 x 28 grey, the same files as MNIST by name and layout.
    FashionMnist => mnist::FASHION_MNIST,
    /// CIFAR-10, 32 x 32 colour.
    Cifar10 => cifar::CIFAR10,
    /// CIFAR-100 with its 100 fine classes, 32 x 32 colour.
    Cifar100 => cifar::CIFAR100,
    /// A folder with one folder of PNG and JPEG images for each class.
    ImageFolder => folder::IMAGE_FOLDER,
}

/// The location of a dataset and how its images are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadOptions {
    /// The folder that holds the files. By default the official archive is downloaded once into the
    /// cache. Image folders require it; the embedded digits ignore it.
    pub directory: Option<PathBuf>,
    /// Height and width that the images of a folder are resized to, 32 x 32 by default. Every other
    /// dataset refuses it.
    pub image_size: Option<[usize; 2]>,
    /// Replaces the dataset's own per-channel mean and deviation.
    pub normalization: Option<Normalization>,
    /// Replaces the raw value that means 1.0.
    pub scale: Option<f32>,
}

/// Reads the official train/test split of a dataset.
///
/// `progress(done, total)` counts bytes and is called only while an archive is downloaded.
///
/// # Errors
/// A missing, truncated or malformed file, a failed download, or an option that does not fit the
/// dataset; the message names the file and says what would fix it.
pub fn load(
    name: DatasetName,
    options: &LoadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<DataSource, DataError> {
    let source = &name.facts().source;
    if options.image_size.is_some() && !matches!(source, Source::Images(_)) {
        return Err(DataError::Option {
            dataset: name,
            problem: "an image size can only be given for an image folder".to_owned(),
        });
    }
    let mut source = match (source, &options.directory) {
        (Source::Embedded(load), _) => load()?,
        (Source::Images(load), Some(directory)) => load(directory, options.image_size.unwrap_or([32, 32]))?,
        (Source::Files { load, .. }, Some(directory)) => load(name, directory)?,
        (Source::Files { load, download: Some(_) }, None) => {
            let directory = cache::obtain(name, progress)?;
            load(name, &directory)
                .map_err(|error| DataError::Cache { directory, problem: Box::new(error) })?
        }
        (Source::Images(_) | Source::Files { download: None, .. }, None) => {
            return Err(DataError::Option {
                dataset: name,
                problem: format!("no folder is given; {}", name.layout()),
            });
        }
    };
    for part in [&mut source.train, &mut source.test] {
        if let Some(scale) = options.scale {
            part.set_scale(scale)?;
        }
        if let Some(normalization) = &options.normalization {
            part.set_normalization(normalization.clone())?;
        }
    }
    Ok(source)
}
