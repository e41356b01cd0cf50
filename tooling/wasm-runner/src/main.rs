//! The `wasm-runner` command: see the library's documentation for what it does and its exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasm_runner::run_cli(std::env::args_os())
}
