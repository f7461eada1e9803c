//! A settings file (`--config`): read, resolved and hashed, or refused.

#![no_main]

use cgym_env::settings::{EnvSettings, TABLES};
use cgym_worlds::{SettingsFile, to_toml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("config.toml");
    if std::fs::write(&path, bytes).is_err() {
        return;
    }
    let tables: Vec<&str> = TABLES.into_iter().chain(["agent", "run"]).collect();
    let Ok(file) = SettingsFile::read(&path, &tables) else { return };
    let Ok(settings) = EnvSettings::resolve(&file.layer) else { return };
    // What was resolved reads as the same again.
    let again = EnvSettings::resolve(&settings.to_layer()).expect("resolved settings resolve");
    assert_eq!(again.hash(), settings.hash());
    to_toml(&settings.to_layer()).expect("settings have a spelling in TOML");
});
