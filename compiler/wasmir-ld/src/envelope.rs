//! WasmIR inside a wasm object: the form in which object files and the members of rlibs hold it.
//!
//! An object of this form is a wasm file with two custom sections: `linking`, which makes it an object without symbols,
//! and [`SECTION`] with the module in binary form. A linker that knows nothing of WasmIR takes nothing from it, as it takes nothing from
//! the member that holds an rlib's metadata.

use crate::cursor::Cursor;
use std::ops::Range;

/// The custom section that holds the module.
pub const SECTION: &str = ".wasmir";

const HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Puts a module in binary form into an object.
pub fn seal(module: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(module.len() + 48);
    out.extend_from_slice(&HEADER);
    // Version 2 of the linking conventions, and no symbols.
    section(&mut out, "linking", &[2]);
    section(&mut out, SECTION, module);
    out
}

fn section(out: &mut Vec<u8>, name: &str, contents: &[u8]) {
    out.push(0);
    unsigned(out, (1 + name.len() + contents.len()) as u64);
    // Names are shorter than 128 bytes: one byte for the length.
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(contents);
}

fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Where in an object the module lies; `None` if it holds none.
pub fn open(object: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    // A file that breaks off holds no module that could be read.
    for_each_section(object, |id, name, range| {
        if id == 0 && name == SECTION.as_bytes() {
            found = Some(range);
        }
    })?;
    found
}

/// Calls `f` with number, name (of custom sections) and place of the contents of every section; `None` if the bytes are no
/// wasm module.
pub(crate) fn for_each_section<'a>(
    bytes: &'a [u8],
    mut f: impl FnMut(u8, &'a [u8], Range<usize>),
) -> Option<()> {
    let mut cursor = Cursor::new(bytes.strip_prefix(&HEADER)?);
    while !cursor.at_end() {
        let id = cursor.byte()?;
        let len = cursor.u32()? as usize;
        let start = HEADER.len() + cursor.position();
        let mut contents = Cursor::new(cursor.take(len)?);
        let name = if id == 0 { contents.name()? } else { &[] };
        f(id, name, start + contents.position()..start + len);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_can_be_opened() {
        for len in [0, 1, 100, 200, 20_000] {
            let module: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let object = seal(&module);
            let range = open(&object).expect("a module");
            assert_eq!(object[range], module[..]);
        }
    }

    #[test]
    fn other_files_hold_nothing() {
        assert_eq!(open(b""), None);
        assert_eq!(open(b"!<arch>\n"), None);
        assert_eq!(open(&HEADER), None);
        let object = seal(b"abc");
        for len in 0..object.len() {
            assert_eq!(open(&object[..len]), None, "cut after {len} bytes");
        }
    }
}
