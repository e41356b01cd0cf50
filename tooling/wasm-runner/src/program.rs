//! Reads a program and tells modules from components by their first eight bytes, before any engine is started.
//!
//! What is not WebAssembly is named for what it looks like, since the next step differs: text has to be assembled, a native object or
//! an archive of objects was the wrong file to point at, a short file was cut off.

use std::{fs::File, io::Read, path::Path};

use wasm_sandbox::ModuleKind;

use crate::error::{Error, Found};

/// The largest program accepted. Wasm's 32-bit section sizes allow no larger module.
const MAX_SIZE: u64 = u32::MAX as u64;

/// A program's bytes and what they hold.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) bytes: Vec<u8>,
    pub(crate) kind: ModuleKind,
}

/// Reads the program in `path`. Nothing beyond the header is read of a file that is not WebAssembly.
pub(crate) fn read(path: &Path) -> Result<Program, Error> {
    let unreadable = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.by_ref()
        .take(8)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let kind = kind(&bytes).map_err(|found| Error::NotWasm {
        path: path.to_owned(),
        found,
    })?;
    file.take(MAX_SIZE)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(Program { bytes, kind })
}

fn kind(header: &[u8]) -> Result<ModuleKind, Found> {
    match header {
        [] => Err(Found::Empty),
        b"\0asm\x01\0\0\0" => Ok(ModuleKind::Core),
        b"\0asm\x0d\0\x01\0" => Ok(ModuleKind::Component),
        [0, b'a', b's', b'm', version @ ..] => match <[u8; 4]>::try_from(version) {
            Ok(version) => Err(Found::Version(u32::from_le_bytes(version))),
            Err(_) => Err(Found::Truncated),
        },
        short if b"\0asm".starts_with(short) => Err(Found::Truncated),
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] | [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => {
            Err(Found::Native)
        }
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', ..] => Err(Found::Archive),
        text if text.trim_ascii_start().starts_with(b"(") || text.starts_with(b";;") => {
            Err(Found::Text)
        }
        _ => Err(Found::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(kind(b"\0asm\x01\0\0\0"), Ok(ModuleKind::Core));
        assert_eq!(kind(b"\0asm\x0d\0\x01\0"), Ok(ModuleKind::Component));
        assert_eq!(kind(b"\0asm\x02\0\0\0"), Err(Found::Version(2)));
        assert_eq!(kind(b""), Err(Found::Empty));
        assert_eq!(kind(b"\0as"), Err(Found::Truncated));
        assert_eq!(kind(b"\0asm\x01"), Err(Found::Truncated));
        assert_eq!(kind(b"\x7fELF\x02\x01\x01\0"), Err(Found::Native));
        assert_eq!(kind(b"!<arch>\n"), Err(Found::Archive));
        assert_eq!(kind(b"(module)"), Err(Found::Text));
        assert_eq!(kind(b"\n (compo"), Err(Found::Text));
        assert_eq!(kind(b"fn main("), Err(Found::Other));
        assert_eq!(kind(b"\0\0\0\0\0\0\0\0"), Err(Found::Other));
    }
}
