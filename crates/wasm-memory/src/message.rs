//! Functions that exchange whole messages: how they say so, and how they answer.
//!
//! A core function of type `(i32, i32) -> i64` might add two numbers or take a message; only the
//! module's author knows. The custom section `wasm-memory.messages` says it: one line per function,
//! `name=codec\n`, where the codec is `json`, `msgpack` or `raw`. Sections of linked objects are
//! concatenated, so each function may bring its own line.
//!
//! # Invariants
//!
//! Parsing never allocates more than the section's own size and reports the byte it stumbled over.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{MemoryError, Region, Result};

/// The name of the custom section that lists message functions.
///
/// ```
/// assert_eq!(wasm_memory::message::SECTION, "wasm-memory.messages");
/// ```
pub const SECTION: &str = "wasm-memory.messages";

/// How a function's messages are encoded.
///
/// ```
/// use wasm_memory::message::{Codec, parse_section};
///
/// assert_eq!(parse_section(b"echo=raw\n")?[0].1, Codec::Raw);
/// assert_eq!(Codec::MessagePack.name(), "msgpack");
/// # Ok::<(), wasm_memory::MemoryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// UTF-8 JSON.
    Json,
    /// MessagePack.
    MessagePack,
    /// Bytes whose meaning only guest and caller know.
    Raw,
}

impl Codec {
    /// The codec's name in the section.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MessagePack => "msgpack",
            Self::Raw => "raw",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::MessagePack, Self::Raw]
            .into_iter()
            .find(|codec| codec.name() == name)
    }
}

/// Reads a `wasm-memory.messages` section.
///
/// ```
/// use wasm_memory::message::{Codec, parse_section};
///
/// let functions = parse_section(b"echo=json\nsum=msgpack\n")?;
/// assert_eq!(functions, [("echo".into(), Codec::Json), ("sum".into(), Codec::MessagePack)]);
/// assert!(parse_section(b"echo").is_err());
/// # Ok::<(), wasm_memory::MemoryError>(())
/// ```
///
/// # Errors
///
/// [`MemoryError::BadMessage`] when a line is not `name=codec`, names an unknown codec, or repeats a
/// function.
pub fn parse_section(bytes: &[u8]) -> Result<Vec<(String, Codec)>> {
    let text = core::str::from_utf8(bytes).map_err(|error| MemoryError::BadMessage {
        offset: error.valid_up_to(),
        reason: "not UTF-8",
    })?;
    let mut functions: Vec<(String, Codec)> = Vec::new();
    let mut seen = alloc::collections::BTreeSet::new();
    let mut offset = 0;
    for line in text.split_terminator('\n') {
        let bad = |reason| MemoryError::BadMessage { offset, reason };
        // The name may itself hold `=`; the codec cannot.
        let (name, codec) = line.rsplit_once('=').ok_or(bad("expected `name=codec`"))?;
        if name.is_empty() {
            return Err(bad("the function's name is empty"));
        }
        let codec =
            Codec::from_name(codec).ok_or(bad("the codec is not `json`, `msgpack` or `raw`"))?;
        if !seen.insert(name) {
            return Err(bad("the function is listed twice"));
        }
        functions.push((name.into(), codec));
        offset += line.len() + 1;
    }
    Ok(functions)
}

/// Packs the region of an answer into the one `i64` a message function returns.
///
/// ```
/// use wasm_memory::{Region, message};
///
/// let region = Region { ptr: 0x10, len: 3 };
/// assert_eq!(message::unpack(message::pack(region)), region);
/// ```
#[must_use]
pub fn pack(region: Region) -> u64 {
    u64::from(region.ptr) << 32 | u64::from(region.len)
}

/// The region of an answer.
///
/// ```
/// use wasm_memory::{Region, message};
///
/// assert_eq!(message::unpack(0x10_0000_0003), Region { ptr: 0x10, len: 3 });
/// ```
#[must_use]
pub fn unpack(answer: u64) -> Region {
    Region {
        ptr: (answer >> 32) as u32,
        len: answer as u32,
    }
}

/// Finds and reads the section in a core module, which the engine has validated or is about to.
///
/// A module without the section lists nothing; several sections count as one.
///
/// ```
/// let empty_module = b"\0asm\x01\0\0\0";
/// assert_eq!(wasm_memory::message::in_module(empty_module)?, []);
/// # Ok::<(), wasm_memory::MemoryError>(())
/// ```
///
/// # Errors
///
/// [`MemoryError::BadMessage`] when the module's frame or the section is malformed.
pub fn in_module(wasm: &[u8]) -> Result<Vec<(String, Codec)>> {
    let mut content = Vec::new();
    let mut reader = Reader { bytes: wasm, at: 8 };
    while reader.at < wasm.len() {
        let id = reader.byte()?;
        let body = reader.block()?;
        if id != 0 {
            continue;
        }
        let mut section = Reader { bytes: body, at: 0 };
        if section.block()? == SECTION.as_bytes() {
            content.extend_from_slice(&body[section.at..]);
        }
    }
    parse_section(&content)
}

/// Reads the frame of a binary module: ids, sizes and names.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bad<T>(&self, reason: &'static str) -> Result<T> {
        Err(MemoryError::BadMessage {
            offset: self.at,
            reason,
        })
    }

    fn byte(&mut self) -> Result<u8> {
        let Some(&byte) = self.bytes.get(self.at) else {
            return self.bad("the module ends within a section");
        };
        self.at += 1;
        Ok(byte)
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn number(&mut self) -> Result<u32> {
        let mut number = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return match u32::try_from(number) {
                    Ok(number) => Ok(number),
                    Err(_) => self.bad("a number exceeds 32 bits"),
                };
            }
        }
        self.bad("a number has more than 5 bytes")
    }

    /// A size and as many bytes.
    fn block(&mut self) -> Result<&'a [u8]> {
        let len = self.number()? as usize;
        let Some(block) = self.bytes.get(self.at..).and_then(|rest| rest.get(..len)) else {
            return self.bad("a section is longer than the module");
        };
        self.at += len;
        Ok(block)
    }
}
