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
pub const SECTION: &str = "wasm-memory.messages";

/// How a function's messages are encoded.
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
        [Self::Json, Self::MessagePack, Self::Raw].into_iter().find(|codec| codec.name() == name)
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
    let text = core::str::from_utf8(bytes)
        .map_err(|error| MemoryError::BadMessage { offset: error.valid_up_to(), reason: "not UTF-8" })?;
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
        let codec = Codec::from_name(codec).ok_or(bad("the codec is not `json`, `msgpack` or `raw`"))?;
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
#[must_use]
pub fn unpack(answer: u64) -> Region {
    Region { ptr: (answer >> 32) as u32, len: answer as u32 }
}
