//! The modules that the compiler's tests are made of, for the fuzz targets to start from.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

/// Texts, and modules and objects in WebAssembly.
type Seeds = (Vec<String>, Vec<Vec<u8>>);

/// The valid modules of the tests of all rooms below `compiler`: those in WasmIR's text form, and as WebAssembly those written as
/// such, and modules and objects emitted from the texts.
pub fn read(compiler: &Path) -> Result<Seeds, Box<dyn Error>> {
    let (mut texts, mut binaries) = (Vec::new(), Vec::new());
    for file in files(compiler)? {
        let text = fs::read_to_string(&file)?;
        if file.extension().is_some_and(|extension| extension == "wat") {
            binaries.extend(wat::parse_str(&text).ok());
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
            texts.push(text);
            let options = codegen_cranelift::Options::default();
            binaries.extend(codegen_cranelift::emit_module(&module, &options).ok());
            module.relocatable = true;
            binaries.extend(codegen_cranelift::emit_object(module, &options).ok());
        }
    }
    Ok((texts, binaries))
}

/// Writes inputs into `folder`, which is made.
pub fn write<I: AsRef<[u8]>>(folder: &Path, inputs: &[I]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for (index, input) in inputs.iter().enumerate() {
        fs::write(folder.join(index.to_string()), input)?;
    }
    Ok(())
}

/// The `.wat` and `.wir` files below a folder, without what builds leave behind.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                found.extend(files(&path)?);
            }
        } else if matches!(extension, Some("wat" | "wir")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
