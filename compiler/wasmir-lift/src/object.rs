//! Relocatable objects: symbols, relocations, segments, init functions and COMDAT groups.
//!
//! # Algorithm
//! By the time this runs, the module has been read as any other. The symbol table then names its entities, segments are
//! cut into data symbols (of which each is free to lie anywhere), and the relocations of code and data find the function
//! or data symbol they lie in by bisection.
//!
//! What has two symbols is there twice as far as functions go: the second symbol gets a copy of the body, so that either
//! can be replaced by another object's. A local second symbol of data is an offset from the first; one that other objects may
//! name is an alias, and then so is the first: the data themselves get a local symbol without a name, since any of the names may
//! come to mean another object's data.
//!
//! # What does not survive
//! Element segments, which only repeat what relocations say. `.debug_*` sections, whose line tables have been read.
//!
//! # Cost
//! Linear in symbols and relocations, times the logarithm of the number of functions.

mod code;

use rustc_hash::FxHashSet;
use wasmir::entity::PrimaryMap;
use wasmir::{
    Bytes, Comdat, Data, DataData, DataKind, Export, Func, FuncBody, Global, Item, Linkage, Module,
    Reloc, RelocKind, RelocTarget, Symbol, Table, Tag, TypeId,
};
use wasmparser::{
    ComdatSymbolKind, CustomSectionReader, KnownCustom, Linking, RelocationEntry, SymbolFlags,
    SymbolInfo,
};

use crate::LiftError;

/// What the section of a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    /// One that relocations have no business in.
    Other,
    Code,
    Data,
    /// A custom section, by its number among those.
    Custom(u32),
}

/// What the reader of the module knows of an object beyond the module.
#[derive(Default)]
pub(crate) struct Sections<'a> {
    pub(crate) linking: Option<CustomSectionReader<'a>>,
    pub(crate) relocs: Vec<CustomSectionReader<'a>>,
    /// The sections of the file in order.
    pub(crate) kinds: Vec<SectionKind>,
    /// For each custom section its place among those of the module, if it was kept.
    pub(crate) customs: Vec<Option<u32>>,
    /// For each data segment, where its bytes start in the data section's contents.
    pub(crate) data_starts: Vec<u32>,
}

pub(crate) fn read(module: &mut Module, sections: Sections<'_>) -> Result<(), LiftError> {
    let Some(linking) = &sections.linking else {
        return Ok(());
    };
    let offset = linking.range().start;
    let KnownCustom::Linking(linking) = linking.as_known() else {
        return Err(invalid("a malformed `linking` section", offset));
    };
    let mut reader = Reader {
        module,
        offset,
        symbols: Vec::new(),
        owners: FxHashSet::default(),
        copies: false,
        segments: Vec::new(),
        pieces: Vec::new(),
        exported: Vec::new(),
    };
    let mut parts = Parts::default();
    for part in linking {
        match part? {
            Linking::SymbolTable(map) => parts.symbols = Some(map),
            Linking::SegmentInfo(map) => parts.segments = Some(map),
            Linking::InitFuncs(map) => parts.inits = Some(map),
            Linking::ComdatInfo(map) => parts.comdats = Some(map),
            Linking::TargetArch(_) | Linking::Unknown { .. } => {}
        }
    }
    reader.module.relocatable = true;
    reader.module.elems = PrimaryMap::new();
    for unit in reader.module.units.values_mut() {
        unit.elems.clear();
    }
    reader.segments(parts.segments, &sections.data_starts)?;
    if let Some(map) = parts.symbols {
        reader.symbols(map)?;
    }
    reader.imports_without_symbols();
    reader.pieces()?;
    if let Some(map) = parts.inits {
        for init in map {
            let init = init?;
            let func = match reader.symbol(init.symbol_index)?.0 {
                RelocTarget::Item(Item::Func(func)) => func,
                _ => return Err(invalid("an init function that is no function", offset)),
            };
            let ty = reader.module.func_type(func);
            if ty.is_none_or(|ty| !ty.params.is_empty() || !ty.results.is_empty()) {
                return Err(LiftError::unsupported(
                    "an init function with parameters or results",
                    offset,
                ));
            }
            reader.module.init_funcs.push((init.priority, func));
        }
    }
    if let Some(map) = parts.comdats {
        reader.comdats(map)?;
    }
    reader.exports();
    for section in &sections.relocs {
        reader.relocations(section, &sections)?;
    }
    reader.relocations_fit()?;
    if reader.copies {
        reader.call_copies()?;
    }
    Ok(())
}

