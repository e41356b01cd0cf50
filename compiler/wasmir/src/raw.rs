//! Reads function bodies as they stand in a wasm file, without lifting them.
//!
//! A function that no pass touches is emitted from its original bytes. What must be known about
//! those bytes is which entities they refer to: to find what is reachable, and to write other
//! numbers where entities were renumbered. [`for_each_index`] walks a body once, driven by the list
//! of operators, and reports every index; [`remap`] writes the body with new indices. [`misplaced_reloc`] compares relocations with
//! what they stand on.
//!
//! # Invariants
//! The scanner accepts exactly the operators of the list. It checks what it reads (no panic and no
//! read outside the body on any input) but does not validate: that is the lifter's business.
//!
//! # Cost
//! One pass over the bytes, no allocation.

use crate::leb::{Malformed, Reader, Result, write_s64, write_u64};
use crate::op::{ImmKind, Opcode};
use crate::symbol::{Reloc, RelocKind};
use crate::types::AbstractHeap;
use std::ops::Range;

/// The numbering an index belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexSpace {
    /// Types.
    Type,
    /// Functions.
    Func,
    /// Tables.
    Table,
    /// Memories.
    Memory,
    /// Globals.
    Global,
    /// Tags.
    Tag,
    /// Data segments.
    Data,
    /// Element segments.
    Elem,
}

/// How an index is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexForm {
    /// An unsigned number.
    Unsigned,
    /// A signed number of 33 bits (heap types and block types).
    Signed,
    /// The start of a memory argument: an alignment and, where the memory is not the first, its
    /// index. The range covers both.
    Memarg {
        /// The binary logarithm of the alignment.
        align_log2: u32,
    },
}

/// An index in a raw body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawIndex {
    /// The bytes that hold it.
    pub range: Range<usize>,
    /// Whose numbering it uses.
    pub space: IndexSpace,
    /// How it is written.
    pub form: IndexForm,
    /// The number.
    pub value: u32,
}

/// Calls `f` for every index in a body (local declarations and code), in order.
///
/// # Errors
/// If the bytes are not a sequence of known operators.
pub fn for_each_index(body: &[u8], mut f: impl FnMut(RawIndex)) -> Result<()> {
    walk(body, |event| {
        if let Event::Index(index) = event {
            f(index);
        }
    })
}

/// Calls `f` for every operator in a body, in order.
///
/// # Errors
/// If the bytes are not a sequence of known operators.
pub fn for_each_opcode(body: &[u8], mut f: impl FnMut(Opcode)) -> Result<()> {
    walk(body, |event| {
        if let Event::Op(op) = event {
            f(op);
        }
    })
}

/// What a walk over a raw body meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An operator; the indices among its immediates follow.
    Op(Opcode),
    /// An index: of the local declarations before the first operator, of the last operator after it.
    Index(RawIndex),
    /// A number of the last operator that may be an address, and the bytes that hold it.
    Number(NumberForm, Range<usize>),
}

/// A number that may be an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberForm {
    /// What `i32.const` pushes.
    I32,
    /// What `i64.const` pushes.
    I64,
    /// The offset of a memory argument.
    Offset,
}

/// Calls `f` for every operator, index and number that may be an address in a body, in order.
///
/// # Errors
/// If the bytes are not a sequence of known operators.
pub fn walk(body: &[u8], mut f: impl FnMut(Event)) -> Result<()> {
    let mut s = Scanner {
        r: Reader::new(body),
        f: &mut f,
    };
    for _ in 0..s.r.u32()? {
        s.r.u32()?;
        s.val_type()?;
    }
    while !s.r.at_end() {
        let byte = s.r.u8()?;
        let op = match byte {
            0xfb..=0xfe => {
                let code = s.r.u32()?;
                Opcode::from_encoding(byte, code)
            }
            crate::op::WASMIR_PREFIX => None,
            _ => Opcode::from_encoding(0, u32::from(byte)),
        };
        let op = op.ok_or(s.r.error("an operator before this point"))?;
        (s.f)(Event::Op(op));
        s.immediates(op.info().imm)?;
    }
    Ok(())
}

