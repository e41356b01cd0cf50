//! `walrus-emit INPUT OUTPUT`: reads a module with walrus and writes it again, with walrus's usual settings.

use std::{env, error::Error, process::ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(input), Some(output), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: walrus-emit INPUT OUTPUT".into());
    };
    let mut module = walrus::Module::from_file(input)?;
    module.emit_wasm_file(output)?;
    Ok(())
}