#[derive(Default)]
struct Parts<'a> {
    symbols: Option<wasmparser::SymbolInfoMap<'a>>,
    segments: Option<wasmparser::SegmentMap<'a>>,
    inits: Option<wasmparser::InitFuncMap<'a>>,
    comdats: Option<wasmparser::ComdatMap<'a>>,
}

/// What a symbol of the table stands for.
#[derive(Clone, Copy)]
enum Meaning {
    /// An entity, a section.
    Target(RelocTarget),
    /// A place in a segment.
    Place { segment: u32, offset: u32 },
}

/// A segment of the file.
struct Segment {
    bytes: Bytes,
    /// Where the bytes start in the data section's contents.
    start: u32,
    name: String,
    align_log2: u8,
    strings: bool,
    tls: bool,
    /// Its symbols.
    symbols: Vec<Placed>,
    /// Its pieces in the list of all.
    pieces: std::ops::Range<usize>,
    /// Further symbols of its pieces.
    aliases: Vec<Data>,
}

/// A symbol of a segment.
struct Placed {
    offset: u32,
    size: u32,
    symbol: Symbol,
    /// Its number in the symbol table.
    number: usize,
}

/// Where a segment is cut.
#[derive(Default)]
struct Cut {
    start: u32,
    /// What the piece is called.
    symbol: Option<Placed>,
    /// What else names a part of it.
    aliases: Vec<Placed>,
}

/// A part of a segment that is a data symbol.
struct Piece {
    offset: u32,
    data: Data,
}

struct Reader<'m> {
    module: &'m mut Module,
    /// Where the section is that is read, for errors.
    offset: u64,
    symbols: Vec<Meaning>,
    /// Functions that have a symbol already.
    owners: FxHashSet<Func>,
    /// A function has a second symbol.
    copies: bool,
    segments: Vec<Segment>,
    pieces: Vec<Piece>,
    /// What the linker is to export under its symbol's name.
    exported: Vec<Item>,
}

fn invalid(message: &str, offset: u64) -> LiftError {
    LiftError::Invalid {
        message: message.to_owned(),
        offset,
    }
}

/// The symbol of a name and flags.
fn symbol_of(flags: SymbolFlags, name: Option<String>) -> Symbol {
    let weak = flags.contains(SymbolFlags::BINDING_WEAK);
    let linkage = match (flags.contains(SymbolFlags::UNDEFINED), weak) {
        (true, true) => Linkage::UndefinedWeak,
        (true, false) => Linkage::Undefined,
        _ if flags.contains(SymbolFlags::BINDING_LOCAL) => Linkage::Local,
        (false, true) => Linkage::Weak,
        (false, false) => Linkage::Strong,
    };
    Symbol {
        name,
        linkage,
        hidden: flags.contains(SymbolFlags::VISIBILITY_HIDDEN),
        used: flags.contains(SymbolFlags::NO_STRIP),
        tls: flags.contains(SymbolFlags::TLS),
        comdat: None,
    }
}

