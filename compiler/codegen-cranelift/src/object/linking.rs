//! The `linking` section (symbols, segments, init functions, COMDAT groups) and `reloc.*` sections.

use crate::error::{ErrorKind, Result};
use crate::leb;
use crate::number::Numbers;
use cranelift_entity::SecondaryMap;
use std::borrow::Cow;
use std::collections::BTreeSet;
use wasm_encoder as enc;
use wasmir::{
    Data, DataKind, Import, Item, Linkage, Module, Reloc, RelocKind, RelocTarget, Symbol,
};

const WEAK: u32 = 1;
const LOCAL: u32 = 2;
const HIDDEN: u32 = 4;
const UNDEFINED: u32 = 0x10;
const EXPORTED: u32 = 0x20;
const EXPLICIT_NAME: u32 = 0x40;
const NO_STRIP: u32 = 0x80;
const THREAD_LOCAL: u32 = 0x100;

/// A relocation of a section.
pub(crate) struct Entry {
    /// The place, from the start of the section's contents.
    pub(crate) offset: u32,
    pub(crate) kind: RelocKind,
    /// A symbol, or a type.
    pub(crate) index: u32,
    pub(crate) addend: i64,
}

/// A data symbol defined in the module.
pub(crate) struct Segment<'a> {
    pub(crate) section: &'a str,
    pub(crate) align_log2: u8,
    pub(crate) size: u32,
    pub(crate) strings: bool,
}

/// The segments of the data section, in order.
pub(crate) fn segments(module: &Module) -> impl Iterator<Item = (Data, Segment<'_>)> {
    module
        .datas
        .iter()
        .filter_map(|(id, data)| match &data.kind {
            DataKind::Symbol {
                align_log2,
                section,
                size,
                strings,
                undefined: false,
            } => Some((
                id,
                Segment {
                    section,
                    align_log2: *align_log2,
                    size: *size,
                    strings: *strings,
                },
            )),
            _ => None,
        })
}

/// How many sections a module has so far.
pub(crate) fn section_count(mut bytes: &[u8]) -> u32 {
    let mut count = 0;
    bytes = bytes.get(8..).unwrap_or_default();
    while !bytes.is_empty() {
        let mut len = 0usize;
        let mut at = 1;
        while let Some(&byte) = bytes.get(at) {
            len |= usize::from(byte & 0x7f) << (7 * (at - 1));
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        bytes = bytes.get(at + len..).unwrap_or_default();
        count += 1;
    }
    count
}

/// The symbol table: how symbols are numbered, and what is written of them.
pub(crate) struct Symbols<'a> {
    module: &'a Module,
    numbers: &'a Numbers,
    /// By number of the output: which entity it is.
    funcs: Vec<u32>,
    globals: Vec<u32>,
    tables: Vec<u32>,
    tags: Vec<u32>,
    /// Sections that relocations refer to, by their place in the file.
    sections: Vec<u32>,
}

