//! The tests of this crate are in `tests/`; it has no code of its own.