impl Reader<'_> {
    fn invalid(&self, message: &str) -> LiftError {
        invalid(message, self.offset)
    }

    /// Takes the segments out of the module, where data symbols will stand in their place.
    fn segments(
        &mut self,
        infos: Option<wasmparser::SegmentMap<'_>>,
        starts: &[u32],
    ) -> Result<(), LiftError> {
        let datas = std::mem::take(&mut self.module.datas);
        for unit in self.module.units.values_mut() {
            unit.datas.clear();
        }
        let mut infos = infos.into_iter().flatten();
        for ((_, data), &start) in datas.into_iter().zip(starts) {
            let info = match infos.next() {
                Some(info) => info?,
                None => return Err(self.invalid("a segment without information")),
            };
            if info.alignment > 31 {
                return Err(self.invalid("an alignment out of range"));
            }
            self.segments.push(Segment {
                bytes: data.bytes,
                start,
                name: info.name.to_owned(),
                align_log2: info.alignment as u8,
                strings: info.flags.contains(wasmparser::SegmentFlags::STRINGS),
                tls: info.flags.contains(wasmparser::SegmentFlags::TLS),
                symbols: Vec::new(),
                pieces: 0..0,
                aliases: Vec::new(),
            });
        }
        Ok(())
    }

    fn symbols(&mut self, map: wasmparser::SymbolInfoMap<'_>) -> Result<(), LiftError> {
        for info in map {
            let meaning = match info? {
                SymbolInfo::Func { flags, index, name } => {
                    let func = self.func(flags, index, name)?;
                    self.export(flags, Item::Func(func));
                    Meaning::Target(RelocTarget::Item(Item::Func(func)))
                }
                SymbolInfo::Data {
                    flags,
                    name,
                    symbol,
                } => self.data(flags, name, symbol)?,
                SymbolInfo::Global { flags, index, name } => {
                    let id = Global::from_u32(index);
                    let global = self.module.globals.get_mut(id);
                    let global = global.ok_or(invalid("a symbol of no global", self.offset))?;
                    let name = name.or(global.import.as_ref().map(|i| i.name.as_str()));
                    global.symbol = symbol_of(flags, name.map(str::to_owned));
                    self.export(flags, Item::Global(id));
                    Meaning::Target(RelocTarget::Item(Item::Global(id)))
                }
                SymbolInfo::Table { flags, index, name } => {
                    let id = Table::from_u32(index);
                    let table = self.module.tables.get_mut(id);
                    let table = table.ok_or(invalid("a symbol of no table", self.offset))?;
                    let name = name.or(table.import.as_ref().map(|i| i.name.as_str()));
                    table.symbol = symbol_of(flags, name.map(str::to_owned));
                    self.export(flags, Item::Table(id));
                    Meaning::Target(RelocTarget::Item(Item::Table(id)))
                }
                SymbolInfo::Event { flags, index, name } => {
                    let id = Tag::from_u32(index);
                    let tag = self.module.tags.get_mut(id);
                    let tag = tag.ok_or(invalid("a symbol of no tag", self.offset))?;
                    let name = name.or(tag.import.as_ref().map(|i| i.name.as_str()));
                    tag.symbol = symbol_of(flags, name.map(str::to_owned));
                    self.export(flags, Item::Tag(id));
                    Meaning::Target(RelocTarget::Item(Item::Tag(id)))
                }
                SymbolInfo::Section { section, .. } => {
                    Meaning::Target(RelocTarget::Section(section))
                }
            };
            self.symbols.push(meaning);
        }
        Ok(())
    }

    fn export(&mut self, flags: SymbolFlags, item: Item) {
        if flags.contains(SymbolFlags::EXPORTED) {
            self.exported.push(item);
        }
    }

    fn func(
        &mut self,
        flags: SymbolFlags,
        index: u32,
        name: Option<&str>,
    ) -> Result<Func, LiftError> {
        let id = Func::from_u32(index);
        let func = self.module.funcs.get_mut(id);
        let func = func.ok_or(invalid("a symbol of no function", self.offset))?;
        let name = name.or(func.import.as_ref().map(|i| i.name.as_str()));
        let symbol = symbol_of(flags, name.map(str::to_owned));
        if matches!(symbol.linkage, Linkage::Undefined | Linkage::UndefinedWeak)
            != func.import.is_some()
        {
            return Err(self.invalid("a symbol that is both defined and imported"));
        }
        if self.owners.insert(id) {
            func.symbol = symbol;
            return Ok(id);
        }
        self.copies = true;
        let mut copy = func.clone();
        copy.symbol = symbol;
        Ok(self.module.funcs.push(copy))
    }

    fn data(
        &mut self,
        flags: SymbolFlags,
        name: &str,
        defined: Option<wasmparser::DefinedDataSymbol>,
    ) -> Result<Meaning, LiftError> {
        let symbol = symbol_of(flags, Some(name.to_owned()));
        if flags.contains(SymbolFlags::ABSOLUTE) {
            return Err(LiftError::unsupported("an absolute symbol", self.offset));
        }
        let Some(defined) = defined else {
            let data = self.module.datas.push(DataData {
                kind: DataKind::Symbol {
                    align_log2: 0,
                    section: String::new(),
                    size: 0,
                    strings: false,
                    undefined: true,
                },
                bytes: Bytes::default(),
                relocs: Vec::new(),
                symbol,
            });
            return Ok(Meaning::Target(RelocTarget::Item(Item::Data(data))));
        };
        let (offset, size) = (defined.offset, defined.size);
        let segment = self.segments.get_mut(defined.index as usize);
        let segment = segment.ok_or(invalid("a symbol of no segment", self.offset))?;
        let end = u64::from(offset) + u64::from(size);
        if end > segment.bytes.len() as u64 {
            return Err(self.invalid("a symbol outside its segment"));
        }
        segment.symbols.push(Placed {
            offset,
            size,
            symbol,
            number: self.symbols.len(),
        });
        Ok(Meaning::Place {
            segment: defined.index,
            offset,
        })
    }

    /// Older compilers give the table of function pointers no symbol; its import names it.
    fn imports_without_symbols(&mut self) {
        for table in self.module.tables.values_mut() {
            if let (Some(import), None) = (&table.import, &table.symbol.name) {
                table.symbol.name = Some(import.name.clone());
                table.symbol.linkage = Linkage::Undefined;
            }
        }
    }

    /// Cuts the segments into data symbols. Each reaches to the next, so that nothing between them is lost.
    fn pieces(&mut self) -> Result<(), LiftError> {
        for at in 0..self.segments.len() {
            let first = self.pieces.len();
            let segment = &mut self.segments[at];
            let len = segment.bytes.len() as u32;
            let mut symbols = std::mem::take(&mut segment.symbols);
            // At one place the largest first: smaller ones lie in it.
            symbols.sort_by_key(|s| (s.offset, std::cmp::Reverse(s.size)));
            let mut cuts: Vec<Cut> = Vec::new();
            let mut end = 0;
            if symbols.first().is_none_or(|s| s.offset > 0) {
                cuts.push(Cut::default());
            }
            for symbol in symbols {
                let inside = cuts.last().is_some_and(|cut| {
                    let again = cut.start == symbol.offset && cut.symbol.is_some();
                    symbol.offset < end || symbol.offset == len || again
                });
                if !inside {
                    end = symbol.offset + symbol.size;
                    cuts.push(Cut {
                        start: symbol.offset,
                        symbol: Some(symbol),
                        aliases: Vec::new(),
                    });
                    continue;
                }
                end = end.max(symbol.offset + symbol.size);
                if let Some(cut) = cuts.last_mut()
                    && symbol.symbol.linkage != Linkage::Local
                {
                    let others = |s: &mut Placed| s.symbol.linkage != Linkage::Local;
                    cut.aliases.extend(cut.symbol.take_if(others));
                    cut.aliases.push(symbol);
                }
            }
            let ends: Vec<u32> = cuts.iter().skip(1).map(|cut| cut.start).collect();
            for (cut, end) in cuts.into_iter().zip(ends.into_iter().chain([len])) {
                self.cut(at, cut, end)?;
            }
            self.segments[at].pieces = first..self.pieces.len();
        }
        Ok(())
    }

    /// Makes a piece of a segment, up to `end`, with the symbols that name it.
    fn cut(&mut self, segment: usize, cut: Cut, end: u32) -> Result<(), LiftError> {
        let start = cut.start;
        let segment = &mut self.segments[segment];
        let bytes = segment.bytes.part(start as usize..end as usize);
        let bytes = bytes.ok_or(invalid("a symbol outside its segment", self.offset))?;
        let align_log2 = if start == 0 {
            segment.align_log2
        } else {
            segment.align_log2.min(start.trailing_zeros() as u8)
        };
        let mut symbol = cut.symbol.map(|s| s.symbol).unwrap_or_default();
        symbol.tls |= segment.tls;
        let data = self.module.datas.push(DataData {
            kind: DataKind::Symbol {
                align_log2,
                section: segment.name.clone(),
                size: end - start,
                strings: segment.strings,
                undefined: false,
            },
            bytes,
            relocs: Vec::new(),
            symbol,
        });
        self.pieces.push(Piece {
            offset: start,
            data,
        });
        for mut alias in cut.aliases {
            alias.symbol.tls |= segment.tls;
            let id = self.module.datas.push(DataData {
                kind: DataKind::Alias {
                    of: data,
                    offset: alias.offset - start,
                    size: alias.size,
                },
                bytes: Bytes::default(),
                relocs: Vec::new(),
                symbol: alias.symbol,
            });
            segment.aliases.push(id);
            self.symbols[alias.number] = Meaning::Target(RelocTarget::Item(Item::Data(id)));
        }
        Ok(())
    }

    /// The data symbol at a place of a segment, and how far inside it.
    fn piece(&self, segment: u32, offset: u32) -> Result<(Data, u32), LiftError> {
        let pieces = self.segments.get(segment as usize).map(|s| &s.pieces);
        let pieces = &self.pieces[pieces.ok_or(self.invalid("a place in no segment"))?.clone()];
        let after = pieces.partition_point(|piece| piece.offset <= offset);
        let piece = after.checked_sub(1).and_then(|at| pieces.get(at));
        let piece = piece.ok_or(self.invalid("a place in no segment"))?;
        Ok((piece.data, offset - piece.offset))
    }

    /// What a symbol stands for, and what to add to its address.
    fn symbol(&self, index: u32) -> Result<(RelocTarget, i64), LiftError> {
        match self.symbols.get(index as usize) {
            None => Err(self.invalid("a symbol that does not exist")),
            Some(&Meaning::Target(target)) => Ok((target, 0)),
            Some(&Meaning::Place { segment, offset }) => {
                let (data, inside) = self.piece(segment, offset)?;
                Ok((RelocTarget::Item(Item::Data(data)), inside.into()))
            }
        }
    }

    fn comdats(&mut self, map: wasmparser::ComdatMap<'_>) -> Result<(), LiftError> {
        for group in map {
            let group = group?;
            let comdat: Comdat = self.module.comdats.push(group.name.to_owned());
            for member in group.symbols {
                let member = member?;
                match member.kind {
                    ComdatSymbolKind::Func => {
                        let func = self.module.funcs.get_mut(Func::from_u32(member.index));
                        let func =
                            func.ok_or(invalid("a group member that is missing", self.offset))?;
                        func.symbol.comdat = Some(comdat);
                    }
                    ComdatSymbolKind::Data => {
                        let segment = self.segments.get(member.index as usize);
                        let segment = segment
                            .ok_or(invalid("a group member that is missing", self.offset))?;
                        let pieces = self.pieces[segment.pieces.clone()].iter();
                        let datas = pieces.map(|piece| piece.data);
                        for data in datas.chain(segment.aliases.iter().copied()) {
                            self.module.datas[data].symbol.comdat = Some(comdat);
                        }
                    }
                    ComdatSymbolKind::Global => {
                        let global = self.module.globals.get_mut(Global::from_u32(member.index));
                        let global =
                            global.ok_or(invalid("a group member that is missing", self.offset))?;
                        global.symbol.comdat = Some(comdat);
                    }
                    // Debug sections are not kept; other kinds have no groups in practice.
                    ComdatSymbolKind::Section => {}
                    ComdatSymbolKind::Event | ComdatSymbolKind::Table => {
                        return Err(LiftError::unsupported(
                            "a tag or table in a COMDAT group",
                            self.offset,
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Exports symbols that have no export with a name of its own.
    fn exports(&mut self) {
        for item in std::mem::take(&mut self.exported) {
            if self.module.exports.iter().any(|export| export.item == item) {
                continue;
            }
            let symbol = match item {
                Item::Func(f) => &self.module.funcs[f].symbol,
                Item::Global(g) => &self.module.globals[g].symbol,
                Item::Table(t) => &self.module.tables[t].symbol,
                Item::Tag(t) => &self.module.tags[t].symbol,
                Item::Memory(_) | Item::Data(_) => continue,
            };
            if let Some(name) = symbol.name.clone()
                && !self.module.exports.iter().any(|export| export.name == name)
            {
                self.module.exports.push(Export { name, item });
            }
        }
    }

    fn relocations(
        &mut self,
        section: &CustomSectionReader<'_>,
        sections: &Sections<'_>,
    ) -> Result<(), LiftError> {
        self.offset = section.range().start;
        let KnownCustom::Reloc(relocs) = section.as_known() else {
            return Err(self.invalid("a malformed `reloc` section"));
        };
        let kind = sections.kinds.get(relocs.section_index() as usize).copied();
        let kind = kind.ok_or(self.invalid("relocations of a section that does not exist"))?;
        let places = match kind {
            SectionKind::Code => Places::of_code(self.module),
            SectionKind::Data => self.places_of_data(),
            SectionKind::Custom(at) => match sections.customs.get(at as usize).copied().flatten() {
                // A section that was not kept needs no relocations.
                None => return Ok(()),
                Some(place) => Places::of_custom(self.module, place),
            },
            SectionKind::Other => {
                return Err(self.invalid("relocations of a section that takes none"));
            }
        };
        for entry in relocs.entries() {
            self.relocation(&entry?, &places, sections)?;
        }
        for (_, _, holder) in &places.list {
            if let Some(relocs) = self.relocs_of(*holder) {
                relocs.sort_by_key(|reloc| reloc.offset);
            }
        }
        Ok(())
    }

    fn places_of_data(&self) -> Places {
        let mut list = Vec::new();
        for segment in &self.segments {
            for piece in &self.pieces[segment.pieces.clone()] {
                let len = self.module.datas[piece.data].bytes.len() as u32;
                list.push((segment.start + piece.offset, len, Holder::Data(piece.data)));
            }
        }
        Places::new(list)
    }

    fn relocation(
        &mut self,
        entry: &RelocationEntry,
        places: &Places,
        sections: &Sections<'_>,
    ) -> Result<(), LiftError> {
        let kind = RelocKind::from_code(entry.ty as u8);
        let kind = kind.ok_or(self.invalid("an unknown kind of relocation"))?;
        let (target, inside) = if kind == RelocKind::TypeIndexLeb {
            if entry.index as usize >= self.module.types.len() {
                return Err(self.invalid("a relocation of a type that does not exist"));
            }
            (RelocTarget::Type(TypeId::from_u32(entry.index)), 0)
        } else {
            self.symbol(entry.index)?
        };
        let target = match target {
            RelocTarget::Section(number) => {
                let kept = match sections.kinds.get(number as usize) {
                    Some(SectionKind::Custom(at)) => {
                        sections.customs.get(*at as usize).copied().flatten()
                    }
                    _ => None,
                };
                match kept {
                    Some(place) => RelocTarget::Section(place),
                    None => return Err(self.invalid("a relocation of a section that is not kept")),
                }
            }
            other => other,
        };
        let extent = entry.ty.extent() as u32;
        let holders = places.around(entry.offset);
        if holders.is_empty() {
            return Err(self.invalid("a relocation outside what it belongs to"));
        }
        for (start, len, holder) in holders {
            let offset = entry.offset - start;
            if offset.checked_add(extent).is_none_or(|end| end > *len) {
                return Err(self.invalid("a relocation outside what it belongs to"));
            }
            let reloc = Reloc {
                offset,
                kind,
                target,
                addend: entry.addend.wrapping_add(inside),
            };
            if let Some(relocs) = self.relocs_of(*holder) {
                relocs.push(reloc);
            }
        }
        Ok(())
    }

    fn relocs_of(&mut self, holder: Holder) -> Option<&mut Vec<Reloc>> {
        Some(match holder {
            Holder::Func(func) => match &mut self.module.funcs[func].body {
                FuncBody::Raw(raw) => &mut raw.relocs,
                FuncBody::None | FuncBody::Ir(_) => return None,
            },
            Holder::Data(data) => &mut self.module.datas[data].relocs,
            Holder::Custom(place) => &mut self.module.customs[place as usize].relocs,
        })
    }
}

/// What holds bytes that are relocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Func(Func),
    Data(Data),
    /// A custom section by its place in the module.
    Custom(u32),
}

/// Where holders lie in a section: start, length.
struct Places {
    list: Vec<(u32, u32, Holder)>,
}

impl Places {
    fn new(mut list: Vec<(u32, u32, Holder)>) -> Places {
        // Empty ones hold nothing and would hide what starts at the same place.
        list.retain(|(_, len, _)| *len > 0);
        list.sort_by_key(|(start, ..)| *start);
        Places { list }
    }

    fn of_code(module: &Module) -> Places {
        let bodies = module
            .funcs
            .iter()
            .filter_map(|(id, func)| match &func.body {
                FuncBody::Raw(raw) => {
                    Some((raw.code_offset, raw.bytes.len() as u32, Holder::Func(id)))
                }
                FuncBody::None | FuncBody::Ir(_) => None,
            });
        Places::new(bodies.collect())
    }

    fn of_custom(module: &Module, place: u32) -> Places {
        let len = module.customs[place as usize].bytes.len() as u32;
        Places::new(vec![(0, len, Holder::Custom(place))])
    }

    /// The last holders that start at or before a place: more than one where a function has several symbols.
    fn around(&self, offset: u32) -> &[(u32, u32, Holder)] {
        let end = self.list.partition_point(|(start, ..)| *start <= offset);
        let Some(last) = end.checked_sub(1).map(|at| self.list[at].0) else {
            return &[];
        };
        let begin = self.list.partition_point(|(start, ..)| *start < last);
        &self.list[begin..end]
    }
}
