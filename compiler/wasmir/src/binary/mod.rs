//! The binary form: what rlibs hold.
//!
//! [`encode_module`] writes a module, [`decode_module`] reads one. The form begins with the bytes
//! `\0wir` and a version; a reader accepts its own version only (rlibs are made and read by one
//! compiler). What follows is described once, in `layout.rs`, for both directions.
//!
//! # Invariants
//! Input is never trusted: every count is checked against the bytes that are left before memory is
//! taken, and the module is validated before it is handed out. Memory is at most a constant times
//! the size of the input.
//!
//! ```
//! let text = "wasmir 1\ntype type0 = func() -> ()\nfunc %f type0 {\nb0:\n  return\n}\n";
//! let module = wasmir::parse_module(text).unwrap();
//! let bytes = wasmir::encode_module(&module);
//! assert_eq!(wasmir::decode_module(&bytes).unwrap(), module);
//! assert!(wasmir::decode_module(&bytes[..20]).is_err());
//! ```

mod layout;
mod lazy;
pub(crate) mod wire;

pub use lazy::LazyModule;

use crate::leb::{Malformed, Reader};
use crate::module::Module;
use crate::verify::{VerifyError, verify_module};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use wire::{Source, Wire};

/// The first bytes of the binary form.
pub const BINARY_MAGIC: [u8; 4] = *b"\0wir";

/// The version of the binary form.
pub const BINARY_VERSION: u32 = 6;

/// Why bytes are not a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They do not begin as the binary form does.
    NotWasmIr,
    /// They are of another version.
    Version(u32),
    /// They break off or make no sense.
    Malformed(Malformed),
    /// They are a module that is not valid.
    Invalid(Vec<VerifyError>),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::NotWasmIr => f.write_str("not WasmIR in binary form"),
            DecodeError::Version(v) => {
                write!(
                    f,
                    "WasmIR of version {v}, but this compiler reads version {BINARY_VERSION}"
                )
            }
            DecodeError::Malformed(e) => e.fmt(f),
            DecodeError::Invalid(errors) => match errors.as_slice() {
                [] => f.write_str("invalid module"),
                [first] => write!(f, "invalid module: {first}"),
                [first, rest @ ..] => {
                    write!(
                        f,
                        "invalid module: {first} (and {} more errors)",
                        rest.len()
                    )
                }
            },
        }
    }
}

impl std::error::Error for DecodeError {}

/// Writes a module.
pub fn encode_module(module: &Module) -> Vec<u8> {
    let mut out = BINARY_MAGIC.to_vec();
    BINARY_VERSION.put(&mut out);
    module.put(&mut out);
    out
}

/// The bytes of a body alone: equal bytes are equal bodies.
pub fn encode_body(body: &crate::body::Body) -> Vec<u8> {
    let mut out = Vec::new();
    body.put(&mut out);
    out
}

/// Reads a value that is not a module and shares no bytes with the buffer.
pub(crate) fn decode_value<T: Wire>(bytes: &[u8]) -> crate::leb::Result<T> {
    let none = Arc::from(&[][..]);
    let mut source = Source {
        reader: Reader::new(bytes),
        bytes: &none,
        skipped: None,
    };
    let value = T::get(&mut source)?;
    match source.reader.at_end() {
        true => Ok(value),
        false => Err(source.reader.error("the end")),
    }
}

/// Reads a module and validates it.
///
/// # Errors
/// If the bytes are not a valid module of this version.
pub fn decode_module(bytes: &[u8]) -> Result<Module, DecodeError> {
    decode_shared(&Arc::from(bytes))
}

/// Reads a module and validates it; raw bodies and data share the buffer.
///
/// # Errors
/// If the bytes are not a valid module of this version.
pub fn decode_shared(bytes: &Arc<[u8]>) -> Result<Module, DecodeError> {
    let (module, _) = decode(bytes, false)?;
    verify_module(&module).map_err(DecodeError::Invalid)?;
    Ok(module)
}

/// Reads a module; with `lazily`, passes over its bodies and says where they are.
fn decode(bytes: &Arc<[u8]>, lazily: bool) -> Result<(Module, Vec<Range<usize>>), DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.take(4).ok() != Some(&BINARY_MAGIC) {
        return Err(DecodeError::NotWasmIr);
    }
    let version = reader.u32().map_err(DecodeError::Malformed)?;
    if version != BINARY_VERSION {
        return Err(DecodeError::Version(version));
    }
    let mut source = Source {
        reader,
        bytes,
        skipped: lazily.then(Vec::new),
    };
    let module = Module::get(&mut source).map_err(DecodeError::Malformed)?;
    if !source.reader.at_end() {
        return Err(DecodeError::Malformed(
            source.reader.error("the end of the input"),
        ));
    }
    Ok((module, source.skipped.unwrap_or_default()))
}
