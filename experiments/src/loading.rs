//! Loading a world with its progress on the error output.

use cgym_worlds::{Blueprint, Event, World};

use crate::{Error, config::Config, output::note, progress::Progress, report};

/// Tells events to the error output.
pub fn observer() -> impl FnMut(Event) {
    let mut progress = None;
    move |event| match event {
        Event::Download(done, total) => {
            progress.get_or_insert_with(|| Progress::of_bytes("downloading", total)).set(done, "");
        }
        Event::Warning(text) => note(format!("warning: {text}")),
    }
}

/// The environment of a configuration, checked against its network, before anything is loaded.
///
/// # Errors
/// As [`Blueprint::new`].
pub fn blueprint(config: &Config) -> Result<Blueprint, Error> {
    Ok(Blueprint::new(config.env.clone(), &mut observer())?)
}

/// Loads a world and says what it is.
///
/// # Errors
/// As [`Blueprint::load`].
pub fn load(blueprint: Blueprint) -> Result<World, Error> {
    note(format!("loading {}", blueprint.settings().id()));
    let world = blueprint.load(&mut observer())?;
    note(format!(
        "teacher: {:.2} % on {} reward images, {} MACs, {} parameters",
        100.0 * world.teacher_top1(),
        world.splits().reward.len(),
        report::count(Some(world.teacher_cost().macs)),
        report::count(Some(world.teacher_cost().parameters)),
    ));
    Ok(world)
}
