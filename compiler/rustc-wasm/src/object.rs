//! Relocatable wasm objects (the "linking" convention of WebAssembly tools, version 2).
//!
//! Code comes from `codegen-cranelift`'s emitter, function by function, with every index and address padded to five
//! bytes so that the linker can patch it. Each data symbol is a segment of its own, so that the linker drops what nothing
//! refers to.
//!
//! # Invariants
//! - Symbols are numbered functions first, then data, then the stack pointer, then the function table.
//! - Sections and relocations are written in ascending order, as the linker demands.

use codegen_cranelift::Emitter;
use codegen_cranelift::env::{Environment, RelocKind as CodeReloc, SideOp};
use codegen_cranelift::number::Numbers;
use codegen_cranelift::translate::{self, Translation};
use cranelift_frontend::FunctionBuilderContext;
use wasm_encoder::ValType;
use wasmir::{
    CompositeType, Data, DataKind, Func, FuncBody, Global, Import, Item, Linkage, Module, RelocKind, RelocTarget,
    Symbol, Table, Type,
};

const UNDEFINED: u32 = 0x10;
const EXPLICIT_NAME: u32 = 0x40;
const NO_STRIP: u32 = 0x80;

fn leb(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

fn sleb(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    leb(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A relocation of a section.
struct Entry {
    offset: u32,
    kind: u8,
    index: u32,
    addend: Option<i64>,
}

fn has_addend(kind: RelocKind) -> bool {
    use RelocKind::*;
    matches!(kind, MemoryAddrLeb | MemoryAddrSleb | MemoryAddrI32 | FunctionOffsetI32 | SectionOffsetI32)
}

struct FuncEnv<'a> {
    module: &'a Module,
    numbers: &'a Numbers,
    side_ops: &'a [SideOp],
    stack_pointer: u32,
}

impl Environment for FuncEnv<'_> {
    fn side_op(&self, index: u32) -> Option<&SideOp> {
        self.side_ops.get(index as usize)
    }

    fn type_index(&self, params: &[ValType], results: &[ValType]) -> Option<u32> {
        let mut types = self.module.types.iter();
        let found = types.find(|(_, def)| match &def.composite {
            CompositeType::Func(f) => {
                self.numbers.val_types(&f.params) == params && self.numbers.val_types(&f.results) == results
            }
            _ => false,
        });
        found.map(|(id, _)| id.as_u32())
    }

    fn relocatable(&self) -> bool {
        true
    }

    fn stack_pointer(&self) -> Option<u32> {
        Some(self.stack_pointer)
    }
}

/// Writes an object.
struct Writer<'a> {
    module: &'a Module,
    numbers: Numbers,
    /// The function of each index.
    by_number: Vec<Func>,
    stack_pointer: Global,
    table: Table,
    out: Vec<u8>,
    sections: u32,
}

/// The object for a module whose undefined symbols have no imports yet.
///
/// # Errors
/// A function that cannot be emitted, in words.
pub(crate) fn write(module: &mut Module, stack_pointer: Global, table: Table) -> Result<Vec<u8>, String> {
    for func in module.funcs.values_mut() {
        if matches!(func.body, FuncBody::None) && func.import.is_none() {
            let name = func.symbol.name.clone().unwrap_or_default();
            func.import = Some(Import { module: "env".to_owned(), name });
        }
    }
    let module = &*module;
    let numbers = Numbers::new(module);
    let mut by_number: Vec<Func> = module.funcs.keys().collect();
    by_number.sort_by_key(|&func| numbers.func(func));
    let mut writer = Writer { module, numbers, by_number, stack_pointer, table, out: Vec::new(), sections: 0 };
    writer.run()?;
    Ok(writer.out)
}

