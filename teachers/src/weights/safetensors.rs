//! Tensors of a safetensors file: the header is checked against the length of the file, and a
//! tensor's bytes are read when they are asked for.

use std::{
    fmt,
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
    rc::Rc,
};

use ::safetensors::Dtype;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::entry::{Entry, Kind};

/// Largest header that is read, in bytes; that of 10,000 tensors takes about one MB.
const LARGEST_HEADER: u64 = 16 << 20;
/// Bytes of the number in front of the header.
const LENGTH: u64 = 8;

/// One tensor as the header lists it; its bytes are counted from the end of the header.
struct Listed {
    name: String,
    shape: Vec<usize>,
    kind: Kind,
    bytes: Range<u64>,
}

/// The tensors of the file at `path`.
pub(super) fn entries(path: &Path) -> Result<Vec<Entry<'static>>, String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let mut first = [0; LENGTH as usize];
    file.read_exact(&mut first).map_err(|_| damaged("it has no header"))?;
    let size = header_length(first, length)?;
    let mut header = Vec::new();
    (&mut file).take(size).read_to_end(&mut header).map_err(|error| error.to_string())?;
    let start = LENGTH + size;
    let listed = listed(&header, length - start)?;
    let file = Rc::new(file);
    let entry = |Listed { name, shape, kind, bytes }: Listed| {
        let file = Rc::clone(&file);
        let read = Box::new(move || {
            let mut file = &*file;
            let mut values = vec![0; (bytes.end - bytes.start) as usize];
            file.seek(SeekFrom::Start(start + bytes.start))
                .and_then(|_| file.read_exact(&mut values))
                .map_err(|error| error.to_string())?;
            Ok(values)
        });
        Entry { name, shape, kind, read }
    };
    Ok(listed.into_iter().map(entry).collect())
}

/// The tensors of a safetensors file in memory.
pub(super) fn entries_of(file: &[u8]) -> Result<Vec<Entry<'_>>, String> {
    let first = file.first_chunk().ok_or_else(|| damaged("it has no header"))?;
    let size = header_length(*first, file.len() as u64)? as usize;
    let (header, data) = file[LENGTH as usize..].split_at(size);
    let entry = |Listed { name, shape, kind, bytes }: Listed| {
        let read = Box::new(move || Ok(data[bytes.start as usize..bytes.end as usize].to_vec()));
        Entry { name, shape, kind, read }
    };
    Ok(listed(header, data.len() as u64)?.into_iter().map(entry).collect())
}

fn damaged(reason: impl fmt::Display) -> String {
    format!("not a whole safetensors file: {reason}")
}

/// The length of the header that follows, in a file of `file` bytes.
fn header_length(first: [u8; LENGTH as usize], file: u64) -> Result<u64, String> {
    let size = u64::from_le_bytes(first);
    if size > file.saturating_sub(LENGTH) {
        return Err(damaged(format!("a header of {size} bytes in a file of {file}")));
    }
    if size > LARGEST_HEADER {
        return Err(damaged(format!("a header of {size} bytes; the most is {LARGEST_HEADER}")));
    }
    Ok(size)
}

/// The tensors that `header` lists; together they take `data` bytes, without gaps and overlaps.
fn listed(header: &[u8], data: u64) -> Result<Vec<Listed>, String> {
    let Header(mut tensors) = serde_json::from_slice(header).map_err(damaged)?;
    tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut start = 0;
    let mut found = Vec::with_capacity(tensors.len());
    for (name, Info { dtype, shape, data_offsets: (first, end) }) in tensors {
        let values = shape.iter().try_fold(1u64, |product, &axis| product.checked_mul(axis));
        let bits = values.and_then(|values| values.checked_mul(dtype.bitsize() as u64));
        let fits = first == start
            && end <= data
            && bits.is_some_and(|bits| end.checked_sub(first) == Some(bits / 8) && bits.is_multiple_of(8));
        if !fits {
            let reason = format!("tensor `{name}` of shape {shape:?} does not fill bytes {first} to {end}");
            return Err(damaged(reason));
        }
        start = end;
        let shape: Option<Vec<usize>> = shape.iter().map(|&axis| axis.try_into().ok()).collect();
        let shape = shape.ok_or_else(|| damaged(format!("tensor `{name}` has no size in memory")))?;
        let kind = match dtype {
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::BF16,
            Dtype::F32 => Kind::F32,
            Dtype::F64 => Kind::F64,
            other => Kind::Other(format!("{other:?}")),
        };
        found.push(Listed { name, shape, kind, bytes: first..end });
    }
    if start != data {
        return Err(damaged(format!("its tensors take {start} bytes, the file holds {data}")));
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The header's tensors in the order of the file. A map would keep the last of two with one name.
struct Header(Vec<(String, Info)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of tensors")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Header, M::Error> {
        let mut tensors = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
            } else {
                tensors.push((name, map.next_value()?));
            }
        }
        Ok(Header(tensors))
    }
}
