//! The names of datasets on the command line and in configuration files.

use std::fmt;
use std::str::FromStr;

use super::facts::{Source, TrainingDefaults};
use super::{DataError, DatasetName, Preprocessing};
use crate::names::edit_distance;

/// Declares [`DatasetName`] from one row per dataset: a variant and the constant in the dataset's own
/// module that describes it.
macro_rules! datasets {
    ($($(#[doc = $doc:literal])+ $variant:ident => $facts:path),+ $(,)?) => {
        /// The datasets that [`load`] can read; as text, [`DatasetName::as_str`] spells them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum DatasetName {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DatasetName {
            /// Every dataset, in the order of the documentation.
            pub const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];

            /// What the library knows about this dataset without reading it.
            pub(in crate::data) fn facts(self) -> &'static $crate::data::facts::DatasetFacts {
                match self {
                    $(Self::$variant => &$facts,)+
                }
            }
        }
    };
}
pub(super) use datasets;

impl DatasetName {
    /// The spelling that [`FromStr`] accepts.
    pub fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// The spelling in environment ids, like `FashionMNIST`: one word without hyphens.
    pub fn id_word(self) -> &'static str {
        self.facts().id_word
    }

    /// Image shape (channels, height, width) and number of classes, which are known before any file
    /// is read; `None` for image folders.
    pub fn known_shape(self) -> Option<([usize; 3], usize)> {
        self.facts().known_shape
    }

    /// How the dataset's own bytes become numbers, and its classes; without names for image folders,
    /// whose classes are in the files.
    pub fn preprocessing(self) -> Preprocessing {
        let facts = self.facts();
        Preprocessing::new(facts.scale, &facts.normalization(), facts.class_names())
    }

    /// Whether the images are inside the library.
    pub fn is_embedded(self) -> bool {
        matches!(self.facts().source, Source::Embedded(_))
    }

    /// Whether the files are downloaded where no folder with them is given.
    pub fn is_downloaded(self) -> bool {
        matches!(self.facts().source, Source::Files { download: Some(_), .. })
    }

    /// The default training settings of the dataset called `name`, else those of any other dataset.
    pub(crate) fn training_of(name: &str) -> TrainingDefaults {
        let found = Self::ALL.into_iter().find(|dataset| dataset.as_str() == name);
        found.map_or(TrainingDefaults::OTHER, |dataset| dataset.facts().training)
    }

    /// Which files a user has to put where, as an instruction that can end an error message.
    pub(super) fn layout(self) -> &'static str {
        self.facts().layout
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for DatasetName {
    type Err = DataError;

    fn from_str(given: &str) -> Result<Self, DataError> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == given)
            .ok_or_else(|| DataError::UnknownName { given: given.to_owned(), nearest: nearest(given) })
    }
}

impl From<DatasetName> for String {
    fn from(name: DatasetName) -> Self {
        name.as_str().to_owned()
    }
}

impl TryFrom<String> for DatasetName {
    type Error = DataError;

    fn try_from(given: String) -> Result<Self, DataError> {
        given.parse()
    }
}

/// The name that begins like `given`, else the one with the fewest edits between.
fn nearest(given: &str) -> DatasetName {
    let given = given.to_lowercase().replace('_', "-");
    let distance = |name: &DatasetName| {
        let unlike = given.is_empty() || !name.as_str().starts_with(&given);
        (unlike, edit_distance(&given, name.as_str()))
    };
    DatasetName::ALL.into_iter().min_by_key(distance).unwrap_or(DatasetName::Digits)
}
