//! Flags of what trains students to the end, and of what carries policies.

use std::path::PathBuf;

use cgym_teachers::train::DistillLoss;
use clap::Args;

use crate::settings::{Device, Settings};

/// Flags of `distill` and `finetune`.
#[derive(Debug, Args)]
pub struct StudentArgs {
    /// The run directory
    pub run: PathBuf,
    /// Folder for graph.json, weights.safetensors and train.json; must not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Passes over the training images [default: 40]; the best on the reward images is kept
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Images a step
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Learning rate at the start
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// l2-logits, kd, ce-l2 or ce [default: ce-l2 in distill, ce in finetune]
    #[arg(long, value_name = "NAME")]
    pub loss: Option<DistillLoss>,
    /// What `kd` divides logits by
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Weight of the teacher's word in `kd`, in [0, 1]
    #[arg(long, value_name = "ALPHA")]
    pub alpha: Option<f64>,
    /// Weight of the squared difference of logits in `ce-l2`
    #[arg(long, value_name = "LAMBDA")]
    pub lambda: Option<f64>,
    /// Start from new weights and not from the run's
    #[arg(long)]
    pub fresh: bool,
    /// Seed of order and new weights
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Threads [default: as in the run]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Where to compute
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    pub device: Device,
}

/// Flags of `transfer`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
#[expect(missing_docs, reason = "clap would show it")]
pub struct TransferArgs {
    /// Network that policies come from
    #[arg(long, value_name = "MODEL", requires = "to", required_unless_present = "networks")]
    pub from: Option<String>,
    /// Network that they are carried to
    #[arg(long, value_name = "MODEL", requires = "from")]
    pub to: Option<String>,
    /// Also carry policies the other way
    #[arg(long, requires = "from")]
    pub both_ways: bool,
    /// Carry policies from every one of these to every other
    #[arg(long, value_name = "MODELS", value_delimiter = ',', conflicts_with_all = ["from", "to"])]
    pub networks: Vec<String>,
    /// Seeds, counted from --seed
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub seeds: u64,
    /// A network's weights; those of a network without are trained first
    #[arg(long = "teacher", value_name = "MODEL=FILE", value_parser = parse_teacher)]
    pub teachers: Vec<(String, PathBuf)>,
    /// Epochs that missing teachers are trained for [default: the dataset's own]
    #[arg(long, value_name = "N")]
    pub teacher_epochs: Option<usize>,
    /// Iterations that the table is about
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub first: usize,
    /// Folder for teachers, runs, transfer.json and curves.svg; the same command goes on in it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// TOML file with settings; flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
}

fn parse_teacher(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((model, file)) if !model.is_empty() && !file.is_empty() => Ok((model.to_owned(), file.into())),
        _ => Err(format!("`{text}` is not MODEL=FILE")),
    }
}
