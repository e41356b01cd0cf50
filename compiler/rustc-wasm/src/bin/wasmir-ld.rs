//! `wasmir-ld`, which links what `rustc-wasm` makes. See the crate of that name.

/// A fifth of the time goes to small allocations with the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wasmir_ld::run(std::env::args_os().skip(1))
}
