//! Decodes operators and their immediates, driven by WasmIR's list of operators.
//!
//! # Invariants
//! Never reads outside its bytes; every index it hands out names an entity that the module has.
//!
//! # Cost
//! Linear in the bytes read, no allocation except for the labels of a `br_table`.

use wasmir::entity::packed_option::PackedOption;
use wasmir::{
    Access, Data, Elem, Func, Global, HeapType, Imm, ImmKind, Item, MemArg, Memory, Module, Opcode,
    RefType, Reloc, RelocKind, RelocTarget, Table, Tag, Type, TypeId, UnitData,
};
use wasmparser::BinaryReader;

use crate::LiftError;
use crate::convert::Convert;

/// What a file's indices mean: by a unit's numbering.
#[derive(Clone, Copy)]
pub(crate) struct Numbering<'m> {
    unit: &'m UnitData,
}

macro_rules! lookups {
    ($($name:ident $field:ident $entity:ty, $what:literal;)*) => {
        $(pub(crate) fn $name(self, index: u32) -> Result<$entity, &'static str> {
            self.unit.$field.get(index as usize).copied().and_then(PackedOption::expand).ok_or($what)
        })*
    };
}

impl<'m> Numbering<'m> {
    pub(crate) fn new(unit: &'m UnitData) -> Numbering<'m> {
        Numbering { unit }
    }

    pub(crate) fn ty(self, index: u32) -> Result<TypeId, &'static str> {
        self.unit
            .types
            .get(index as usize)
            .copied()
            .ok_or("a type that is gone")
    }

    lookups! {
        func funcs Func, "a function that is gone";
        table tables Table, "a table that is gone";
        memory memories Memory, "a memory that is gone";
        global globals Global, "a global that is gone";
        tag tags Tag, "a tag that is gone";
        data datas Data, "a data segment that is gone";
        elem elems Elem, "an element segment that is gone";
    }
}

/// A block type as written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BlockType {
    Empty,
    Value(Type),
    Func(TypeId),
}

/// A cursor over code that knows where it is.
pub(crate) struct Decoder<'a, 'm> {
    reader: BinaryReader<'a>,
    numbering: Numbering<'m>,
    /// Relocations not passed yet.
    relocs: &'m [Reloc],
    /// Where the offset of the last memory argument stands.
    offset_at: usize,
}

impl<'a, 'm> Decoder<'a, 'm> {
    pub(crate) fn new(bytes: &'a [u8], numbering: Numbering<'m>) -> Decoder<'a, 'm> {
        Decoder {
            reader: BinaryReader::new(bytes, 0),
            numbering,
            relocs: &[],
            offset_at: 0,
        }
    }

    /// The same with the relocations of the bytes, by ascending offset.
    pub(crate) fn relocated(self, relocs: &'m [Reloc]) -> Decoder<'a, 'm> {
        Decoder { relocs, ..self }
    }

    /// The relocation at a position; positions must ascend.
    fn reloc_at(&mut self, position: usize) -> Option<Reloc> {
        while let [first, rest @ ..] = self.relocs {
            if first.offset as usize >= position {
                break;
            }
            self.relocs = rest;
        }
        let first = self.relocs.first();
        first.filter(|r| r.offset as usize == position).copied()
    }

    /// What a constant that starts here is the address of.
    pub(crate) fn address(&mut self) -> Result<Option<(Item, i64)>, LiftError> {
        let reloc = self.reloc_at(self.position());
        self.symbol(reloc)
    }

    /// What the offset of the last memory argument is the address of.
    pub(crate) fn offset_address(&mut self) -> Result<Option<(Item, i64)>, LiftError> {
        let reloc = self.reloc_at(self.offset_at);
        self.symbol(reloc)
    }

    fn symbol(&self, reloc: Option<Reloc>) -> Result<Option<(Item, i64)>, LiftError> {
        use RelocKind::*;
        let Some(reloc) = reloc else { return Ok(None) };
        match (reloc.kind, reloc.target) {
            (
                MemoryAddrLeb | MemoryAddrSleb | MemoryAddrLeb64 | MemoryAddrSleb64,
                RelocTarget::Item(item @ Item::Data(_)),
            )
            | (TableIndexSleb | TableIndexSleb64, RelocTarget::Item(item @ Item::Func(_))) => {
                Ok(Some((item, reloc.addend)))
            }
            _ => Err(self.error("a relocation other than of an address")),
        }
    }

