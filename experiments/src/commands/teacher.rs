//! `teacher evaluate`, `teacher describe` and `teacher train`.

mod train;

use std::{fmt::Write, path::PathBuf, time::Instant};

pub(super) use train::{TrainArgs, train_network};

use cgym_env::{
    SPLIT_SEED, TrainedNetwork,
    settings::{Data, Layer, Network, read},
};
use cgym_teachers::{
    data::{DataSource, Dataset, LARGEST_IMAGE, MOST_CLASSES, Preprocessing, SplitSizes, Splits},
    engine::{Engine, Images},
};
use cgym_worlds::{
    WorldError, network,
    preprocessing::{self, Brought},
};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::{Error, flags::parse_setting, loading, report};

/// Arguments of `teacher`.
#[derive(Debug, clap::Args)]
pub struct TeacherArgs {
    /// What to do.
    #[command(subcommand)]
    command: TeacherCommand,
}

/// What to do with a teacher.
#[derive(Debug, Subcommand)]
enum TeacherCommand {
    /// Accuracy of a network
    Evaluate(Box<EvaluateArgs>),
    /// Nodes, MACs and parameters of a network
    Describe(DescribeArgs),
    /// Train a network
    Train(Box<train::TrainArgs>),
}

/// Which network, on which images.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct NetworkArgs {
    /// Model of the zoo
    #[arg(long, value_name = "NAME", default_value = "resnet20")]
    pub(super) model: String,
    /// Name of the dataset, like digits, cifar10 or folder
    #[arg(long, value_name = "NAME", default_value = "digits")]
    pub(super) dataset: String,
    /// Folder with the files of the dataset [default: downloaded once; the digits need none]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Mean of each channel, like 0.49,0.48,0.45, that is subtracted from pixels in [0, 1] [default: the
    /// network's own where its graph.json says it, else the dataset's]
    #[arg(long, value_name = "M,M,M", value_delimiter = ',')]
    pub(super) mean: Option<Vec<f64>>,
    /// Standard deviation of each channel, like 0.25,0.24,0.26, that pixels are divided by after that
    /// [default: like --mean]
    #[arg(long, value_name = "S,S,S", value_delimiter = ',')]
    pub(super) std: Option<Vec<f64>>,
    /// A setting of the network or the data, like network.width=0.5 or data.image_size=64x64; may be given many times
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE", value_parser = parse_setting)]
    pub(super) sets: Vec<(String, Value)>,
}

impl NetworkArgs {
    /// The tables `[network]` and `[data]` of these flags; the keys of `[network]` in `unread` are
    /// refused.
    fn tables(&self, unread: &[&str]) -> Result<(Network, Data), Error> {
        let mut layer = Layer::default().with("network", "model", self.model.as_str());
        layer.set("data", "dataset", self.dataset.as_str());
        if let Some(data) = &self.data {
            layer.set("data", "path", data.display().to_string());
        }
        for (key, values) in [("mean", &self.mean), ("std", &self.std)] {
            if let Some(values) = values {
                layer.set("data", key, values.clone());
            }
        }
        let layer = with_sets(layer, &self.sets, &["network", "data"], unread)?;
        Ok((read("network", &layer.table("network"))?, read("data", &layer.table("data"))?))
    }
}

/// The table `[network]` of a model with fresh weights.
pub(super) fn network_table(model: &str, sets: &[(String, Value)]) -> Result<Network, Error> {
    let layer = Layer::default().with("network", "model", model);
    let layer = with_sets(layer, sets, &["network"], &["weights", "allow_extra_tensors", "from"])?;
    Ok(read("network", &layer.table("network"))?)
}

/// `layer` with `sets`, which may name `tables`, but no key of `[network]` in `unread`.
fn with_sets(
    mut layer: Layer,
    sets: &[(String, Value)],
    tables: &[&str],
    unread: &[&str],
) -> Result<Layer, Error> {
    for (path, value) in sets {
        layer.set_path(path, value.clone())?;
    }
    layer.check_tables(tables)?;
    match unread.iter().find(|key| layer.get("network", key).is_some()) {
        Some(key) => {
            let reason = "this command does not read it; leave it out";
            Err(WorldError::setting(&format!("network.{key}"), reason).into())
        }
        None => Ok(layer),
    }
}

