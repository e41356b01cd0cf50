//! `cargo wasm`: the user's front door.
//!
//! ```text
//! cargo wasm new hello && cd hello
//! cargo wasm run                  # build for wasm32-wasip1 and run
//! cargo wasm build --release      # …/target/wasm/release/hello.wasm, a component
//! cargo wasm inspect              # imports, exports, WIT, sizes
//! ```
//!
//! A command line becomes Cargo commands (`plan.rs`); Cargo and a compiler of [`wasm_toolchain`] (`frontend.rs`)
//! make core modules; those that the stock rustc made in dev builds go through WasmIR (`tier1.rs`); all become components (`component.rs`) and are written
//! beside each other (`finish.rs`). Programs and tests run in [`wasm_runner`], which Cargo starts as its runner.
//!
//! Architecture invariant: the user's Cargo configuration and `RUSTFLAGS` are never replaced. What we need goes into the toolchain folder
//! (`RUSTC`), into `--config target.<triple>.runner`, or onto the command line.
//!
//! The exit code is 0 when all is well, 1 when the user's program is wrong, 2 for wrong usage and 101 for a bug of ours; `run`
//! hands on the guest's.

mod cargo;
mod cli;
mod commands;
mod component;
mod error;
mod finish;
mod frontend;
mod inside;
mod inspection;
mod mir;
mod plan;
mod project;
mod report;
mod session;
mod stages;
mod tier1;
mod unwind;

pub use cli::Cli;

use clap::{CommandFactory as _, FromArgMatches as _};
use error::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line and returns the documented exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    // As `cargo wasm …`, Cargo passes its own subcommand's name first.
    if arguments.get(1).is_some_and(|word| word == "wasm") {
        arguments.remove(1);
    }
    let parsed = Cli::command()
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with code 0, everything else is wrong usage.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match commands::run(cli) {
        Ok(code) => code,
        Err(Failure::Said(code)) => ExitCode::from(code),
        Err(Failure::Error(error)) => {
            report::error(&error);
            ExitCode::from(error.blame.code())
        }
    }
}
