//! An agent's checkpoint: one file, `agent.bin`, replaced as a whole.
//!
//! Layout: a line of JSON (format, agent, state, and the name and length of each array), the
//! arrays as little-endian `f32`, and the SHA-256 of all bytes before it. `head -1` shows the state.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::Path,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::AgentError;

const FILE: &str = "agent.bin";
const FORMAT: &str = "cgym-agent-1";
const DIGEST: usize = 32;

#[derive(Serialize, Deserialize)]
struct Header<S> {
    format: String,
    agent: String,
    state: S,
    arrays: Vec<(String, usize)>,
}

/// The fields of a header that are the same for every agent.
#[derive(Deserialize)]
struct Label {
    format: String,
    agent: String,
}

/// Writes `state` and `arrays` of `agent` into `directory`, which is created where missing.
pub(crate) fn write<S: Serialize>(
    directory: &Path,
    agent: &str,
    state: &S,
    arrays: &[(&str, &[f32])],
) -> Result<(), AgentError> {
    let path = directory.join(FILE);
    let refuse = |reason: String| AgentError::Checkpoint { path: path.clone(), reason };
    let header = Header {
        format: FORMAT.to_owned(),
        agent: agent.to_owned(),
        state,
        arrays: arrays.iter().map(|(name, values)| ((*name).to_owned(), values.len())).collect(),
    };
    let mut bytes = serde_json::to_vec(&header).map_err(|error| refuse(error.to_string()))?;
    bytes.push(b'\n');
    for (_, values) in arrays {
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);

    let temporary = directory.join(format!("{FILE}.tmp"));
    let written = || -> std::io::Result<()> {
        fs::create_dir_all(directory)?;
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    written().map_err(|error| refuse(format!("cannot be written: {error}")))
}

/// A checkpoint read from a file that [`write`] wrote.
pub(crate) struct Checkpoint<S> {
    pub(crate) state: S,
    arrays: BTreeMap<String, Vec<f32>>,
    path: std::path::PathBuf,
}

impl<S: DeserializeOwned> Checkpoint<S> {
    /// Reads the checkpoint of `agent` in `directory`, after checking every byte.
    pub(crate) fn read(directory: &Path, agent: &str) -> Result<Self, AgentError> {
        let path = directory.join(FILE);
        let refuse = |reason: String| AgentError::Checkpoint { path: path.clone(), reason };
        let bytes = fs::read(&path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let damaged = || refuse("damaged: its checksum does not fit; take an older checkpoint".to_owned());
        let (body, digest) = bytes.split_at_checked(bytes.len().wrapping_sub(DIGEST)).ok_or_else(damaged)?;
        if Sha256::digest(body)[..] != *digest {
            return Err(damaged());
        }
        let end = body.iter().position(|&byte| byte == b'\n').ok_or_else(damaged)?;
        let (line, mut rest) = (&body[..end], &body[end + 1..]);
        let label: Label = serde_json::from_slice(line).map_err(|error| refuse(error.to_string()))?;
        if label.format != FORMAT {
            return Err(refuse(format!("is of format `{}`, this version reads `{FORMAT}`", label.format)));
        }
        if label.agent != agent {
            return Err(refuse(format!("is of agent `{}`, not of `{agent}`", label.agent)));
        }
        let header: Header<S> = serde_json::from_slice(line).map_err(|error| refuse(error.to_string()))?;
        let mut arrays = BTreeMap::new();
        for (name, length) in header.arrays {
            let (array, after) =
                length.checked_mul(4).and_then(|size| rest.split_at_checked(size)).ok_or_else(damaged)?;
            let number = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            arrays.insert(name, array.chunks_exact(4).map(number).collect());
            rest = after;
        }
        Ok(Self { state: header.state, arrays, path })
    }

    /// Moves the array `name` out; it must have `length` numbers.
    pub(crate) fn array(&mut self, name: &str, length: usize) -> Result<Vec<f32>, AgentError> {
        match self.arrays.remove(name) {
            Some(values) if values.len() == length => Ok(values),
            Some(values) => Err(self.refuse(format!(
                "`{name}` has {} numbers, this agent's has {length}: other settings or another environment",
                values.len()
            ))),
            None => Err(self.refuse(format!("`{name}` is missing: saved under other settings"))),
        }
    }

    /// Moves the array `name` out; its length is not checked.
    pub(crate) fn array_of_any_length(&mut self, name: &str) -> Result<Vec<f32>, AgentError> {
        let length = self.arrays.get(name).map_or(0, Vec::len);
        self.array(name, length)
    }

    /// An error about this file.
    pub(crate) fn refuse(&self, reason: String) -> AgentError {
        AgentError::Checkpoint { path: self.path.clone(), reason }
    }
}
