//! Flipped bits and cut files in run directories and networks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cgym::{
    Run,
    config::Config,
    run::{self, BestNetwork, checkpoint, directory},
};
use cgym_env::settings::{EnvSettings, Layer};
use cgym_worlds::{World, network};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Failure;

/// Files that no command reads back.
const NEVER_READ: [&str; 2] = ["events.out.tfevents", ".lock"];

/// Whether nothing is found to be wrong with a folder.
type Check<'a> = &'a dyn Fn(&Path) -> bool;

pub fn measure(flips: usize, seed: u64) -> Result<bool, Failure> {
    let home = std::env::temp_dir().join(format!("cgym-damage-{}", std::process::id()));
    fs::create_dir_all(&home)?;
    let world = world()?;
    let finished = home.join("finished");
    let agent = cgym::agent("ddpg", &world, 14, 7)?;
    let mut settings = Run::new(&finished).episodes(14).seed(7);
    settings.settings.checkpoint_every = 5;
    cgym::search(&world, agent, &settings)?;
    let unfinished = home.join("unfinished");
    copy(&finished, &unfinished)?;
    fs::remove_file(unfinished.join("summary.json"))?;
    let exported = home.join("network");
    copy(&finished.join("best"), &exported)?;

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sound = true;
    println!("{:<52} {:>7} {:>9} {:>9} {:>7}", "file", "damages", "detected", "harmless", "missed");
    let check_run = |folder: &Path| intact(&world, folder);
    let check_network = |folder: &Path| network::from_folder(folder, false).is_ok();
    let places: [(&Path, Check); 3] =
        [(&finished, &check_run), (&unfinished, &check_run), (&exported, &check_network)];
    for (folder, check) in places {
        if !check(folder) {
            return Err(format!("{} is not valid before any damage", folder.display()).into());
        }
        for name in names(folder)? {
            let file = folder.join(&name);
            let bytes = fs::read(&file)?;
            let mut damages: Vec<Vec<u8>> = Vec::new();
            let bits = 8 * bytes.len();
            // Files that nothing reads need no thousand proofs, each of which takes a whole validation.
            let flips = if is_never_read(&name) { flips.min(10) } else { flips };
            for number in 0..flips.min(bits) {
                let bit = if bits <= flips { number } else { rng.random_range(0..bits) };
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                damages.push(damaged);
            }
            let cuts = (0..100).map(|percent| bytes[..bytes.len() * percent / 100].to_vec());
            let cuts = cuts.filter(|cut| cut.len() < bytes.len());
            damages.extend(cuts.take(if is_never_read(&name) { 10 } else { 100 }));
            let [mut detected, mut harmless, mut missed] = [0; 3];
            for damaged in &damages {
                fs::write(&file, damaged)?;
                match check(folder) {
                    false => detected += 1,
                    true if is_harmless(&name, &bytes, damaged) => harmless += 1,
                    true => {
                        missed += 1;
                        let place = bytes.iter().zip(damaged).position(|(one, other)| one != other);
                        let place = place.unwrap_or(damaged.len());
                        let around = &damaged[place.saturating_sub(30)..damaged.len().min(place + 10)];
                        println!("  missed: {:?}", String::from_utf8_lossy(around));
                    }
                }
            }
            fs::write(&file, &bytes)?;
            let shown = format!("{}/{name}", folder.file_name().unwrap_or_default().to_string_lossy());
            println!("{shown:<52} {:>7} {detected:>9} {harmless:>9} {missed:>7}", damages.len());
            sound &= missed == 0;
        }
    }
    fs::remove_dir_all(&home)?;
    Ok(sound)
}

/// The embedded digits, with few images.
fn world() -> Result<World, Failure> {
    let layer = Layer::of_id("AMC-ResNet20-Digits-MACs30-v0")
        .with("data", "reward_images", 40)
        .with("score", "calibration_images", 40)
        .with("score", "points", 2);
    Ok(World::load(EnvSettings::resolve(&layer)?, &mut |_| ())?)
}

/// Whether `cgym validate` finds nothing wrong with a run. What it checks without playing comes first,
/// because that takes milliseconds.
fn intact(world: &World, folder: &Path) -> bool {
    let readable = || -> Result<(), cgym::Error> {
        let (_, log) = run::read(folder)?;
        directory::verify(folder)?;
        BestNetwork::read(folder, &log)?;
        for (episodes, path) in checkpoint::list(folder) {
            checkpoint::verify(folder, episodes, &path, &log)?;
        }
        Ok(())
    };
    readable().is_ok() && run::validate(folder, world, None).is_ok_and(|found| found.differences.is_empty())
}

/// Whether the damaged file says the same, or is never read.
fn is_harmless(name: &str, bytes: &[u8], damaged: &[u8]) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    if is_never_read(name) {
        return true;
    }
    let same =
        |one: Option<serde_json::Value>, other: Option<serde_json::Value>| one.is_some() && one == other;
    match file.rsplit('.').next() {
        // White space, in files that no manifest covers.
        // An earlier moment of the run: what comes later is played again.
        Some("jsonl") => damaged.len() < bytes.len() && bytes.starts_with(damaged),
        Some("json") => same(serde_json::from_slice(bytes).ok(), serde_json::from_slice(damaged).ok()),
        // Settings that are resolved to the same ones.
        Some("toml") => {
            let resolved = |bytes: &[u8]| {
                let file = std::env::temp_dir().join(format!("cgym-damage-{}.toml", std::process::id()));
                fs::write(&file, bytes).ok()?;
                let resolved = Config::resolve(Layer::default(), Some(&file)).ok();
                fs::remove_file(&file).ok();
                resolved
            };
            resolved(bytes).is_some_and(|before| resolved(damaged) == Some(before))
        }
        _ => false,
    }
}

fn is_never_read(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    NEVER_READ.iter().any(|never| file.starts_with(never))
}

fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder)?.display().to_string()),
            }
        }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
