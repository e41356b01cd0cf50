//! End-to-end tests: each runs `cargo wasm` as a user would, from a shell's point of view.
//!
//! They set up the machine by `cargo wasm setup --yes`, once. A failing expectation prints the command, its exit code
//! and all it said. Run them with `cargo test -p cargo-wasm --test e2e`.

mod all_types;
mod bad_input;
mod commands;
mod contracts;
mod effects;
mod examples;
mod objects;
mod pipeline;
mod rustc_wasm;
mod support;
mod tier1;
