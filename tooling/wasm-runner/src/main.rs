//! The `wasm-runner` command.
fn main() {}
