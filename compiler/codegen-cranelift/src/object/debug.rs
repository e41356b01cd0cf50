//! DWARF in an object: the same as in a final module, with relocations in place of addresses and offsets of sections.

use super::linking::{Entry, Symbols, section_count};
use crate::dwarf::{self, Place};
use crate::encode::FunctionBody;
use gimli::write::{
    Address, EndianVec, RelocateWriter, Relocation, RelocationTarget, Sections, Writer,
};
use gimli::{LittleEndian, SectionId};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use wasm_encoder as enc;
use wasmir::{Func, Module, RelocKind};

/// A section with the places in it that a linker fills in.
#[derive(Clone)]
pub(super) struct Relocated {
    bytes: EndianVec<LittleEndian>,
    relocs: Vec<Relocation>,
}

impl RelocateWriter for Relocated {
    type Writer = EndianVec<LittleEndian>;
    fn writer(&self) -> &Self::Writer {
        &self.bytes
    }
    fn writer_mut(&mut self) -> &mut Self::Writer {
        &mut self.bytes
    }
    fn relocate(&mut self, relocation: Relocation) {
        self.relocs.push(relocation);
    }
}

impl Relocated {
    /// Puts into the places that a linker fills in what is true of this object: readers of objects rely on it.
    fn fill(&mut self, starts: &FxHashMap<usize, u32>) -> gimli::write::Result<()> {
        for reloc in &self.relocs {
            let start = match reloc.target {
                RelocationTarget::Symbol(func) => starts.get(&func).copied().unwrap_or(0),
                RelocationTarget::Section(_) => 0,
            };
            let value = i64::from(start) + reloc.addend;
            self.bytes
                .write_udata_at(reloc.offset, value as u64, reloc.size)?;
        }
        Ok(())
    }
}

/// The debug sections that are not empty.
pub(super) fn sections(
    module: &Module,
    defined: &[Func],
    bodies: &[FunctionBody],
) -> Vec<(SectionId, Relocated)> {
    let places: Vec<Place<'_>> = defined
        .iter()
        .zip(bodies)
        .map(|(&func, body)| Place {
            name: module.funcs[func].symbol.name.as_deref().unwrap_or(""),
            start: Address::Symbol {
                symbol: func.as_u32() as usize,
                addend: 0,
            },
            body,
        })
        .collect();
    let mut sections = Sections::new(Relocated {
        bytes: EndianVec::new(LittleEndian),
        relocs: Vec::new(),
    });
    let mut out = Vec::new();
    let written = dwarf::describe(&module.debug, &places).write(&mut sections);
    // Writing fails only where a field overflows: then there is nothing true to say.
    let starts: FxHashMap<usize, u32> = defined
        .iter()
        .map(|func| func.as_u32() as usize)
        .zip(dwarf::starts(bodies))
        .collect();
    let collected = written.and_then(|()| {
        sections.for_each(|id, section| {
            if section.len() != 0 {
                let mut section = section.clone();
                section.fill(&starts)?;
                out.push((id, section));
            }
            Ok(())
        })
    });
    match collected {
        Ok(()) => out,
        Err(_) => Vec::new(),
    }
}

/// Writes debug sections and adds their relocations to `relocated`.
pub(super) fn write(
    sections: Vec<(SectionId, Relocated)>,
    symbols: &mut Symbols<'_>,
    out: &mut enc::Module,
    relocated: &mut Vec<(String, u32, Vec<Entry>)>,
) {
    let first = section_count(out.as_slice());
    let numbered: Vec<(SectionId, u32)> = (first..)
        .zip(&sections)
        .map(|(place, (id, _))| (*id, symbols.section(place)))
        .collect();
    for (place, (id, section)) in (first..).zip(sections) {
        let name = id.name();
        out.section(&enc::CustomSection {
            name: Cow::Borrowed(name),
            data: Cow::Borrowed(section.bytes.slice()),
        });
        let mut entries: Vec<Entry> = section
            .relocs
            .iter()
            .filter_map(|reloc| {
                let (kind, index) = match reloc.target {
                    RelocationTarget::Symbol(func) => (RelocKind::FunctionOffsetI32, func as u32),
                    RelocationTarget::Section(target) => {
                        let (_, symbol) = numbered.iter().find(|(id, _)| *id == target)?;
                        (RelocKind::SectionOffsetI32, *symbol)
                    }
                };
                Some(Entry {
                    offset: reloc.offset as u32,
                    kind,
                    index,
                    addend: reloc.addend,
                })
            })
            .collect();
        // Offsets that were filled in afterwards come last.
        entries.sort_by_key(|entry| entry.offset);
        if !entries.is_empty() {
            relocated.push((name.to_owned(), place, entries));
        }
    }
}
