//! The model zoo: networks by name, for any suitable input shape and number of classes.

mod builder;
mod lenet;
mod mobilenet;
mod resnet;
mod vgg;

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    graph::{Graph, Shape},
    named, nearest,
};

/// The names of all models.
pub const MODELS: &[&str] = &[
    "resnet8",
    "resnet14",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
    "plain20",
    "resnet18",
    "resnet34",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "mobilenet-v1",
    "mobilenet-v2",
    "lenet5",
];

/// How a residual block's shortcut changes resolution (He et al. 2016, section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Shortcut {
    /// Parameter-free: every second pixel, zero channels added on both sides.
    A,
    /// A 1×1 convolution with batch-norm.
    B,
}

named!(Shortcut, "shortcut", [A => "a", B => "b"]);

/// First layers of an ImageNet-style network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Stem {
    /// 7×7 stride 2 and max-pooling, or stride 2 at the first convolution.
    Imagenet,
    /// 3×3 stride 1, for images of 64 pixels or less.
    Cifar,
}

named!(Stem, "stem", [Imagenet => "imagenet", Cifar => "cifar"]);

/// The options of building a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelOptions {
    /// Channels, height, width of the image.
    pub input: Shape,
    /// Classes of the classifier.
    pub classes: usize,
    /// Width multiplier of the MobileNets.
    pub width: f64,
    /// Shortcut of the CIFAR ResNets.
    pub shortcut: Shortcut,
    /// Stem of ResNet-18/34, VGG and the MobileNets; by default it depends on the image's size.
    pub stem: Option<Stem>,
}

impl ModelOptions {
    /// Width 1, option A, stem by size.
    pub fn new(input: Shape, classes: usize) -> Self {
        Self { input, classes, width: 1.0, shortcut: Shortcut::A, stem: None }
    }

    /// The given stem, by default CIFAR's for images of 64 pixels or less.
    pub fn stem(&self) -> Stem {
        let small = self.input[1].min(self.input[2]) <= 64;
        self.stem.unwrap_or(if small { Stem::Cifar } else { Stem::Imagenet })
    }
}

/// Builds the model called `name`.
///
/// # Errors
/// [`Error::Model`] for an unknown name or options that do not fit; the first node that the image
/// is too small for.
pub fn build(name: &str, options: &ModelOptions) -> Result<Graph, Error> {
    let refuse = |reason: String| Error::Model { model: name.to_owned(), reason };
    // Labels have 16 bits, and so have the sides and channels of images.
    let most = 1 << 16;
    if !(1..=most).contains(&options.classes) || options.input.iter().any(|side| !(1..=most).contains(side)) {
        return Err(refuse(format!(
            "{} classes of {:?} images: each must lie in 1..={most}",
            options.classes, options.input
        )));
    }
    let wide = name.starts_with("mobilenet");
    if !(options.width > 0.0 && options.width <= 64.0) || (options.width != 1.0 && !wide) {
        return Err(refuse(format!(
            "width {} (only the MobileNets have one, above 0 and at most 64)",
            options.width
        )));
    }
    let depth = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.parse::<usize>().ok());
    let graph = match name {
        "resnet18" | "resnet34" => resnet::imagenet(name, options),
        "plain20" => resnet::plain(name, 20, options),
        "mobilenet-v1" => mobilenet::v1(name, options),
        "mobilenet-v2" => mobilenet::v2(name, options),
        "lenet5" => lenet::lenet5(name, options),
        _ if !MODELS.contains(&name) => {
            return Err(refuse(format!("unknown model{}", nearest(name, MODELS.iter().copied()))));
        }
        _ => match (depth("resnet"), depth("vgg")) {
            (Some(depth), _) => resnet::cifar(name, depth, options),
            (_, Some(depth)) => vgg::vgg(name, depth, options),
            _ => return Err(refuse("unknown model".to_owned())),
        },
    };
    Graph::from_nodes(graph.name.clone(), graph.nodes().to_vec())
}
