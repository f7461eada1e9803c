//! What a network has to be told about its images, and what its outputs mean.

use serde::{Deserialize, Serialize};

use super::Normalization;

/// How the bytes of an image become the numbers that a network takes, and the classes that its
/// outputs stand for: `(byte / scale - mean) / std` in each channel.
///
/// It travels with a network as the block `preprocessing` of `graph.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The byte that means 1.0: 255 for most images, 16 for the digits.
    pub scale: f32,
    /// Mean of each channel, of pixels scaled to the range 0 to 1.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, of pixels scaled to the range 0 to 1; above 0.
    pub std: Vec<f32>,
    /// Names of the classes in the order of the outputs; empty where none are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

impl Preprocessing {
    /// From a scale, a normalisation and names of classes.
    pub fn new(scale: f32, normalization: &Normalization, classes: Vec<String>) -> Self {
        let Normalization { mean, deviation } = normalization.clone();
        Self { scale, mean, std: deviation, classes }
    }

    /// Mean and deviation.
    pub fn normalization(&self) -> Normalization {
        Normalization::new(&self.mean, &self.std)
    }

    /// Refuses what does not fit a network of this many input channels and outputs.
    ///
    /// # Errors
    /// The key and what is wrong with it, as a text.
    pub fn check(&self, channels: usize, outputs: usize) -> Result<(), String> {
        for (key, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != channels {
                return Err(format!("{key} has {} values for {channels} channels", values.len()));
            }
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return Err(format!("scale {} is not a number above 0", self.scale));
        }
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return Err(format!("mean {mean} is not a finite number"));
        }
        if let Some(std) = self.std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            return Err(format!("std {std} is not a number above 0"));
        }
        if !self.classes.is_empty() && self.classes.len() != outputs {
            return Err(format!("classes has {} names for {outputs} outputs", self.classes.len()));
        }
        let mut names: Vec<&String> = self.classes.iter().collect();
        names.sort();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("classes has the name `{}` twice", pair[0])),
            None => Ok(()),
        }
    }

    /// Compares the network's classes with those of a dataset.
    pub fn compare_classes(&self, dataset: &[String]) -> Classes {
        if self.classes.is_empty() || dataset.is_empty() || self.classes == dataset {
            return Classes::Same;
        }
        let unknown: Vec<String> =
            dataset.iter().filter(|name| !self.classes.contains(name)).cloned().collect();
        let mut pairs = self.classes.iter().zip(dataset).enumerate();
        match pairs.find(|(_, (own, other))| own != other) {
            Some((index, (own, other))) if unknown.is_empty() && self.classes.len() == dataset.len() => {
                Classes::Permuted { index, network: own.clone(), dataset: other.clone() }
            }
            _ => Classes::Unknown(unknown),
        }
    }
}

/// The classes of a network beside those of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classes {
    /// The same names in the same order, or names that only one of them has any of.
    Same,
    /// The same names in another order: predictions would count as other classes.
    Permuted {
        /// The first class that differs.
        index: usize,
        /// Its name in the network.
        network: String,
        /// Its name in the dataset.
        dataset: String,
    },
    /// Names of the dataset that the network does not have.
    Unknown(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(classes: &[&str]) -> Preprocessing {
        let classes = classes.iter().map(|&name| name.to_owned()).collect();
        Preprocessing::new(255.0, &Normalization::new(&[0.5], &[0.25]), classes)
    }

    #[test]
    fn the_same_names_in_another_order_are_told_from_unknown_names() {
        let network = of(&["cat", "dog", "fish"]);
        let names = |names: [&str; 3]| names.map(ToOwned::to_owned);
        assert_eq!(network.compare_classes(&names(["cat", "dog", "fish"])), Classes::Same);
        assert_eq!(network.compare_classes(&[]), Classes::Same);
        assert_eq!(of(&[]).compare_classes(&names(["a", "b", "c"])), Classes::Same);
        let permuted = Classes::Permuted { index: 1, network: "dog".to_owned(), dataset: "fish".to_owned() };
        assert_eq!(network.compare_classes(&names(["cat", "fish", "dog"])), permuted);
        let unknown = Classes::Unknown(vec!["Dog".to_owned()]);
        assert_eq!(network.compare_classes(&names(["cat", "Dog", "fish"])), unknown);
    }

    #[test]
    fn what_does_not_fit_a_network_is_named() {
        let sound = of(&["cat", "dog"]);
        assert_eq!(sound.check(1, 2), Ok(()));
        assert_eq!(of(&[]).check(1, 9), Ok(()));
        let refused = |change: &dyn Fn(&mut Preprocessing)| {
            let mut other = sound.clone();
            change(&mut other);
            other.check(1, 2).expect_err("refused")
        };
        assert_eq!(refused(&|it| it.mean.push(0.1)), "mean has 2 values for 1 channels");
        assert_eq!(refused(&|it| it.std.clear()), "std has 0 values for 1 channels");
        assert_eq!(refused(&|it| it.std[0] = 0.0), "std 0 is not a number above 0");
        assert_eq!(refused(&|it| it.mean[0] = f32::NAN), "mean NaN is not a finite number");
        assert_eq!(refused(&|it| it.scale = 0.0), "scale 0 is not a number above 0");
        assert_eq!(refused(&|it| it.classes.truncate(1)), "classes has 1 names for 2 outputs");
        assert_eq!(refused(&|it| it.classes[0] = "dog".to_owned()), "classes has the name `dog` twice");
    }
}
