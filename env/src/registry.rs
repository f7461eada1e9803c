//! The games: one row each.

use crate::{
    family::Family,
    layerwise::LayerwiseFamily,
    method::{channels::Channels, weights::FineGrained},
    n2n::N2nFamily,
};

/// Every game, the default first. A method of the layer-wise game is one row.
pub const FAMILIES: &[&dyn Family] = &[
    &LayerwiseFamily::<Channels>::ROW,
    &LayerwiseFamily::<FineGrained>::ROW,
    &N2nFamily::REMOVAL,
    &N2nFamily::SHRINKAGE,
];
