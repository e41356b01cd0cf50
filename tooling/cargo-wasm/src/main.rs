//! The `cargo wasm` command; see the library for everything else.

use std::process::ExitCode;

/// Memory takes a fifth of the time of lifting, optimising and emitting with the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cargo_wasm::main(std::env::args_os())
}
