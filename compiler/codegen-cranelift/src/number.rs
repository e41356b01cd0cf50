//! The numbering of a final module: imports first, then definitions, in the order of the entities; and immediates
//! written in that numbering. Types keep theirs.

use crate::leb;
use cranelift_entity::SecondaryMap;
use wasm_encoder as enc;
use wasmir::{
    Data, Elem, Func, Global, HeapType, Imm, Item, Memory, Module, RefType, Table, Tag, Type,
};

/// Index of every entity in the emitted module.
pub struct Numbers {
    funcs: SecondaryMap<Func, u32>,
    tables: SecondaryMap<Table, u32>,
    memories: SecondaryMap<Memory, u32>,
    globals: SecondaryMap<Global, u32>,
    tags: SecondaryMap<Tag, u32>,
    multi_memory: bool,
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

impl Numbers {
    /// Numbers the entities of a module.
    pub fn new(module: &Module) -> Numbers {
        let imports = module.imports();
        Numbers {
            funcs: number!(module, imports, funcs, Func),
            tables: number!(module, imports, tables, Table),
            memories: number!(module, imports, memories, Memory),
            globals: number!(module, imports, globals, Global),
            tags: number!(module, imports, tags, Tag),
            multi_memory: module.memories.len() > 1,
        }
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

    fn memarg(&self, arg: &wasmir::MemArg, out: &mut Vec<u8>) {
        let memory = self.memory(arg.memory);
        let align = u64::from(arg.access.align_log2());
        if memory == 0 {
            leb::unsigned(out, align);
        } else {
            debug_assert!(self.multi_memory);
            leb::unsigned(out, align | 0x40);
            leb::unsigned(out, u64::from(memory));
        }
        leb::unsigned(out, arg.offset);
    }

    /// Appends the immediates of an operator.
    pub fn immediate(&self, imm: &Imm, out: &mut Vec<u8>) {
        let mut put = |values: &[u32]| {
            for &v in values {
                leb::unsigned(out, u64::from(v));
            }
        };
        match *imm {
            Imm::Memarg(ref arg) => self.memarg(arg, out),
            Imm::MemargLane(ref arg, lane) => {
                self.memarg(arg, out);
                out.push(lane);
            }
            Imm::Lane(lane) => out.push(lane),
            Imm::Shuffle(lanes) => out.extend(lanes),
            Imm::Memory(m) => put(&[self.memory(m)]),
            Imm::MemoryMemory(a, b) => put(&[self.memory(a), self.memory(b)]),
            Imm::DataMemory(d, m) => put(&[self.data(d), self.memory(m)]),
            Imm::Data(d) => put(&[self.data(d)]),
            Imm::Table(t) => put(&[self.table(t)]),
            Imm::TableTable(a, b) => put(&[self.table(a), self.table(b)]),
            Imm::ElemTable(e, t) => put(&[self.elem(e), self.table(t)]),
            Imm::Elem(e) => put(&[self.elem(e)]),
            Imm::Ty(t) => put(&[t.as_u32()]),
            Imm::TyField(t, n) | Imm::TyCount(t, n) => put(&[t.as_u32(), n]),
            Imm::TyTy(a, b) => put(&[a.as_u32(), b.as_u32()]),
            Imm::TyData(t, d) => put(&[t.as_u32(), self.data(d)]),
            Imm::TyElem(t, e) => put(&[t.as_u32(), self.elem(e)]),
            Imm::Heap(h) => enc::Encode::encode(&self.heap_type(h), out),
            Imm::Func(f) => put(&[self.func(f)]),
        }
    }
}
