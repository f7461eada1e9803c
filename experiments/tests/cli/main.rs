//! The `cgym` binary from outside, each test in a fresh folder.

mod bad_input;
mod common;
mod configuration;
mod measuring;
mod n2n;
mod objects;
mod resuming;
mod stopping;
mod validating;
