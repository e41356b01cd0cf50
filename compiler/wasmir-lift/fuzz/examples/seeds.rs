//! Writes what the fuzz target starts from into `FOLDER/module/`: the modules of the tests, and objects and modules emitted from those
//! of the other rooms' tests.

use std::{env, error::Error, fs, path::Path};

use libfuzzer_sys as _;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let folder = Path::new(&folder).join("module");
    fs::create_dir_all(&folder)?;
    let mut seeds = Vec::new();
    let compiler = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in walk(&compiler)? {
        let text = fs::read_to_string(&file)?;
        if file.extension().is_some_and(|extension| extension == "wat") {
            seeds.extend(wat::parse_str(&text).ok());
            continue;
        }
        for text in text.split("wasmir 1\n").skip(1) {
            let Ok(mut module) = wasmir::parse_module(&format!("wasmir 1\n{text}")) else {
                continue;
            };
            if wasmir::verify_module(&module).is_err() {
                continue;
            }
            let options = codegen_cranelift::Options::default();
            seeds.extend(codegen_cranelift::emit_module(&module, &options).ok());
            module.relocatable = true;
            seeds.extend(codegen_cranelift::emit_object(module, &options).ok());
        }
    }
    for (index, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(index.to_string()), seed)?;
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
