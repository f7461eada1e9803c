//! The tables that every game has: `[network]` and `[data]`.

use std::path::PathBuf;

use cgym_teachers::{
    data::{DatasetName, LARGEST_IMAGE},
    zoo::{self, ModelOptions, Shortcut, Stem},
};
use serde::{Deserialize, Serialize};

use crate::{
    EnvError,
    fields::{Table, refuse},
    nearest, table,
};

table! {
    /// `[network]`: the network to compress.
    pub struct Network {
        /// Model of the zoo.
        pub model: String = "resnet20".to_owned(),
        /// Width multiplier of the MobileNets; 1 if absent.
        pub width: Option<f64> = None,
        /// First layers of ResNet-18/34, VGG and the MobileNets: imagenet or cifar; by the size of
        /// the images if absent.
        pub stem: Option<Stem> = None,
        /// Shortcut of the CIFAR ResNets: a (no parameters) or b (1x1 convolution); a if absent.
        pub shortcut: Option<Shortcut> = None,
        /// File with the weights of the model: .th, .pt, .pth or .safetensors; the shipped ones if
        /// absent.
        pub weights: Option<PathBuf> = None,
        /// Whether a file of weights may hold tensors that the network does not have; they are
        /// ignored.
        pub allow_extra_tensors: bool = false,
        /// Run, or folder with graph.json and weights.safetensors, whose network is compressed in place
        /// of the model; the id then says Own. In N2N the model stays the teacher.
        pub from: Option<PathBuf> = None,
    }
}

impl Network {
    /// How the model of the zoo is built for `shape` and `classes`.
    pub fn options(&self, shape: [usize; 3], classes: usize) -> ModelOptions {
        let own = ModelOptions::new(shape, classes);
        ModelOptions {
            width: self.width.unwrap_or(own.width),
            stem: self.stem.or(own.stem),
            shortcut: self.shortcut.unwrap_or(own.shortcut),
            ..own
        }
    }

    /// Whether no option of the model is changed.
    pub fn is_plain(&self) -> bool {
        self.width.is_none() && self.stem.is_none() && self.shortcut.is_none()
    }

    /// The options as flags, like ` --set network.width=0.5`; empty for a plain model.
    pub fn flags(&self) -> String {
        let mut text = String::new();
        let mut add = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                text += &format!(" --set network.{key}={value}");
            }
        };
        add("width", self.width.map(|width| width.to_string()));
        add("stem", self.stem.map(|stem| format!("{stem:?}").to_lowercase()));
        add("shortcut", self.shortcut.map(|shortcut| format!("{shortcut:?}").to_lowercase()));
        text
    }
}

impl Table for Network {
    fn check(&self) -> Result<(), EnvError> {
        let model = self.model.as_str();
        if self.from.is_none() && model == "Own" {
            return Err(refuse("model", "`Own` is a network from a folder; give it with --network DIR"));
        }
        if self.from.is_none() && !zoo::MODELS.contains(&model) {
            let hint = nearest(model, zoo::MODELS.iter().copied());
            return Err(refuse("model", format!("unknown model `{model}`{hint}")));
        }
        let imagenet = ["resnet18", "resnet34"].contains(&model);
        let stems = imagenet || model.starts_with("vgg") || model.starts_with("mobilenet");
        if self.stem.is_some() && !stems {
            let reason = format!(
                "`{model}` has only one stem; resnet18, resnet34, the VGGs and the MobileNets have two; leave it out"
            );
            return Err(refuse("stem", reason));
        }
        if self.shortcut.is_some() && (imagenet || !model.starts_with("resnet")) {
            let reason = format!(
                "`{model}` has only one kind of shortcut; resnet8, resnet14, resnet20, resnet32, resnet44, resnet56 \
                 and resnet110 have two; leave it out"
            );
            return Err(refuse("shortcut", reason));
        }
        Ok(())
    }
}

table! {
    /// `[data]`: the images.
    pub struct Data {
        /// Name of the dataset, like digits, cifar10 or folder.
        pub dataset: DatasetName = DatasetName::Digits,
        /// Folder with the files of the dataset; downloaded once if absent (the digits are embedded).
        pub path: Option<PathBuf> = None,
        /// Height and width that the images of a folder are resized to, like 64x64; at most 4096x4096.
        pub image_size: Option<ImageSize> = None,
        /// Mean of each channel that is subtracted from pixels in [0, 1], like [0.49,0.48,0.45]; the
        /// network's own if absent, or the dataset's where the network's files do not say.
        pub mean: Option<Vec<f64>> = None,
        /// Standard deviation of each channel that pixels in [0, 1] are divided by, after the mean was
        /// subtracted, like [0.25,0.24,0.26]; found like the mean if absent.
        pub std: Option<Vec<f64>> = None,
        /// Value that pixels are divided by first, so that they lie in [0, 1]: 255, or 16 for the
        /// digits; found like the mean if absent.
        pub scale: Option<f64> = None,
        /// Images that rewards are measured on; the dataset's own number if absent.
        pub reward_images: Option<usize> = None,
    }
}

impl Table for Data {
    fn check(&self) -> Result<(), EnvError> {
        if let Some(ImageSize(sides)) = self.image_size
            && sides.iter().any(|side| *side > LARGEST_IMAGE)
        {
            let reason = format!("{}x{} is over {LARGEST_IMAGE}x{LARGEST_IMAGE}", sides[0], sides[1]);
            return Err(refuse("image_size", reason));
        }
        let scales = self
            .std
            .iter()
            .flatten()
            .map(|std| ("std", std))
            .chain(self.scale.iter().map(|it| ("scale", it)));
        let values = self.mean.iter().flatten().map(|mean| ("mean", mean)).chain(scales);
        for (key, &value) in values {
            // They are used in single precision.
            let value = value as f32;
            if !value.is_finite() || (key != "mean" && value <= 0.0) {
                return Err(refuse(
                    key,
                    format!(
                        "{value} is not a {}",
                        if key == "mean" { "finite number" } else { "number above 0" }
                    ),
                ));
            }
        }
        if let (Some(mean), Some(std)) = (&self.mean, &self.std)
            && mean.len() != std.len()
        {
            let reason =
                format!("{} values beside {} of data.mean; give one per channel", std.len(), mean.len());
            return Err(refuse("std", reason));
        }
        match self.reward_images {
            Some(0) => Err(refuse("reward_images", "0 images measure nothing")),
            _ => Ok(()),
        }
    }
}

/// Height and width as text: `64x64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ImageSize(pub [usize; 2]);

impl std::str::FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides: Option<Vec<usize>> = text.split('x').map(|side| side.parse().ok()).collect();
        match sides.as_deref() {
            Some(&[height, width]) if height > 0 && width > 0 => Ok(Self([height, width])),
            _ => Err(format!("`{text}` is not a height and a width; write 64x64")),
        }
    }
}

impl From<ImageSize> for String {
    fn from(ImageSize([height, width]): ImageSize) -> Self {
        format!("{height}x{width}")
    }
}

impl TryFrom<String> for ImageSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
