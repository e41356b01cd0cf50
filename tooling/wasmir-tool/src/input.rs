//! Reads files of every form.

use crate::error::{Error, Result};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use wasmir::Module;

/// What a file holds.
pub(crate) enum Input {
    /// A module, with the bodies of functions as they came, and the form it came in.
    Module(Box<Module>, &'static str),
    /// Cranelift's intermediate form.
    Clif(String),
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let read = || {
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        std::fs::read(path)
    };
    read().map_err(|source| Error::Read {
        path: path.into(),
        source,
    })
}

/// Reads a file. Binary forms are told by their first bytes, text by the file's extension, or, on
/// standard input, by how it begins.
pub(crate) fn read(path: &Path) -> Result<Input> {
    let bytes = bytes(path)?;
    let stage = |stage, message: String| Error::Stage {
        path: path.into(),
        stage,
        message,
    };
    if bytes.starts_with(b"\0asm") {
        let module = wasmir_lift::lift_shared(&Arc::from(bytes));
        let module = module.map_err(|e| stage("lift", e.to_string()))?;
        return Ok(Input::Module(Box::new(module), "a wasm module"));
    }
    if bytes.starts_with(&wasmir::BINARY_MAGIC) {
        let module = wasmir::decode_shared(&Arc::from(bytes));
        let module = module.map_err(|e| stage("read", e.to_string()))?;
        return Ok(Input::Module(Box::new(module), "WasmIR in binary form"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| stage("read", "neither a known binary form nor UTF-8 text".into()))?;
    match path.extension().and_then(|e| e.to_str()) {
        Some("clif") => Ok(Input::Clif(text)),
        Some("wat") => wat(&text, stage),
        Some("wir") => wir(path, &text),
        _ => match first_word(&text) {
            "wasmir" => wir(path, &text),
            "(" | "(module" => wat(&text, stage),
            _ => Ok(Input::Clif(text)),
        },
    }
}

fn wir(path: &Path, text: &str) -> Result<Input> {
    let module = wasmir::parse_module(text);
    let module = module.map_err(|source| Error::Text {
        path: path.into(),
        source,
    })?;
    Ok(Input::Module(Box::new(module), "WasmIR"))
}

fn wat(text: &str, stage: impl Fn(&'static str, String) -> Error) -> Result<Input> {
    let wasm = wat::parse_str(text).map_err(|e| stage("parse", e.to_string()))?;
    let module = wasmir_lift::lift(&wasm).map_err(|e| stage("lift", e.to_string()))?;
    Ok(Input::Module(Box::new(module), "a wasm module as text"))
}

/// The first word outside comments.
fn first_word(text: &str) -> &str {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with(';'));
    lines
        .next()
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_default()
}

/// Reads a module that is valid.
pub(crate) fn module(path: &Path) -> Result<Module> {
    match read(path)? {
        Input::Module(module, _) => {
            wasmir::verify_module(&module).map_err(|errors| Error::Invalid {
                path: path.into(),
                errors,
            })?;
            Ok(*module)
        }
        Input::Clif(_) => Err(Error::Kind {
            path: path.into(),
            found: "Cranelift's intermediate form",
            wanted: "a module",
        }),
    }
}

/// Lifts all bodies of a module.
pub(crate) fn lift_bodies(path: &Path, module: &mut Module) -> Result<()> {
    wasmir_lift::lift_bodies(module).map_err(|(func, error)| Error::Stage {
        path: path.into(),
        stage: "lift",
        message: format!("`{func}`: {error}"),
    })
}
