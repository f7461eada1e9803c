//! For weights that do not fit their network: what they would fit.

use cgym_env::settings::Network;
use cgym_teachers::{
    Error,
    graph::Graph,
    weights::WeightsFile,
    zoo::{self, Shortcut, Stem},
};

/// The end of the message that `file` does not fit `graph`, which is `network`: the options, or the
/// model of the zoo, with which it does. `error` is why it does not.
pub(super) fn hint(file: &WeightsFile, network: &Network, graph: &Graph, error: &Error) -> String {
    let Ok(shapes) = graph.shapes() else { return String::new() };
    let (images, classes) = (graph.input_shape(), shapes[graph.output()].iter().product());
    let build = |network: &Network| zoo::build(&network.model, &network.options(images, classes)).ok();
    let variants = |model: &str| variants(network, model).into_iter();
    let others = zoo::MODELS.iter().filter(|model| **model != network.model);
    let all = variants(&network.model).chain(others.flat_map(|model| variants(model)));
    let mut differing =
        all.filter_map(|(network, flag)| Some((build(&network).filter(|other| other != graph)?, flag)));
    if let Some((_, flag)) = differing.find(|(other, _)| file.fits(other).is_ok()) {
        return format!("; it fits with `{flag}`");
    }
    // An option explains a shape even where other tensors differ too, such as those of the classes.
    if let Error::Tensor { tensor, expected, .. } = error {
        let explains = |network: &Network| {
            let parameter = build(network)?.parameters().into_iter().find(|other| other.name == *tensor)?;
            Some(parameter.shape != *expected && file.shape(tensor) == Some(&parameter.shape))
        };
        if let Some((_, flag)) = variants(&network.model).find(|(other, _)| explains(other) == Some(true)) {
            return format!("; this tensor fits with `{flag}`");
        }
    }
    extra_flag(error).to_owned()
}

/// How surplus tensors are ignored, where they are what does not fit.
pub(super) fn extra_flag(error: &Error) -> &'static str {
    match error {
        Error::SurplusTensor { .. } => "; --allow-extra-tensors ignores such tensors",
        _ => "",
    }
}

/// `model` with the options of `network`, and with one of them changed; each with the flag that asks
/// for it.
fn variants(network: &Network, model: &str) -> Vec<(Network, String)> {
    let same = Network { model: model.to_owned(), ..network.clone() };
    let prefix = if model == network.model { String::new() } else { format!("--model {model} ") };
    let stem = |stem: Stem| (Network { stem: Some(stem), ..same.clone() }, format!("network.stem={stem}"));
    let shortcut = |shortcut: Shortcut| {
        (Network { shortcut: Some(shortcut), ..same.clone() }, format!("network.shortcut={shortcut}"))
    };
    let changed = Stem::NAMES.iter().map(|(value, _)| stem(*value));
    let changed = changed.chain(Shortcut::NAMES.iter().map(|(value, _)| shortcut(*value)));
    let changed = changed.map(|(network, setting)| (network, format!("{prefix}--set {setting}")));
    std::iter::once((same.clone(), prefix.trim_end().to_owned())).chain(changed).collect()
}
