//! Layout: makes a final module of linked objects.
//!
//! The linker ([`crate::link()`]) puts objects into one module in which data are symbols, addresses are relocations and
//! functions are called by pointer before there is a table. This gives everything its place, as `wasm-ld` does:
//!
//! 1. What is exported, and the entry, are the roots; what they do not reach is dropped.
//! 2. Memory: the shadow stack first, so that an overflow traps, then data by kind of section (read-only, thread-local,
//!    writable, zero), then the heap; see `layout/memory.rs`. There is one thread, whose `__tls_base` is a constant. The symbols that say where these begin (`__heap_base`, `__data_end`, ...) get their values.
//! 3. Table: the functions whose address is taken, from slot 1 on, in order; slot 0 stays null.
//! 4. `__wasm_call_ctors` calls the init functions by priority. Weak undefined functions trap, weak undefined data are
//!    at address zero.
//! 5. Every relocation and every [`Inst::SymAddr`] is replaced by its value.
//!
//! # Invariants
//! Afterwards there is no relocation and no data symbol, and the module is not relocatable. The result depends on module
//! and options alone. On an error the module is in between and of no use.
//!
//! # Limits
//! 32-bit memories; no shared ones, so no second thread; no position-independent code.
//!
//! # Cost
//! Linear in the size of the module.

use crate::body::Body;
use crate::builder::BodyBuilder;
use crate::entities::*;
use crate::inst::*;
use crate::module::*;
use crate::reach;
use crate::symbol::*;
use crate::types::*;
use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};
use memory::Layout;
use std::fmt;

mod memory;

/// How a module is laid out.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of the shadow stack.
    pub stack_size: u32,
    /// The function where a program starts; exported if it is there.
    pub entry: String,
    /// Other functions to export under their own names.
    pub exports: Vec<String>,
    /// Export the memory as `memory`.
    pub export_memory: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            stack_size: 1 << 20,
            entry: "_start".into(),
            exports: Vec::new(),
            export_memory: true,
        }
    }
}

