//! The command line as it is typed: raw flags, nothing checked against anything else.

mod students;

use std::path::PathBuf;

use cgym_teachers::data::DatasetName;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use students::{StudentArgs, TransferArgs};

use crate::{
    settings::{Device, ImageSize, Settings},
    teacher::Variant,
};

const BASELINES_SEED: &str = "Seed of all randomness; each policy draws from a seed by its name, so that the agent of \
                              `search` with the same name and --seed plays other episodes";

/// A reinforcement-learning gym whose world is a trained network and whose game is to make it smaller
#[derive(Debug, Parser)]
#[command(name = "cgym", version, arg_required_else_help = true)]
pub struct Cli {
    /// Print one JSON object and nothing else to the standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Search for the best network under a budget
    Search(SearchArgs),
    /// Go on with an interrupted search
    Resume {
        /// The run directory
        run: PathBuf,
        /// Threads [default: as before]; results do not depend on it
        #[arg(long, value_name = "N")]
        threads: Option<usize>,
    },
    /// Play recorded episodes again and print every difference
    Validate {
        /// The run directory
        run: PathBuf,
        /// Play only this many episodes, evenly spread, the best among them
        #[arg(long, value_name = "N")]
        sample: Option<usize>,
    },
    /// Write the best network of a run as graph.json and weights.safetensors
    Export {
        /// The run directory
        run: PathBuf,
        /// Folder to write; must not exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Train the best network of a run to the end on the teacher's logits and the labels
    Distill(Box<StudentArgs>),
    /// Train the best network of a run to the end on the labels alone
    Finetune(Box<StudentArgs>),
    /// Train policies on one network and carry them to another, beside runs from scratch
    Transfer(Box<TransferArgs>),
    /// Score hand-made policies and searches without learning
    Baselines(BaselinesArgs),
    /// Measure speed: of a network with --model, of whole episodes with --env
    Bench(Box<BenchArgs>),
    /// List environments
    Envs,
    /// Show an environment: spaces, layers, costs, budget
    Describe {
        /// Its id
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// TOML file with settings
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it")]
        settings: Box<Settings>,
    },
    /// Train, score and describe teachers
    Teacher {
        /// What to do.
        #[command(subcommand)]
        command: TeacherCommand,
    },
}

/// Flags of `search`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[expect(missing_docs, reason = "clap would show it")]
pub struct SearchArgs {
    /// TOML file with settings; flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run directory; must not exist [default: runs/ENV-AGENT-seedSEED-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Do not play the baselines that the agent is compared with
    #[arg(long)]
    pub no_baselines: bool,
    /// Tell at the end where the time of the episodes went
    #[arg(long)]
    pub profile: bool,
    #[command(flatten)]
    pub settings: Settings,
}

/// Flags of `baselines`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true, mut_arg("seed", |seed| seed.help(BASELINES_SEED)))]
#[expect(missing_docs, reason = "clap would show it")]
pub struct BaselinesArgs {
    /// TOML file with settings; flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Policies, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "uniform,shallow,deep")]
    pub agents: Vec<String>,
    /// Folder for config.toml, baselines.jsonl and summary.json; must not exist
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
}

/// Flags of `bench`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[expect(missing_docs, reason = "clap would show it")]
pub struct BenchArgs {
    /// TOML file with the settings of an environment; flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub network: BenchNetworkArgs,
    /// Seconds to repeat for; at least three repeats are made
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    pub seconds: f64,
    #[command(flatten)]
    pub settings: Settings,
}

/// Flags of `bench` that are about a network alone.
#[derive(Debug, Args)]
pub struct BenchNetworkArgs {
    /// Channels, height and width of an image [default: 3x32x32]
    #[arg(long, value_name = "CxHxW", value_parser = parse_shape, conflicts_with_all = ["env", "config"])]
    pub input: Option<[usize; 3]>,
    /// Classes [default: 10]
    #[arg(long, value_name = "N", conflicts_with_all = ["env", "config"])]
    pub classes: Option<usize>,
    /// Images a repeat [default: 64]
    #[arg(long, value_name = "N", conflicts_with_all = ["env", "config"])]
    pub batch: Option<usize>,
    /// Where `burn` computes
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["env", "config"])]
    pub device: Option<Device>,
    /// Who computes [default: fused]
    #[arg(long, value_enum, conflicts_with_all = ["env", "config"])]
    pub engine: Option<BenchEngine>,
    /// Measure steps of training, on random labels, in place of evaluation
    #[arg(long, conflicts_with_all = ["env", "config"])]
    pub training: bool,
    /// Share of the channels to keep in every group that no residual sum passes through, in (0, 1]
    #[arg(long, value_name = "RATIO", conflicts_with_all = ["env", "config"])]
    pub prune: Option<f64>,
}

