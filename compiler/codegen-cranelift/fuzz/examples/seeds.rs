//! Writes what the fuzz targets start from into `FOLDER/TARGET/`: the modules of the tests, as text and as WebAssembly.

use std::{env, error::Error, fs, path::Path};

use codegen_cranelift::{Options, emit_module, emit_object};
use libfuzzer_sys as _;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let folder = Path::new(&folder);
    let (mut wasm, mut wir) = (Vec::new(), Vec::new());
    let compiler = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in walk(&compiler)? {
        let text = fs::read_to_string(&file)?;
        if file.extension().is_some_and(|extension| extension == "wat") {
            wasm.extend(wat::parse_str(&text).ok());
            continue;
        }
        for text in text.split("wasmir 1\n").skip(1) {
            let text = format!("wasmir 1\n{text}");
            let Ok(mut module) = wasmir::parse_module(&text) else {
                continue;
            };
            if wasmir::verify_module(&module).is_err() {
                continue;
            }
            wir.push(text);
            wasm.extend(emit_module(&module, &Options::default()).ok());
            module.relocatable = true;
            wasm.extend(emit_object(module, &Options::default()).ok());
        }
    }
    let wir = wir.into_iter().map(String::into_bytes);
    for (target, seeds) in [("wasm", wasm), ("wir", wir.collect())] {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(index.to_string()), seed)?;
        }
    }
    Ok(())
}

/// The `.wat` and `.wir` files below a folder, without what builds leave behind.
fn walk(folder: &Path) -> Result<Vec<std::path::PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                files.extend(walk(&path)?);
            }
        } else if matches!(extension, Some("wat" | "wir")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