impl Writer<'_> {
    fn run(&mut self) -> Result<(), String> {
        self.out.extend_from_slice(b"\0asm\x01\0\0\0");
        self.types();
        self.imports();
        self.functions();
        let (code_section, code_relocs) = self.code()?;
        let (data_section, data_relocs) = self.data();
        self.linking();
        self.relocations("reloc.CODE", code_section, &code_relocs);
        self.relocations("reloc.DATA", data_section, &data_relocs);
        for custom in &self.module.customs {
            let mut section = Vec::new();
            text(&mut section, &custom.name);
            section.extend_from_slice(&custom.bytes);
            self.section(0, &section);
        }
        Ok(())
    }

    /// Appends a section and gives back its index.
    fn section(&mut self, id: u8, contents: &[u8]) -> u32 {
        self.out.push(id);
        leb(&mut self.out, contents.len() as u64);
        self.out.extend_from_slice(contents);
        self.sections += 1;
        self.sections - 1
    }

    fn val_type(out: &mut Vec<u8>, ty: Type) {
        out.push(match ty {
            Type::I8 | Type::I16 | Type::I32 => 0x7f,
            Type::I64 | Type::I128 => 0x7e,
            Type::F32 => 0x7d,
            Type::F64 => 0x7c,
            Type::V128 => 0x7b,
            Type::Ref(_) => 0x70,
        });
    }

    fn types(&mut self) {
        let mut section = Vec::new();
        leb(&mut section, self.module.types.len() as u64);
        for (_, def) in self.module.types.iter() {
            if let CompositeType::Func(ty) = &def.composite {
                section.push(0x60);
                for list in [&ty.params, &ty.results] {
                    leb(&mut section, list.len() as u64);
                    list.iter().for_each(|&ty| Self::val_type(&mut section, ty));
                }
            }
        }
        self.section(1, &section);
    }

    fn imports(&mut self) {
        let module = self.module;
        let mut section = Vec::new();
        let imported: Vec<Func> =
            self.by_number.iter().copied().filter(|&func| module.funcs[func].import.is_some()).collect();
        leb(&mut section, imported.len() as u64 + 3);
        text(&mut section, "env");
        text(&mut section, "__linear_memory");
        section.extend([0x02, 0x00, 0x00]);
        text(&mut section, "env");
        text(&mut section, "__stack_pointer");
        section.extend([0x03, 0x7f, 0x01]);
        text(&mut section, "env");
        text(&mut section, "__indirect_function_table");
        section.extend([0x01, 0x70, 0x00, 0x00]);
        for func in imported {
            let data = &module.funcs[func];
            if let Some(import) = &data.import {
                text(&mut section, &import.module);
                text(&mut section, &import.name);
                section.push(0x00);
                leb(&mut section, u64::from(data.ty.as_u32()));
            }
        }
        self.section(2, &section);
    }

    fn defined(&self) -> Vec<Func> {
        let module = self.module;
        self.by_number.iter().copied().filter(|&func| module.funcs[func].import.is_none()).collect()
    }

    fn functions(&mut self) {
        let mut section = Vec::new();
        let defined = self.defined();
        leb(&mut section, defined.len() as u64);
        for func in defined {
            leb(&mut section, u64::from(self.module.funcs[func].ty.as_u32()));
        }
        self.section(3, &section);
    }

    fn data_symbol(&self, data: u32) -> u32 {
        self.module.funcs.len() as u32 + data
    }

    fn code(&mut self) -> Result<(u32, Vec<Entry>), String> {
        let module = self.module;
        let mut section = Vec::new();
        let mut relocs = Vec::new();
        let mut emitter = Emitter::new();
        let mut builder = FunctionBuilderContext::new();
        let defined = self.defined();
        leb(&mut section, defined.len() as u64);
        for func in defined {
            let data = &module.funcs[func];
            let name = data.symbol.name.as_deref().unwrap_or("?");
            let (FuncBody::Ir(body), Some(ty)) = (&data.body, module.types.func(data.ty)) else {
                return Err(format!("`{name}` has no body"));
            };
            emitter.clear();
            let Translation { side_ops, abi } =
                translate::translate(module, &self.numbers, ty, body, emitter.function(), &mut builder)
                    .map_err(|error| format!("{error:?} in `{name}`"))?;
            let env = FuncEnv {
                module,
                numbers: &self.numbers,
                side_ops: &side_ops,
                stack_pointer: self.numbers.global(self.stack_pointer),
            };
            let body = emitter.emit_current(&env, &abi).map_err(|error| format!("{:?} in `{name}`", error.kind))?;
            leb(&mut section, body.bytes.len() as u64);
            let start = section.len() as u32;
            section.extend_from_slice(&body.bytes);
            for reloc in &body.relocs {
                relocs.push(self.code_reloc(start + reloc.offset, reloc.kind, reloc.target, reloc.addend));
            }
        }
        relocs.sort_by_key(|entry| entry.offset);
        Ok((self.section(10, &section), relocs))
    }

    fn code_reloc(&self, offset: u32, kind: CodeReloc, target: u32, addend: i64) -> Entry {
        let globals = self.data_symbol(self.module.datas.len() as u32);
        let (kind, index) = match kind {
            CodeReloc::Func => (RelocKind::FunctionIndexLeb, self.by_number[target as usize].as_u32()),
            CodeReloc::TableSlot => (RelocKind::TableIndexSleb, self.by_number[target as usize].as_u32()),
            CodeReloc::Type => (RelocKind::TypeIndexLeb, target),
            CodeReloc::Global => (RelocKind::GlobalIndexLeb, globals),
            CodeReloc::Table => (RelocKind::TableNumberLeb, globals + 1),
            CodeReloc::Tag => (RelocKind::TagIndexLeb, target),
            CodeReloc::MemAddrSleb => (RelocKind::MemoryAddrSleb, self.data_symbol(target)),
            CodeReloc::MemAddrSleb64 => (RelocKind::MemoryAddrSleb64, self.data_symbol(target)),
            CodeReloc::MemAddrLeb => (RelocKind::MemoryAddrLeb, self.data_symbol(target)),
        };
        let with_addend = has_addend(kind) || kind == RelocKind::MemoryAddrSleb64;
        Entry { offset, kind: kind.code(), index, addend: with_addend.then_some(addend) }
    }

    /// The data symbols defined here: section name, alignment, size.
    fn segments(&self) -> impl Iterator<Item = (Data, &str, u8, u32)> {
        self.module.datas.iter().filter_map(|(id, data)| match &data.kind {
            DataKind::Symbol { align_log2, section, size, undefined: false, .. } => {
                Some((id, section.as_str(), *align_log2, *size))
            }
            _ => None,
        })
    }

    fn data(&mut self) -> (u32, Vec<Entry>) {
        let mut section = Vec::new();
        let mut relocs = Vec::new();
        let mut address = 0u64;
        leb(&mut section, self.segments().count() as u64);
        for (id, _, align_log2, size) in self.segments() {
            let data = &self.module.datas[id];
            address = address.next_multiple_of(1 << align_log2);
            section.extend([0x00, 0x41]);
            sleb(&mut section, address as i64);
            section.push(0x0b);
            leb(&mut section, u64::from(size));
            let start = section.len();
            section.extend_from_slice(&data.bytes);
            section.resize(start + size as usize, 0);
            for reloc in &data.relocs {
                let index = match reloc.target {
                    RelocTarget::Item(Item::Func(func)) => func.as_u32(),
                    RelocTarget::Item(Item::Data(data)) => self.data_symbol(data.as_u32()),
                    _ => continue,
                };
                relocs.push(Entry {
                    offset: start as u32 + reloc.offset,
                    kind: reloc.kind.code(),
                    index,
                    addend: has_addend(reloc.kind).then_some(reloc.addend),
                });
            }
            address += u64::from(size);
        }
        if self.segments().next().is_none() {
            return (0, relocs);
        }
        (self.section(11, &section), relocs)
    }

    fn flags(symbol: &Symbol) -> u32 {
        let binding = match symbol.linkage {
            Linkage::Local => 2,
            Linkage::Weak => 1,
            Linkage::Strong => 0,
            Linkage::Undefined => UNDEFINED,
            Linkage::UndefinedWeak => UNDEFINED | 1,
        };
        let hidden = if symbol.hidden { 4 } else { 0 };
        let used = if symbol.used { NO_STRIP } else { 0 };
        binding | hidden | used
    }

    fn linking(&mut self) {
        let module = self.module;
        let mut symbols = Vec::new();
        leb(&mut symbols, (module.funcs.len() + module.datas.len() + 2) as u64);
        for (id, func) in module.funcs.iter() {
            let name = func.symbol.name.as_deref().unwrap_or_default();
            let mut flags = Self::flags(&func.symbol);
            if func.import.as_ref().is_some_and(|import| import.module != "env" || import.name != name) {
                flags |= EXPLICIT_NAME;
            }
            symbols.push(0);
            leb(&mut symbols, u64::from(flags));
            leb(&mut symbols, u64::from(self.numbers.func(id)));
            if flags & UNDEFINED == 0 || flags & EXPLICIT_NAME != 0 {
                text(&mut symbols, name);
            }
        }
        let mut segment = 0u64;
        for data in module.datas.values() {
            let flags = Self::flags(&data.symbol);
            symbols.push(1);
            leb(&mut symbols, u64::from(flags));
            text(&mut symbols, data.symbol.name.as_deref().unwrap_or_default());
            if let DataKind::Symbol { size, undefined: false, .. } = &data.kind {
                leb(&mut symbols, segment);
                leb(&mut symbols, 0);
                leb(&mut symbols, u64::from(*size));
                segment += 1;
            }
        }
        symbols.push(2);
        leb(&mut symbols, u64::from(UNDEFINED));
        leb(&mut symbols, u64::from(self.numbers.global(self.stack_pointer)));
        symbols.push(5);
        leb(&mut symbols, u64::from(UNDEFINED | NO_STRIP));
        leb(&mut symbols, u64::from(self.numbers.table(self.table)));

        let mut infos = Vec::new();
        leb(&mut infos, segment);
        for (_, section, align_log2, _) in self.segments() {
            text(&mut infos, section);
            leb(&mut infos, u64::from(align_log2));
            leb(&mut infos, 0);
        }

        let mut section = Vec::new();
        text(&mut section, "linking");
        leb(&mut section, 2);
        for (id, contents) in [(8u8, &symbols), (5, &infos)] {
            section.push(id);
            leb(&mut section, contents.len() as u64);
            section.extend_from_slice(contents);
        }
        self.section(0, &section);
    }

    fn relocations(&mut self, name: &str, target: u32, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        let mut section = Vec::new();
        text(&mut section, name);
        leb(&mut section, u64::from(target));
        leb(&mut section, entries.len() as u64);
        for entry in entries {
            section.push(entry.kind);
            leb(&mut section, u64::from(entry.offset));
            leb(&mut section, u64::from(entry.index));
            if let Some(addend) = entry.addend {
                sleb(&mut section, addend);
            }
        }
        self.section(0, &section);
    }
}
