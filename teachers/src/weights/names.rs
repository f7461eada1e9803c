//! Which tensor of a file is which of a network.
//!
//! Training scripts and data-parallel training put prefixes before the names of a state dict. All
//! tensors of a network have the same prefix, which is empty or consists of the [`WRAPPERS`].

use std::collections::{BTreeMap, HashMap};

use super::entry::{Entry, Kind};
use crate::{Error, graph::Parameter};

/// Keys and modules that stand between a file and a network.
const WRAPPERS: [&str; 7] =
    ["state_dict", "model_state_dict", "model", "net", "network", "module", "_orig_mod"];

/// The tensors of `entries` that a network of the tensors `wanted` reads, in the order of `wanted`.
///
/// `entries` are in the order of their names. Unless `allow_extra`, a tensor that the network does not
/// have is refused. Counters of batch-norms are none; beside the network, neither are the state of an
/// optimiser or a schedule and single numbers.
pub(super) fn choose<'a>(
    entries: &'a [Entry<'a>],
    wanted: &[Parameter],
    allow_extra: bool,
) -> Result<Vec<&'a Entry<'a>>, Error> {
    let places: HashMap<&str, usize> =
        wanted.iter().enumerate().map(|(place, parameter)| (parameter.name.as_str(), place)).collect();
    // By prefix, what each entry can be.
    let mut readings: BTreeMap<&str, Vec<(usize, &Entry<'_>)>> = BTreeMap::new();
    for entry in entries {
        for (prefix, name) in unwrapped(&entry.name) {
            if let Some(place) = places.get(name) {
                readings.entry(prefix).or_default().push((*place, entry));
            }
        }
    }
    let most = readings.values().map(Vec::len).max();
    let prefix = readings.iter().find(|(_, read)| Some(read.len()) == most).map_or("", |(prefix, _)| prefix);
    let mut chosen: Vec<Option<&Entry<'_>>> = vec![None; wanted.len()];
    for (place, entry) in readings.get(prefix).into_iter().flatten() {
        chosen[*place] = Some(entry);
    }
    let is_read =
        |entry: &Entry<'_>| entry.name.strip_prefix(prefix).is_some_and(|name| places.contains_key(name));
    for (place, entry) in readings.values().flatten() {
        if let Some(other) = chosen[*place].filter(|_| !is_read(entry)) {
            let mut names = [other.name.clone(), entry.name.clone()];
            names.sort();
            let [first, second] = names;
            return Err(Error::AmbiguousTensor { tensor: wanted[*place].name.clone(), first, second });
        }
    }
    let found = wanted.iter().zip(chosen).map(|(parameter, entry)| {
        let Parameter { name, shape, .. } = parameter;
        let differs =
            |found: String| Err(Error::Tensor { tensor: name.clone(), expected: shape.clone(), found });
        match entry {
            None => differs("nothing".to_owned()),
            Some(entry) if entry.shape != *shape => differs(format!("{:?}", entry.shape)),
            Some(Entry { kind: Kind::Other(found), .. }) => {
                Err(Error::TensorType { tensor: name.clone(), found: found.clone() })
            }
            Some(entry) => Ok(entry),
        }
    });
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let is_surplus = |entry: &&Entry<'_>| !is_read(entry) && !is_beside(entry, prefix);
    let mut surplus = entries.iter().filter(is_surplus);
    match surplus.next() {
        Some(first) if !allow_extra => {
            Err(Error::SurplusTensor { tensor: first.name.clone(), others: surplus.count() })
        }
        _ => Ok(found),
    }
}

/// Every way to split `name` into a prefix of [`WRAPPERS`] and the rest, the empty prefix first.
pub(super) fn unwrapped(name: &str) -> impl Iterator<Item = (&str, &str)> {
    let first = Some((0, name));
    let splits = std::iter::successors(first, move |&(start, rest)| {
        let (wrapper, rest) = rest.split_once('.')?;
        WRAPPERS.contains(&wrapper).then_some((start + wrapper.len() + 1, rest))
    });
    splits.map(move |(start, rest)| (&name[..start], rest))
}

/// Whether a tensor belongs to a training and not to the network under `prefix`.
fn is_beside(entry: &Entry<'_>, prefix: &str) -> bool {
    let (top, _) = entry.name.split_once('.').unwrap_or((&entry.name, ""));
    let of_training = || {
        let top = top.to_lowercase();
        entry.shape.is_empty() || top.starts_with("optim") || top.contains("scheduler")
    };
    entry.name.ends_with("num_batches_tracked") || (!entry.name.starts_with(prefix) && of_training())
}
