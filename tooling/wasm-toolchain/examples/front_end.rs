//! Builds the MIR front end and std with it, as `cargo wasm setup --rustc-wasm` does, and says what to set for plain Cargo.
//!
//! ```sh
//! cargo run -p wasm-toolchain --example front_end
//! ```

use std::process::ExitCode;
use wasm_toolchain::{Environment, Progress, discover, rustc_wasm};

fn main() -> ExitCode {
    let env = Environment::from_process();
    let made = discover::find_rust(&env)
        .and_then(|rust| rustc_wasm::set_up(&env, &rust, &Progress::new(false)));
    match made {
        Ok(toolchain) => {
            println!("RUSTC={}", toolchain.rustc().display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("help: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}
