//! Ctrl-C and SIGTERM: the first requests a stop, the second exits at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code after the second interrupt: the one that shells use for SIGINT.
const INTERRUPTED: i32 = 130;

static STOP: AtomicBool = AtomicBool::new(false);

/// Installs the handler and returns its flag, which the first Ctrl-C or SIGTERM sets. The second exits at
/// once.
pub fn flag() -> &'static AtomicBool {
    // It fails if a handler is already installed, which can only be this one.
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
    })
    .ok();
    &STOP
}
