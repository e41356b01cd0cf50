//! Relocatable objects: what `wasm-ld` links with the objects of other compilers.
//!
//! The format is the "linking" convention of the WebAssembly tools, version 2: a symbol table, segment information, init
//! functions and COMDAT groups in the section `linking`, relocations in `reloc.*` sections. Every field of code that names
//! an entity or an address is padded to five (or ten) bytes, so that the linker can patch it. Each data symbol is a
//! segment of its own, so that the linker drops what nothing refers to. Source positions become relocated DWARF.
//!
//! # Invariants
//! - Symbols are numbered functions first, then data, globals, tables, tags, and sections.
//! - Sections and relocations are written in ascending order, as the linker demands.
//! - Same module and options, same bytes.
//!
//! ```
//! let module = wasmir::parse_module(
//!     "wasmir 1
//!      relocatable
//!      type type0 = func(i32) -> (i32)
//!      func %double type0 strong {
//!        param l0: i32
//!        local l1: i32
//!      b0:
//!        l1 = i32.add l0, l0
//!        return l1
//!      }",
//! )?;
//! let object = codegen_cranelift::emit_object(module, &codegen_cranelift::Options::default())?;
//! assert!(object.windows(7).any(|name| name == b"linking"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod debug;
mod linking;

use crate::bodies::Plan;
use crate::dwarf;
use crate::encode::FunctionBody;
use crate::env::{self, RelocKind as Field};
use crate::error::{Error, ErrorKind, Result};
use crate::leb;
use crate::module::{LAST, Options, Writer};
use crate::number::Numbers;
use linking::{Entry, Symbols};
use std::borrow::Cow;
use wasm_encoder as enc;
use wasmir::{
    Data, DataKind, Func, FuncBody, Import, Inst, Item, Linkage, MemoryData, Module, RefType,
    Reloc, RelocKind, Symbol, TableData,
};

/// Emits `module` as a relocatable object.
///
/// What no module defines becomes an import of the module `env`, which the linker resolves.
///
/// # Errors
/// The first function, in order, that cannot be emitted; or what objects cannot hold: segments with fixed addresses,
/// element segments, a start function.
pub fn emit_object(mut module: Module, options: &Options) -> Result<Vec<u8>, Error> {
    check(&module).map_err(whole)?;
    import_undefined(&mut module);
    let numbers = Numbers::new(&module).padded();
    let plan = Plan {
        module: &module,
        numbers: &numbers,
        mid_end: options.mid_end,
        debug: options.debug && !module.debug.rows.is_empty(),
        cache: options.cache.as_deref(),
    };
    let defined: Vec<Func> = module
        .funcs
        .iter()
        .filter(|(_, f)| f.import.is_none())
        .map(|(id, _)| id)
        .collect();
    let bodies = plan.each(&defined, |worker, id| plan.relocatable(worker, id))?;
    let writer = Writer::new(&module, &numbers, options);
    let object = Object {
        plan: &plan,
        options,
        defined: &defined,
        bodies: &bodies,
        symbols: Symbols::new(&module, &numbers),
    };
    object.write(writer).map_err(whole)
}

fn whole(kind: ErrorKind) -> Error {
    Error {
        function: "module".into(),
        kind,
    }
}

fn check(module: &Module) -> Result<()> {
    let refused = |what: &str| Err(ErrorKind::Unsupported(format!("{what} in an object")));
    if !module.elems.is_empty() {
        return refused("an element segment");
    }
    if module.start.is_some() {
        return refused("a start function");
    }
    if module.memories.len() > 1 {
        return refused("a second memory");
    }
    for data in module.datas.values() {
        if !matches!(data.kind, DataKind::Symbol { .. } | DataKind::Alias { .. }) {
            return refused("a segment that is not a symbol");
        }
    }
    Ok(())
}

/// Where linkers put functions whose address is taken.
const TABLE: &str = "__indirect_function_table";

