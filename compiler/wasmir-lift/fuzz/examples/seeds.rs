//! Writes what the fuzz target starts from into `FOLDER/module/`: the modules of the tests, and objects and modules emitted from those
//! of the other rooms' tests.

use std::{env, error::Error, path::Path};

use libfuzzer_sys as _;

#[path = "../seeds/mod.rs"]
mod seeds;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let (_, binaries) = seeds::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))?;
    seeds::write(&Path::new(&folder).join("module"), &binaries)
}
