//! Ctrl-C, SIGTERM and a closed terminal: the first requests a stop, the second exits at once.
//!
//! A command that stops this way ends with 128 plus the number of the signal, as shells expect: 130
//! after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.

use std::sync::{
    Mutex, Once, PoisonError,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use crate::output::note;

static STOP: AtomicBool = AtomicBool::new(false);
/// The first signal; 0 before.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
/// What is finished before the command stops.
static TASK: Mutex<&str> = Mutex::new("");

/// Installs the handler and returns its flag, which the first signal sets. The user is then told at
/// once that `task`, for example "this episode", is finished first. The second signal exits at once.
pub fn flag(task: &'static str) -> &'static AtomicBool {
    static INSTALLED: Once = Once::new();
    *TASK.lock().unwrap_or_else(PoisonError::into_inner) = task;
    INSTALLED.call_once(install);
    &STOP
}

/// Exit code of a command that was stopped: 128 plus the number of the signal.
pub fn exit_code() -> u8 {
    match SIGNAL.load(Ordering::SeqCst) {
        // Stopped by the caller of the library.
        0 => 130,
        signal => (128 + signal) as u8,
    }
}

fn caught(signal: i32) {
    if SIGNAL.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        std::process::exit(128 + signal);
    }
    STOP.store(true, Ordering::SeqCst);
    let task = *TASK.lock().unwrap_or_else(PoisonError::into_inner);
    note(format!("finishing {task}; once more to stop now"));
}

#[cfg(unix)]
fn install() {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };
    // Without a handler the signals end the process, which a run survives as well.
    let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || signals.forever().for_each(caught));
}

#[cfg(not(unix))]
fn install() {
    ctrlc::set_handler(|| caught(2)).ok();
}