/// Declares that table if an address is taken and nothing else mentions it: `wasm-ld` does not survive its absence.
fn import_table(module: &mut Module) {
    let is_table = |symbol: &Symbol| symbol.name.as_deref() == Some(TABLE);
    if module.tables.values().any(|table| is_table(&table.symbol)) {
        return;
    }
    let takes_address = |body: &FuncBody| match body {
        FuncBody::None => false,
        FuncBody::Ir(body) => body.layout.iter().any(|&block| {
            let mut insts = body.blocks[block].insts.iter();
            insts.any(|inst| {
                matches!(
                    inst,
                    Inst::SymAddr {
                        item: Item::Func(_),
                        ..
                    }
                )
            })
        }),
        FuncBody::Raw(raw) => raw.relocs.iter().any(is_table_index),
    };
    let in_code = || module.funcs.values().any(|func| takes_address(&func.body));
    let mut datas = module.datas.values();
    if !datas.any(|data| data.relocs.iter().any(is_table_index)) && !in_code() {
        return;
    }
    module.tables.push(TableData {
        ty: RefType::FUNCREF,
        index64: false,
        shared: false,
        min: 0,
        max: None,
        init: None,
        import: Some(Import {
            module: "env".to_owned(),
            name: TABLE.to_owned(),
        }),
        symbol: Symbol {
            name: Some(TABLE.to_owned()),
            linkage: Linkage::Undefined,
            ..Symbol::default()
        },
    });
}

fn is_table_index(reloc: &Reloc) -> bool {
    matches!(
        reloc.kind,
        RelocKind::TableIndexSleb
            | RelocKind::TableIndexSleb64
            | RelocKind::TableIndexI32
            | RelocKind::TableIndexI64
    )
}

/// Gives everything that this object does not define the import that a linker expects.
fn import_undefined(module: &mut Module) {
    let import = |symbol: &Symbol| {
        let name = symbol.name.clone().unwrap_or_default();
        let module = "env".to_owned();
        Some(Import { module, name })
    };
    let undefined =
        |symbol: &Symbol| matches!(symbol.linkage, Linkage::Undefined | Linkage::UndefinedWeak);
    for func in module.funcs.values_mut() {
        if func.import.is_none() && matches!(func.body, FuncBody::None) {
            func.import = import(&func.symbol);
            if !undefined(&func.symbol) {
                func.symbol.linkage = Linkage::Undefined;
            }
        }
    }
    for table in module.tables.values_mut() {
        if table.import.is_none() && undefined(&table.symbol) {
            table.import = import(&table.symbol);
        }
    }
    for global in module.globals.values_mut() {
        if global.import.is_none() && (undefined(&global.symbol) || global.init.is_none()) {
            global.import = import(&global.symbol);
            global.symbol.linkage = Linkage::Undefined;
        }
    }
    for tag in module.tags.values_mut() {
        if tag.import.is_none() && undefined(&tag.symbol) {
            tag.import = import(&tag.symbol);
        }
    }
    import_table(module);
    // The memory is the linker's; every object imports it by this name.
    if module.memories.is_empty() {
        module.memories.push(MemoryData {
            index64: false,
            shared: false,
            min: 0,
            max: None,
            page_size_log2: None,
            import: None,
            symbol: Symbol::default(),
        });
    }
    for memory in module.memories.values_mut() {
        memory.import = Some(Import {
            module: "env".into(),
            name: "__linear_memory".into(),
        });
        memory.min = 0;
    }
}

/// The most data that an object holds, zeros included, which objects write out: tools read no larger files.
const MAX_DATA: u64 = 1 << 30;

struct Object<'a> {
    plan: &'a Plan<'a>,
    options: &'a Options,
    defined: &'a [Func],
    bodies: &'a [FunctionBody],
    symbols: Symbols<'a>,
}

