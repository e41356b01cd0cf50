//! Passes: each is a file (or folder) with a `run` that changes a body or a module and says what it did.

pub mod frame;
