//! Procedural macros of the wasm crate
