//! Networks whose layers keep only some of their weights, and the file that stores them.
//!
//! A [`Sparsifier`] keeps the weights of greatest magnitude in each layer and sets the others to
//! zero. [`Sparsifier::encode`] writes the network to a file whose length is a function of how many
//! weights each layer keeps, not of which: [`coded_bytes`] gives it without writing anything.
//! [`decode`] reads the file back to the same weights.
//!
//! # File format
//! All numbers are little-endian. The file starts with the eight bytes `CGYMSPR1` and the number of
//! tensors (`u32`). Tensors follow in the order of the graph's parameters. Each has
//!
//! | bytes | what |
//! |---|---|
//! | 2 | length of the name |
//! | … | name, UTF-8 |
//! | 1 | coding: 0, 1 or 2 |
//! | … | values |
//!
//! A tensor of n elements, k of which are kept, has the shortest of three codings (the first of
//! equals):
//!
//! | coding | content | bytes |
//! |---|---|---|
//! | 0 dense | n values (`f32`) | 4·n |
//! | 1 bitmap | one bit per element, least significant first; the k kept values | ⌈n/8⌉ + 4·k |
//! | 2 indices | k (`u32`); k ascending indices in the least of 1, 2 or 4 bytes that can hold n − 1; k values | 4 + (w + 4)·k |
//!
//! Each length never falls when k grows, so neither does the shortest. Shapes are not stored: a
//! file belongs to a graph, and a reader checks every name and length against it before it allocates.

use std::collections::BTreeMap;

use crate::{
    Error,
    graph::{Class, Graph, NodeIndex, Parameter},
    weights::{Tensor, Weights},
};

const MAGIC: &[u8; 8] = b"CGYMSPR1";
const DENSE: u8 = 0;
const BITMAP: u8 = 1;
const INDICES: u8 = 2;

/// A network with the order in which its layers lose weights.
pub struct Sparsifier {
    graph: Graph,
    weights: Weights,
    /// For each layer, the indices of its weights from the greatest magnitude to the least.
    rankings: BTreeMap<NodeIndex, Vec<u32>>,
}

impl Sparsifier {
    /// Ranks the weights of `layers` by magnitude; ties keep the earlier weight.
    ///
    /// # Errors
    /// Weights that do not fit the graph; a layer without weights, or with 2³² or more.
    pub fn new(graph: Graph, weights: Weights, layers: &[NodeIndex]) -> Result<Self, Error> {
        weights.check(&graph)?;
        let mut rankings = BTreeMap::new();
        for &layer in layers {
            let name = &graph.nodes()[layer].name;
            let values = &weights.get(&format!("{name}.weight"))?.data;
            let count = u32::try_from(values.len())
                .map_err(|_| Error::node(name, "has more weights than can be ranked"))?;
            let mut ranking: Vec<u32> = (0..count).collect();
            let magnitude = |index: u32| values[index as usize].abs();
            ranking.sort_by(|&a, &b| magnitude(b).total_cmp(&magnitude(a)).then(a.cmp(&b)));
            rankings.insert(layer, ranking);
        }
        Ok(Self { graph, weights, rankings })
    }

    /// The network, uncompressed.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The indices of the weights that a layer keeps, ascending.
    fn keeps(&self, layer: NodeIndex, count: u64) -> Result<Vec<u32>, Error> {
        let ranking = self.rankings.get(&layer);
        let kept = usize::try_from(count).ok().and_then(|count| ranking?.get(..count));
        let mut kept = kept.map(<[u32]>::to_vec).ok_or_else(|| Error::Channels {
            group: self.graph.nodes().get(layer).map_or_else(String::new, |node| node.name.clone()),
            reason: format!("{count} weights of {} cannot be kept", ranking.map_or(0, Vec::len)),
        })?;
        kept.sort_unstable();
        Ok(kept)
    }

    /// The kept weights of each tensor by its name; `kept` pairs layers with numbers of weights.
    fn masks(&self, kept: &[(NodeIndex, u64)]) -> Result<BTreeMap<String, Vec<u32>>, Error> {
        let mask = |&(layer, count): &(NodeIndex, u64)| {
            Ok((format!("{}.weight", self.graph.nodes()[layer].name), self.keeps(layer, count)?))
        };
        kept.iter().map(mask).collect()
    }

