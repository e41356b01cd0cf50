//! WasmIR inside a wasm object: the form in which object files and the members of rlibs hold it.
//!
//! An object of this form is a wasm file with two custom sections: `linking`, which makes it an object without symbols,
//! and [`SECTION`] with a checksum and the module in binary form. A linker that knows nothing of WasmIR takes nothing from it, as it takes nothing from
//! the member that holds an rlib's metadata.
//!
//! The checksum is there because damage is not always nonsense: one bit of a constant makes another valid program. It is meant
//! against bad disks and half-written files, not against forgers.

use std::ops::Range;
use wasmir::leb::Reader;

/// The custom section that holds the module.
pub const SECTION: &str = ".wasmir";

const HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Puts a module in binary form into an object.
pub fn seal(module: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(module.len() + 48);
    out.extend_from_slice(&HEADER);
    // Version 2 of the linking conventions, and no symbols.
    section(&mut out, "linking", &[&[2]]);
    section(
        &mut out,
        SECTION,
        &[&checksum(module).to_le_bytes(), module],
    );
    out
}

/// Sums up bytes eight at a time: a word is mixed into the state by an exclusive or, a multiplication by an odd number and a
/// rotation. Each of these can be undone, so two texts of one length that differ in a single word never have the same sum; any
/// others have with a probability of about 2⁻⁶⁴.
fn checksum(bytes: &[u8]) -> u64 {
    // An odd number without a pattern: 2⁶⁴ divided by the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| (state ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = mix(FACTOR, bytes.len() as u64);
    for word in words {
        state = mix(state, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(state, u64::from_le_bytes(last))
}

fn section(out: &mut Vec<u8>, name: &str, contents: &[&[u8]]) {
    let len: usize = contents.iter().map(|part| part.len()).sum();
    out.push(0);
    unsigned(out, (1 + name.len() + len) as u64);
    // Names are shorter than 128 bytes: one byte for the length.
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
    for part in contents {
        out.extend_from_slice(part);
    }
}

fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// A module in binary form lies there.
    Module(Range<usize>),
    /// A module that is not as it was put in.
    Damaged,
    /// No WasmIR.
    Other,
}

/// What `object` holds; the checksum is compared.
pub fn open(object: &[u8]) -> Contents {
    let Some(range) = find(object) else {
        return Contents::Other;
    };
    match object[range.clone()].split_first_chunk() {
        Some((sum, module)) if u64::from_le_bytes(*sum) == checksum(module) => {
            Contents::Module(range.start + sum.len()..range.end)
        }
        _ => Contents::Damaged,
    }
}

/// Whether `object` holds a module, be it damaged.
pub fn is_sealed(object: &[u8]) -> bool {
    find(object).is_some()
}

/// Where in an object the section lies.
fn find(object: &[u8]) -> Option<Range<usize>> {
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
    let mut reader = Reader::new(bytes.strip_prefix(&HEADER)?);
    while !reader.at_end() {
        let id = reader.u8().ok()?;
        let len = reader.u32().ok()? as usize;
        let start = HEADER.len() + reader.pos();
        let mut contents = Reader::new(reader.take(len).ok()?);
        let name = if id == 0 { contents.name().ok()? } else { &[] };
        f(id, name, start + contents.pos()..start + len);
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
            let Contents::Module(range) = open(&object) else {
                panic!("no module of {len} bytes")
            };
            assert_eq!(object[range], module[..]);
        }
    }

    #[test]
    fn other_files_hold_nothing() {
        for other in [&b""[..], b"!<arch>\n", &HEADER] {
            assert_eq!(open(other), Contents::Other);
            assert!(!is_sealed(other));
        }
        let object = seal(b"abc");
        for len in 0..object.len() {
            let cut = open(&object[..len]);
            assert_eq!(cut, Contents::Other, "cut after {len} bytes");
        }
    }

    #[test]
    fn every_changed_bit_of_a_module_is_noticed() {
        let module: Vec<u8> = (0..203u8).map(|i| i.wrapping_mul(151)).collect();
        let object = seal(&module);
        let Contents::Module(range) = open(&object) else {
            panic!("no module")
        };
        // The checksum lies before it.
        for at in range.start - 8..range.end {
            for bit in 0..8 {
                let mut damaged = object.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(open(&damaged), Contents::Damaged, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_section_too_short_for_its_checksum_is_damaged() {
        let mut object = HEADER.to_vec();
        section(&mut object, SECTION, &[b"1234567"]);
        assert_eq!(open(&object), Contents::Damaged);
    }
}
