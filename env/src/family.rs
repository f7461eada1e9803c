//! The configuration of any environment, and what both families have.

use cgym_teachers::data::DatasetName;

use crate::{EnvConfig, EnvError, N2nConfig};

/// The configuration of any environment, by the family of its id.
#[derive(Debug, Clone, PartialEq)]
pub enum Family {
    /// `AMC-…`: channels of layers under a budget.
    Amc(EnvConfig),
    /// `N2N-…`: layers removed, then shrunk.
    N2n(N2nConfig),
}

impl Family {
    /// The configuration that `id` names. Letter case counts.
    ///
    /// # Errors
    /// [`EnvError::UnknownId`] with the nearest id of the family, or the listed ids.
    pub fn from_id(id: &str) -> Result<Self, EnvError> {
        let n2n = N2nConfig::from_id(id).map(Self::N2n);
        if n2n.is_ok() || id.to_ascii_lowercase().starts_with("n2n") {
            return n2n;
        }
        EnvConfig::from_id(id).map(Self::Amc)
    }

    /// The id that this configuration is, or differs in settings from.
    pub fn id(&self) -> String {
        match self {
            Self::Amc(config) => config.id(),
            Self::N2n(config) => config.id(),
        }
    }

    /// Model of the zoo.
    pub fn model(&self) -> &str {
        match self {
            Self::Amc(config) => &config.model,
            Self::N2n(config) => &config.model,
        }
    }

    /// Dataset.
    pub fn dataset(&self) -> DatasetName {
        match self {
            Self::Amc(config) => config.dataset,
            Self::N2n(config) => config.dataset,
        }
    }

    /// Images of the reward split; `None` leaves it to the dataset.
    pub fn reward_size(&self) -> Option<usize> {
        match self {
            Self::Amc(config) => config.reward_size,
            Self::N2n(config) => config.reward_size,
        }
    }

    /// Writes down how large the splits came out.
    pub fn set_sizes(&mut self, calibration: usize, reward: usize) {
        match self {
            Self::Amc(config) => {
                (config.calibration_size, config.reward_size) = (Some(calibration), Some(reward));
            }
            Self::N2n(config) => config.reward_size = Some(reward),
        }
    }
}