impl<'a> Symbols<'a> {
    pub(crate) fn new(module: &'a Module, numbers: &'a Numbers) -> Symbols<'a> {
        fn inverse(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
            let mut pairs: Vec<(u32, u32)> = numbers.zip(0..).collect();
            pairs.sort_unstable();
            pairs.into_iter().map(|(_, id)| id).collect()
        }
        Symbols {
            module,
            numbers,
            funcs: inverse(module.funcs.keys().map(|f| numbers.func(f))),
            globals: inverse(module.globals.keys().map(|g| numbers.global(g))),
            tables: inverse(module.tables.keys().map(|t| numbers.table(t))),
            tags: inverse(module.tags.keys().map(|t| numbers.tag(t))),
            sections: Vec::new(),
        }
    }

    fn first_data(&self) -> u32 {
        self.module.funcs.len() as u32
    }

    fn first_global(&self) -> u32 {
        self.first_data() + self.module.datas.len() as u32
    }

    fn first_table(&self) -> u32 {
        self.first_global() + self.module.globals.len() as u32
    }

    fn first_tag(&self) -> u32 {
        self.first_table() + self.module.tables.len() as u32
    }

    fn first_section(&self) -> u32 {
        self.first_tag() + self.module.tags.len() as u32
    }

    /// The symbol of the function of a number.
    pub(crate) fn func_number(&self, number: u32) -> u32 {
        self.funcs[number as usize]
    }

    pub(crate) fn global_number(&self, number: u32) -> u32 {
        self.first_global() + self.globals[number as usize]
    }

    pub(crate) fn table_number(&self, number: u32) -> u32 {
        self.first_table() + self.tables[number as usize]
    }

    pub(crate) fn tag_number(&self, number: u32) -> u32 {
        self.first_tag() + self.tags[number as usize]
    }

    /// The symbol of data.
    pub(crate) fn data(&self, data: u32) -> u32 {
        self.first_data() + data
    }

    /// The symbol of a section, by its place in the file.
    pub(crate) fn section(&mut self, place: u32) -> u32 {
        self.sections.push(place);
        self.first_section() + self.sections.len() as u32 - 1
    }

    /// A relocation of data or of a custom section whose bytes start at `start` in its section.
    pub(crate) fn entry(&self, start: usize, reloc: &Reloc) -> Result<Entry> {
        let index = match reloc.target {
            RelocTarget::Item(Item::Func(f)) => f.as_u32(),
            RelocTarget::Item(Item::Data(d)) => self.data(d.as_u32()),
            RelocTarget::Item(Item::Global(g)) => self.first_global() + g.as_u32(),
            RelocTarget::Item(Item::Table(t)) => self.first_table() + t.as_u32(),
            RelocTarget::Item(Item::Tag(t)) => self.first_tag() + t.as_u32(),
            RelocTarget::Type(t) => t.as_u32(),
            RelocTarget::Item(Item::Memory(_)) | RelocTarget::Section(_) => {
                return Err(ErrorKind::Unsupported(
                    "a relocation that names a memory or a section".into(),
                ));
            }
        };
        Ok(Entry {
            offset: start as u32 + reloc.offset,
            kind: reloc.kind,
            index,
            addend: reloc.addend,
        })
    }

    fn flags(&self, symbol: &Symbol, item: Item, exported: &BTreeSet<Item>) -> u32 {
        let mut flags = match symbol.linkage {
            Linkage::Local => LOCAL,
            Linkage::Weak => WEAK,
            Linkage::Strong => 0,
            Linkage::Undefined => UNDEFINED,
            Linkage::UndefinedWeak => UNDEFINED | WEAK,
        };
        for (set, bit) in [
            (symbol.hidden, HIDDEN),
            (symbol.used, NO_STRIP),
            (symbol.tls, THREAD_LOCAL),
            (exported.contains(&item), EXPORTED),
        ] {
            if set {
                flags |= bit;
            }
        }
        flags
    }

    /// Writes the `linking` section.
    pub(crate) fn write(&self, out: &mut enc::Module) {
        let mut section = vec![2];
        let mut part = |id: u8, contents: Vec<u8>| {
            section.push(id);
            leb::unsigned(&mut section, contents.len() as u64);
            section.extend(contents);
        };
        part(8, self.table());
        if segments(self.module).next().is_some() {
            part(5, self.segment_infos());
        }
        if !self.module.init_funcs.is_empty() {
            let mut inits = Vec::new();
            leb::unsigned(&mut inits, self.module.init_funcs.len() as u64);
            for &(priority, func) in &self.module.init_funcs {
                leb::unsigned(&mut inits, priority.into());
                leb::unsigned(&mut inits, func.as_u32().into());
            }
            part(6, inits);
        }
        let comdats = self.comdats();
        if !comdats.is_empty() {
            part(7, comdats);
        }
        out.section(&enc::CustomSection {
            name: Cow::Borrowed("linking"),
            data: Cow::Owned(section),
        });
    }

    fn table(&self) -> Vec<u8> {
        let m = self.module;
        let exported: BTreeSet<Item> = m.exports.iter().map(|e| e.item).collect();
        let count = self.first_section() as usize + self.sections.len();
        let mut out = Vec::new();
        leb::unsigned(&mut out, count as u64);
        for (id, f) in m.funcs.iter() {
            let flags = self.flags(&f.symbol, Item::Func(id), &exported);
            let name = Named::new(id, &f.symbol, f.import.as_ref());
            name.put(&mut out, 0, flags, self.numbers.func(id));
        }
        let mut numbers: SecondaryMap<Data, u32> = SecondaryMap::new();
        for ((id, _), number) in segments(m).zip(0..) {
            numbers[id] = number;
        }
        for (id, data) in m.datas.iter() {
            let flags = self.flags(&data.symbol, Item::Data(id), &exported);
            let (segment, offset, size, undefined) = match data.kind {
                DataKind::Symbol {
                    size, undefined, ..
                } => (numbers[id], 0, size, undefined),
                DataKind::Alias { of, offset, size } => (numbers[of], offset, size, false),
                DataKind::Active { .. } | DataKind::Passive => continue,
            };
            let flags = if undefined { flags | UNDEFINED } else { flags };
            out.push(1);
            leb::unsigned(&mut out, flags.into());
            match &data.symbol.name {
                Some(name) => text(&mut out, name),
                None => text(&mut out, &id.to_string()),
            }
            if flags & UNDEFINED == 0 {
                leb::unsigned(&mut out, segment.into());
                leb::unsigned(&mut out, offset.into());
                leb::unsigned(&mut out, size.into());
            }
        }
        for (id, g) in m.globals.iter() {
            let flags = self.flags(&g.symbol, Item::Global(id), &exported);
            let name = Named::new(id, &g.symbol, g.import.as_ref());
            name.put(&mut out, 2, flags, self.numbers.global(id));
        }
        for (id, t) in m.tables.iter() {
            // The table of function pointers exists for what the linker puts into it.
            let flags = self.flags(&t.symbol, Item::Table(id), &exported) | NO_STRIP;
            let name = Named::new(id, &t.symbol, t.import.as_ref());
            name.put(&mut out, 5, flags, self.numbers.table(id));
        }
        for (id, t) in m.tags.iter() {
            let flags = self.flags(&t.symbol, Item::Tag(id), &exported);
            let name = Named::new(id, &t.symbol, t.import.as_ref());
            name.put(&mut out, 4, flags, self.numbers.tag(id));
        }
        for &place in &self.sections {
            out.push(3);
            leb::unsigned(&mut out, LOCAL.into());
            leb::unsigned(&mut out, place.into());
        }
        out
    }

    fn segment_infos(&self) -> Vec<u8> {
        let mut out = Vec::new();
        leb::unsigned(&mut out, segments(self.module).count() as u64);
        for (id, segment) in segments(self.module) {
            text(&mut out, segment.section);
            leb::unsigned(&mut out, segment.align_log2.into());
            let symbol = &self.module.datas[id].symbol;
            // Retained besides the symbol's own flag: linkers look for that one among symbols with names outside only.
            let flags = u64::from(segment.strings)
                | u64::from(symbol.tls) << 1
                | u64::from(symbol.used) << 2;
            leb::unsigned(&mut out, flags);
        }
        out
    }

    /// The groups that have members defined here.
    fn comdats(&self) -> Vec<u8> {
        let m = self.module;
        let mut groups: Vec<Vec<(u8, u32)>> = vec![Vec::new(); m.comdats.len()];
        let mut member = |symbol: &Symbol, kind: u8, index: u32| {
            let group = symbol
                .comdat
                .and_then(|c| groups.get_mut(c.as_u32() as usize));
            if let Some(group) = group {
                group.push((kind, index));
            }
        };
        for ((id, _), index) in segments(m).zip(0..) {
            member(&m.datas[id].symbol, 0, index);
        }
        for (id, f) in m.funcs.iter().filter(|(_, f)| f.import.is_none()) {
            member(&f.symbol, 1, self.numbers.func(id));
        }
        for (id, g) in m.globals.iter().filter(|(_, g)| g.import.is_none()) {
            member(&g.symbol, 2, self.numbers.global(id));
        }
        let count = groups.iter().filter(|group| !group.is_empty()).count();
        let mut out = Vec::new();
        if count == 0 {
            return out;
        }
        leb::unsigned(&mut out, count as u64);
        for (name, group) in m.comdats.values().zip(groups) {
            if group.is_empty() {
                continue;
            }
            text(&mut out, name);
            leb::unsigned(&mut out, 0);
            leb::unsigned(&mut out, group.len() as u64);
            for (kind, index) in group {
                out.push(kind);
                leb::unsigned(&mut out, index.into());
            }
        }
        out
    }
}

