//! Writes what the fuzz targets start from into `FOLDER/TARGET/`: the modules of the tests, as text and as WebAssembly.

use std::{env, error::Error, path::Path};

use libfuzzer_sys as _;

#[path = "../../../wasmir-lift/fuzz/seeds/mod.rs"]
mod seeds;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let folder = Path::new(&folder);
    let (texts, binaries) = seeds::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))?;
    seeds::write(&folder.join("wasm"), &binaries)?;
    seeds::write(&folder.join("wir"), &texts)
}