/// Why a module cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// A symbol is used and defined nowhere.
    Undefined {
        /// `function`, `data`, ...
        kind: &'static str,
        /// The symbol.
        name: String,
    },
    /// A function that is to be exported does not exist.
    NoExport {
        /// Its name.
        name: String,
    },
    /// Data do not fit into 32-bit memory.
    TooLarge {
        /// Bytes.
        size: u64,
    },
    /// Something that has no place in a final module.
    Unsupported {
        /// What it is.
        what: String,
    },
    /// A body could not be read.
    Body(reach::BadBody),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::Undefined { kind, name } => {
                write!(f, "the {kind} `{name}` is used but defined nowhere")
            }
            LayoutError::NoExport { name } => {
                write!(
                    f,
                    "`{name}` is to be exported but no function has that name"
                )
            }
            LayoutError::TooLarge { size } => {
                write!(
                    f,
                    "stack and data take {size} bytes, more than 32-bit memory has"
                )
            }
            LayoutError::Unsupported { what } => write!(f, "cannot lay out {what}"),
            LayoutError::Body(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LayoutError {}

type Result<T> = std::result::Result<T, LayoutError>;

/// Bytes of a page of memory.
const PAGE: u64 = 1 << 16;

/// Lays out `module`, which must be valid.
///
/// # Errors
/// The first reason why it cannot be done.
pub fn run(module: &mut Module, options: &Options) -> Result<()> {
    exports(module, options)?;
    constructors(module);
    reach::run(module).map_err(LayoutError::Body)?;
    functions(module)?;
    let slots = table(module)?;
    let (addresses, layout) = memory::place(module, options)?;
    let mut thread_locals = EntitySet::new();
    let datas = module.datas.iter();
    thread_locals.extend(datas.filter(|(_, data)| data.symbol.tls).map(|(id, _)| id));
    let places = Places {
        addresses: &addresses,
        slots: &slots,
        thread_local: layout.thread_local.base,
        thread_locals: &thread_locals,
    };
    places.resolve(module)?;
    finish(module, &addresses, layout, options)
}

fn unsupported<T>(what: impl Into<String>) -> Result<T> {
    Err(LayoutError::Unsupported { what: what.into() })
}

fn exports(module: &mut Module, options: &Options) -> Result<()> {
    let names = options.exports.iter().map(|name| (name, true));
    for (name, needed) in names.chain([(&options.entry, false)]) {
        let mut funcs = module.funcs.iter();
        let found = funcs.find(|(_, f)| {
            f.symbol.name.as_deref() == Some(name)
                && f.symbol.linkage != Linkage::Local
                && !matches!(f.body, FuncBody::None)
        });
        let Some((func, _)) = found else {
            if needed {
                return Err(LayoutError::NoExport { name: name.clone() });
            }
            continue;
        };
        if !module.exports.iter().any(|export| export.name == *name) {
            module.exports.push(Export {
                name: name.clone(),
                item: Item::Func(func),
            });
        }
    }
    Ok(())
}

/// Defines `__wasm_call_ctors`. If nothing calls it, whoever instantiates the module has to.
fn constructors(module: &mut Module) {
    let mut inits = std::mem::take(&mut module.init_funcs);
    inits.sort_by_key(|(priority, _)| *priority);
    let called = module.funcs.iter().find(|(_, f)| {
        f.symbol.name.as_deref() == Some("__wasm_call_ctors") && matches!(f.body, FuncBody::None)
    });
    let func = match called.map(|(id, _)| id) {
        Some(func) => func,
        None if inits.is_empty() => return,
        None => {
            let ty = FuncType {
                params: Box::default(),
                results: Box::default(),
            };
            let ty = module.types.push_group([TypeDef {
                is_final: true,
                shared: false,
                supertype: None,
                composite: CompositeType::Func(ty),
            }]);
            let name = "__wasm_call_ctors".to_owned();
            let func = module.funcs.push(FuncData {
                ty,
                import: None,
                symbol: Symbol::local(name.clone()),
                body: FuncBody::None,
            });
            let item = Item::Func(func);
            module.exports.push(Export { name, item });
            func
        }
    };
    let mut builder = BodyBuilder::new(&[]);
    let entry = builder.block();
    builder.switch_to(entry);
    for (_, init) in inits {
        builder.call(Callee::Direct(init), &[], &[]);
    }
    builder.ret(&[]);
    define(&mut module.funcs[func], builder.finish());
}

fn define(func: &mut FuncData, body: Body) {
    func.import = None;
    func.symbol.linkage = Linkage::Strong;
    func.body = FuncBody::Ir(Box::new(body));
}

/// Whether the host provides an undefined symbol: its import says so by a name or module of its own.
fn is_host(import: Option<&Import>, symbol: &Symbol) -> bool {
    let plain = |import: &Import| {
        import.module == "env" && Some(import.name.as_str()) == symbol.name.as_deref()
    };
    import.is_some_and(|import| !plain(import))
}

fn undefined<T>(kind: &'static str, symbol: &Symbol) -> Result<T> {
    let name = symbol.name.clone().unwrap_or_default();
    Err(LayoutError::Undefined { kind, name })
}

/// Functions that nothing defines: imports of the host, traps, or errors.
fn functions(module: &mut Module) -> Result<()> {
    let types = &module.types;
    for func in module.funcs.values_mut() {
        if !matches!(func.body, FuncBody::None) {
            continue;
        }
        if func.symbol.linkage == Linkage::UndefinedWeak {
            let params: &[Type] = types.func(func.ty).map_or(&[], |ty| &ty.params);
            let mut builder = BodyBuilder::new(params);
            let entry = builder.block();
            builder.switch_to(entry);
            builder.terminate(Terminator::Unreachable);
            define(func, builder.finish());
        } else if !is_host(func.import.as_ref(), &func.symbol) {
            return undefined("function", &func.symbol);
        }
    }
    for tag in module.tags.values() {
        let linkage = tag.symbol.linkage;
        if matches!(linkage, Linkage::Undefined) && !is_host(tag.import.as_ref(), &tag.symbol) {
            return undefined("tag", &tag.symbol);
        }
    }
    Ok(())
}

/// Finds the functions whose address is taken and makes the table of them.
fn table(module: &mut Module) -> Result<SecondaryMap<Func, u32>> {
    let mut taken: EntitySet<Func> = EntitySet::new();
    let mut take = |item: Item| {
        if let Item::Func(func) = item {
            taken.insert(func);
        }
    };
    let relocs = |list: &[Reloc], take: &mut dyn FnMut(Item)| {
        for reloc in list {
            if let (true, RelocTarget::Item(item)) = (is_slot(reloc.kind), reloc.target) {
                take(item);
            }
        }
    };
    for func in module.funcs.values() {
        match &func.body {
            FuncBody::None => {}
            FuncBody::Raw(raw) => relocs(&raw.relocs, &mut take),
            FuncBody::Ir(body) => {
                for &block in &body.layout {
                    for inst in &body.blocks[block].insts {
                        if let Inst::SymAddr { item, .. } = *inst {
                            take(item);
                        }
                    }
                }
            }
        }
    }
    for data in module.datas.values() {
        relocs(&data.relocs, &mut take);
    }
    for custom in &module.customs {
        relocs(&custom.relocs, &mut take);
    }
    for_each_const_expr(module, |expr| {
        for op in expr {
            if let ConstOp::SymAddr(item, _) = op {
                take(*item);
            }
        }
        Ok(())
    })?;
    let mut slots = SecondaryMap::new();
    let funcs: Vec<Func> = module.funcs.keys().filter(|f| taken.contains(*f)).collect();
    for (&func, slot) in funcs.iter().zip(1..) {
        slots[func] = slot;
    }
    let is_table = |t: &TableData| {
        t.symbol.name.as_deref() == Some("__indirect_function_table")
            || t.import
                .as_ref()
                .is_some_and(|i| i.name == "__indirect_function_table")
    };
    let found = module.tables.iter().find(|(_, t)| is_table(t));
    let found = found.map(|(id, _)| id);
    let size = funcs.len() as u64 + 1;
    let table = match found {
        Some(table) => table,
        None if funcs.is_empty() => return Ok(slots),
        None => module.tables.push(TableData {
            ty: RefType::FUNCREF,
            index64: false,
            shared: false,
            min: 0,
            max: None,
            init: None,
            import: None,
            symbol: Symbol::local("__indirect_function_table"),
        }),
    };
    let data = &mut module.tables[table];
    data.import = None;
    data.symbol.linkage = Linkage::Strong;
    (data.min, data.max) = (size, Some(size));
    if data.index64 {
        return unsupported("a table of 64-bit indices");
    }
    if !funcs.is_empty() {
        module.elems.push(ElemData {
            kind: ElemKind::Active {
                table,
                offset: vec![ConstOp::I32(1)],
            },
            ty: RefType {
                nullable: false,
                ..RefType::FUNCREF
            },
            items: ElemItems::Funcs(funcs),
            name: None,
        });
    }
    Ok(slots)
}

fn is_slot(kind: RelocKind) -> bool {
    use RelocKind::*;
    matches!(
        kind,
        TableIndexSleb | TableIndexI32 | TableIndexSleb64 | TableIndexI64
    )
}

/// Where everything is.
struct Places<'a> {
    addresses: &'a SecondaryMap<Data, u32>,
    slots: &'a SecondaryMap<Func, u32>,
    /// Where thread-local data begin.
    thread_local: u32,
    /// Thread-local data.
    thread_locals: &'a EntitySet<Data>,
}

