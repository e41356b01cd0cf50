//! What the binary form of each part of a module is, for writing and reading at once.
//!
//! Numbers of variants are part of the format: a new variant gets a new number, and any change
//! raises [`super::BINARY_VERSION`].

use super::wire::*;
use crate::body::*;
use crate::debug::*;
use crate::entities::*;
use crate::inst::*;
use crate::leb::{Result, write_u64};
use crate::module::*;
use crate::op::Opcode;
use crate::symbol::*;
use crate::types::*;

wire_entities!(
    Func, Table, Memory, Global, Tag, Data, Elem, TypeId, Comdat, Unit, Local, Block, StackSlot,
    ImmId, WideId, HandlersId
);

impl Wire for Opcode {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.info().prefix);
        self.info().code.put(out);
    }
    fn get(s: &mut Source<'_>) -> Result<Opcode> {
        let bad = s.reader.error("an operator");
        Opcode::from_encoding(u8::get(s)?, u32::get(s)?).ok_or(bad)
    }
}

impl Wire for RelocKind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.code());
    }
    fn get(s: &mut Source<'_>) -> Result<RelocKind> {
        let bad = s.reader.error("a kind of relocation");
        RelocKind::from_code(u8::get(s)?).ok_or(bad)
    }
}

impl Wire for AbstractHeap {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.code());
    }
    fn get(s: &mut Source<'_>) -> Result<AbstractHeap> {
        let bad = s.reader.error("a heap type");
        AbstractHeap::from_code(u8::get(s)?).ok_or(bad)
    }
}

impl Wire for SectionPlace {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn get(s: &mut Source<'_>) -> Result<SectionPlace> {
        let bad = s.reader.error("a place of a section");
        SectionPlace::ALL
            .get(usize::from(u8::get(s)?))
            .copied()
            .ok_or(bad)
    }
}

impl Wire for Access {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.bits());
    }
    fn get(s: &mut Source<'_>) -> Result<Access> {
        Ok(Access::from_bits(u8::get(s)?))
    }
}

impl Wire for SrcLoc {
    fn put(&self, out: &mut Vec<u8>) {
        // No position is the commonest: it gets the shortest form.
        self.0.wrapping_add(1).put(out);
    }
    fn get(s: &mut Source<'_>) -> Result<SrcLoc> {
        Ok(SrcLoc(u32::get(s)?.wrapping_sub(1)))
    }
}

impl Wire for Types {
    fn put(&self, out: &mut Vec<u8>) {
        let group = |range: std::ops::Range<u32>| -> Vec<TypeDef> {
            range.map(|i| self[TypeId::from_u32(i)].clone()).collect()
        };
        self.groups().map(group).collect::<Vec<_>>().put(out);
    }
    fn get(s: &mut Source<'_>) -> Result<Types> {
        let mut types = Types::default();
        for group in Vec::<Vec<TypeDef>>::get(s)? {
            types.push_group(group);
        }
        Ok(types)
    }
}

wire_enum! {
    Type {
        0 I8; 1 I16; 2 I32; 3 I64; 4 I128; 5 F32; 6 F64; 7 V128; 8 Ref(a);
    }
    HeapType { 0 Abstract { shared, kind }; 1 Concrete(a); }
    CompositeType { 0 Func(a); 1 Struct(a); 2 Array(a); }
    Item { 0 Func(a); 1 Table(a); 2 Memory(a); 3 Global(a); 4 Tag(a); 5 Data(a); }
    Linkage { 0 Local; 1 Weak; 2 Strong; 3 Undefined; 4 UndefinedWeak; }
    RelocTarget { 0 Item(a); 1 Type(a); 2 Section(a); }
    DataKind {
        0 Active { memory, offset };
        1 Passive;
        2 Symbol { align_log2, section, size, strings, undefined };
        3 Alias { of, offset, size };
    }
    ElemKind { 0 Active { table, offset }; 1 Passive; 2 Declared; }
    ElemItems { 0 Funcs(a); 1 Exprs(a); }
    ConstOp {
        0 I32(a); 1 I64(a); 2 F32(a); 3 F64(a); 4 V128(a); 5 GlobalGet(a); 6 RefNull(a);
        7 RefFunc(a); 8 SymAddr(a, b); 9 Op(a, b);
    }
    Imm {
        0 Memarg(a); 1 MemargLane(a, b); 2 Lane(a); 3 Shuffle(a); 4 Memory(a);
        5 MemoryMemory(a, b); 6 DataMemory(a, b); 7 Data(a); 8 Table(a); 9 TableTable(a, b);
        10 ElemTable(a, b); 11 Elem(a); 12 Ty(a); 13 TyField(a, b); 14 TyTy(a, b);
        15 TyData(a, b); 16 TyElem(a, b); 17 TyCount(a, b); 18 Heap(a); 19 Func(a);
    }
    Callee { 0 Direct(a); 1 Indirect { table, ty }; 2 Ref(a); }
    Inst {
        0 Const { dst, bits };
        1 ConstWide { dst, value };
        2 Copy { dst, src };
        3 Unary { op, dst, arg };
        4 Binary { op, dst, args };
        5 Ternary { op, dst, args };
        6 Op { op, imm, operands };
        7 Load { op, access, dst, addr, memory, offset };
        8 Store { op, access, addr, value, memory, offset };
        9 StackAddr { dst, slot, offset };
        10 SymAddr { dst, item, addend };
        11 GlobalGet { dst, global };
        12 GlobalSet { global, src };
        13 Call { callee, operands };
    }
    Terminator {
        0 Unreachable;
        1 Jump(a);
        2 BrIf { cond, then_to, else_to };
        3 BrTable { index, targets, default };
        4 Return(a);
        5 ReturnCall { callee, operands };
        6 Invoke { callee, operands, normal, handlers };
        7 Throw { tag, operands, handlers };
        8 ThrowRef { exn, handlers };
    }
}

