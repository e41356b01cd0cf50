//! Reads files of every form.

use crate::error::{Error, Result};
use crate::fault;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use wasmir::Module;

/// How a module came that was valid before it was lifted.
const WASM: &str = "a wasm module";
const WAT: &str = "a wasm module as text";

/// What a file holds.
pub(crate) enum Input {
    /// A module, with the bodies of functions as they came, and the form it came in.
    Module(Box<Module>, &'static str),
    /// Cranelift's intermediate form.
    Clif(String),
}

/// What `wasmir link` takes.
pub(crate) enum Linked {
    /// A module or object.
    Module(Box<Module>),
    /// The objects of an archive, of which some may not lift: that matters when something needs them.
    Library(Vec<(String, Result<Module>)>),
}

/// Reads a module, object or archive to be linked.
pub(crate) fn linked(path: &Path) -> Result<Linked> {
    let bytes = bytes(path)?;
    if !bytes.starts_with(wasmir::archive::MAGIC) {
        return Ok(Linked::Module(Box::new(valid(
            path,
            of_bytes(path, bytes)?,
        )?)));
    }
    let members = wasmir_lift::archive_members(&bytes).map_err(|e| Error::Stage {
        path: path.into(),
        stage: "read",
        message: e.to_string(),
    })?;
    let objects = members.into_iter().map(|member| {
        // As linkers write it.
        let name = format!("{}({})", path.display(), member.name);
        let path = Path::new(&name);
        let module = of_bytes(path, member.bytes.into()).and_then(|input| valid(path, input));
        (name, module)
    });
    Ok(Linked::Library(objects.collect()))
}

/// The bytes of a file, in the memory that what is made of them will share.
fn bytes(path: &Path) -> Result<Arc<[u8]>> {
    let read = || {
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            return Ok(bytes.into());
        }
        let mut file = std::fs::File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, length).collect();
        if let Some(unshared) = Arc::get_mut(&mut bytes) {
            file.read_exact(unshared)?;
        }
        // What says nothing of its length, such as a pipe, or has grown.
        let mut rest = Vec::new();
        if file.read_to_end(&mut rest)? > 0 {
            bytes = [&bytes, rest.as_slice()].concat().into();
        }
        Ok(bytes)
    };
    read().map_err(|source| Error::Read {
        path: path.into(),
        source,
    })
}

/// Reads a file. Binary forms are told by their first bytes, text by the file's extension, or, on
/// standard input, by how it begins.
pub(crate) fn read(path: &Path) -> Result<Input> {
    of_bytes(path, bytes(path)?)
}

fn of_bytes(path: &Path, bytes: Arc<[u8]>) -> Result<Input> {
    fault::begin("read", path);
    let stage = |stage, message: String| Error::Stage {
        path: path.into(),
        stage,
        message,
    };
    if bytes.starts_with(b"\0asm") {
        let module = wasmir_lift::lift_shared(&bytes);
        let module = module.map_err(|e| stage("lift", e.to_string()))?;
        return Ok(Input::Module(Box::new(module), WASM));
    }
    if bytes.starts_with(&wasmir::BINARY_MAGIC) {
        let module = wasmir::decode_shared(&bytes);
        let module = module.map_err(|e| stage("read", e.to_string()))?;
        return Ok(Input::Module(Box::new(module), "WasmIR in binary form"));
    }
    if bytes.starts_with(wasmir::archive::MAGIC) {
        return Err(Error::Archive { path: path.into() });
    }
    let text = String::from_utf8(bytes.to_vec())
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
    Ok(Input::Module(Box::new(module), WAT))
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
    valid(path, read(path)?)
}

fn valid(path: &Path, input: Input) -> Result<Module> {
    match input {
        // What the lifter makes of valid wasm is valid.
        Input::Module(module, WASM | WAT) if !cfg!(debug_assertions) => Ok(*module),
        Input::Module(module, _) => {
            fault::begin("verify", path);
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
    fault::begin("lift", path);
    wasmir_lift::lift_bodies(module).map_err(|(func, error)| Error::Stage {
        path: path.into(),
        stage: "lift",
        message: format!("`{func}`: {error}"),
    })
}
