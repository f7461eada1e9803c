//! The `cgym` binary from outside, each test in a fresh folder.

mod again;
mod bad_input;
mod budgets;
mod common;
mod comparing;
mod configuration;
mod continuing;
mod identity;
mod limits;
mod listing;
mod measuring;
mod n2n;
mod objects;
mod preprocessing;
mod reporting;
mod resuming;
mod settings;
mod stopping;
mod sweeping;
mod tampering;
mod validating;
mod weights;
mod words;
