//! Builds the MIR front end and std with it, as `cargo wasm setup --rustc-wasm` does, and says what to set for plain Cargo.
//!
//! ```sh
//! cargo run -p wasm-toolchain --example front_end
//! cargo run -p wasm-toolchain --example front_end -- --unwind    # std for programs compiled with `-Cpanic=unwind`, too
//! ```

use std::process::ExitCode;
use wasm_toolchain::{Environment, Progress, Target, Toolchain, discover, rustc_wasm};

fn main() -> ExitCode {
    let env = Environment::from_process();
    let progress = Progress::new(false);
    let unwind = std::env::args().any(|argument| argument == "--unwind");
    let made = discover::find_rust(&env)
        .and_then(|rust| rustc_wasm::set_up(&env, &rust, &progress))
        .and_then(|made| match unwind {
            true => Toolchain::unwinding(&env, made.rust().clone(), &Target::ALL, &progress),
            false => Ok(made),
        });
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