/// The offset of the first of a body's relocations that does not stand on an index or number of its kind, padded to its greatest
/// width. What a linker wrote there would make other code of the body.
///
/// # Errors
/// If the bytes are not a sequence of known operators.
pub fn misplaced_reloc(body: &[u8], relocs: &[Reloc]) -> Result<Option<u32>> {
    if relocs.is_empty() {
        return Ok(None);
    }
    // Places in ascending order.
    let mut places: Vec<(Range<usize>, Place)> = Vec::new();
    walk(body, |event| match event {
        Event::Op(_) => {}
        Event::Index(index) => places.push((index.range, Place::Index(index.space))),
        Event::Number(form, range) => places.push((range, Place::Number(form))),
    })?;
    let fits = |reloc: &Reloc| {
        let at = reloc.offset as usize;
        let place = places.binary_search_by_key(&at, |(range, _)| range.start);
        place.is_ok_and(|i| {
            let (range, place) = &places[i];
            Place::of(reloc.kind) == Some((*place, range.len()))
        })
    };
    Ok(relocs.iter().find(|r| !fits(r)).map(|r| r.offset))
}

/// What stands at a place that is relocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Index(IndexSpace),
    Number(NumberForm),
}

impl Place {
    /// What a kind of relocation stands on, and how many bytes that has; `None` for kinds of data.
    fn of(kind: RelocKind) -> Option<(Place, usize)> {
        use RelocKind::*;
        Some(match kind {
            FunctionIndexLeb => (Place::Index(IndexSpace::Func), 5),
            TypeIndexLeb => (Place::Index(IndexSpace::Type), 5),
            GlobalIndexLeb => (Place::Index(IndexSpace::Global), 5),
            TagIndexLeb => (Place::Index(IndexSpace::Tag), 5),
            TableNumberLeb => (Place::Index(IndexSpace::Table), 5),
            TableIndexSleb | TableIndexRelSleb | MemoryAddrSleb | MemoryAddrRelSleb
            | MemoryAddrTlsSleb => (Place::Number(NumberForm::I32), 5),
            TableIndexSleb64 | TableIndexRelSleb64 | MemoryAddrSleb64 | MemoryAddrRelSleb64
            | MemoryAddrTlsSleb64 => (Place::Number(NumberForm::I64), 10),
            MemoryAddrLeb => (Place::Number(NumberForm::Offset), 5),
            MemoryAddrLeb64 => (Place::Number(NumberForm::Offset), 10),
            TableIndexI32 | TableIndexI64 | MemoryAddrI32 | MemoryAddrI64 | GlobalIndexI32
            | FunctionOffsetI32 | FunctionOffsetI64 | SectionOffsetI32 | MemoryAddrLocrelI32
            | FunctionIndexI32 => return None,
        })
    }
}

/// Appends `body` to `out` with every index replaced by what `map` says.
///
/// # Errors
/// If the bytes are not a sequence of known operators, or `map` knows no new number for an index.
pub fn remap(
    body: &[u8],
    out: &mut Vec<u8>,
    mut map: impl FnMut(IndexSpace, u32) -> Option<u32>,
) -> Result<()> {
    let mut done = 0;
    let mut missing = None;
    for_each_index(body, |index| {
        let Some(new) = map(index.space, index.value) else {
            missing.get_or_insert(index.range.start);
            return;
        };
        if new == index.value {
            return;
        }
        out.extend_from_slice(&body[done..index.range.start]);
        done = index.range.end;
        match index.form {
            IndexForm::Unsigned => write_u64(out, u64::from(new)),
            IndexForm::Signed => write_s64(out, i64::from(new)),
            IndexForm::Memarg { align_log2 } if new == 0 => write_u64(out, u64::from(align_log2)),
            IndexForm::Memarg { align_log2 } => {
                write_u64(out, u64::from(align_log2 | 0x40));
                write_u64(out, u64::from(new));
            }
        }
    })?;
    out.extend_from_slice(&body[done..]);
    match missing {
        Some(offset) => Err(Malformed {
            offset,
            expected: "an entity that was not removed",
        }),
        None => Ok(()),
    }
}

struct Scanner<'a, 'f> {
    r: Reader<'a>,
    f: &'f mut dyn FnMut(Event),
}

impl Scanner<'_, '_> {
    fn found(&mut self, index: RawIndex) {
        (self.f)(Event::Index(index));
    }

    fn number(&mut self, form: NumberForm, start: usize) {
        (self.f)(Event::Number(form, start..self.r.pos()));
    }

    fn index(&mut self, space: IndexSpace) -> Result<()> {
        let start = self.r.pos();
        let value = self.r.u32()?;
        let range = start..self.r.pos();
        self.found(RawIndex {
            range,
            space,
            form: IndexForm::Unsigned,
            value,
        });
        Ok(())
    }

