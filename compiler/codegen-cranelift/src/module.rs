//! Final modules: every section, with the bodies that [`crate::bodies`] makes.

use crate::bodies::Plan;
use crate::cache::Cache;
use crate::dwarf::{self, Debug};
use crate::error::{Error, ErrorKind, Result};
use crate::fields::Code;
use crate::number::Numbers;
use crate::optimize::MidEnd;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::sync::Arc;
use wasm_encoder as enc;
use wasmir::{
    CompositeType, ConstOp, DataKind, ElemItems, ElemKind, Func, FuncBody, FuncNames, Imm, Item,
    Module, SectionPlace,
};

/// How a module is emitted.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which functions go through Cranelift's mid-end.
    pub mid_end: MidEnd,
    /// Write the name section; objects have a symbol table in its place.
    pub names: bool,
    /// Write custom sections.
    pub customs: bool,
    /// Write line tables for the code as it lies in the output.
    pub debug: bool,
    /// Take finished bodies from here, and put new ones there.
    pub cache: Option<Arc<Cache>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mid_end: MidEnd::All,
            names: true,
            customs: true,
            debug: true,
            cache: None,
        }
    }
}

/// True for units whose indices are those of the output.
fn identities(module: &Module, numbers: &Numbers) -> Vec<bool> {
    let units = module.units.values();
    let mut out = Vec::new();
    for unit in units {
        macro_rules! same {
            ($list:ident, $number:ident) => {
                unit.$list
                    .iter()
                    .enumerate()
                    .all(|(i, e)| e.expand().is_some_and(|e| numbers.$number(e) as usize == i))
            };
        }
        out.push(
            unit.types
                .iter()
                .enumerate()
                .all(|(i, t)| t.as_u32() as usize == i)
                && same!(funcs, func)
                && same!(tables, table)
                && same!(memories, memory)
                && same!(globals, global)
                && same!(tags, tag)
                && same!(datas, data)
                && same!(elems, elem),
        );
    }
    out
}

/// Emits `module` as a final WebAssembly module.
///
/// # Errors
/// The first function, in order, that cannot be emitted.
pub fn emit_module(module: &Module, options: &Options) -> Result<Vec<u8>, Error> {
    let numbers = Numbers::new(module).padded();
    let identity = identities(module, &numbers);
    let defined: Vec<wasmir::Func> = module
        .funcs
        .iter()
        .filter(|(_, f)| f.import.is_none())
        .map(|(id, _)| id)
        .collect();
    let plan = Plan {
        module,
        numbers: &numbers,
        mid_end: options.mid_end,
        debug: options.debug && !module.debug.rows.is_empty(),
        cache: options.cache.as_deref(),
    };
    let bodies = plan.each(&defined, |worker, id| plan.resolved(worker, id, &identity))?;
    let mut code = enc::CodeSection::new();
    for body in &bodies {
        code.raw(&body.bytes);
    }
    let debug = Debug::new(&plan, &defined, &bodies);
    let mut writer = Writer::new(module, &numbers, options);
    writer.debug = debug;
    writer.write(&code).map_err(|kind| Error {
        function: "module".into(),
        kind,
    })
}

/// Custom sections that LLVM's readers want after all others, the names included, in this order.
pub(crate) const LAST: [&str; 2] = ["producers", "target_features"];

