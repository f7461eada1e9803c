//! A line of `episodes.jsonl`: read and replayed, or refused.

#![no_main]

use std::sync::LazyLock;

use cgym_env::{Env, EpisodeRecord, settings::EnvSettings};
use cgym_worlds::Blueprint;
use libfuzzer_sys::fuzz_target;

/// Environments of the three games, without weights and images.
static ENVS: LazyLock<Vec<Blueprint>> = LazyLock::new(|| {
    ["AMC-ResNet20-Digits-MACs30-v0", "AMC-FineGrained-LeNet5-MNIST-Params8-v0", "N2N-Removal-ResNet20-Digits-v0"]
        .map(|id| Blueprint::new(EnvSettings::from_id(id).expect("an id"), &mut |_| ()).expect("an environment"))
        .into_iter()
        .collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = serde_json::from_slice::<EpisodeRecord>(bytes) else { return };
    for blueprint in ENVS.iter() {
        let mut env: Box<dyn Env> = blueprint.outline().env.fork().expect("a copy");
        // Refused, or the list of differences.
        record.validate(&mut *env).ok();
    }
});
