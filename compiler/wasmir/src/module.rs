//! Modules: everything a wasm module or relocatable object holds, by entity.
//!
//! An imported entity has an [`Import`]; a defined one has a body or initialiser. The order of
//! entities is free: the emitter puts imports first and numbers entities anew. Raw bodies keep the
//! numbering of the file they come from, and [`UnitData`] says which entity each number means.

use crate::body::Body;
use crate::debug::DebugInfo;
use crate::entities::*;
use crate::inst::Imm;
use crate::op::Opcode;
use crate::symbol::{Import, Linkage, Reloc, Symbol};
use crate::types::{HeapType, RefType, Type, Types};
use cranelift_entity::PrimaryMap;
use cranelift_entity::packed_option::PackedOption;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Bytes shared with the file they were read from.
#[derive(Clone, Default)]
pub struct Bytes {
    source: Arc<[u8]>,
    range: Range<usize>,
}

impl Bytes {
    /// A part of a shared buffer; `None` if the range is not inside it.
    pub fn slice(source: &Arc<[u8]>, range: Range<usize>) -> Option<Bytes> {
        source.get(range.clone())?;
        Some(Bytes {
            source: Arc::clone(source),
            range,
        })
    }

    /// A part of these bytes, sharing them; `None` if the range is not inside.
    pub fn part(&self, range: Range<usize>) -> Option<Bytes> {
        self.as_slice().get(range.clone())?;
        let start = self.range.start;
        Some(Bytes {
            source: Arc::clone(&self.source),
            range: start + range.start..start + range.end,
        })
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.source[self.range.clone()]
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        let range = 0..bytes.len();
        Bytes {
            source: bytes.into(),
            range,
        }
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// A body as it stands in a wasm file: local declarations and code, without the size.
#[derive(Clone, Debug, PartialEq)]
pub struct RawBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Which file's numbering the bytes use.
    pub unit: Unit,
    /// Where the bytes start in that file's code section (its contents), as DWARF counts.
    pub code_offset: u32,
    /// Relocations, by ascending offset, in objects only.
    pub relocs: Vec<Reloc>,
}

/// The body of a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum FuncBody {
    /// None: the function is imported or undefined.
    #[default]
    None,
    /// The bytes of a wasm file; a function that no pass touches is emitted from them.
    Raw(RawBody),
    /// Instructions.
    Ir(Box<Body>),
}

/// A function.
#[derive(Clone, Debug, PartialEq)]
pub struct FuncData {
    /// Its type.
    pub ty: TypeId,
    /// Where it is imported from.
    pub import: Option<Import>,
    /// Its symbol.
    pub symbol: Symbol,
    /// Its body.
    pub body: FuncBody,
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableData {
    /// The type of its elements.
    pub ty: RefType,
    /// Whether indices are `i64`.
    pub index64: bool,
    /// Whether threads share it.
    pub shared: bool,
    /// Its initial size.
    pub min: u64,
    /// The size it cannot exceed.
    pub max: Option<u64>,
    /// What its elements start as; null if there is none.
    pub init: Option<ConstExpr>,
    /// Where it is imported from.
    pub import: Option<Import>,
    /// Its symbol.
    pub symbol: Symbol,
}

/// A memory.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryData {
    /// Whether addresses are `i64`.
    pub index64: bool,
    /// Whether threads share it.
    pub shared: bool,
    /// Its initial size in pages.
    pub min: u64,
    /// The size it cannot exceed, in pages.
    pub max: Option<u64>,
    /// The binary logarithm of the page size, where it is not the usual 16.
    pub page_size_log2: Option<u32>,
    /// Where it is imported from.
    pub import: Option<Import>,
    /// Its symbol.
    pub symbol: Symbol,
}

/// A global.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalData {
    /// Its type.
    pub ty: Type,
    /// Whether it can be assigned.
    pub mutable: bool,
    /// Whether threads share it.
    pub shared: bool,
    /// What it starts as, unless imported.
    pub init: Option<ConstExpr>,
    /// Where it is imported from.
    pub import: Option<Import>,
    /// Its symbol.
    pub symbol: Symbol,
}

/// An exception tag.
#[derive(Clone, Debug, PartialEq)]
pub struct TagData {
    /// A function type whose parameters are the payload.
    pub ty: TypeId,
    /// Where it is imported from.
    pub import: Option<Import>,
    /// Its symbol.
    pub symbol: Symbol,
}

/// Where data goes.
#[derive(Clone, Debug, PartialEq)]
pub enum DataKind {
    /// Copied to a memory at instantiation.
    Active {
        /// The memory.
        memory: Memory,
        /// The address.
        offset: ConstExpr,
    },
    /// Copied by `memory.init`.
    Passive,
    /// A symbol of an object; the linker chooses the address.
    Symbol {
        /// The binary logarithm of its alignment.
        align_log2: u8,
        /// The section it belongs to, such as `.rodata.str`.
        section: String,
        /// Its size; what `bytes` does not cover is zero.
        size: u32,
        /// Ends of strings may be shared with others'.
        strings: bool,
        /// Declared elsewhere.
        undefined: bool,
    },
    /// A further symbol of an object's data: it has no bytes of its own. What it names is a local symbol, so that no other object's
    /// data takes its place.
    Alias {
        /// The data.
        of: Data,
        /// Where in the data.
        offset: u32,
        /// How much of the data.
        size: u32,
    },
}

