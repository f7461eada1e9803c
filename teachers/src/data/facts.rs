//! What the library knows about a dataset without reading it.

use std::path::Path;

use super::{DataError, DataSource, DatasetName, Normalization};

/// Everything that differs between datasets. Each dataset's module declares one of these as a
/// constant; the table in `data/mod.rs` gives it its variant of [`DatasetName`].
pub(super) struct DatasetFacts {
    /// The spelling on the command line and in files, like `fashion-mnist`; also the name of its
    /// folder in the cache.
    pub(super) name: &'static str,
    /// The spelling in environment ids, like `FashionMNIST`: one word without hyphens.
    pub(super) id_word: &'static str,
    /// Image shape and number of classes; `None` where only the files say.
    pub(super) known_shape: Option<([usize; 3], usize)>,
    /// Names of the classes in the order of their labels; none where only the files say.
    pub(super) classes: &'static [&'static str],
    /// The raw value that means 1.0.
    pub(super) scale: f32,
    /// Mean and deviation of each channel, of pixels scaled to the range 0 to 1.
    pub(super) normalization: (&'static [f32], &'static [f32]),
    /// The default settings of a training.
    pub(super) training: TrainingDefaults,
    /// The default sizes of the splits.
    pub(super) splits: SplitDefaults,
    /// Which files a user has to put where, as an instruction that can end an error message.
    pub(super) layout: &'static str,
    /// How the images are read.
    pub(super) source: Source,
}

/// The classes of handwritten digits.
pub(super) const DIGIT_NAMES: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

impl DatasetFacts {
    /// The normalisation as an owned value.
    pub(super) fn normalization(&self) -> Normalization {
        Normalization::new(self.normalization.0, self.normalization.1)
    }

    /// Names of the classes as owned values.
    pub(super) fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|&name| name.to_owned()).collect()
    }
}

/// How the images of a dataset are read.
pub(super) enum Source {
    /// From bytes inside the library.
    Embedded(fn() -> Result<DataSource, DataError>),
    /// From files in a fixed layout, which are downloaded where `download` is given.
    Files { load: fn(DatasetName, &Path) -> Result<DataSource, DataError>, download: Option<Download> },
    /// From the user's own images, resized to height and width.
    Images(fn(&Path, [usize; 2]) -> Result<DataSource, DataError>),
}

/// The default settings of a training on a dataset; all others are the same for every dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrainingDefaults {
    /// Passes over the training images.
    pub(crate) epochs: usize,
    /// Images per step.
    pub(crate) batch: usize,
    /// Greatest random shift in pixels along each axis.
    pub(crate) shift: usize,
    /// Whether half of the images are mirrored.
    pub(crate) mirror: bool,
}

impl TrainingDefaults {
    /// The settings for a dataset that is not in the table.
    pub(crate) const OTHER: Self = Self { epochs: 160, batch: 128, shift: 1, mirror: false };
}

/// The default sizes of the splits that are cut out of the train part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SplitDefaults {
    /// Images of the calibration split.
    pub(super) calibration: usize,
    /// Images of the reward split.
    pub(super) reward: usize,
}

/// The official files: where they are served, and the SHA-256 that each must have.
///
/// Every SHA-256 is the one that several public dataset libraries publish for the file.
#[cfg_attr(not(feature = "download"), expect(dead_code, reason = "read by downloads only"))]
#[derive(Clone, Copy)]
pub(super) struct Download {
    /// The addresses to try in turn; a file's name is appended to each.
    pub(super) servers: &'static [&'static str],
    /// The files to download.
    pub(super) files: &'static [RemoteFile<'static>],
    /// Given, each downloaded file is a gzipped tar archive that is unpacked.
    pub(super) members: Option<Members<'static>>,
}

/// One file on a server.
#[cfg_attr(not(feature = "download"), expect(dead_code, reason = "read by downloads only"))]
pub(super) struct RemoteFile<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: u64,
    /// In lower-case hexadecimal digits.
    pub(super) sha256: &'a str,
}

/// The files that are unpacked from an archive.
#[cfg_attr(not(feature = "download"), expect(dead_code, reason = "read by downloads only"))]
#[derive(Clone, Copy)]
pub(super) struct Members<'a> {
    pub(super) folder: &'a str,
    pub(super) files: &'a [&'a str],
}