impl Wire for FuncBody {
    /// Instructions have their length in front, so that a reader can pass over them.
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            FuncBody::None => out.push(0),
            FuncBody::Raw(raw) => {
                out.push(1);
                raw.put(out);
            }
            FuncBody::Ir(body) => {
                out.push(2);
                let mut bytes = Vec::new();
                body.put(&mut bytes);
                write_u64(out, bytes.len() as u64);
                out.append(&mut bytes);
            }
        }
    }
    fn get(s: &mut Source<'_>) -> Result<FuncBody> {
        let bad = s.reader.error("a variant of FuncBody");
        Ok(match u8::get(s)? {
            0 => FuncBody::None,
            1 => FuncBody::Raw(RawBody::get(s)?),
            2 => {
                let len = s.reader.u32()? as usize;
                let start = s.reader.pos();
                if let Some(skipped) = &mut s.skipped {
                    s.reader.take(len)?;
                    skipped.push(start..start + len);
                    // What was passed over is told from what is not there by an empty body.
                    return Ok(FuncBody::Ir(Box::default()));
                }
                let body = Box::get(s)?;
                if s.reader.pos() - start != len {
                    return Err(s.reader.error("the end of a body"));
                }
                FuncBody::Ir(body)
            }
            _ => return Err(bad),
        })
    }
}

impl<const N: usize> Wire for [Local; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|l| l.put(out));
    }
    fn get(s: &mut Source<'_>) -> Result<[Local; N]> {
        let mut locals = [Local::from_u32(0); N];
        for local in &mut locals {
            *local = Local::get(s)?;
        }
        Ok(locals)
    }
}

wire_struct! {
    RefType { nullable, heap }
    FuncType { params, results }
    FieldType { ty, mutable }
    TypeDef { is_final, shared, supertype, composite }
    Symbol { name, linkage, hidden, used, tls, comdat }
    Import { module, name }
    Reloc { offset, kind, target, addend }
    LineRow { start, file, line, col }
    DebugInfo { files, rows }
    MemArg { memory, offset, access }
    Operands { start, results, args }
    BlockList { start, len }
    Handler { tag, payload, exnref, target }
    StackSlotData { size, align_log2 }
    BlockData { insts, locs, term, term_loc }
    Pool { locals, blocks, imms, wides, handlers }
    Body { locals, num_params, result_param, slots, blocks, layout, pool }
    RawBody { bytes, unit, code_offset, relocs }
    FuncData { ty, import, symbol, body }
    TableData { ty, index64, shared, min, max, init, import, symbol }
    MemoryData { index64, shared, min, max, page_size_log2, import, symbol }
    GlobalData { ty, mutable, shared, init, import, symbol }
    TagData { ty, import, symbol }
    DataData { kind, bytes, relocs, symbol }
    ElemData { kind, ty, items, name }
    Export { name, item }
    CustomSection { name, bytes, place, relocs }
    UnitData { types, funcs, tables, memories, globals, tags, datas, elems }
    FuncContract { effects, consumes, hints }
    DebugNames { types, funcs }
    TypeNames { name, fields }
    FuncNames { locals, labels }
    Module {
        name, types, funcs, tables, memories, globals, tags, datas, elems, exports, start,
        import_order, init_funcs, comdats, customs, contracts, names, debug, units,
        relocatable
    }
}