/// A data segment or data symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct DataData {
    /// Where it goes.
    pub kind: DataKind,
    /// The bytes.
    pub bytes: Bytes,
    /// Relocations by ascending offset.
    pub relocs: Vec<Reloc>,
    /// Its symbol.
    pub symbol: Symbol,
}

/// Where elements go.
#[derive(Clone, Debug, PartialEq)]
pub enum ElemKind {
    /// Copied to a table at instantiation.
    Active {
        /// The table.
        table: Table,
        /// The index.
        offset: ConstExpr,
    },
    /// Copied by `table.init`.
    Passive,
    /// Only declares that functions may be referred to.
    Declared,
}

/// What an element segment holds.
#[derive(Clone, Debug, PartialEq)]
pub enum ElemItems {
    /// References to functions.
    Funcs(Vec<Func>),
    /// Expressions.
    Exprs(Vec<ConstExpr>),
}

/// An element segment.
#[derive(Clone, Debug, PartialEq)]
pub struct ElemData {
    /// Where it goes.
    pub kind: ElemKind,
    /// The type of the elements.
    pub ty: RefType,
    /// The elements.
    pub items: ElemItems,
    /// Its name.
    pub name: Option<String>,
}

/// One instruction of a constant expression, in stack order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ConstOp {
    /// `i32.const`
    I32(i32),
    /// `i64.const`
    I64(i64),
    /// `f32.const` by its bits.
    F32(u32),
    /// `f64.const` by its bits.
    F64(u64),
    /// `v128.const` by its bits.
    V128(u128),
    /// `global.get`
    GlobalGet(Global),
    /// `ref.null`
    RefNull(HeapType),
    /// `ref.func`
    RefFunc(Func),
    /// The address of a symbol, filled in by the linker.
    SymAddr(Item, i64),
    /// Any other operator that is constant.
    Op(Opcode, Option<Imm>),
}

/// A constant expression.
pub type ConstExpr = Vec<ConstOp>;

/// What an export names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The export's name.
    pub name: String,
    /// What is exported; never data.
    pub item: Item,
}

/// The section after which a custom section stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named after wasm's sections")]
pub enum SectionPlace {
    Start,
    Type,
    Import,
    Function,
    Table,
    Memory,
    Tag,
    Global,
    Export,
    StartFunction,
    Element,
    DataCount,
    Code,
    Data,
}

impl SectionPlace {
    /// All places, in the order of a wasm file.
    pub const ALL: [SectionPlace; 14] = [
        SectionPlace::Start,
        SectionPlace::Type,
        SectionPlace::Import,
        SectionPlace::Function,
        SectionPlace::Table,
        SectionPlace::Memory,
        SectionPlace::Tag,
        SectionPlace::Global,
        SectionPlace::Export,
        SectionPlace::StartFunction,
        SectionPlace::Element,
        SectionPlace::DataCount,
        SectionPlace::Code,
        SectionPlace::Data,
    ];

    /// The name in the text form.
    pub fn name(self) -> &'static str {
        match self {
            SectionPlace::Start => "at_start",
            SectionPlace::Type => "after_type",
            SectionPlace::Import => "after_import",
            SectionPlace::Function => "after_function",
            SectionPlace::Table => "after_table",
            SectionPlace::Memory => "after_memory",
            SectionPlace::Tag => "after_tag",
            SectionPlace::Global => "after_global",
            SectionPlace::Export => "after_export",
            SectionPlace::StartFunction => "after_start",
            SectionPlace::Element => "after_element",
            SectionPlace::DataCount => "after_data_count",
            SectionPlace::Code => "after_code",
            SectionPlace::Data => "after_data",
        }
    }
}

/// A custom section that WasmIR does not interpret.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomSection {
    /// Its name.
    pub name: String,
    /// Its contents after the name.
    pub bytes: Bytes,
    /// Where it stands.
    pub place: SectionPlace,
    /// Relocations by ascending offset.
    pub relocs: Vec<Reloc>,
}

/// The numbering of a wasm file whose bodies a module holds as they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitData {
    /// What the file's type indices mean.
    pub types: Vec<TypeId>,
    /// What its function indices mean; none for one that was removed.
    pub funcs: Vec<PackedOption<Func>>,
    /// What its table indices mean.
    pub tables: Vec<PackedOption<Table>>,
    /// What its memory indices mean.
    pub memories: Vec<PackedOption<Memory>>,
    /// What its global indices mean.
    pub globals: Vec<PackedOption<Global>>,
    /// What its tag indices mean.
    pub tags: Vec<PackedOption<Tag>>,
    /// What its data segment indices mean.
    pub datas: Vec<PackedOption<Data>>,
    /// What its element segment indices mean.
    pub elems: Vec<PackedOption<Elem>>,
}

