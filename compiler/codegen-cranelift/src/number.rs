//! The numbering of a final module: imports first, then definitions, in the order of the entities; and immediates
//! written in that numbering. Types keep theirs.

use crate::env::RelocKind;
use crate::fields::Code;
use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashMap;
use wasm_encoder as enc;
use wasmir::{
    CompositeType, Data, Elem, Func, FuncBody, Global, HeapType, Imm, Item, Memory, Module,
    RefType, Table, Tag, Type,
};

/// The results of a block.
type Results = Box<[Type]>;

/// What a block leaves on the stack.
pub(crate) enum BlockType {
    Empty,
    One(enc::ValType),
    /// A function type without parameters.
    Index(u32),
}

/// Index of every entity in the emitted module.
pub struct Numbers {
    funcs: SecondaryMap<Func, u32>,
    tables: SecondaryMap<Table, u32>,
    memories: SecondaryMap<Memory, u32>,
    globals: SecondaryMap<Global, u32>,
    tags: SecondaryMap<Tag, u32>,
    /// Fields that name entities are padded and recorded.
    pub(crate) relocatable: bool,
    /// Results of function types without parameters that follow the module's types.
    pub(crate) block_types: Vec<Results>,
    /// The type of each list of two or more results.
    block_index: FxHashMap<Results, u32>,
}

/// Imports in their order, then definitions.
macro_rules! number {
    ($module:expr, $imports:expr, $field:ident, $item:ident) => {{
        let mut map = SecondaryMap::new();
        let imported = $imports.iter().filter_map(|item| match *item {
            Item::$item(id) => Some(id),
            _ => None,
        });
        let defined = $module
            .$field
            .iter()
            .filter(|(_, data)| data.import.is_none());
        for (next, id) in imported.chain(defined.map(|(id, _)| id)).enumerate() {
            map[id] = next as u32;
        }
        map
    }};
}

/// The types of blocks that receive the payloads of exception handlers: those that the module lacks, and the number of
/// each.
fn block_types(module: &Module) -> (Vec<Results>, FxHashMap<Results, u32>) {
    let mut new = Vec::new();
    let mut index: FxHashMap<Results, u32> = FxHashMap::default();
    let bodies = module.funcs.values().filter_map(|f| match &f.body {
        FuncBody::Ir(body) => Some(body),
        _ => None,
    });
    let handlers = bodies.flat_map(|body| body.pool.handlers.values().flatten());
    for handler in handlers {
        let tag = handler.tag.and_then(|tag| module.tags.get(tag));
        let Some(ty) = tag.and_then(|tag| module.types.func(tag.ty)) else {
            continue;
        };
        let mut results = flat(&ty.params);
        if handler.exnref.is_some() {
            results.push(EXCEPTION);
        }
        if results.len() < 2 || index.contains_key(&results[..]) {
            continue;
        }
        if index.is_empty() {
            // The first time round: the types that are there already.
            for (id, def) in module.types.iter() {
                if let CompositeType::Func(f) = &def.composite
                    && f.params.is_empty()
                    && let results = flat(&f.results)
                    && results.len() > 1
                {
                    index.entry(results.into()).or_insert(id.as_u32());
                }
            }
        }
        let results: Results = results.into();
        index.entry(results.clone()).or_insert_with(|| {
            new.push(results);
            (module.types.len() + new.len() - 1) as u32
        });
    }
    (new, index)
}

/// Types as WebAssembly has them: an `i128` is two `i64`.
fn flat(types: &[Type]) -> Vec<Type> {
    let parts = |ty: &Type| match ty {
        Type::I128 => [Some(Type::I64), Some(Type::I64)],
        ty => [Some(*ty), None],
    };
    types.iter().flat_map(parts).flatten().collect()
}

/// What `catch_ref` gives besides the payload: an exception that is not null.
const EXCEPTION: Type = Type::Ref(RefType {
    nullable: false,
    heap: HeapType::Abstract {
        shared: false,
        kind: wasmir::AbstractHeap::Exn,
    },
});

impl Numbers {
    /// Numbers the entities of a module.
    pub fn new(module: &Module) -> Numbers {
        let imports = module.imports();
        let (block_types, block_index) = block_types(module);
        Numbers {
            block_types,
            block_index,
            funcs: number!(module, imports, funcs, Func),
            tables: number!(module, imports, tables, Table),
            memories: number!(module, imports, memories, Memory),
            globals: number!(module, imports, globals, Global),
            tags: number!(module, imports, tags, Tag),
            relocatable: module.relocatable,
        }
    }

    /// The same numbers, with fields that name entities padded and recorded.
    pub(crate) fn padded(self) -> Numbers {
        Numbers {
            relocatable: true,
            ..self
        }
    }

    /// The type of a block with these results.
    pub(crate) fn block_type(&self, results: &[Type]) -> Option<BlockType> {
        Some(match flat(results).as_slice() {
            [] => BlockType::Empty,
            [one] => BlockType::One(self.val_type(*one)),
            results => BlockType::Index(*self.block_index.get(results)?),
        })
    }

    /// Index of a function.
    pub fn func(&self, f: Func) -> u32 {
        self.funcs[f]
    }

    /// Index of a table.
    pub fn table(&self, t: Table) -> u32 {
        self.tables[t]
    }

    /// Index of a memory.
    pub fn memory(&self, m: Memory) -> u32 {
        self.memories[m]
    }

    /// Index of a global.
    pub fn global(&self, g: Global) -> u32 {
        self.globals[g]
    }

    /// Index of a tag.
    pub fn tag(&self, t: Tag) -> u32 {
        self.tags[t]
    }

