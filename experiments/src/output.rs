//! Notes for people on the error output.
//!
//! A run lasts for hours and its terminal, or the program that reads its output, may go away. So a
//! note that cannot be written is dropped; `eprintln!` would panic.

use std::io::{self, Write};

/// Writes one line to the error output, if that is possible.
pub fn note(text: impl AsRef<str>) {
    let mut line = text.as_ref().to_owned();
    if !line.ends_with('\n') {
        line.push('\n');
    }
    io::stderr().lock().write_all(line.as_bytes()).ok();
}
