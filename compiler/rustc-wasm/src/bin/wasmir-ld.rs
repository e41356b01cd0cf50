//! `wasmir-ld`, which links what `rustc-wasm` makes. See the crate of that name.

fn main() -> std::process::ExitCode {
    wasmir_ld::run(std::env::args_os().skip(1))
}