/// Writes sections in their order.
pub(crate) struct Writer<'a> {
    module: &'a Module,
    numbers: &'a Numbers,
    options: &'a Options,
    debug: Debug,
    pub(crate) out: enc::Module,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        module: &'a Module,
        numbers: &'a Numbers,
        options: &'a Options,
    ) -> Writer<'a> {
        Writer {
            module,
            numbers,
            options,
            debug: Debug::None,
            out: enc::Module::new(),
        }
    }

    fn customs(&mut self, place: SectionPlace) {
        if !self.options.customs {
            return;
        }
        let fits = |c: &&wasmir::CustomSection| {
            c.place == place
                && (self.debug == Debug::Kept || !dwarf::is_debug(&c.name))
                && !LAST.contains(&&*c.name)
        };
        for c in self.module.customs.iter().filter(fits) {
            self.out.section(&enc::CustomSection {
                name: Cow::Borrowed(&c.name),
                data: Cow::Borrowed(&c.bytes),
            });
        }
    }

    fn write(mut self, code: &enc::CodeSection) -> Result<Vec<u8>> {
        self.customs(SectionPlace::Start);
        self.types();
        self.customs(SectionPlace::Type);
        self.imports();
        self.customs(SectionPlace::Import);
        self.functions();
        self.customs(SectionPlace::Function);
        self.tables()?;
        self.customs(SectionPlace::Table);
        self.memories();
        self.customs(SectionPlace::Memory);
        self.tags();
        self.customs(SectionPlace::Tag);
        self.globals()?;
        self.customs(SectionPlace::Global);
        let mut exports = enc::ExportSection::new();
        for e in &self.module.exports {
            let (kind, index) = self.numbers.item(e.item);
            exports.export(&e.name, kind, index);
        }
        if !exports.is_empty() {
            self.out.section(&exports);
        }
        self.customs(SectionPlace::Export);
        if let Some(start) = self.module.start {
            self.out.section(&enc::StartSection {
                function_index: self.numbers.func(start),
            });
        }
        self.customs(SectionPlace::StartFunction);
        self.elements()?;
        self.customs(SectionPlace::Element);
        if !self.module.datas.is_empty() {
            self.out.section(&enc::DataCountSection {
                count: self.module.datas.len() as u32,
            });
        }
        self.customs(SectionPlace::DataCount);
        if !code.is_empty() {
            self.out.section(code);
        }
        self.customs(SectionPlace::Code);
        self.datas()?;
        self.customs(SectionPlace::Data);
        if let Debug::Written(sections) = std::mem::take(&mut self.debug) {
            for (name, data) in &sections {
                self.out.section(&enc::CustomSection {
                    name: Cow::Borrowed(name),
                    data: Cow::Borrowed(data),
                });
            }
        }
        if self.options.names {
            self.names();
        }
        if self.options.customs {
            for name in LAST {
                for c in self.module.customs.iter().filter(|c| c.name == name) {
                    self.out.section(&enc::CustomSection {
                        name: Cow::Borrowed(name),
                        data: Cow::Borrowed(&c.bytes),
                    });
                }
            }
        }
        Ok(self.out.finish())
    }

    fn field(&self, f: wasmir::FieldType) -> enc::FieldType {
        let element_type = match f.ty {
            wasmir::Type::I8 => enc::StorageType::I8,
            wasmir::Type::I16 => enc::StorageType::I16,
            other => enc::StorageType::Val(self.numbers.val_type(other)),
        };
        enc::FieldType {
            element_type,
            mutable: f.mutable,
        }
    }

    pub(crate) fn functions(&mut self) {
        let mut functions = enc::FunctionSection::new();
        for f in self.module.funcs.values().filter(|f| f.import.is_none()) {
            functions.function(f.ty.as_u32());
        }
        if !functions.is_empty() {
            self.out.section(&functions);
        }
    }

    pub(crate) fn types(&mut self) {
        let mut section = enc::TypeSection::new();
        let sub = |def: &wasmir::TypeDef| {
            let inner = match &def.composite {
                CompositeType::Func(f) => enc::CompositeInnerType::Func(enc::FuncType::new(
                    self.numbers.val_types(&f.params),
                    self.numbers.val_types(&f.results),
                )),
                CompositeType::Struct(fields) => enc::CompositeInnerType::Struct(enc::StructType {
                    fields: fields.iter().map(|&f| self.field(f)).collect(),
                }),
                CompositeType::Array(f) => {
                    enc::CompositeInnerType::Array(enc::ArrayType(self.field(*f)))
                }
            };
            enc::SubType {
                is_final: def.is_final,
                supertype_idxs: def.supertype.iter().map(|t| t.as_u32()).collect(),
                composite_type: enc::CompositeType {
                    inner,
                    shared: def.shared,
                    describes: None,
                    descriptor: None,
                },
            }
        };
        for group in self.module.types.groups() {
            let defs: Vec<_> = group
                .map(|i| sub(&self.module.types[wasmir::TypeId::from_u32(i)]))
                .collect();
            match defs.as_slice() {
                [one] => section.ty().subtype(one),
                many => section.ty().rec(many.iter().cloned()),
            };
        }
        for results in &self.numbers.block_types {
            section.ty().function([], self.numbers.val_types(results));
        }
        if !section.is_empty() {
            self.out.section(&section);
        }
    }

    fn table_type(&self, t: &wasmir::TableData) -> enc::TableType {
        enc::TableType {
            element_type: self.numbers.ref_type(t.ty),
            table64: t.index64,
            minimum: t.min,
            maximum: t.max,
            shared: t.shared,
        }
    }

    fn memory_type(&self, m: &wasmir::MemoryData) -> enc::MemoryType {
        enc::MemoryType {
            minimum: m.min,
            maximum: m.max,
            memory64: m.index64,
            shared: m.shared,
            page_size_log2: m.page_size_log2,
        }
    }

    fn global_type(&self, g: &wasmir::GlobalData) -> enc::GlobalType {
        enc::GlobalType {
            val_type: self.numbers.val_type(g.ty),
            mutable: g.mutable,
            shared: g.shared,
        }
    }

    pub(crate) fn imports(&mut self) {
        let m = self.module;
        let mut section = enc::ImportSection::new();
        for item in m.imports() {
            let (import, ty) = match item {
                Item::Func(id) => {
                    let f = &m.funcs[id];
                    (&f.import, enc::EntityType::Function(f.ty.as_u32()))
                }
                Item::Table(id) => (&m.tables[id].import, self.table_type(&m.tables[id]).into()),
                Item::Memory(id) => {
                    let memory = &m.memories[id];
                    (&memory.import, self.memory_type(memory).into())
                }
                Item::Global(id) => {
                    let global = &m.globals[id];
                    (&global.import, self.global_type(global).into())
                }
                Item::Tag(id) => (&m.tags[id].import, tag_type(&m.tags[id]).into()),
                Item::Data(_) => continue,
            };
            if let Some(import) = import {
                section.import(&import.module, &import.name, ty);
            }
        }
        if !section.is_empty() {
            self.out.section(&section);
        }
    }

    pub(crate) fn tables(&mut self) -> Result<()> {
        let mut section = enc::TableSection::new();
        for t in self.module.tables.values().filter(|t| t.import.is_none()) {
            match &t.init {
                Some(init) => section.table_with_init(self.table_type(t), &self.const_expr(init)?),
                None => section.table(self.table_type(t)),
            };
        }
        if !section.is_empty() {
            self.out.section(&section);
        }
        Ok(())
    }

    fn memories(&mut self) {
        let mut section = enc::MemorySection::new();
        for m in self.module.memories.values().filter(|m| m.import.is_none()) {
            section.memory(self.memory_type(m));
        }
        if !section.is_empty() {
            self.out.section(&section);
        }
    }

    pub(crate) fn tags(&mut self) {
        let mut section = enc::TagSection::new();
        for t in self.module.tags.values().filter(|t| t.import.is_none()) {
            section.tag(tag_type(t));
        }
        if !section.is_empty() {
            self.out.section(&section);
        }
    }

    pub(crate) fn globals(&mut self) -> Result<()> {
        let mut section = enc::GlobalSection::new();
        for g in self.module.globals.values().filter(|g| g.import.is_none()) {
            let init = g
                .init
                .as_ref()
                .ok_or_else(|| ErrorKind::Invalid("global without initial value".into()))?;
            section.global(self.global_type(g), &self.const_expr(init)?);
        }
        if !section.is_empty() {
            self.out.section(&section);
        }
        Ok(())
    }

    fn const_expr(&self, expr: &[ConstOp]) -> Result<enc::ConstExpr> {
        let mut bytes = Vec::new();
        for op in expr {
            match *op {
                ConstOp::I32(c) => {
                    bytes.push(0x41);
                    crate::leb::signed(&mut bytes, i64::from(c));
                }
                ConstOp::I64(c) => {
                    bytes.push(0x42);
                    crate::leb::signed(&mut bytes, c);
                }
                ConstOp::F32(bits) => {
                    bytes.push(0x43);
                    bytes.extend(bits.to_le_bytes());
                }
                ConstOp::F64(bits) => {
                    bytes.push(0x44);
                    bytes.extend(bits.to_le_bytes());
                }
                ConstOp::V128(bits) => {
                    bytes.extend([0xfd, 12]);
                    bytes.extend(bits.to_le_bytes());
                }
                ConstOp::GlobalGet(g) => {
                    bytes.push(0x23);
                    crate::leb::unsigned(&mut bytes, u64::from(self.numbers.global(g)));
                }
                ConstOp::RefNull(h) => {
                    bytes.push(0xd0);
                    enc::Encode::encode(&self.numbers.heap_type(h), &mut bytes);
                }
                ConstOp::RefFunc(f) => {
                    bytes.push(0xd2);
                    crate::leb::unsigned(&mut bytes, u64::from(self.numbers.func(f)));
                }
                ConstOp::SymAddr(..) => {
                    return Err(ErrorKind::Unsupported(
                        "symbol address in a final module's constant".into(),
                    ));
                }
                ConstOp::Op(op, imm) => {
                    let info = op.info();
                    if info.prefix == 0 {
                        bytes.push(info.code as u8);
                    } else {
                        bytes.push(info.prefix);
                        crate::leb::unsigned(&mut bytes, u64::from(info.code));
                    }
                    if let Some(imm) = imm {
                        let mut code = Code::new(&[], false);
                        self.numbers.immediate(&imm, &mut code);
                        bytes.append(&mut code.bytes);
                    }
                }
            }
        }
        Ok(enc::ConstExpr::raw(bytes))
    }

    fn elements(&mut self) -> Result<()> {
        let mut section = enc::ElementSection::new();
        for e in self.module.elems.values() {
            let funcs: Vec<u32>;
            let exprs: Vec<enc::ConstExpr>;
            let elements = match &e.items {
                ElemItems::Funcs(list) => {
                    funcs = list.iter().map(|&f| self.numbers.func(f)).collect();
                    enc::Elements::Functions(Cow::Borrowed(&funcs))
                }
                ElemItems::Exprs(list) => {
                    exprs = list
                        .iter()
                        .map(|x| self.const_expr(x))
                        .collect::<Result<_>>()?;
                    enc::Elements::Expressions(self.numbers.ref_type(e.ty), Cow::Borrowed(&exprs))
                }
            };
            match &e.kind {
                ElemKind::Active { table, offset } => {
                    let index = self.numbers.table(*table);
                    // Table 0 of functions has a shorter form.
                    let short = index == 0
                        && (matches!(e.items, ElemItems::Funcs(_))
                            || e.ty == wasmir::RefType::FUNCREF);
                    let offset = self.const_expr(offset)?;
                    section.active(if short { None } else { Some(index) }, &offset, elements);
                }
                ElemKind::Passive => {
                    section.passive(elements);
                }
                ElemKind::Declared => {
                    section.declared(elements);
                }
            }
        }
        let undeclared = undeclared_references(self.module);
        if !undeclared.is_empty() {
            let funcs: Vec<u32> = undeclared.iter().map(|&f| self.numbers.func(f)).collect();
            section.declared(enc::Elements::Functions(Cow::Owned(funcs)));
        }
        if !section.is_empty() {
            self.out.section(&section);
        }
        Ok(())
    }

    fn datas(&mut self) -> Result<()> {
        let mut section = enc::DataSection::new();
        for d in self.module.datas.values() {
            match &d.kind {
                DataKind::Active { memory, offset } => {
                    let offset = self.const_expr(offset)?;
                    section.active(
                        self.numbers.memory(*memory),
                        &offset,
                        d.bytes.iter().copied(),
                    );
                }
                DataKind::Passive => {
                    section.passive(d.bytes.iter().copied());
                }
                DataKind::Symbol { .. } | DataKind::Alias { .. } => {
                    return Err(ErrorKind::Unsupported(
                        "data symbol that was not laid out".into(),
                    ));
                }
            }
        }
        if !section.is_empty() {
            self.out.section(&section);
        }
        Ok(())
    }

    fn names(&mut self) {
        let m = self.module;
        let mut section = enc::NameSection::new();
        let mut any = false;
        if let Some(name) = &m.name {
            section.module(name);
            any = true;
        }
        macro_rules! names {
            ($field:ident, $number:ident, $method:ident) => {
                let mut list: Vec<(u32, &str)> = m
                    .$field
                    .iter()
                    .filter_map(|(id, d)| {
                        Some((self.numbers.$number(id), d.symbol.name.as_deref()?))
                    })
                    .collect();
                list.sort_unstable();
                if !list.is_empty() {
                    let mut map = enc::NameMap::new();
                    for (index, name) in list {
                        map.append(index, name);
                    }
                    section.$method(&map);
                    any = true;
                }
            };
        }
        names!(funcs, func, functions);
        let inner: BTreeMap<u32, (Func, &FuncNames)> = m
            .names
            .funcs
            .iter()
            .map(|(func, names)| (self.numbers.func(*func), (*func, names)))
            .collect();
        let locals = inner.iter().map(|(number, (func, names))| {
            let known = self.numbered_locals(*func);
            (*number, names.locals.range(..known))
        });
        if let Some(locals) = indirect_names(locals) {
            section.locals(&locals);
            any = true;
        }
        let labels = inner.iter().filter(|(_, (func, _))| self.is_raw(*func));
        let labels = labels.map(|(number, (_, names))| (*number, names.labels.range(..)));
        if let Some(labels) = indirect_names(labels) {
            section.labels(&labels);
            any = true;
        }
        let mut types = enc::NameMap::new();
        for (ty, names) in &m.names.types {
            if let Some(name) = &names.name {
                types.append(ty.as_u32(), name);
            }
        }
        if !types.is_empty() {
            section.types(&types);
            any = true;
        }
        names!(tables, table, tables);
        names!(memories, memory, memories);
        names!(globals, global, globals);
        let mut elems = enc::NameMap::new();
        for (id, e) in m.elems.iter() {
            if let Some(name) = &e.name {
                elems.append(self.numbers.elem(id), name);
            }
        }
        if !elems.is_empty() {
            section.elements(&elems);
            any = true;
        }
        names!(datas, data, data);
        let fields = m.names.types.iter();
        let fields = fields.map(|(ty, names)| (ty.as_u32(), names.fields.range(..)));
        if let Some(fields) = indirect_names(fields) {
            section.fields(&fields);
            any = true;
        }
        names!(tags, tag, tag);
        if any {
            self.out.section(&section);
        }
    }

    fn is_raw(&self, func: Func) -> bool {
        matches!(self.module.funcs[func].body, FuncBody::Raw(_))
    }

    /// How many locals of a function have the numbers that its names were given for: all of a raw body's, else the parameters, unless
    /// some become two.
    fn numbered_locals(&self, func: Func) -> u32 {
        match self.module.func_type(func) {
            _ if self.is_raw(func) => u32::MAX,
            Some(ty) if !ty.params.contains(&wasmir::Type::I128) => ty.params.len() as u32,
            _ => 0,
        }
    }
}

