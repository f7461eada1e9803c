//! Tensors of a PyTorch file: what `torch.save` writes since version 0.1.10. Nothing in it is
//! executed.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufReader, Read, Seek},
    path::Path,
};

use burn_store::pytorch_reader::{DType, PickleValue, PytorchReader};
use zip::ZipArchive;

use super::entry::{Entry, Kind};

/// Largest pickle of an archive that is read, in bytes; that of 10,000 tensors takes about two MB.
const LARGEST_PICKLE: u64 = 16 << 20;
/// How often the parts of an archive, unpacked, may be as long as the archive. `torch.save` does not
/// compress, and compressed weights are hardly shorter.
const MOST_EXPANSION: u64 = 4;
/// Bytes that the parts of a small archive may take.
const SMALL: u64 = 64 << 10;

/// The tensors of the file at `path`.
pub(super) fn entries(path: &Path) -> Result<Vec<Entry<'static>>, String> {
    check_container(path).map_err(damaged)?;
    let reader = PytorchReader::new(path).map_err(damaged)?;
    // The reader keeps one of two tensors with equal paths, and not always the same one.
    let tree = PytorchReader::read_pickle_data(path, None).map_err(damaged)?;
    let mut twice = BTreeSet::new();
    tensor_paths(&tree, "", &mut BTreeSet::new(), &mut twice);
    if let Some(path) = twice.first() {
        return Err(format!("two tensors are called `{path}`"));
    }
    let entry = |(name, tensor): (String, burn_store::pytorch_reader::Tensor)| {
        let kind = match tensor.dtype() {
            DType::F16 => Kind::F16,
            DType::BF16 => Kind::BF16,
            DType::F32 => Kind::F32,
            DType::F64 => Kind::F64,
            other => Kind::Other(format!("{other:?}")),
        };
        let shape = tensor.shape().to_vec();
        let read = Box::new(move || tensor.read().map_err(|error| error.to_string()));
        Entry { name, shape, kind, read }
    };
    Ok(reader.into_tensors().into_iter().map(entry).collect())
}

fn damaged(reason: impl std::fmt::Display) -> String {
    format!("not a whole PyTorch file: {reason}")
}

/// Refuses what would take far more memory than the file has bytes, before it is unpacked.
fn check_container(path: &Path) -> Result<(), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let mut first = Vec::new();
    (&mut file).take(262).read_to_end(&mut first).map_err(|error| error.to_string())?;
    if first.starts_with(b"PK") {
        file.rewind().map_err(|error| error.to_string())?;
        return check_archive(file, length);
    }
    // A tape archive may have holes, which are filled with zeros when it is read.
    if first.get(257..262) == Some(b"ustar") {
        let reason = "it was saved before PyTorch 0.1.10; load it in PyTorch and save it again";
        return Err(reason.to_owned());
    }
    Ok(())
}

fn check_archive(file: File, length: u64) -> Result<(), String> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| error.to_string())?;
    let most = length.saturating_mul(MOST_EXPANSION).saturating_add(SMALL);
    let mut total = 0u64;
    for index in 0..archive.len() {
        let part = archive.by_index_raw(index).map_err(|error| error.to_string())?;
        total = total.saturating_add(part.size());
        if total > most {
            let reason = format!("its parts unpack to more than {most} bytes; save it without compression");
            return Err(reason);
        }
        let is_pickle = part.name().is_ok_and(|name| name.ends_with("data.pkl"));
        if is_pickle && part.size() > LARGEST_PICKLE {
            return Err(format!("a pickle of {} bytes; the most is {LARGEST_PICKLE}", part.size()));
        }
    }
    Ok(())
}

/// Adds the paths of all tensors to `paths`, and those that were there already to `twice`: keys with
/// dots make two paths equal.
fn tensor_paths(value: &PickleValue, path: &str, paths: &mut BTreeSet<String>, twice: &mut BTreeSet<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        PickleValue::Dict(dict) => {
            dict.iter().for_each(|(key, value)| tensor_paths(value, &below(key), paths, twice));
        }
        PickleValue::List(list) => list
            .iter()
            .enumerate()
            .for_each(|(index, value)| tensor_paths(value, &below(&index.to_string()), paths, twice)),
        PickleValue::Unsupported(kind) if kind == "torch.Tensor" && !paths.insert(path.to_owned()) => {
            twice.insert(path.to_owned());
        }
        _ => {}
    }
}
