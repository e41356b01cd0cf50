//! The program `rustc-wasm`, with rustc's crates linked into it.

/// A front end lives on small allocations: with the C library's allocator it takes about a twentieth longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rustc_codegen_wasm::main()
}