    /// The weights with all but the kept ones of each listed layer set to zero.
    ///
    /// # Errors
    /// [`Error::Channels`] for a layer that is not ranked, or more weights than it has.
    pub fn mask(&self, kept: &[(NodeIndex, u64)]) -> Result<Weights, Error> {
        let mut masked = self.weights.clone();
        for (name, keeps) in self.masks(kept)? {
            let Some(tensor) = masked.get_mut(&name) else { continue };
            let mut data = vec![0.0; tensor.data.len()];
            keeps.iter().for_each(|&index| data[index as usize] = tensor.data[index as usize]);
            tensor.data = data;
        }
        Ok(masked)
    }

    /// The file of the masked network.
    ///
    /// # Errors
    /// As [`Sparsifier::mask`].
    pub fn encode(&self, kept: &[(NodeIndex, u64)]) -> Result<Vec<u8>, Error> {
        encode(&self.graph, &self.weights, &self.masks(kept)?)
    }
}

/// The coding of a tensor of `elements`, `kept` of which are stored, and the bytes of its values.
fn coding(elements: u64, kept: u64) -> (u8, u64) {
    let indices = 4 + (index_width(elements) + 4) * kept;
    [(DENSE, 4 * elements), (BITMAP, elements.div_ceil(8) + 4 * kept), (INDICES, indices)]
        .into_iter()
        .min_by_key(|&(_, bytes)| bytes)
        .unwrap_or((DENSE, 4 * elements))
}

/// Bytes of an index into `elements` values.
fn index_width(elements: u64) -> u64 {
    match elements.saturating_sub(1) {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    }
}

/// Bytes of the file's part for `parameter`, `kept` values of which are stored.
pub fn tensor_bytes(parameter: &Parameter, kept: u64) -> u64 {
    let elements = parameter.shape.iter().product::<usize>() as u64;
    2 + parameter.name.len() as u64 + 1 + coding(elements, kept).1
}

/// Length of the file of `graph` in which the tensor `<layer>.weight` of each listed layer stores
/// that many values, and every other tensor all of its own.
pub fn coded_bytes(graph: &Graph, kept: &[(NodeIndex, u64)]) -> u64 {
    let listed: BTreeMap<String, u64> =
        kept.iter().map(|&(layer, count)| (format!("{}.weight", graph.nodes()[layer].name), count)).collect();
    let each = graph.parameters().into_iter().map(|parameter| {
        let elements = parameter.shape.iter().product::<usize>() as u64;
        tensor_bytes(&parameter, listed.get(&parameter.name).copied().unwrap_or(elements))
    });
    MAGIC.len() as u64 + 4 + each.sum::<u64>()
}

/// The file of a network of which convolutions and linear layers store the weights that are not zero.
///
/// # Errors
/// Weights that do not fit the graph.
pub fn encode_nonzero(graph: &Graph, weights: &Weights) -> Result<Vec<u8>, Error> {
    weights.check(graph)?;
    let mut kept = BTreeMap::new();
    for node in graph.nodes() {
        if !matches!(node.op.facts().class, Class::Convolution | Class::Linear) {
            continue;
        }
        let name = format!("{}.weight", node.name);
        let values = &weights.get(&name)?.data;
        let keeps = (0..values.len() as u32).filter(|&index| values[index as usize] != 0.0).collect();
        kept.insert(name, keeps);
    }
    encode(graph, weights, &kept)
}

/// The file of `weights`: of each tensor named in `kept` only the values at these ascending indices.
fn encode(graph: &Graph, weights: &Weights, kept: &BTreeMap<String, Vec<u32>>) -> Result<Vec<u8>, Error> {
    let parameters = graph.parameters();
    let mut file = MAGIC.to_vec();
    file.extend((parameters.len() as u32).to_le_bytes());
    for Parameter { name, .. } in &parameters {
        let values = &weights.get(name)?.data;
        let length = u16::try_from(name.len())
            .map_err(|_| Error::node(name, "has a name that is too long for the file"))?;
        file.extend(length.to_le_bytes());
        file.extend(name.as_bytes());
        let all: Vec<u32>;
        let keeps = match kept.get(name) {
            Some(keeps) => keeps,
            None => {
                all = (0..values.len() as u32).collect();
                &all
            }
        };
        let (code, _) = coding(values.len() as u64, keeps.len() as u64);
        file.push(code);
        match code {
            DENSE => {
                // A tensor that keeps almost all of its values is shorter with its zeros.
                let mut dense = vec![0.0_f32; values.len()];
                keeps.iter().for_each(|&index| dense[index as usize] = values[index as usize]);
                dense.iter().for_each(|value| file.extend(value.to_le_bytes()));
            }
            BITMAP => {
                let mut bits = vec![0_u8; values.len().div_ceil(8)];
                keeps.iter().for_each(|index| bits[*index as usize / 8] |= 1 << (index % 8));
                file.extend(bits);
                keeps.iter().for_each(|index| file.extend(values[*index as usize].to_le_bytes()));
            }
            _ => {
                let width = index_width(values.len() as u64) as usize;
                file.extend((keeps.len() as u32).to_le_bytes());
                keeps.iter().for_each(|index| file.extend(&index.to_le_bytes()[..width]));
                keeps.iter().for_each(|index| file.extend(values[*index as usize].to_le_bytes()));
            }
        }
    }
    Ok(file)
}