    fn memarg(&mut self) -> Result<()> {
        let start = self.r.pos();
        let flags = self.r.u32()?;
        let value = if flags & 0x40 != 0 { self.r.u32()? } else { 0 };
        let form = IndexForm::Memarg {
            align_log2: flags & !0x40,
        };
        let range = start..self.r.pos();
        self.found(RawIndex {
            range,
            space: IndexSpace::Memory,
            form,
            value,
        });
        let start = self.r.pos();
        self.r.u64()?;
        self.number(NumberForm::Offset, start);
        Ok(())
    }

    fn heap_type(&mut self) -> Result<()> {
        let start = self.r.pos();
        let code = self.r.s33()?;
        if let Ok(value) = u32::try_from(code) {
            let range = start..self.r.pos();
            let (space, form) = (IndexSpace::Type, IndexForm::Signed);
            self.found(RawIndex {
                range,
                space,
                form,
                value,
            });
            return Ok(());
        }
        let known =
            (-64..0).contains(&code) && AbstractHeap::from_code((code & 0x7f) as u8).is_some();
        if known {
            Ok(())
        } else {
            Err(self.r.error("a heap type before this point"))
        }
    }

    fn val_type(&mut self) -> Result<()> {
        match self.r.u8()? {
            0x7b..=0x7f => Ok(()),
            0x63 | 0x64 => self.heap_type(),
            code if AbstractHeap::from_code(code).is_some() => Ok(()),
            _ => Err(self.r.error("a value type before this point")),
        }
    }

    fn block_type(&mut self) -> Result<()> {
        match self.r.peek() {
            Some(0x40) => self.r.u8().map(|_| ()),
            // Negative numbers of one byte are value types.
            Some(0x41..=0x7f) => self.val_type(),
            _ => {
                let start = self.r.pos();
                let value = u32::try_from(self.r.s33()?);
                let value = value.map_err(|_| self.r.error("a block type before this point"))?;
                let range = start..self.r.pos();
                let (space, form) = (IndexSpace::Type, IndexForm::Signed);
                self.found(RawIndex {
                    range,
                    space,
                    form,
                    value,
                });
                Ok(())
            }
        }
    }