impl Places<'_> {
    fn value(&self, item: Item, addend: i64) -> Result<i64> {
        match item {
            Item::Data(data) => Ok(i64::from(self.addresses[data]).wrapping_add(addend)),
            Item::Func(func) => Ok(self.slots[func].into()),
            Item::Table(_) | Item::Memory(_) | Item::Global(_) | Item::Tag(_) => {
                unsupported("the address of what has none")
            }
        }
    }

    fn resolve(&self, module: &mut Module) -> Result<()> {
        for func in module.funcs.values_mut() {
            match &mut func.body {
                FuncBody::None => {}
                FuncBody::Raw(raw) => self.patch(&mut raw.bytes, &mut raw.relocs)?,
                FuncBody::Ir(body) => self.body(body)?,
            }
        }
        for data in module.datas.values_mut() {
            self.patch(&mut data.bytes, &mut data.relocs)?;
        }
        for custom in &mut module.customs {
            self.patch(&mut custom.bytes, &mut custom.relocs)?;
        }
        for_each_const_expr(module, |expr| {
            for op in expr {
                if let ConstOp::SymAddr(item, addend) = *op {
                    *op = ConstOp::I32(self.value(item, addend)? as i32);
                }
            }
            Ok(())
        })
    }

    fn body(&self, body: &mut Body) -> Result<()> {
        let locals = &body.locals;
        for block in body.blocks.values_mut() {
            for inst in &mut block.insts {
                if let Inst::SymAddr { dst, item, addend } = *inst {
                    let mut value = self.value(item, addend)?;
                    if let Item::Data(data) = item
                        && self.thread_locals.contains(data)
                    {
                        value -= i64::from(self.thread_local);
                    }
                    let bits = if locals[dst] == Type::I64 {
                        value as u64
                    } else {
                        u64::from(value as u32)
                    };
                    *inst = Inst::Const { dst, bits };
                }
            }
        }
        Ok(())
    }

    /// Fills in relocated places and forgets the relocations.
    fn patch(&self, bytes: &mut Bytes, relocs: &mut Vec<Reloc>) -> Result<()> {
        use RelocKind::*;
        let mut patched: Option<Vec<u8>> = None;
        for reloc in std::mem::take(relocs) {
            let (width, form) = match reloc.kind {
                // Numbers of entities are in the unit's numbering, which the emitter follows.
                FunctionIndexLeb | TypeIndexLeb | GlobalIndexLeb | TagIndexLeb | TableNumberLeb => {
                    continue;
                }
                TableIndexSleb | MemoryAddrSleb | MemoryAddrLeb | MemoryAddrTlsSleb => {
                    (5, Form::Leb)
                }
                TableIndexSleb64 | MemoryAddrSleb64 | MemoryAddrLeb64 => (10, Form::Leb),
                TableIndexI32 | MemoryAddrI32 => (4, Form::Fixed),
                TableIndexI64 | MemoryAddrI64 => (8, Form::Fixed),
                other => return unsupported(format!("a relocation `{}`", other.name())),
            };
            let RelocTarget::Item(item) = reloc.target else {
                return unsupported("a relocation of an address that names no entity");
            };
            let mut value = self.value(item, reloc.addend)?;
            if reloc.kind == MemoryAddrTlsSleb {
                value -= i64::from(self.thread_local);
            }
            let start = reloc.offset as usize;
            let all = patched.get_or_insert_with(|| bytes.to_vec());
            // The bytes of data end where zeros begin, and so may a relocated field.
            if all.len() < start + width {
                all.resize(start + width, 0);
            }
            let field = &mut all[start..start + width];
            match form {
                Form::Fixed => field.copy_from_slice(&value.to_le_bytes()[..width]),
                Form::Leb => {
                    let signed = !matches!(reloc.kind, MemoryAddrLeb | MemoryAddrLeb64);
                    let mut rest = match (width, signed) {
                        (5, true) => i64::from(value as i32),
                        (5, false) => i64::from(value as u32),
                        _ => value,
                    };
                    for (i, byte) in field.iter_mut().enumerate() {
                        let more = if i + 1 < width { 0x80 } else { 0 };
                        *byte = (rest & 0x7f) as u8 | more;
                        rest >>= 7;
                    }
                }
            }
        }
        if let Some(patched) = patched {
            *bytes = patched.into();
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Form {
    Leb,
    Fixed,
}

fn for_each_const_expr(
    module: &mut Module,
    mut f: impl FnMut(&mut [ConstOp]) -> Result<()>,
) -> Result<()> {
    for global in module.globals.values_mut() {
        global.init.iter_mut().try_for_each(|expr| f(expr))?;
    }
    for table in module.tables.values_mut() {
        table.init.iter_mut().try_for_each(|expr| f(expr))?;
    }
    for elem in module.elems.values_mut() {
        if let ElemItems::Exprs(exprs) = &mut elem.items {
            exprs.iter_mut().try_for_each(|expr| f(expr))?;
        }
    }
    Ok(())
}

/// Defines memory and globals, puts the bytes of data together, and forgets what only linking needs.
fn finish(
    module: &mut Module,
    addresses: &SecondaryMap<Data, u32>,
    layout: Layout,
    options: &Options,
) -> Result<()> {
    for global in module.globals.values_mut() {
        let name = global.symbol.name.as_deref().unwrap_or_default();
        let value = match name {
            "__stack_pointer" => u64::from(options.stack_size).next_multiple_of(16) as i32,
            "__memory_base" => 0,
            "__tls_base" => layout.thread_local.base as i32,
            "__tls_size" => layout.thread_local.size as i32,
            "__tls_align" => layout.thread_local.align as i32,
            "__table_base" => 1,
            _ => {
                let linked = matches!(
                    global.symbol.linkage,
                    Linkage::Undefined | Linkage::UndefinedWeak
                );
                if linked && !is_host(global.import.as_ref(), &global.symbol) {
                    return undefined("global", &global.symbol);
                }
                continue;
            }
        };
        if global.init.is_none() {
            if global.ty != Type::I32 {
                return unsupported("a stack pointer of 64 bits");
            }
            global.import = None;
            global.symbol.linkage = Linkage::Strong;
            global.init = Some(vec![ConstOp::I32(value)]);
        }
    }
    let pages = layout.heap_base.div_ceil(PAGE);
    let linear = module.memories.iter().find(|(_, m)| {
        let import = m.import.as_ref();
        import.is_some_and(|i| i.module == "env" && i.name == "__linear_memory")
    });
    let memory = match linear.map(|(id, _)| id) {
        Some(memory) => Some(memory),
        None if module.memories.is_empty() && module.datas.is_empty() => None,
        None if module.memories.is_empty() => Some(module.memories.push(MemoryData {
            index64: false,
            shared: false,
            min: 0,
            max: None,
            page_size_log2: None,
            import: None,
            symbol: Symbol::default(),
        })),
        None => return unsupported("a memory that is not the linker's"),
    };
    let Some(memory) = memory else {
        return forget(module);
    };
    let data = &mut module.memories[memory];
    if data.index64 || data.shared || data.page_size_log2.is_some() {
        return unsupported("a memory that is 64-bit, shared or of small pages");
    }
    data.import = None;
    data.min = data.min.max(pages);
    if options.export_memory && !module.exports.iter().any(|e| e.name == "memory") {
        module.exports.push(Export {
            name: "memory".into(),
            item: Item::Memory(memory),
        });
    }
    let images = memory::images(module, addresses, &layout.placed);
    module.datas = PrimaryMap::new();
    for (address, bytes) in images {
        module.datas.push(DataData {
            kind: DataKind::Active {
                memory,
                offset: vec![ConstOp::I32(address as i32)],
            },
            bytes: bytes.into(),
            relocs: Vec::new(),
            symbol: Symbol::default(),
        });
    }
    forget(module)
}

fn forget(module: &mut Module) -> Result<()> {
    module.relocatable = false;
    module.comdats = PrimaryMap::new();
    for func in module.funcs.values_mut() {
        func.symbol.comdat = None;
    }
    for global in module.globals.values_mut() {
        global.symbol.comdat = None;
    }
    for unit in module.units.values_mut() {
        unit.datas.clear();
    }
    Ok(())
}
