//! Values that users write as one word out of a few, and hints for misspelled ones.

use crate::Error;

/// The refusal of a word that is not a value of the setting `key`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting `{key}`: {}", self.reason())]
pub struct UnknownName {
    /// Name of the setting.
    pub key: &'static str,
    /// The word that was given.
    pub given: String,
    /// What could have been meant, as [`nearest`] gives it.
    pub suggestion: String,
}

impl UnknownName {
    /// The refusal of `given` where only `known` names are values of `key`.
    pub fn new<'a>(key: &'static str, given: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        Self { key, given: given.to_owned(), suggestion: nearest(given, known) }
    }

    /// The message without the setting's name.
    pub fn reason(&self) -> String {
        format!("unknown name `{}`{}", self.given, self.suggestion)
    }
}

impl From<UnknownName> for Error {
    fn from(error: UnknownName) -> Self {
        Self::Setting { key: error.key.to_owned(), reason: error.reason() }
    }
}

/// The nearest of `candidates` to `word`, as a hint for an error message, else the whole list.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let best = candidates.clone().into_iter().map(|c| (edit_distance(word, c), c)).min();
    match best {
        Some((distance, candidate)) if distance <= word.len().max(4) / 2 => {
            format!("; did you mean `{candidate}`?")
        }
        _ => format!("; known: {}", candidates.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// Levenshtein distance in characters, letter case ignored.
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Gives an enum without fields its names as text: `NAMES`, `as_str`, `Display`, `FromStr` and the
/// two conversions that serde uses, so that configuration files suggest the nearest name too.
///
/// The second argument is the setting that error messages name. Text that is no name is refused with
/// an [`UnknownName`]. For serde, put `#[serde(into = "String", try_from = "String")]` on the enum.
///
/// ```
/// #[derive(Debug, Clone, Copy, PartialEq)]
/// enum Size {
///     Small,
///     Large,
/// }
/// cgym_teachers::named!(Size, "size", [Small => "small", Large => "large"]);
///
/// assert_eq!("small".parse(), Ok(Size::Small));
/// assert_eq!(Size::Large.to_string(), "large");
/// let error = "smal".parse::<Size>().unwrap_err();
/// assert_eq!(error.to_string(), "setting `size`: unknown name `smal`; did you mean `small`?");
/// ```
#[macro_export]
macro_rules! named {
    ($type:ident, $key:literal, [$($variant:ident => $name:literal),+ $(,)?]) => {
        impl $type {
            /// Every value with its name, in the order of the documentation.
            pub const NAMES: &'static [(Self, &'static str)] = &[$((Self::$variant, $name)),+];

            /// The name that [`std::str::FromStr`] accepts.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(given: &str) -> Result<Self, $crate::UnknownName> {
                let known = || Self::NAMES.iter().map(|(_, name)| *name);
                match given {
                    $($name => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName::new($key, given, known())),
                }
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.as_str().to_owned()
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::UnknownName;

            fn try_from(given: String) -> Result<Self, $crate::UnknownName> {
                given.parse()
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_gets_the_list() {
        assert_eq!(nearest("resnet2", ["resnet20", "vgg11"]), "; did you mean `resnet20`?");
        assert_eq!(nearest("VGG11", ["resnet20", "vgg11"]), "; did you mean `vgg11`?");
        assert_eq!(nearest("transformer", ["a", "b"]), "; known: a, b");
    }

    #[test]
    fn a_refused_name_is_a_refused_setting() {
        let error = UnknownName::new("loss", "kl", ["kd", "ce"]);
        assert_eq!(error.to_string(), Error::from(error.clone()).to_string());
        assert_eq!(error.to_string(), "setting `loss`: unknown name `kl`; did you mean `kd`?");
    }
}