/// What an entity with an index is called, in the symbol table and by its import.
struct Named<'a> {
    name: Cow<'a, str>,
    import: Option<&'a Import>,
}

impl<'a> Named<'a> {
    fn new(id: impl ToString, symbol: &'a Symbol, import: Option<&'a Import>) -> Named<'a> {
        let name = match &symbol.name {
            Some(name) => Cow::Borrowed(name.as_str()),
            None => Cow::Owned(id.to_string()),
        };
        Named { name, import }
    }

    fn put(&self, out: &mut Vec<u8>, kind: u8, mut flags: u32, number: u32) {
        // What is imported is undefined, whatever else its symbol says.
        if let Some(import) = self.import {
            flags = flags & !LOCAL | UNDEFINED;
            if import.module != "env" || import.name != self.name {
                flags |= EXPLICIT_NAME;
            }
        }
        out.push(kind);
        leb::unsigned(out, flags.into());
        leb::unsigned(out, number.into());
        if flags & UNDEFINED == 0 || flags & EXPLICIT_NAME != 0 {
            text(out, &self.name);
        }
    }
}

/// Whether relocations of a kind carry an addend.
fn has_addend(kind: RelocKind) -> bool {
    use RelocKind::*;
    match kind {
        MemoryAddrLeb | MemoryAddrSleb | MemoryAddrI32 | MemoryAddrRelSleb | MemoryAddrTlsSleb
        | MemoryAddrLocrelI32 | MemoryAddrLeb64 | MemoryAddrSleb64 | MemoryAddrI64
        | MemoryAddrRelSleb64 | MemoryAddrTlsSleb64 | FunctionOffsetI32 | FunctionOffsetI64
        | SectionOffsetI32 => true,
        FunctionIndexLeb | TableIndexSleb | TableIndexI32 | TypeIndexLeb | GlobalIndexLeb
        | TagIndexLeb | TableIndexRelSleb | GlobalIndexI32 | TableIndexSleb64 | TableIndexI64
        | TableNumberLeb | TableIndexRelSleb64 | FunctionIndexI32 => false,
    }
}

/// Writes the relocations of section number `target`, whose kind or name is `name`.
pub(crate) fn relocations(out: &mut enc::Module, name: &str, target: u32, entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    let mut section = Vec::new();
    leb::unsigned(&mut section, target.into());
    leb::unsigned(&mut section, entries.len() as u64);
    for entry in entries {
        section.push(entry.kind.code());
        leb::unsigned(&mut section, entry.offset.into());
        leb::unsigned(&mut section, entry.index.into());
        if has_addend(entry.kind) {
            leb::signed(&mut section, entry.addend);
        }
    }
    out.section(&enc::CustomSection {
        name: Cow::Owned(format!("reloc.{name}")),
        data: Cow::Owned(section),
    });
}

fn text(out: &mut Vec<u8>, text: &str) {
    leb::unsigned(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}
