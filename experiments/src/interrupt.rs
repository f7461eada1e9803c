//! Ctrl-C and SIGTERM: the first asks to stop, the second stops.

use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a process that was interrupted twice, as shells know it.
const INTERRUPTED: i32 = 130;

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C or SIGTERM sets the flag that this gives, the second exits at once.
pub fn flag() -> &'static AtomicBool {
    // Fails where a handler is already set, which then is this one.
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
    })
    .ok();
    &STOP
}