/// Arguments of `teacher evaluate`.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
struct EvaluateArgs {
    #[command(flatten)]
    network: NetworkArgs,
    /// Weights of the model: .th, .pt, .pth or .safetensors [default: the shipped ones]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Ignore tensors of the weights that the network does not have
    #[arg(long)]
    allow_extra_tensors: bool,
    /// Run, or folder with graph.json and weights.safetensors, whose network is scored in place of the model
    #[arg(long = "network", value_name = "DIR", conflicts_with_all = ["model", "weights"])]
    folder: Option<PathBuf>,
    /// Images to run it on
    #[arg(long, value_enum, default_value_t)]
    split: Split,
    /// Images of the reward split
    #[arg(long, value_name = "N")]
    reward_images: Option<usize>,
    /// Images of the calibration split
    #[arg(long, value_name = "N")]
    calibration_images: Option<usize>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Arguments of `teacher describe`.
#[derive(Debug, clap::Args)]
struct DescribeArgs {
    /// Model of the zoo
    #[arg(long, value_name = "NAME", default_value = "resnet20")]
    model: String,
    /// Channels, height and width of an image, each at most 4096
    #[arg(long, value_name = "CxHxW", default_value = "3x32x32", value_parser = parse_shape)]
    input: [usize; 3],
    /// Classes, at most 65536
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = parse_classes)]
    classes: usize,
    /// A setting of the network, like network.width=0.5; may be given many times
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE", value_parser = parse_setting)]
    sets: Vec<(String, Value)>,
}

/// A split of a dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Split {
    /// The official test images
    #[default]
    Test,
    /// The official training images, all of them
    Train,
    /// Held out of training, for rewards
    Reward,
    /// Trained on, for refitting pruned layers
    Calibration,
}

/// Three numbers as text: `3x224x224`.
pub(super) fn parse_shape(text: &str) -> Result<[usize; 3], String> {
    let axes: Option<Vec<usize>> = text.split('x').map(|axis| axis.parse().ok()).collect();
    let shape: Option<[usize; 3]> = axes.and_then(|axes| axes.try_into().ok());
    let shape = shape.ok_or_else(|| format!("`{text}` is not CxHxW, like 3x224x224"))?;
    match shape.iter().find(|axis| !(1..=LARGEST_IMAGE).contains(axis)) {
        Some(axis) => Err(format!("{axis} is not 1 to {LARGEST_IMAGE}")),
        None => Ok(shape),
    }
}

/// A number of classes that labels can count.
pub(super) fn parse_classes(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_CLASSES).contains(count));
    count.ok_or_else(|| format!("`{text}` is not a number from 1 to {MOST_CLASSES}"))
}

pub(super) fn run(args: TeacherArgs, json: bool) -> Result<(), Error> {
    match args.command {
        TeacherCommand::Evaluate(args) => evaluate(&args, json),
        TeacherCommand::Describe(args) => describe(&args, json),
        TeacherCommand::Train(args) => train::train(&args, json),
    }
}

/// Reads a dataset; a download is shown on the error output.
fn load_data(data: &Data) -> Result<DataSource, Error> {
    Ok(preprocessing::read(data, &mut loading::observer())?)
}

/// Sizes of the splits, the dataset's own if absent.
fn split_sizes(
    data: &Data,
    source: &DataSource,
    calibration: Option<usize>,
    reward: Option<usize>,
) -> Result<SplitSizes, Error> {
    if reward == Some(0) {
        return Err(Error::Input("--reward-images: 0 images measure nothing, give at least 1".to_owned()));
    }
    let sizes = SplitSizes::for_dataset(data.dataset, source, SPLIT_SEED);
    Ok(SplitSizes {
        calibration: calibration.unwrap_or(sizes.calibration),
        reward: reward.or(data.reward_images).unwrap_or(sizes.reward),
        seed: SPLIT_SEED,
    })
}

/// Scale, mean and deviation of a dataset for a report, spelled as in `graph.json`.
fn preprocessing_value(dataset: &Dataset) -> Value {
    let Preprocessing { scale, mean, std, .. } = dataset.preprocessing();
    let spelled = |values: Vec<f32>| values.into_iter().map(preprocessing::shortest).collect::<Vec<_>>();
    json!({ "scale": preprocessing::shortest(scale), "mean": spelled(mean), "std": spelled(std) })
}

