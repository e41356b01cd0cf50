//! Writes what the fuzz target starts from into `FOLDER/differential/`: the bytes of the first seeds of the tests.

use std::{env, error::Error, fs, path::Path};

use libfuzzer_sys as _;
use wasmir_conformance::generate;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let folder = Path::new(&folder).join("differential");
    fs::create_dir_all(&folder)?;
    for seed in 0..200 {
        fs::write(folder.join(seed.to_string()), generate::bytes_of(seed))?;
    }
    Ok(())
}
