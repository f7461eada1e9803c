//! The decisions of an environment and what a candidate leaves of each, without weights or images.

use std::path::Path;

use cgym_env::{Action, EpisodeRecord, Header, Outline};
use cgym_teachers::{
    graph::{Class, Graph, NodeIndex, Op},
    remove::{removable, remove},
    shrink::{Value, configurable, shrink},
};
use cgym_worlds::network;
use serde::Serialize;

use crate::{Error, config::Config};

/// What the recorded numbers of a decision mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// How many channels or weights are kept.
    Amount,
    /// 1 where the layer is kept, 0 where it is removed.
    Removal,
    /// Index i keeps (i + 1)/10.
    Shrinkage,
}

impl Meaning {
    /// That of a family of environments.
    pub fn of(family: &str) -> Self {
        match family {
            "n2n-removal" => Self::Removal,
            "n2n-shrinkage" => Self::Shrinkage,
            _ => Self::Amount,
        }
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// The layer decided about, or its number, counted from 1.
    pub name: String,
    /// Everything that could be kept; absent where that is not known or has no number.
    pub whole: Option<u64>,
    /// What is counted.
    pub unit: &'static str,
}

/// What became of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is there as it was.
    Kept,
    /// It is there, but smaller.
    Shrunk,
    /// It was removed.
    Removed,
    /// It went with others that were removed.
    Dropped,
}

/// A number of a layer before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What is counted.
    pub value: &'static str,
    /// In the network that is made smaller.
    pub before: usize,
    /// In the candidate.
    pub after: usize,
}

/// A layer of the network that is made smaller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerBox {
    /// Its name.
    pub name: String,
    /// Its kind and size.
    pub kind: String,
    /// Whether it has weights to multiply with.
    pub heavy: bool,
    /// What the candidate left of it.
    pub fate: Fate,
    /// What changed; empty unless it was shrunk.
    pub changes: Vec<Change>,
}

/// The environment of a run and the network that it compresses, from settings and, where these do
/// not say it, `graph.json` files.
///
/// # Errors
/// A network that is not there any more, or settings that do not fit it.
pub fn outline(config: &Config, run: &Path) -> Result<(Outline, Graph), Error> {
    let env = &config.env;
    let graph_in = |folder: &Path| -> Result<Graph, Error> {
        let homes = [folder.join("best").join("graph.json"), folder.join("graph.json")];
        let found = homes.iter().find(|path| path.is_file()).unwrap_or(&homes[1]);
        Ok(network::read_graph(found)?.graph)
    };
    let own = env.network.from.as_deref().map(graph_in).transpose()?;
    let model = match &own {
        Some(own) if !env.rules.measures_against_model() => own.clone(),
        _ => {
            // The images of a folder are as large as those that the best network takes.
            let images = match env.data.dataset.known_shape() {
                Some(images) => images,
                None => {
                    let best = network::read_graph(&run.join("best").join("graph.json"))?.graph;
                    (best.input_shape(), best.shapes()?[best.output()][0])
                }
            };
            network::build(&env.network, images)?
        }
    };
    let network = own.unwrap_or_else(|| model.clone());
    let header = Header { id: env.id(), settings: String::new(), budget: env.budget.clone() };
    Ok((env.rules.outline(&header, &model, &network)?, network))
}

/// The decisions of an outline, or numbers in their place.
pub fn sites(outline: Option<&Outline>, meaning: Meaning, records: &[EpisodeRecord]) -> Vec<Site> {
    let counted = meaning == Meaning::Amount;
    if let Some(outline) = outline {
        let site = |site: &cgym_env::SiteDescription| Site {
            name: site.layer.clone(),
            whole: counted.then_some(site.whole),
            unit: if counted { site.unit } else { "" },
        };
        return outline.sites.iter().map(site).collect();
    }
    let count = records.iter().map(|record| record.executed.len()).max().unwrap_or(0);
    let numbered = |index: usize| Site { name: format!("decision {}", index + 1), whole: None, unit: "" };
    (0..count).map(numbered).collect()
}

/// What the candidate of `record` keeps at each site, as a share.
pub fn shares(sites: &[Site], meaning: Meaning, record: &EpisodeRecord) -> Vec<f64> {
    let kept = record.outcome.as_ref().map(|outcome| outcome.kept.as_slice()).unwrap_or_default();
    let share = |(index, site): (usize, &Site)| match (meaning, kept.get(index), site.whole) {
        (Meaning::Removal, Some(&kept), _) => kept as f64,
        (Meaning::Shrinkage, Some(&kept), _) => (kept as f64 + 1.0) / 10.0,
        (Meaning::Amount, Some(&kept), Some(whole)) if whole > 0 => kept as f64 / whole as f64,
        // The action that took effect is the share, or the bound below it.
        _ => match record.executed.get(index) {
            Some(Action::Continuous(values)) if values.len() == 1 => f64::from(values[0]),
            _ => f64::NAN,
        },
    };
    sites.iter().enumerate().map(share).collect()
}

/// The layers of `parent`, and what a candidate left of them; empty where that cannot be said.
pub fn layers(parent: &Graph, meaning: Meaning, kept: &[usize]) -> Vec<LayerBox> {
    let Some((child, decided)) = child(parent, meaning, kept) else { return Vec::new() };
    let layers = parent.nodes().iter().enumerate().skip(1);
    let layer = |(index, node): (NodeIndex, &cgym_teachers::graph::Node)| {
        let left = child.find(&node.name).map(|index| &child.nodes()[index].op);
        let changes = left.map(|left| changes(&node.op, left)).unwrap_or_default();
        let fate = match left {
            None if decided.contains(&index) => Fate::Removed,
            None => Fate::Dropped,
            Some(_) if changes.is_empty() => Fate::Kept,
            Some(_) => Fate::Shrunk,
        };
        let class = node.op.facts().class;
        let heavy = matches!(class, Class::Convolution | Class::Linear);
        LayerBox { name: node.name.clone(), kind: kind(&node.op), heavy, fate, changes }
    };
    layers.map(layer).collect()
}