/// What a front end declared about a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FuncContract {
    /// The effects it may have; `None` if it declares nothing, empty if it is pure.
    pub effects: Option<Vec<String>>,
    /// The linear types it consumes.
    pub consumes: Vec<String>,
    /// Hints to the compiler, such as `hot`, `cold` or `inline`.
    pub hints: Vec<String>,
}

/// Names of what has no symbol, for people who read the code. They mean nothing, and are kept as long as what they name is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebugNames {
    /// Of types and their fields.
    pub types: BTreeMap<TypeId, TypeNames>,
    /// Of what is inside of functions.
    pub funcs: BTreeMap<Func, FuncNames>,
}

/// The names of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeNames {
    /// Its own.
    pub name: Option<String>,
    /// Its fields', by number.
    pub fields: BTreeMap<u32, String>,
}

/// The names inside of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FuncNames {
    /// Of its locals, by number, parameters first. Of a body of instructions only those of parameters mean something.
    pub locals: BTreeMap<u32, String>,
    /// Of the labels of a raw body, in their order.
    pub labels: BTreeMap<u32, String>,
}

/// A module or relocatable object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// The module's name.
    pub name: Option<String>,
    /// The type section.
    pub types: Types,
    /// Functions.
    pub funcs: PrimaryMap<Func, FuncData>,
    /// Tables.
    pub tables: PrimaryMap<Table, TableData>,
    /// Memories.
    pub memories: PrimaryMap<Memory, MemoryData>,
    /// Globals.
    pub globals: PrimaryMap<Global, GlobalData>,
    /// Exception tags.
    pub tags: PrimaryMap<Tag, TagData>,
    /// Data segments and data symbols.
    pub datas: PrimaryMap<Data, DataData>,
    /// Element segments.
    pub elems: PrimaryMap<Elem, ElemData>,
    /// Exports in order.
    pub exports: Vec<Export>,
    /// The order of the imports where kind by kind, each in the order of its entities, is not right; see
    /// [`Module::imports`].
    pub import_order: Vec<Item>,
    /// The start function.
    pub start: Option<Func>,
    /// Functions to call before anything else, with their priorities, in objects only.
    pub init_funcs: Vec<(u32, Func)>,
    /// COMDAT groups by name.
    pub comdats: PrimaryMap<Comdat, String>,
    /// Custom sections that WasmIR does not interpret, in order.
    pub customs: Vec<CustomSection>,
    /// Contracts of functions.
    pub contracts: BTreeMap<Func, FuncContract>,
    /// Names of what has no symbol.
    pub names: DebugNames,
    /// Source positions.
    pub debug: DebugInfo,
    /// The numberings of the files that raw bodies come from.
    pub units: PrimaryMap<Unit, UnitData>,
    /// Whether this is a relocatable object rather than a final module.
    pub relocatable: bool,
}

impl Module {
    /// An empty module.
    pub fn new() -> Module {
        Module::default()
    }

    /// Whether linking may put another definition in the place of `func`'s: nothing may be concluded from its body.
    pub fn is_replaceable(&self, func: Func) -> bool {
        self.relocatable && self.funcs[func].symbol.linkage == Linkage::Weak
    }

    /// The imports in the order of a file: those of the import order first, then functions, tables, memories, tags and
    /// globals. Hosts see this order; what an object imports has none.
    pub fn imports(&self) -> Vec<Item> {
        let by_kind = self.imports_by_kind();
        if self.import_order.is_empty() || self.relocatable {
            return by_kind;
        }
        let mut left: FxHashSet<Item> = by_kind.iter().copied().collect();
        let listed = self.import_order.iter().copied();
        let mut all: Vec<Item> = listed.filter(|item| left.remove(item)).collect();
        all.extend(by_kind.into_iter().filter(|item| left.contains(item)));
        all
    }

    fn imports_by_kind(&self) -> Vec<Item> {
        let mut all = Vec::new();
        macro_rules! kind {
            ($field:ident, $item:ident) => {
                let imported = self.$field.iter().filter(|(_, x)| x.import.is_some());
                all.extend(imported.map(|(id, _)| Item::$item(id)));
            };
        }
        kind!(funcs, Func);
        kind!(tables, Table);
        kind!(memories, Memory);
        kind!(tags, Tag);
        kind!(globals, Global);
        all
    }

    /// Sets the order of the imports; an order that needs no saying is not kept.
    pub fn set_import_order(&mut self, order: Vec<Item>) {
        self.import_order = if order == self.imports_by_kind() {
            Vec::new()
        } else {
            order
        };
    }

    /// The function type of `func`; `None` if its type is missing or not a function type.
    pub fn func_type(&self, func: Func) -> Option<&crate::types::FuncType> {
        self.types.func(self.funcs.get(func)?.ty)
    }

    /// The index type of a memory.
    pub fn memory_index_type(&self, memory: Memory) -> Type {
        if self.memories[memory].index64 {
            Type::I64
        } else {
            Type::I32
        }
    }

    /// The index type of a table.
    pub fn table_index_type(&self, table: Table) -> Type {
        if self.tables[table].index64 {
            Type::I64
        } else {
            Type::I32
        }
    }
}
