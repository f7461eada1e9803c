//! Trained teachers that are part of the project.
//!
//! ResNet-20 on the embedded digits, made by `cgym teacher train --model resnet20 --dataset digits`
//! with its default settings (seed 0). `assets/resnet20-digits.json` records settings, accuracy and
//! the SHA-256 of the weights.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, graph::Graph, train::TrainOptions, weights::Weights};

/// The record of a shipped teacher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Name of the model.
    pub model: String,
    /// Name of the dataset.
    pub dataset: String,
    /// How it was trained.
    pub options: TrainOptions,
    /// Seed of the splits; the reward split was held out.
    pub split_seed: u64,
    /// Accuracy on the held-out reward split.
    pub reward_top1: f64,
    /// Accuracy on the test split.
    pub test_top1: f64,
    /// SHA-256 of the weights file, in hexadecimal.
    pub sha256: String,
}

const WEIGHTS: &[u8] = include_bytes!("../assets/resnet20-digits.safetensors");
const RECORD: &str = include_str!("../assets/resnet20-digits.json");

/// The record of the shipped teacher.
///
/// # Errors
/// When the embedded file is damaged.
pub fn record() -> Result<Record, Error> {
    serde_json::from_str(RECORD).map_err(|error| Error::Graph(format!("embedded record: {error}")))
}

/// The weights shipped for `model` on `dataset`; `None` where there are none.
///
/// # Errors
/// When `graph` is not the shipped network, or the embedded file is damaged.
pub fn weights(model: &str, dataset: &str, graph: &Graph) -> Result<Option<Weights>, Error> {
    let record = record()?;
    if record.model != model || record.dataset != dataset {
        return Ok(None);
    }
    if crate::architecture::hexadecimal(&Sha256::digest(WEIGHTS)) != record.sha256 {
        return Err(Error::Graph("embedded weights do not have the recorded SHA-256".to_owned()));
    }
    Weights::from_bytes(WEIGHTS, graph).map(Some)
}