impl Object<'_> {
    fn write(mut self, mut w: Writer<'_>) -> Result<Vec<u8>> {
        let module = self.plan.module;
        w.types();
        w.imports();
        w.functions();
        w.tables()?;
        w.tags();
        w.globals()?;
        self.exports(&mut w);
        let code = self.code(&mut w);
        let data = self.data(&mut w)?;
        let mut relocated: Vec<(String, u32, Vec<Entry>)> = Vec::new();
        if let Some((index, entries)) = code {
            relocated.push(("CODE".into(), index, entries));
        }
        if let Some((index, entries)) = data {
            relocated.push(("DATA".into(), index, entries));
        }
        self.customs(&mut w, &mut relocated)?;
        if self.plan.debug {
            let sections = debug::sections(module, self.defined, self.bodies);
            debug::write(sections, &mut self.symbols, &mut w.out, &mut relocated);
        }
        self.symbols.write(&mut w.out);
        for (name, index, entries) in &relocated {
            linking::relocations(&mut w.out, name, *index, entries);
        }
        // No `name` section: the symbol table has the names, and LLVM's readers do not expect both.
        for name in LAST {
            let own = module.customs.iter().find(|c| c.name == name);
            match own {
                Some(custom) => {
                    w.out.section(&enc::CustomSection {
                        name: Cow::Borrowed(name),
                        data: Cow::Borrowed(&custom.bytes),
                    });
                }
                None if name == "target_features" => {
                    w.out.section(&features(module));
                }
                None => {}
            }
        }
        Ok(w.out.finish())
    }

    /// Functions whose export has a name of its own.
    fn exports(&self, w: &mut Writer<'_>) {
        let mut section = enc::ExportSection::new();
        for export in &self.plan.module.exports {
            if let wasmir::Item::Func(func) = export.item {
                let index = self.plan.numbers.func(func);
                section.export(&export.name, enc::ExportKind::Func, index);
            }
        }
        if !section.is_empty() {
            w.out.section(&section);
        }
    }

    fn code(&self, w: &mut Writer<'_>) -> Option<(u32, Vec<Entry>)> {
        if self.bodies.is_empty() {
            return None;
        }
        let mut section = enc::CodeSection::new();
        let mut entries = Vec::new();
        for (body, start) in self.bodies.iter().zip(dwarf::starts(self.bodies)) {
            section.raw(&body.bytes);
            entries.extend(body.relocs.iter().map(|reloc| self.entry(start, reloc)));
        }
        let index = linking::section_count(w.out.as_slice());
        w.out.section(&section);
        Some((index, entries))
    }

    fn entry(&self, start: u32, reloc: &env::Reloc) -> Entry {
        let (s, target) = (&self.symbols, reloc.target);
        let (kind, index) = match reloc.kind {
            Field::Func => (RelocKind::FunctionIndexLeb, s.func_number(target)),
            Field::TableSlot => (RelocKind::TableIndexSleb, s.func_number(target)),
            Field::TableSlot64 => (RelocKind::TableIndexSleb64, s.func_number(target)),
            Field::Type => (RelocKind::TypeIndexLeb, target),
            Field::Global => (RelocKind::GlobalIndexLeb, s.global_number(target)),
            Field::Table => (RelocKind::TableNumberLeb, s.table_number(target)),
            Field::Tag => (RelocKind::TagIndexLeb, s.tag_number(target)),
            Field::MemAddrSleb => (RelocKind::MemoryAddrSleb, s.data(target)),
            Field::MemAddrSleb64 => (RelocKind::MemoryAddrSleb64, s.data(target)),
            Field::MemAddrLeb => (RelocKind::MemoryAddrLeb, s.data(target)),
            Field::MemAddrTlsSleb => (RelocKind::MemoryAddrTlsSleb, s.data(target)),
        };
        Entry {
            offset: start + reloc.offset,
            kind,
            index,
            addend: reloc.addend,
        }
    }

    /// The data section: one segment for each symbol defined here.
    fn data(&self, w: &mut Writer<'_>) -> Result<Option<(u32, Vec<Entry>)>> {
        let module = self.plan.module;
        let index64 = module.memories.values().any(|m| m.index64);
        let segments: Vec<(Data, u8, u32)> = linking::segments(module)
            .map(|(id, s)| (id, s.align_log2, s.size))
            .collect();
        if segments.is_empty() {
            return Ok(None);
        }
        let total: u64 = segments.iter().map(|&(.., size)| u64::from(size)).sum();
        if total > MAX_DATA {
            return Err(ErrorKind::Limit("1 GiB of data in an object"));
        }
        let mut bytes = Vec::new();
        let mut entries = Vec::new();
        let mut address = 0u64;
        leb::unsigned(&mut bytes, segments.len() as u64);
        for (id, align_log2, size) in segments {
            let data = &module.datas[id];
            if data.bytes.len() > size as usize || align_log2 > 31 {
                return Err(ErrorKind::Invalid(format!("size or alignment of `{id}`")));
            }
            address = address.next_multiple_of(1 << align_log2);
            bytes.extend([0, if index64 { 0x42 } else { 0x41 }]);
            // Only the order matters: the linker chooses the addresses.
            let placed = if index64 {
                address as i64
            } else {
                i64::from(address as u32 as i32)
            };
            leb::signed(&mut bytes, placed);
            bytes.push(0x0b);
            leb::unsigned(&mut bytes, size.into());
            let start = bytes.len();
            bytes.extend_from_slice(&data.bytes);
            bytes.resize(start + size as usize, 0);
            address += u64::from(size);
            for reloc in &data.relocs {
                let entry = self.symbols.entry(start, reloc)?;
                entries.push(entry);
            }
        }
        let index = linking::section_count(w.out.as_slice());
        w.out.section(&enc::RawSection {
            id: enc::SectionId::Data as u8,
            data: &bytes,
        });
        Ok(Some((index, entries)))
    }

    /// Custom sections, as far as they do not depend on where code lay in the input.
    fn customs(
        &self,
        w: &mut Writer<'_>,
        relocated: &mut Vec<(String, u32, Vec<Entry>)>,
    ) -> Result<()> {
        if !self.options.customs {
            return Ok(());
        }
        let module = self.plan.module;
        let here =
            |c: &&wasmir::CustomSection| !dwarf::is_debug(&c.name) && !LAST.contains(&&*c.name);
        for custom in module.customs.iter().filter(here) {
            let index = linking::section_count(w.out.as_slice());
            w.out.section(&enc::CustomSection {
                name: Cow::Borrowed(&custom.name),
                data: Cow::Borrowed(&custom.bytes),
            });
            // Relocations count from the end of a custom section's name.
            let entries: Vec<Entry> = custom
                .relocs
                .iter()
                .map(|reloc| self.symbols.entry(0, reloc))
                .collect::<Result<_>>()?;
            if !entries.is_empty() {
                relocated.push((custom.name.clone(), index, entries));
            }
        }
        Ok(())
    }
}

/// The features that code made here may use.
fn features(module: &Module) -> enc::CustomSection<'static> {
    let mut names = vec![
        "bulk-memory",
        "multivalue",
        "mutable-globals",
        "nontrapping-fptoint",
        "reference-types",
        "sign-ext",
    ];
    if module.memories.values().any(|m| m.shared) {
        names.insert(0, "atomics");
    }
    let mut bytes = Vec::new();
    leb::unsigned(&mut bytes, names.len() as u64);
    for name in names {
        bytes.push(b'+');
        leb::unsigned(&mut bytes, name.len() as u64);
        bytes.extend_from_slice(name.as_bytes());
    }
    enc::CustomSection {
        name: Cow::Borrowed("target_features"),
        data: Cow::Owned(bytes),
    }
}
