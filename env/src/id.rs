//! Versioned environment ids.
//!
//! An id is `<Game>-<Model>-<Dataset>-<Budget>-v<N>`, without the budget where there is none. `AMC`
//! is channel pruning on one model of the zoo and one dataset; `MACs50` lets a candidate keep at
//! most 50 % of the network's multiply-accumulates, `Params60` 60 % of its parameters.
//! `N2N-Removal` and `N2N-Shrinkage` are the stages of N2N. Every such id is an environment, listed
//! or not. A change of dynamics or rewards is a new version; versions stay playable side by side.
//!
//! Settings that an id does not spell (reward, scope, lower bound …) have defaults. Changing them
//! keeps the id, and changes the hash of the settings: two results compare when both are equal.

use cgym_teachers::{data::DatasetName, zoo};

use crate::{Budget, EnvError, family::Family, layer::Layer, nearest, registry::FAMILIES};

/// What is played by default.
pub const DEFAULT_ID: &str = "AMC-ResNet20-Digits-MACs30-v0";

/// What a model or dataset of the user's choice starts from.
pub(crate) const OWN_MODEL_ID: &str = "AMC-ResNet20-Digits-MACs50-v0";

/// The word for a network that is not a model of the zoo.
pub(crate) const OWN: &str = "Own";

/// An environment that `cgym envs` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedEnv {
    /// Its id.
    pub id: &'static str,
    /// What it is, in a line.
    pub description: &'static str,
}

/// Every listed environment, the default first.
pub fn listed() -> Vec<ListedEnv> {
    let all = FAMILIES.iter().flat_map(|family| family.listed());
    all.map(|&(id, description)| ListedEnv { id, description }).collect()
}

/// A zoo name as an id spells it: `resnet20` is `ResNet20`, `mobilenet-v1` is `MobileNetV1`.
fn model_word(model: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("resnet", "ResNet"),
        ("plain", "Plain"),
        ("vgg", "VGG"),
        ("mobilenet-v", "MobileNetV"),
        ("lenet", "LeNet"),
    ];
    if !zoo::MODELS.contains(&model) {
        return OWN.to_owned();
    }
    match WORDS.into_iter().find(|(prefix, _)| model.starts_with(prefix)) {
        Some((prefix, word)) => format!("{word}{}", &model[prefix.len()..]),
        None => model.to_owned(),
    }
}

/// The id of a version of a game with this network, dataset and budget.
pub(crate) fn spell(
    family: &dyn Family,
    version: u32,
    model: &str,
    dataset: DatasetName,
    budget: &Budget,
) -> String {
    let mut words = vec![family.id_word().to_owned(), model_word(model), dataset.id_word().to_owned()];
    words.extend(budget.id_word());
    words.push(format!("v{version}"));
    words.join("-")
}

/// What `id` says. Letter case counts.
///
/// # Errors
/// [`EnvError::UnknownId`] with the nearest id.
pub(crate) fn parse(id: &str) -> Result<Layer, EnvError> {
    // The longest name that fits: `AMC-FineGrained` before `AMC`.
    let mut families: Vec<&'static dyn Family> = FAMILIES.to_vec();
    families.sort_by_key(|family| std::cmp::Reverse(family.id_word().len()));
    families
        .iter()
        .find_map(|family| parse_as(*family, id))
        .ok_or_else(|| EnvError::UnknownId { id: id.to_owned(), suggestion: suggestion(id) })
}

/// What `id` says as an id of `family`; `None` where it is none.
pub(crate) fn parse_as(family: &'static dyn Family, id: &str) -> Option<Layer> {
    let rest = id.strip_prefix(family.id_word())?.strip_prefix('-')?;
    let words: Vec<&str> = rest.split('-').collect();
    let (model, dataset, budget, version) = match words[..] {
        [model, dataset, version] => (model, dataset, None, version),
        [model, dataset, budget, version] => (model, dataset, Some(budget), version),
        _ => return None,
    };
    let model = match model {
        OWN => OWN,
        word => zoo::MODELS.iter().find(|name| model_word(name) == word)?,
    };
    let dataset = DatasetName::ALL.into_iter().find(|known| known.id_word() == dataset)?;
    let number: u32 = version.strip_prefix('v')?.parse().ok()?;
    let known = family.versions().iter().any(|version| version.number == number);
    if !known || version != format!("v{number}") {
        return None;
    }
    let mut layer = Layer::default()
        .with("network", "model", model)
        .with("data", "dataset", dataset.as_str())
        .with("game", "name", family.name())
        .with("game", "version", number);
    if let Some(word) = budget {
        let (unit, share) = Budget::from_id_word(word)?;
        if !family.units().contains(&unit) {
            return None;
        }
        layer = layer.with("budget", "unit", unit.as_str()).with("budget", "share", share);
    }
    Some(layer)
}

/// The nearest id with the budget asked for, where it has one; the listed ids where none is near.
fn suggestion(id: &str) -> String {
    let asked = id.split('-').find(|word| Budget::from_id_word(word).is_some());
    let mut ids = Vec::new();
    for family in FAMILIES {
        let budgets: Vec<String> = match (family.units(), asked) {
            ([], _) => vec![String::new()],
            (units, Some(word))
                if Budget::from_id_word(word).is_some_and(|(unit, _)| units.contains(&unit)) =>
            {
                vec![format!("-{word}")]
            }
            (units, _) => {
                let of = |unit: &crate::BudgetUnit| format!("-{}50", unit.id_word());
                std::iter::once(String::new()).chain(units.iter().map(of)).collect()
            }
        };
        for version in family.versions() {
            for model in zoo::MODELS {
                for dataset in DatasetName::ALL {
                    let stem = format!("{}-{}-{}", family.id_word(), model_word(model), dataset.id_word());
                    ids.extend(budgets.iter().map(|budget| format!("{stem}{budget}-v{}", version.number)));
                }
            }
        }
    }
    let hint = nearest(id, ids.iter().map(String::as_str));
    let listed = listed();
    if hint.contains("did you mean") { hint } else { nearest(id, listed.iter().map(|env| env.id)) }
}