/// Who computes a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BenchEngine {
    /// Our kernels: the engine that evaluates candidates, the steps that train teachers
    #[default]
    Fused,
    /// The graph interpreted on Burn with Burn's own kernels
    Burn,
}

/// What to do with a teacher.
#[derive(Debug, Subcommand)]
pub enum TeacherCommand {
    /// Accuracy of a network
    Evaluate(EvaluateArgs),
    /// Nodes, MACs and parameters of a network
    Describe(DescribeArgs),
    /// Train a network
    Train(TrainArgs),
}

/// Flags of `teacher evaluate`.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "clap would show it")]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub teacher: TeacherArgs,
    /// The teacher's weights: .th, .pt, .pth or .safetensors [default: the shipped teacher]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Images to run it on
    #[arg(long, value_enum, default_value_t)]
    pub split: Split,
    /// Images of the reward split
    #[arg(long, value_name = "N")]
    pub reward_images: Option<usize>,
    /// Images of the calibration split
    #[arg(long, value_name = "N")]
    pub calibration_images: Option<usize>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// Flags of `teacher describe`.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "clap would show it")]
pub struct DescribeArgs {
    /// Model of the zoo
    #[arg(long, value_name = "NAME", default_value = "resnet20")]
    pub model: String,
    /// Channels, height and width of an image
    #[arg(long, value_name = "CxHxW", default_value = "3x32x32", value_parser = parse_shape)]
    pub input: [usize; 3],
    /// Classes
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub classes: usize,
    #[command(flatten)]
    pub variant: Variant,
}

/// Flags of `teacher train`; what is absent is the dataset's own.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "clap would show it")]
pub struct TrainArgs {
    #[command(flatten)]
    pub teacher: TeacherArgs,
    /// Folder for weights.safetensors, graph.json and train.json; a stopped training goes on in it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Passes over the training images [default: the dataset's own]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Images a step
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Learning rate at the start
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Weight decay
    #[arg(long, value_name = "DECAY")]
    pub weight_decay: Option<f64>,
    /// Seed of initial weights, order and augmentation
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Images held out for rewards
    #[arg(long, value_name = "N")]
    pub reward_images: Option<usize>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Compute with Burn's kernels in place of ours, as the shipped teacher was trained
    #[arg(long)]
    pub stock_kernels: bool,
    /// Where to compute
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    pub device: Device,
}

/// Which network, on which images.
#[derive(Debug, Args)]
pub struct TeacherArgs {
    /// Model of the zoo
    #[arg(long, value_name = "NAME", default_value = "resnet20")]
    pub model: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it")]
    pub variant: Variant,
    /// digits, mnist, fashion-mnist, cifar10, cifar100 or folder
    #[arg(long, value_name = "NAME", default_value = "digits")]
    pub dataset: DatasetName,
    /// Folder with the dataset's files [default: downloaded once; the digits need none]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Height and width that images of a folder are resized to, like 64x64
    #[arg(long, value_name = "HxW")]
    pub image_size: Option<ImageSize>,
}

/// A split of a dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
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

fn parse_shape(text: &str) -> Result<[usize; 3], String> {
    let axes: Option<Vec<usize>> = text.split('x').map(|axis| axis.parse().ok()).collect();
    axes.and_then(|axes| axes.try_into().ok()).ok_or_else(|| format!("`{text}` is not CxHxW, like 3x224x224"))
}

/// An enum by the name that it has in JSON.
pub(crate) fn parse_word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let word = serde_json::Value::String(text.to_lowercase());
    serde_json::from_value(word).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
