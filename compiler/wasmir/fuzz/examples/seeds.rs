//! Writes what the fuzz targets start from into `FOLDER/TARGET/`: the inputs of the tests, in each form.

use std::{env, error::Error, fs, path::Path};

use libfuzzer_sys as _;
use wasmir::{FuncBody, Module, encode_module, parse_module, verify_module};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let folder = Path::new(&folder);
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let mut modules = Vec::new();
    let mut number = 0..;
    let mut write = |target: &str, bytes: &[u8]| -> Result<(), Box<dyn Error>> {
        let target = folder.join(target);
        fs::create_dir_all(&target)?;
        let name = number.next().map_or(String::new(), |n: u32| n.to_string());
        Ok(fs::write(target.join(name), bytes)?)
    };
    for entry in walk(&tests)? {
        let text = fs::read_to_string(&entry)?;
        write("text", text.as_bytes())?;
        write("link", text.as_bytes())?;
        // A file for the linker holds several modules.
        for text in text.split("wasmir 1\n").skip(1) {
            let module = parse_module(&format!("wasmir 1\n{text}"));
            modules.extend(module.ok().filter(|module| verify_module(module).is_ok()));
        }
    }
    for seed in 0..20 {
        modules.push(wasmir_fuzz::module(seed));
        write("modules", &seed.to_le_bytes())?;
    }
    for module in &modules {
        write("binary", &encode_module(module))?;
        for body in raw_bodies(module) {
            write("raw", body)?;
        }
    }
    // Bodies as a compiler of wasm writes them: locals, then instructions with every kind of immediate.
    for body in [
        &b"\x01\x02\x7f\x02\x40\x20\x00\x0d\x00\x03\x40\x20\x01\x41\x7f\x6a\x22\x01\x0d\x00\x0b\x0b\x20\x01\x28\x02\x08\x10\x00\x0b"[..],
        &b"\x00\x20\x00\x0e\x02\x00\x01\x00\x23\x00\x24\x01\x11\x00\x00\xfc\x0a\x00\x00\xfd\x0c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1a\x0b"[..],
        &b"\x00\x1f\x40\x02\x00\x00\x00\x02\x00\x08\x00\x0b\xd2\x00\xd0\x70\x1c\x01\x70\xfe\x10\x02\x00\xfb\x00\x00\x12\x00\x0b"[..],
    ] {
        write("raw", body)?;
    }
    Ok(())
}

/// The bodies of a module that are raw bytes.
fn raw_bodies(module: &Module) -> impl Iterator<Item = &[u8]> {
    module.funcs.values().filter_map(|func| match &func.body {
        FuncBody::Raw(raw) => Some(raw.bytes.as_slice()),
        _ => None,
    })
}

/// The `.wir` files below a folder.
fn walk(folder: &Path) -> Result<Vec<std::path::PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(walk(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "wir") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