fn evaluate(args: &EvaluateArgs, json: bool) -> Result<(), Error> {
    // The files of a folder say what its network is.
    let unread: &[&str] = match &args.folder {
        Some(_) => &["from", "weights", "width", "stem", "shortcut"],
        None => &["from"],
    };
    let (mut network, data) = args.network.tables(unread)?;
    network.weights = args.weights.clone().or(network.weights);
    network.allow_extra_tensors |= args.allow_extra_tensors;
    super::use_threads(args.threads)?;
    let (dataset, split) = (data.dataset, args.split);
    let own = args.folder.as_deref();
    let own = own.map(|folder| network::from_folder(folder, args.allow_extra_tensors)).transpose()?;
    let trained = |images| match &own {
        Some(own) => {
            network::check_images(&own.graph, &data, images)?;
            Ok(own.clone())
        }
        None => {
            let graph = network::build(&network, images)?;
            let weights = network::weights(&network, &data, &graph)?;
            Ok::<_, WorldError>(TrainedNetwork { graph, weights, preprocessing: None })
        }
    };
    // Weights that do not fit are refused before data is downloaded.
    if let Some(images) = dataset.known_shape() {
        trained(images)?;
    }
    let mut observer = loading::observer();
    let brought = match (&args.folder, &own) {
        (Some(folder), Some(own)) => {
            own.preprocessing.clone().map(|said| Brought::new("network", folder, said))
        }
        _ => preprocessing::beside_weights(&network, &mut observer),
    };
    let mut settled = data.clone();
    preprocessing::settle(&mut settled, brought.as_ref(), &mut observer)?;
    let source = load_data(&settled)?;
    let TrainedNetwork { graph, weights, .. } = trained((source.train.shape(), source.train.classes()))?;
    if let Some(brought) = brought {
        brought.check_classes(&data, source.train.class_names(), &mut observer)?;
    }
    let sizes = split_sizes(&data, &source, args.calibration_images, args.reward_images)?;
    let splits = Splits::new(&source, &sizes)?;
    let all: Vec<usize> = (0..source.train.len()).collect();
    let (part, indices) = match split {
        Split::Test => (&source.test, &splits.test),
        Split::Train => (&source.train, &all),
        Split::Reward => (&source.train, &splits.reward),
        Split::Calibration => (&source.train, &splits.calibration),
    };
    let images = Images::new(part, indices)?;
    let engine = Engine::new(&graph, &weights)?;
    let started = Instant::now();
    let top1 = engine.top1(&images)?;
    let seconds = started.elapsed().as_secs_f64();
    let cost = graph.cost()?;
    let value = json!({
        "model": graph.name,
        "dataset": dataset,
        "preprocessing": preprocessing_value(&source.train),
        "split": split,
        "images": images.len(),
        "top1": top1,
        "macs": cost.macs,
        "parameters": cost.parameters,
        "seconds": seconds,
        "images_per_second": images.len() as f64 / seconds.max(1e-9),
    });
    report::print(json, &value, || {
        format!(
            "{} on {dataset}: {:.2} % of {} images; {} MACs, {} parameters; {seconds:.2} s",
            graph.name,
            100.0 * top1,
            images.len(),
            report::count(Some(cost.macs)),
            report::count(Some(cost.parameters)),
        )
    })
}

fn describe(args: &DescribeArgs, json: bool) -> Result<(), Error> {
    let DescribeArgs { model, input, classes, sets } = args;
    let network = network_table(model, sets)?;
    let graph = network::build(&network, (*input, *classes))?;
    let (shapes, costs, total) = (graph.shapes()?, graph.costs()?, graph.cost()?);
    let nodes: Vec<serde_json::Value> = graph
        .nodes()
        .iter()
        .zip(shapes.iter().zip(&costs))
        .map(|(node, (shape, cost))| {
            let from: Vec<&str> =
                node.inputs.iter().map(|&input| graph.nodes()[input].name.as_str()).collect();
            json!({
                "name": node.name,
                "operation": node.op,
                "from": from,
                "output": shape,
                "macs": cost.macs,
                "parameters": cost.parameters,
            })
        })
        .collect();
    let value = json!({
        "model": model,
        "input": input,
        "classes": classes,
        "macs": total.macs,
        "parameters": total.parameters,
        "weight_bytes": total.weight_bytes,
        "nodes": nodes,
    });
    report::print(json, &value, || {
        let mut text = String::new();
        for (node, (shape, cost)) in graph.nodes().iter().zip(shapes.iter().zip(&costs)) {
            let [channels, height, width] = shape;
            let (name, shape) = (&node.name, format!("{channels}x{height}x{width}"));
            let (macs, parameters) = (report::count(Some(cost.macs)), report::count(Some(cost.parameters)));
            writeln!(text, "{name:<32} {shape:>14} {macs:>14} {parameters:>12}").ok();
        }
        let (macs, parameters) = (report::count(Some(total.macs)), report::count(Some(total.parameters)));
        text + &format!("{model}: {macs} MACs, {parameters} parameters\n")
    })
}