/// Reads a file that [`Sparsifier::encode`] wrote for `graph`.
///
/// # Errors
/// A file that is not of this format, of another graph, cut off or damaged.
pub fn decode(bytes: &[u8], graph: &Graph) -> Result<Weights, CodedError> {
    let mut reader = Reader { bytes, place: 0 };
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(reader.refuse("does not start with CGYMSPR1"));
    }
    let parameters = graph.parameters();
    let count = reader.number(4)? as usize;
    if count != parameters.len() {
        return Err(reader.refuse(&format!("has {count} tensors, the graph {}", parameters.len())));
    }
    let mut weights = Weights::default();
    for Parameter { name, shape, .. } in parameters {
        let length = reader.number(2)? as usize;
        if reader.take(length)? != name.as_bytes() {
            return Err(reader.refuse(&format!("does not have the tensor `{name}` here")));
        }
        let data = reader.values(shape.iter().product())?;
        weights.insert(name, Tensor { shape, data });
    }
    match reader.place == bytes.len() {
        true => Ok(weights),
        false => Err(reader.refuse("goes on after its last tensor")),
    }
}

/// Why a coded file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the coded file {reason} (at byte {place})")]
pub struct CodedError {
    /// Where in the file.
    place: usize,
    /// What is wrong.
    reason: String,
}

/// A place in a file.
struct Reader<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Reader<'a> {
    fn refuse(&self, reason: &str) -> CodedError {
        CodedError { place: self.place, reason: reason.to_owned() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CodedError> {
        let end = self.place.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.place..end));
        let taken = taken.ok_or_else(|| self.refuse("is cut off"))?;
        self.place += count;
        Ok(taken)
    }

    fn number(&mut self, width: usize) -> Result<u64, CodedError> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn floats(&mut self, count: usize) -> Result<Vec<f32>, CodedError> {
        let bytes = count.checked_mul(4).ok_or_else(|| self.refuse("is cut off"))?;
        let float = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        Ok(self.take(bytes)?.chunks_exact(4).map(float).collect())
    }

    /// The values of a tensor of `elements`.
    fn values(&mut self, elements: usize) -> Result<Vec<f32>, CodedError> {
        let (places, values) = match self.number(1)? as u8 {
            DENSE => return self.floats(elements),
            BITMAP => {
                let bits = self.take(elements.div_ceil(8))?;
                let places: Vec<usize> =
                    (0..8 * bits.len()).filter(|index| bits[index / 8] >> (index % 8) & 1 == 1).collect();
                let values = self.floats(places.len())?;
                (places, values)
            }
            INDICES => {
                let (count, width) = (self.number(4)? as usize, index_width(elements as u64) as usize);
                if count > elements {
                    return Err(self.refuse(&format!("keeps {count} of {elements} values")));
                }
                let places: Vec<usize> = (0..count)
                    .map(|_| self.number(width).map(|place| place as usize))
                    .collect::<Result<_, CodedError>>()?;
                let values = self.floats(count)?;
                (places, values)
            }
            other => return Err(self.refuse(&format!("has the unknown coding {other}"))),
        };
        let ascending = places.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || places.last().is_some_and(|&last| last >= elements) {
            return Err(self.refuse("has indices that do not ascend within their tensor"));
        }
        let mut data = vec![0.0; elements];
        places.into_iter().zip(values).for_each(|(place, value)| data[place] = value);
        Ok(data)
    }
}

#[cfg(test)]
mod tests;
