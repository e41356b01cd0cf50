//! The `cargo wasm` command; see the library for everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_wasm::main(std::env::args_os())
}
