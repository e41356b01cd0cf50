//! `wasmir`: looks into every stage of the compiler.
//!
//! Each command reads a file of any form the compiler knows (`.wir`, binary WasmIR, `.wat`, `.wasm`,
//! Cranelift's `.clif`), does one thing, and prints text or writes a file.
//!
//! Exit codes: 0 fine; 1 the input is wrong (with what is wrong on standard error); 2 wrong usage;
//! 101 a fault of the tool, which says in which stage of which file it happened, and how to see it again.

mod cli;
mod clif;
mod commands;
mod error;
mod fault;
mod input;
mod output;
mod passes;
mod run;

use clap::Parser;
use std::process::ExitCode;

/// Memory takes a fifth of the time of lifting, optimising and emitting with the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fault::install();
    match commands::execute(&cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // A closed pipe (`wasmir print x.wir | head`) is no failure.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(help) = error.help() {
                eprintln!("help: {help}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}
