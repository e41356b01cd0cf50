//! Code with fields that name entities: operators written for a linker, and the same bytes once every entity has its
//! number.
//!
//! Every body is first made in relocatable form, each field padded to its greatest width, so that the same bytes serve
//! an object, the cache and a final module. [`resolve`] then writes the numbers in as few bytes as they take; nothing in
//! WebAssembly counts bytes of code, so no other field changes.
//!
//! # Cost
//! One pass over bytes, relocations and source positions.

use crate::encode::FunctionBody;
use crate::env::{Reloc, RelocKind};
use crate::error::Result;
use crate::leb;

/// Bytes of an operator, and where they name entities.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    pub(crate) bytes: Vec<u8>,
    pub(crate) relocs: Vec<Reloc>,
    /// Fields are padded and recorded.
    pub(crate) relocatable: bool,
}

impl Code {
    pub(crate) fn new(bytes: &[u8], relocatable: bool) -> Code {
        Code {
            bytes: bytes.to_vec(),
            relocs: Vec::new(),
            relocatable,
        }
    }

    /// Appends other code.
    pub(crate) fn append(&mut self, other: Code) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&other.bytes);
        self.relocs.extend(other.relocs.iter().map(|r| Reloc {
            offset: r.offset + start,
            ..*r
        }));
    }

    /// A number that stays.
    pub(crate) fn number(&mut self, value: u64) {
        leb::unsigned(&mut self.bytes, value);
    }

    /// The index of an entity.
    pub(crate) fn index(&mut self, kind: RelocKind, index: u32) {
        if self.relocatable {
            self.relocs.push(Reloc {
                offset: self.bytes.len() as u32,
                kind,
                target: index,
                addend: 0,
            });
            leb::unsigned_padded(&mut self.bytes, u64::from(index), 5);
        } else {
            self.number(u64::from(index));
        }
    }
}

/// How many bytes a relocated field has.
pub(crate) fn width(kind: RelocKind) -> usize {
    match kind {
        RelocKind::MemAddrSleb64 | RelocKind::TableSlot64 => 10,
        _ => 5,
    }
}

/// Whether a field is a signed number.
pub(crate) fn is_signed(kind: RelocKind) -> bool {
    match kind {
        RelocKind::TableSlot
        | RelocKind::TableSlot64
        | RelocKind::MemAddrSleb
        | RelocKind::MemAddrSleb64
        | RelocKind::MemAddrTlsSleb => true,
        RelocKind::Func
        | RelocKind::Type
        | RelocKind::Global
        | RelocKind::Table
        | RelocKind::Tag
        | RelocKind::MemAddrLeb => false,
    }
}

/// Replaces every relocated field by its value in as few bytes as possible.
///
/// # Errors
/// What `value` says of a field.
pub(crate) fn resolve(
    body: FunctionBody,
    mut value: impl FnMut(&Reloc) -> Result<i64>,
) -> Result<FunctionBody> {
    if body.relocs.is_empty() {
        return Ok(body);
    }
    let mut out = Vec::with_capacity(body.bytes.len());
    let mut locations = body.locations;
    let mut moved = locations.iter_mut().peekable();
    let mut done = 0;
    for reloc in &body.relocs {
        let at = reloc.offset as usize;
        out.extend_from_slice(&body.bytes[done..at]);
        let shift = at - out.len();
        while let Some((offset, _)) = moved.next_if(|(offset, _)| *offset as usize <= at) {
            *offset -= shift as u32;
        }
        let value = value(reloc)?;
        if is_signed(reloc.kind) {
            leb::signed(&mut out, value);
        } else {
            leb::unsigned(&mut out, value as u64);
        }
        done = at + width(reloc.kind);
    }
    let shift = (done - out.len()) as u32;
    moved.for_each(|(offset, _)| *offset -= shift);
    out.extend_from_slice(&body.bytes[done..]);
    Ok(FunctionBody {
        bytes: out,
        relocs: Vec::new(),
        locations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cranelift_codegen::ir::SourceLoc;

    #[test]
    fn fields_shrink_and_positions_follow() {
        let mut code = Code::new(&[0], true);
        code.bytes.push(0x10);
        code.index(RelocKind::Func, 3);
        code.bytes.push(0x1a);
        code.bytes.push(0x10);
        code.index(RelocKind::Func, 300);
        code.bytes.push(0x0b);
        let loc = SourceLoc::new;
        let body = FunctionBody {
            bytes: code.bytes,
            relocs: code.relocs,
            locations: vec![(1, loc(10)), (7, loc(11)), (8, loc(12)), (14, loc(13))],
        };
        let out = resolve(body, |reloc| Ok(i64::from(reloc.target))).unwrap();
        assert_eq!(out.bytes, [0, 0x10, 3, 0x1a, 0x10, 0xac, 2, 0x0b]);
        assert_eq!(
            out.locations,
            [(1, loc(10)), (3, loc(11)), (4, loc(12)), (7, loc(13))]
        );
    }
}
