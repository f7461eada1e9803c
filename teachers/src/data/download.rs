//! Downloads of official archives into the cache, all or nothing.
//!
//! Files are downloaded into a temporary folder beside the final one, which is renamed into place
//! when it is complete and every SHA-256 is right. A dataset's folder in the cache is therefore
//! complete, even when two processes download it at once.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::DataError;
use super::limits::MOST_IMAGES_IN_FILE;
use super::recipes::{Members, Recipe, RemoteFile};

/// Bytes of an unpacked file: as many CIFAR-100 records as a file may have.
const LARGEST_MEMBER: u64 = MOST_IMAGES_IN_FILE as u64 * 3074;

/// Opens addresses for reading.
pub(super) trait Transfer {
    /// The body of the response, or why there is none.
    fn open(&self, url: &str) -> Result<Box<dyn Read>, String>;
}

/// Transfers over HTTP and HTTPS.
pub(super) struct Http(ureq::Agent);

impl Http {
    /// With a timeout of one minute, and the proxy of the usual environment variables.
    pub(super) fn new() -> Self {
        Self::from_config(ureq::Agent::config_builder())
    }

    /// [`Http::new`] without any proxy, for addresses on this machine.
    #[cfg(test)]
    pub(super) fn direct() -> Self {
        Self::from_config(ureq::Agent::config_builder().proxy(None))
    }

    fn from_config(config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>) -> Self {
        let config = config
            .user_agent(concat!("compression-gym/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .build();
        Self(config.new_agent())
    }
}

impl Transfer for Http {
    fn open(&self, url: &str) -> Result<Box<dyn Read>, String> {
        let answer = self.0.get(url).call().map_err(|error| error.to_string())?;
        Ok(Box::new(answer.into_body().into_reader()))
    }
}

/// Downloads what `recipe` lists and renames it to the dataset's folder in `root`.
pub(super) fn fetch(
    recipe: &Recipe<'_>,
    root: &Path,
    transfer: &dyn Transfer,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), DataError> {
    std::fs::create_dir_all(root).map_err(DataError::io(root))?;
    let stage = tempfile::Builder::new()
        .prefix(&format!(".{}-", recipe.dataset))
        .tempdir_in(root)
        .map_err(DataError::io(root))?;
    let complete = stage.path().join("complete");
    std::fs::create_dir(&complete).map_err(DataError::io(&complete))?;

    let total = recipe.files.iter().map(|file| file.bytes).sum();
    let mut done = 0;
    for file in recipe.files {
        let folder = if recipe.members.is_some() { stage.path() } else { &complete };
        let path = folder.join(file.name);
        let mut advance = |bytes| progress(done + bytes, total);
        from_any_server(recipe, file, &path, transfer, &mut advance)?;
        if let Some(members) = &recipe.members {
            unpack(&path, members, &complete)?;
        }
        done += file.bytes;
    }

    let directory = root.join(recipe.dataset.as_str());
    match std::fs::rename(&complete, &directory) {
        // Another process finished first; its folder is complete too.
        Err(_) if directory.is_dir() => Ok(()),
        result => result.map_err(DataError::io(&directory)),
    }
}

/// Tries the servers in turn until one serves the right bytes.
fn from_any_server(
    recipe: &Recipe<'_>,
    file: &RemoteFile<'_>,
    path: &Path,
    transfer: &dyn Transfer,
    progress: &mut dyn FnMut(u64),
) -> Result<(), DataError> {
    let mut reasons = Vec::new();
    for server in recipe.servers {
        let url = format!("{server}{}", file.name);
        let outcome = match transfer.open(&url) {
            Ok(mut body) => copy_verified(&mut body, file, path, progress)?,
            Err(reason) => Err(reason),
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(format!("{url}: {reason}")),
        }
    }
    Err(DataError::Download {
        dataset: recipe.dataset,
        file: file.name.to_owned(),
        reasons: reasons.join("; "),
    })
}

/// Copies `body` to `path`. The outer error is local (writing the file), the inner one remote.
fn copy_verified(
    body: &mut dyn Read,
    file: &RemoteFile<'_>,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Result<(), String>, DataError> {
    let mut target = File::create(path).map_err(DataError::io(path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut done: u64 = 0;
    loop {
        let read = match body.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let reason = format!("broke off after {done} of {} bytes: {error}", file.bytes);
                return Ok(Err(reason));
            }
        };
        if read == 0 {
            break;
        }
        done += read as u64;
        if done > file.bytes {
            return Ok(Err(format!("sends more than {} bytes", file.bytes)));
        }
        hash.update(&buffer[..read]);
        target.write_all(&buffer[..read]).map_err(DataError::io(path))?;
        progress(done);
    }
    target.sync_all().map_err(DataError::io(path))?;
    if done != file.bytes {
        return Ok(Err(format!("ended after {done} of {} bytes", file.bytes)));
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if hash != file.sha256 {
        return Ok(Err(format!("has the sha-256 {hash}, not the pinned {}", file.sha256)));
    }
    Ok(Ok(()))
}

/// Writes the wanted members of a gzipped tar archive to a folder of the same name in `target`. All
/// other members are ignored, whatever paths they have.
fn unpack(archive: &Path, members: &Members<'_>, target: &Path) -> Result<(), DataError> {
    let damaged =
        |error: std::io::Error| DataError::malformed(archive, format!("cannot be unpacked: {error}"));
    let folder = target.join(members.folder);
    std::fs::create_dir_all(&folder).map_err(DataError::io(&folder))?;
    let file = File::open(archive).map_err(DataError::io(archive))?;
    let mut tar = tar::Archive::new(GzDecoder::new(file));
    let mut missing: Vec<&str> = members.files.to_vec();
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let Some(at) = missing.iter().position(|name| path.ends_with(Path::new(members.folder).join(name)))
        else {
            continue;
        };
        let name = missing.swap_remove(at);
        if entry.size() > LARGEST_MEMBER {
            let problem =
                format!("says that {name} has {} bytes, over the limit of {LARGEST_MEMBER}", entry.size());
            return Err(DataError::malformed(archive, problem));
        }
        let out = folder.join(name);
        let mut file = File::create(&out).map_err(DataError::io(&out))?;
        // No more is read than the entry's header says.
        std::io::copy(&mut entry, &mut file).map_err(DataError::io(&out))?;
    }
    if missing.is_empty() {
        Ok(())
    } else {
        let problem = format!("lacks {}/{{{}}}", members.folder, missing.join(", "));
        Err(DataError::malformed(archive, problem))
    }
}