    /// Bytes from the start of the body.
    pub(crate) fn position(&self) -> usize {
        self.reader.current_position()
    }

    pub(crate) fn at_end(&self) -> bool {
        self.reader.eof()
    }

    pub(crate) fn error(&self, what: &'static str) -> LiftError {
        LiftError::Body {
            what,
            offset: self.position(),
        }
    }

    fn found<T>(&self, found: Result<T, &'static str>) -> Result<T, LiftError> {
        found.map_err(|what| self.error(what))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, LiftError> {
        self.reader
            .read_u8()
            .map_err(|_| self.error("a truncated operator"))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, LiftError> {
        self.reader
            .read_var_u32()
            .map_err(|_| self.error("a malformed number"))
    }

    fn u64(&mut self) -> Result<u64, LiftError> {
        self.reader
            .read_var_u64()
            .map_err(|_| self.error("a malformed number"))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, LiftError> {
        self.reader
            .read_var_i32()
            .map_err(|_| self.error("a malformed number"))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, LiftError> {
        self.reader
            .read_var_i64()
            .map_err(|_| self.error("a malformed number"))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], LiftError> {
        let bytes = self
            .reader
            .read_bytes(N)
            .map_err(|_| self.error("a truncated operator"))?;
        Ok(bytes
            .try_into()
            .expect("the reader returns as many bytes as asked"))
    }

    pub(crate) fn f32(&mut self) -> Result<u32, LiftError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    pub(crate) fn f64(&mut self) -> Result<u64, LiftError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    pub(crate) fn v128(&mut self) -> Result<u128, LiftError> {
        Ok(u128::from_le_bytes(self.bytes()?))
    }

    /// The next operator.
    #[inline]
    pub(crate) fn opcode(&mut self) -> Result<Opcode, LiftError> {
        let byte = self.u8()?;
        let op = match byte {
            0xfb..=0xfe => {
                let code = self.u32()?;
                Opcode::from_encoding(byte, code)
            }
            0xff => None,
            _ => Opcode::from_encoding(0, u32::from(byte)),
        };
        op.ok_or_else(|| self.error("an unknown operator"))
    }

    pub(crate) fn ty(&mut self) -> Result<TypeId, LiftError> {
        let index = self.u32()?;
        self.found(self.numbering.ty(index))
    }

    pub(crate) fn func(&mut self) -> Result<Func, LiftError> {
        let index = self.u32()?;
        self.found(self.numbering.func(index))
    }

    pub(crate) fn table(&mut self) -> Result<Table, LiftError> {
        let index = self.u32()?;
        self.found(self.numbering.table(index))
    }

    pub(crate) fn global(&mut self) -> Result<Global, LiftError> {
        let index = self.u32()?;
        self.found(self.numbering.global(index))
    }

    pub(crate) fn tag(&mut self) -> Result<Tag, LiftError> {
        let index = self.u32()?;
        self.found(self.numbering.tag(index))
    }

    fn memory(&mut self) -> Result<Memory, LiftError> {
        let index = self.u32()?;
        self.found(self.numbering.memory(index))
    }

    fn data(&mut self) -> Result<Data, LiftError> {
        let index = self.u32()?;
        self.found(self.numbering.data(index))
    }

    fn elem(&mut self) -> Result<Elem, LiftError> {
        let index = self.u32()?;
        self.found(self.numbering.elem(index))
    }

    /// A type of `wasmparser`, renumbered.
    fn renumber(&self, heap: HeapType) -> Result<HeapType, LiftError> {
        Ok(match heap {
            HeapType::Concrete(ty) => {
                HeapType::Concrete(self.found(self.numbering.ty(ty.as_u32()))?)
            }
            other => other,
        })
    }

    pub(crate) fn heap(&mut self) -> Result<HeapType, LiftError> {
        let heap = self
            .reader
            .read()
            .map_err(|_| self.error("a malformed heap type"))?;
        self.renumber(
            Convert {
                offset: self.position() as u64,
            }
            .heap(heap)?,
        )
    }

    pub(crate) fn val_type(&mut self) -> Result<Type, LiftError> {
        let ty = self
            .reader
            .read()
            .map_err(|_| self.error("a malformed value type"))?;
        Ok(
            match (Convert {
                offset: self.position() as u64,
            })
            .val(ty)?
            {
                Type::Ref(r) => Type::Ref(RefType {
                    nullable: r.nullable,
                    heap: self.renumber(r.heap)?,
                }),
                other => other,
            },
        )
    }

    pub(crate) fn block_type(&mut self) -> Result<BlockType, LiftError> {
        let mut ahead = self.reader.clone();
        match ahead.read_u8() {
            Ok(0x40) => {
                self.reader = ahead;
                Ok(BlockType::Empty)
            }
            // A negative number of one byte is a value type.
            Ok(0x41..=0x7f) => Ok(BlockType::Value(self.val_type()?)),
            _ => {
                let index = self
                    .reader
                    .read_var_s33()
                    .map_err(|_| self.error("a malformed block type"))?;
                let index =
                    u32::try_from(index).map_err(|_| self.error("a malformed block type"))?;
                Ok(BlockType::Func(self.found(self.numbering.ty(index))?))
            }
        }
    }

    pub(crate) fn memarg(&mut self) -> Result<MemArg, LiftError> {
        let flags = self.u32()?;
        let memory = if flags & 0x40 != 0 { self.u32()? } else { 0 };
        let memory = self.found(self.numbering.memory(memory))?;
        let align = flags & !0x40;
        if align > 16 {
            return Err(self.error("an alignment out of range"));
        }
        Ok(MemArg {
            memory,
            offset: {
                self.offset_at = self.position();
                self.u64()?
            },
            access: Access::new(align as u8),
        })
    }

    /// The immediates of an operator that is not a form of its own.
    pub(crate) fn imm(&mut self, kind: ImmKind) -> Result<Option<Imm>, LiftError> {
        Ok(Some(match kind {
            ImmKind::None => return Ok(None),
            ImmKind::Fence => {
                self.u8()?;
                return Ok(None);
            }
            ImmKind::Memarg => Imm::Memarg(self.memarg()?),
            ImmKind::MemargLane => {
                let memarg = self.memarg()?;
                Imm::MemargLane(memarg, self.u8()?)
            }
            ImmKind::Lane => Imm::Lane(self.u8()?),
            ImmKind::Shuffle => Imm::Shuffle(self.bytes()?),
            ImmKind::Memory => Imm::Memory(self.memory()?),
            ImmKind::MemoryMemory => Imm::MemoryMemory(self.memory()?, self.memory()?),
            ImmKind::DataMemory => Imm::DataMemory(self.data()?, self.memory()?),
            ImmKind::Data => Imm::Data(self.data()?),
            ImmKind::Table => Imm::Table(self.table()?),
            ImmKind::TableTable => Imm::TableTable(self.table()?, self.table()?),
            ImmKind::ElemTable => Imm::ElemTable(self.elem()?, self.table()?),
            ImmKind::Elem => Imm::Elem(self.elem()?),
            ImmKind::Ty => Imm::Ty(self.ty()?),
            ImmKind::TyField => Imm::TyField(self.ty()?, self.u32()?),
            ImmKind::TyTy => Imm::TyTy(self.ty()?, self.ty()?),
            ImmKind::TyData => Imm::TyData(self.ty()?, self.data()?),
            ImmKind::TyElem => Imm::TyElem(self.ty()?, self.elem()?),
            ImmKind::TyCount => Imm::TyCount(self.ty()?, self.u32()?),
            ImmKind::Heap => Imm::Heap(self.heap()?),
            ImmKind::Func => Imm::Func(self.func()?),
            ImmKind::TyTable
            | ImmKind::Global
            | ImmKind::Local
            | ImmKind::Tag
            | ImmKind::Label
            | ImmKind::BrTable
            | ImmKind::BrCast
            | ImmKind::BlockType
            | ImmKind::TryTable
            | ImmKind::ValTypes
            | ImmKind::I32
            | ImmKind::I64
            | ImmKind::F32
            | ImmKind::F64
            | ImmKind::V128 => return Err(self.error("an operator that has a form of its own")),
        }))
    }

    /// Reads past the immediates of any operator, in code that is never reached.
    pub(crate) fn skip(&mut self, kind: ImmKind) -> Result<(), LiftError> {
        match kind {
            ImmKind::Global | ImmKind::Local | ImmKind::Tag | ImmKind::Label => {
                self.u32()?;
            }
            ImmKind::TyTable => {
                self.u32()?;
                self.u32()?;
            }
            ImmKind::BrTable => {
                for _ in 0..=u64::from(self.u32()?) {
                    self.u32()?;
                }
            }
            ImmKind::BrCast => {
                self.u8()?;
                self.u32()?;
                self.heap()?;
                self.heap()?;
            }
            ImmKind::BlockType => {
                self.block_type()?;
            }
            ImmKind::TryTable => {
                self.block_type()?;
                for _ in 0..self.u32()? {
                    if self.u8()? < 2 {
                        self.u32()?;
                    }
                    self.u32()?;
                }
            }
            ImmKind::ValTypes => {
                for _ in 0..self.u32()? {
                    self.val_type()?;
                }
            }
            ImmKind::I32 | ImmKind::I64 => {
                self.i64()?;
            }
            ImmKind::F32 => {
                self.f32()?;
            }
            ImmKind::F64 => {
                self.f64()?;
            }
            ImmKind::V128 => {
                self.v128()?;
            }
            other => {
                self.imm(other)?;
            }
        }
        Ok(())
    }
}

/// The operators of a constant expression, without the final `end`.
pub(crate) fn const_expr(
    expr: &wasmparser::ConstExpr<'_>,
    unit: &UnitData,
) -> Result<wasmir::ConstExpr, LiftError> {
    use wasmir::ConstOp;
    let mut source = expr.get_binary_reader();
    let start = source.original_position();
    let bytes = source.read_bytes(source.bytes_remaining())?;
    let mut d = Decoder::new(bytes, Numbering::new(unit));
    let mut ops = Vec::new();
    let mut read = || -> Result<(), LiftError> {
        loop {
            let op = d.opcode()?;
            ops.push(match op {
                Opcode::End if d.at_end() => return Ok(()),
                Opcode::I32Const => ConstOp::I32(d.i32()?),
                Opcode::I64Const => ConstOp::I64(d.i64()?),
                Opcode::F32Const => ConstOp::F32(d.f32()?),
                Opcode::F64Const => ConstOp::F64(d.f64()?),
                Opcode::V128Const => ConstOp::V128(d.v128()?),
                Opcode::GlobalGet => ConstOp::GlobalGet(d.global()?),
                Opcode::RefNull => ConstOp::RefNull(d.heap()?),
                Opcode::RefFunc => ConstOp::RefFunc(d.func()?),
                other => ConstOp::Op(other, d.imm(other.info().imm)?),
            });
        }
    };
    // Positions in errors count from the start of the file.
    read().map_err(|error| match error {
        LiftError::Body { what, offset } => LiftError::Invalid {
            message: format!("constant expression has {what}"),
            offset: start + offset as u64,
        },
        other => other,
    })?;
    Ok(ops)
}

/// The type of the elements of the memory or table index space of `module` that an operator's immediates name.
pub(crate) fn index_type(module: &Module, imm: Option<Imm>, second: bool) -> Option<Type> {
    let index64 = match imm? {
        Imm::Memarg(arg) | Imm::MemargLane(arg, _) => module.memories.get(arg.memory)?.index64,
        Imm::Memory(memory) | Imm::DataMemory(_, memory) => module.memories.get(memory)?.index64,
        Imm::MemoryMemory(a, b) => module.memories.get(if second { b } else { a })?.index64,
        Imm::Table(table) | Imm::ElemTable(_, table) => module.tables.get(table)?.index64,
        Imm::TableTable(a, b) => module.tables.get(if second { b } else { a })?.index64,
        _ => return None,
    };
    Some(if index64 { Type::I64 } else { Type::I32 })
}
