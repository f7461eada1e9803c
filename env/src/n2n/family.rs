//! What both families of environments have.

use cgym_teachers::data::DatasetName;

use super::Family;

impl Family {
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

    /// Images of the calibration split, which in N2N students learn from; `None` leaves it to the
    /// dataset, and then students learn from all training images.
    pub fn calibration_size(&self) -> Option<usize> {
        match self {
            Self::Amc(config) => config.calibration_size,
            Self::N2n(config) => config.training_size,
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
