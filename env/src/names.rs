//! Settings that are one word out of a few.

use cgym_teachers::nearest;

use crate::EnvError;

/// The value that `all` calls `given`.
///
/// # Errors
/// [`EnvError::Setting`] for `key`, with the nearest name.
pub(crate) fn parse<T: Copy>(key: &str, given: &str, all: &[(T, &str)]) -> Result<T, EnvError> {
    all.iter().find(|(_, name)| *name == given).map(|(value, _)| *value).ok_or_else(|| EnvError::Setting {
        key: key.to_owned(),
        reason: format!("unknown name `{given}`{}", nearest(given, all.iter().map(|(_, name)| *name))),
    })
}

/// Spells an enum by its table of names: `NAMES`, `as_str`, `Display`, `FromStr` and the two
/// conversions that serde goes through, so that configuration files get the nearest name too.
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
            type Err = $crate::EnvError;

            fn from_str(given: &str) -> Result<Self, $crate::EnvError> {
                $crate::names::parse($key, given, Self::NAMES)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.as_str().to_owned()
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::EnvError;

            fn try_from(given: String) -> Result<Self, $crate::EnvError> {
                given.parse()
            }
        }
    };
}

pub(crate) use named;