/// Names of things that are numbered within others, ascending; `None` if there are none.
fn indirect_names<'a>(
    of: impl Iterator<Item = (u32, btree_map::Range<'a, u32, String>)>,
) -> Option<enc::IndirectNameMap> {
    let mut all = enc::IndirectNameMap::new();
    let mut any = false;
    for (number, names) in of {
        let mut map = enc::NameMap::new();
        names.for_each(|(i, name)| map.append(*i, name));
        if !map.is_empty() {
            all.append(number, &map);
            any = true;
        }
    }
    any.then_some(all)
}

fn tag_type(t: &wasmir::TagData) -> enc::TagType {
    enc::TagType {
        kind: enc::TagKind::Exception,
        func_type_idx: t.ty.as_u32(),
    }
}

/// Functions that bodies take references to although nothing outside of bodies names them, in their order. WebAssembly wants
/// them declared; WasmIR does not, and a pass may have removed the export that did it. Raw bodies bring their declarations.
fn undeclared_references(module: &Module) -> Vec<Func> {
    let mut wanted: BTreeSet<Func> = BTreeSet::new();
    for func in module.funcs.values() {
        if let FuncBody::Ir(body) = &func.body {
            wanted.extend(body.pool.imms.values().filter_map(|imm| match imm {
                Imm::Func(f) => Some(*f),
                _ => None,
            }));
        }
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut named = |f: &Func| {
        wanted.remove(f);
    };
    for export in &module.exports {
        if let Item::Func(f) = &export.item {
            named(f);
        }
    }
    let in_elements = module.elems.values().flat_map(|e| match &e.items {
        ElemItems::Exprs(list) => list.as_slice(),
        ElemItems::Funcs(list) => {
            list.iter().for_each(&mut named);
            &[]
        }
    });
    let expressions: Vec<_> = in_elements.collect();
    let in_globals = module.globals.values().filter_map(|g| g.init.as_ref());
    for op in expressions.into_iter().chain(in_globals).flatten() {
        if let ConstOp::RefFunc(f) = op {
            named(f);
        }
    }
    wanted.into_iter().collect()
}