    /// Index of a data segment.
    pub fn data(&self, d: Data) -> u32 {
        d.as_u32()
    }

    /// Index of an element segment.
    pub fn elem(&self, e: Elem) -> u32 {
        e.as_u32()
    }

    /// The encoder's form of an item.
    pub fn item(&self, item: Item) -> (enc::ExportKind, u32) {
        match item {
            Item::Func(f) => (enc::ExportKind::Func, self.func(f)),
            Item::Table(t) => (enc::ExportKind::Table, self.table(t)),
            Item::Memory(m) => (enc::ExportKind::Memory, self.memory(m)),
            Item::Global(g) => (enc::ExportKind::Global, self.global(g)),
            Item::Tag(t) => (enc::ExportKind::Tag, self.tag(t)),
            Item::Data(d) => (enc::ExportKind::Global, self.data(d)),
        }
    }

    /// The encoder's form of a heap type.
    pub fn heap_type(&self, heap: HeapType) -> enc::HeapType {
        use enc::AbstractHeapType as A;
        use wasmir::AbstractHeap as H;
        match heap {
            HeapType::Concrete(id) => enc::HeapType::Concrete(id.as_u32()),
            HeapType::Abstract { shared, kind } => {
                let ty = match kind {
                    H::Func => A::Func,
                    H::Extern => A::Extern,
                    H::Any => A::Any,
                    H::Eq => A::Eq,
                    H::I31 => A::I31,
                    H::Struct => A::Struct,
                    H::Array => A::Array,
                    H::Exn => A::Exn,
                    H::None => A::None,
                    H::NoExtern => A::NoExtern,
                    H::NoFunc => A::NoFunc,
                    H::NoExn => A::NoExn,
                };
                enc::HeapType::Abstract { shared, ty }
            }
        }
    }

    /// The encoder's form of a reference type.
    pub fn ref_type(&self, ty: RefType) -> enc::RefType {
        enc::RefType {
            nullable: ty.nullable,
            heap_type: self.heap_type(ty.heap),
        }
    }

    /// The encoder's form of a value type. Narrow integers are `i32`; `i128` never gets here as one value.
    pub fn val_type(&self, ty: Type) -> enc::ValType {
        match ty {
            Type::I8 | Type::I16 | Type::I32 => enc::ValType::I32,
            Type::I64 | Type::I128 => enc::ValType::I64,
            Type::F32 => enc::ValType::F32,
            Type::F64 => enc::ValType::F64,
            Type::V128 => enc::ValType::V128,
            Type::Ref(r) => enc::ValType::Ref(self.ref_type(r)),
        }
    }

    /// A list of types as WebAssembly has them: `i128` is two.
    pub fn val_types(&self, types: &[Type]) -> Vec<enc::ValType> {
        let mut out = Vec::with_capacity(types.len());
        for &ty in types {
            out.push(self.val_type(ty));
            if ty == Type::I128 {
                out.push(enc::ValType::I64);
            }
        }
        out
    }

    fn memarg(&self, arg: &wasmir::MemArg, out: &mut Code) {
        let memory = self.memory(arg.memory);
        let align = u64::from(arg.access.align_log2());
        if memory == 0 {
            out.number(align);
        } else {
            out.number(align | 0x40);
            out.number(u64::from(memory));
        }
        out.number(arg.offset);
    }

    /// Appends the immediates of an operator.
    pub(crate) fn immediate(&self, imm: &Imm, out: &mut Code) {
        match *imm {
            Imm::Memarg(ref arg) => self.memarg(arg, out),
            Imm::MemargLane(ref arg, lane) => {
                self.memarg(arg, out);
                out.bytes.push(lane);
            }
            Imm::Lane(lane) => out.bytes.push(lane),
            Imm::Shuffle(lanes) => out.bytes.extend(lanes),
            Imm::Memory(m) => out.number(self.memory(m).into()),
            Imm::MemoryMemory(a, b) => {
                out.number(self.memory(a).into());
                out.number(self.memory(b).into());
            }
            Imm::DataMemory(d, m) => {
                out.number(self.data(d).into());
                out.number(self.memory(m).into());
            }
            Imm::Data(d) => out.number(self.data(d).into()),
            Imm::Table(t) => out.index(RelocKind::Table, self.table(t)),
            Imm::TableTable(a, b) => {
                out.index(RelocKind::Table, self.table(a));
                out.index(RelocKind::Table, self.table(b));
            }
            Imm::ElemTable(e, t) => {
                out.number(self.elem(e).into());
                out.index(RelocKind::Table, self.table(t));
            }
            Imm::Elem(e) => out.number(self.elem(e).into()),
            Imm::Ty(t) => out.index(RelocKind::Type, t.as_u32()),
            Imm::TyField(t, n) | Imm::TyCount(t, n) => {
                out.index(RelocKind::Type, t.as_u32());
                out.number(n.into());
            }
            Imm::TyTy(a, b) => {
                out.index(RelocKind::Type, a.as_u32());
                out.index(RelocKind::Type, b.as_u32());
            }
            Imm::TyData(t, d) => {
                out.index(RelocKind::Type, t.as_u32());
                out.number(self.data(d).into());
            }
            Imm::TyElem(t, e) => {
                out.index(RelocKind::Type, t.as_u32());
                out.number(self.elem(e).into());
            }
            // Heap types are signed numbers, which no relocation describes.
            Imm::Heap(h) => enc::Encode::encode(&self.heap_type(h), &mut out.bytes),
            Imm::Func(f) => out.index(RelocKind::Func, self.func(f)),
        }
    }
}