/// The candidate that recorded decisions make, and the layers that they remove.
fn child(parent: &Graph, meaning: Meaning, kept: &[usize]) -> Option<(Graph, Vec<NodeIndex>)> {
    match meaning {
        Meaning::Amount => None,
        Meaning::Removal => {
            let layers = removable(parent).ok()?;
            let decided = layers.iter().zip(kept);
            let dropped: Vec<NodeIndex> =
                decided.filter(|(_, kept)| **kept == 0).map(|(layer, _)| *layer).collect();
            let made = (layers.len() == kept.len()).then(|| remove(parent, &dropped).ok())??;
            Some((made, dropped))
        }
        Meaning::Shrinkage => {
            let values = configurable(parent).ok()?;
            let factor = |(&(node, value), &kept): (&(NodeIndex, Value), &usize)| {
                (node, value, (kept + 1) as f64 / 10.0)
            };
            let factors: Vec<(NodeIndex, Value, f64)> = values.iter().zip(kept).map(factor).collect();
            let made = (values.len() == kept.len()).then(|| shrink(parent, &factors).ok())??;
            Some((made, Vec::new()))
        }
    }
}

/// The numbers in which two versions of a layer differ, its inputs apart.
fn changes(before: &Op, after: &Op) -> Vec<Change> {
    let numbers: Vec<(&'static str, usize, usize)> = match (before, after) {
        (Op::Conv(before), Op::Conv(after)) => vec![
            ("filters", before.outputs, after.outputs),
            ("kernel", before.kernel[0], after.kernel[0]),
            ("padding", before.padding[0], after.padding[0]),
        ],
        (Op::Linear { outputs: before, .. }, Op::Linear { outputs: after, .. }) => {
            vec![("units", *before, *after)]
        }
        _ => Vec::new(),
    };
    let changed = numbers.into_iter().filter(|(_, before, after)| before != after);
    changed.map(|(value, before, after)| Change { value, before, after }).collect()
}

/// The kind and size of a layer in a few characters.
fn kind(op: &Op) -> String {
    match (op, op.facts().class) {
        (Op::Conv(conv), _) => {
            format!("{}×{} convolution, {} filters", conv.kernel[0], conv.kernel[1], conv.outputs)
        }
        (Op::Linear { inputs, outputs, .. }, _) => format!("linear, {inputs} to {outputs}"),
        (_, Class::Norm) => "batch-norm".to_owned(),
        (_, Class::Activation) => "activation".to_owned(),
        (_, Class::Pooling) => "pooling".to_owned(),
        (_, Class::Join) => "join".to_owned(),
        (_, Class::Shortcut) => "shortcut".to_owned(),
        _ => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgym_teachers::zoo;

    fn resnet8() -> Graph {
        zoo::build("resnet8", &zoo::ModelOptions::new([1, 8, 8], 10)).expect("a model of the zoo")
    }

    #[test]
    fn a_removed_layer_is_told_from_one_that_went_with_it() {
        let parent = resnet8();
        let layers_that_may_go = removable(&parent).expect("layers");
        let all_kept = vec![1; layers_that_may_go.len()];
        let untouched = layers(&parent, Meaning::Removal, &all_kept);
        assert_eq!(untouched.len(), parent.nodes().len() - 1);
        assert!(untouched.iter().all(|layer| layer.fate == Fate::Kept), "{untouched:?}");
        let mut kept = all_kept;
        kept[0] = 0;
        let one_gone = layers(&parent, Meaning::Removal, &kept);
        let gone: Vec<&str> = one_gone
            .iter()
            .filter(|layer| layer.fate == Fate::Removed)
            .map(|layer| layer.name.as_str())
            .collect();
        assert_eq!(gone, [parent.nodes()[layers_that_may_go[0]].name.as_str()]);
        assert!(layers(&parent, Meaning::Removal, &[1]).is_empty(), "decisions of another network");
    }

    #[test]
    fn a_shrunk_layer_says_what_it_had_and_has() {
        let parent = resnet8();
        let values = configurable(&parent).expect("values");
        let kept: Vec<usize> = values.iter().map(|_| 4).collect();
        let boxes = layers(&parent, Meaning::Shrinkage, &kept);
        let first = boxes.iter().find(|layer| layer.fate == Fate::Shrunk).expect("a shrunk layer");
        let filters = first.changes.iter().find(|change| change.value == "filters").expect("filters");
        assert_eq!(filters.after * 2, filters.before);
    }

    #[test]
    fn without_a_network_shares_are_what_took_effect() {
        let text = r#"{"env":"e","seed":1,"actions":[[0.3]],"executed":[[0.25]],"episodic_return":0.0,
            "ending":"terminated","outcome":{"top1":0.5,"macs":1,"parameters":1,"bytes":4,"preserve_ratio":0.3,
            "kept":[4]}}"#;
        let record: EpisodeRecord = serde_json::from_str(text).expect("a record");
        let unnamed = sites(None, Meaning::Amount, std::slice::from_ref(&record));
        assert_eq!((unnamed[0].name.as_str(), unnamed[0].whole), ("decision 1", None));
        assert_eq!(shares(&unnamed, Meaning::Amount, &record), [0.25]);
        let known = [Site { name: "conv".to_owned(), whole: Some(20), unit: "channels" }];
        assert_eq!(shares(&known, Meaning::Amount, &record), [0.2]);
    }
}