    fn immediates(&mut self, kind: ImmKind) -> Result<()> {
        use IndexSpace::*;
        match kind {
            ImmKind::None => {}
            ImmKind::Memarg => self.memarg()?,
            ImmKind::MemargLane => {
                self.memarg()?;
                self.r.u8()?;
            }
            ImmKind::Lane | ImmKind::Fence => {
                self.r.u8()?;
            }
            ImmKind::Shuffle | ImmKind::V128 => {
                self.r.take(16)?;
            }
            ImmKind::Memory => self.index(Memory)?,
            ImmKind::MemoryMemory => {
                self.index(Memory)?;
                self.index(Memory)?;
            }
            ImmKind::DataMemory => {
                self.index(Data)?;
                self.index(Memory)?;
            }
            ImmKind::Data => self.index(Data)?,
            ImmKind::Table => self.index(Table)?,
            ImmKind::TableTable => {
                self.index(Table)?;
                self.index(Table)?;
            }
            ImmKind::ElemTable => {
                self.index(Elem)?;
                self.index(Table)?;
            }
            ImmKind::Elem => self.index(Elem)?,
            ImmKind::Ty => self.index(Type)?,
            ImmKind::TyField | ImmKind::TyCount => {
                self.index(Type)?;
                self.r.u32()?;
            }
            ImmKind::TyTy => {
                self.index(Type)?;
                self.index(Type)?;
            }
            ImmKind::TyData => {
                self.index(Type)?;
                self.index(Data)?;
            }
            ImmKind::TyElem => {
                self.index(Type)?;
                self.index(Elem)?;
            }
            ImmKind::TyTable => {
                self.index(Type)?;
                self.index(Table)?;
            }
            ImmKind::Heap => self.heap_type()?,
            ImmKind::Func => self.index(Func)?,
            ImmKind::Global => self.index(Global)?,
            ImmKind::Tag => self.index(Tag)?,
            ImmKind::Local | ImmKind::Label => {
                self.r.u32()?;
            }
            ImmKind::BrTable => {
                // One label more than the count: the default.
                for _ in 0..=u64::from(self.r.u32()?) {
                    self.r.u32()?;
                }
            }
            ImmKind::BrCast => {
                self.r.u8()?;
                self.r.u32()?;
                self.heap_type()?;
                self.heap_type()?;
            }
            ImmKind::BlockType => self.block_type()?,
            ImmKind::TryTable => {
                self.block_type()?;
                for _ in 0..self.r.u32()? {
                    match self.r.u8()? {
                        0 | 1 => self.index(Tag)?,
                        2 | 3 => {}
                        _ => return Err(self.r.error("a catch clause before this point")),
                    }
                    self.r.u32()?;
                }
            }
            ImmKind::ValTypes => {
                for _ in 0..self.r.u32()? {
                    self.val_type()?;
                }
            }
            ImmKind::I32 | ImmKind::I64 => {
                let start = self.r.pos();
                self.r.s64()?;
                let form = match kind {
                    ImmKind::I32 => NumberForm::I32,
                    _ => NumberForm::I64,
                };
                self.number(form, start);
            }
            ImmKind::F32 => {
                self.r.take(4)?;
            }
            ImmKind::F64 => {
                self.r.take(8)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbol::RelocTarget;

    #[test]
    fn indices_are_found_and_replaced() {
        // (local i32) (call 3 (i32.load memory=1 offset=8 (i32.const 0)))
        // (block (type 2)) (memory.fill 0) (ref.null 5)
        let body = [
            1, 1, 0x7f, 0x41, 0, 0x28, 0x42, 1, 8, 0x10, 3, 0x02, 2, 0x0b, 0xfc, 11, 0, 0xd0, 5,
            0x0b,
        ];
        let mut seen = Vec::new();
        for_each_index(&body, |i| seen.push((i.space, i.value))).unwrap();
        use IndexSpace::*;
        assert_eq!(
            seen,
            [(Memory, 1), (Func, 3), (Type, 2), (Memory, 0), (Type, 5)]
        );
        let mut out = Vec::new();
        remap(&body, &mut out, |space, value| {
            Some(match space {
                Memory => 1 - value,
                Func => value + 200,
                Type => 64,
                _ => value,
            })
        })
        .unwrap();
        let expected = [
            1, 1, 0x7f, 0x41, 0, 0x28, 0x02, 8, 0x10, 203, 1, 0x02, 0xc0, 0, 0x0b, 0xfc, 11, 1,
            0xd0, 0xc0, 0, 0x0b,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn unchanged_indices_keep_their_bytes() {
        // A call whose index is padded to five bytes, as in objects.
        let body = [0, 0x10, 0x83, 0x80, 0x80, 0x80, 0, 0x0b];
        let mut out = Vec::new();
        remap(&body, &mut out, |_, value| Some(value)).unwrap();
        assert_eq!(out, body);
    }

    #[test]
    fn relocations_stand_on_fields_of_their_kind() {
        // (call 0) (drop) (i32.load (i32.const 0)) (drop), padded.
        let body = [
            0, 0x10, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0x41, 0x80, 0x80, 0x80, 0x80, 0, 0x28, 2,
            0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0x0b,
        ];
        let fields = [
            (RelocKind::FunctionIndexLeb, 2),
            (RelocKind::MemoryAddrSleb, 9),
            (RelocKind::TableIndexSleb, 9),
            (RelocKind::MemoryAddrLeb, 16),
        ];
        for &kind in RelocKind::ALL {
            for offset in 0..body.len() as u32 {
                let reloc = Reloc {
                    offset,
                    kind,
                    target: RelocTarget::Section(0),
                    addend: 0,
                };
                // Others are on a number of the same form.
                let form = |kind| Place::of(kind);
                let fits = (fields.iter()).any(|&(k, at)| at == offset && form(k) == form(kind));
                let found = misplaced_reloc(&body, &[reloc]).unwrap();
                assert_eq!(found, (!fits).then_some(offset), "{kind:?} {offset}");
            }
        }
        // A number that is not padded has no room.
        let short = [0, 0x41, 0, 0x1a, 0x0b];
        let reloc = Reloc {
            offset: 2,
            kind: RelocKind::MemoryAddrSleb,
            target: RelocTarget::Section(0),
            addend: 0,
        };
        assert_eq!(misplaced_reloc(&short, &[reloc]).unwrap(), Some(2));
    }

    #[test]
    fn what_is_not_a_body_is_refused() {
        for bad in [
            &[][..],
            &[0, 0xff],
            &[0, 0x28, 0],
            &[1, 1, 0x00],
            &[0, 0xfd, 0xff, 0xff, 0x7f],
        ] {
            assert!(for_each_index(bad, |_| {}).is_err(), "{bad:x?}");
        }
        let removed = remap(&[0, 0x10, 3, 0x0b], &mut Vec::new(), |_, _| None);
        assert_eq!(
            removed.unwrap_err().expected,
            "an entity that was not removed"
        );
    }
}
