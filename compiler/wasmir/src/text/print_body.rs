//! Prints bodies.

use super::printer::Names;
use crate::body::Body;
use crate::entities::*;
use crate::inst::*;
use crate::op::Opcode;
use crate::types::Type;
use std::fmt::{Formatter, Result};

/// Writes `items` separated by commas.
pub(super) fn list<T: std::fmt::Display>(
    f: &mut Formatter<'_>,
    items: impl IntoIterator<Item = T>,
) -> Result {
    for (i, item) in items.into_iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

fn loc(f: &mut Formatter<'_>, loc: SrcLoc) -> Result {
    if loc.is_some() {
        writeln!(f, " @{}", loc.0)
    } else {
        writeln!(f)
    }
}

/// Writes the lines between the braces of a function.
pub(super) fn body(f: &mut Formatter<'_>, body: &Body, names: &Names<'_>) -> Result {
    let mut locals = body.locals.iter().peekable();
    while let Some((first, &ty)) = locals.next() {
        let is_param = |l: Local| l.as_u32() < body.num_params;
        write!(
            f,
            "  {} {first}",
            if is_param(first) { "param" } else { "local" }
        )?;
        while let Some((next, _)) =
            locals.next_if(|&(l, &t)| t == ty && is_param(l) == is_param(first))
        {
            write!(f, ", {next}")?;
        }
        writeln!(f, ": {ty}")?;
    }
    if body.result_param {
        writeln!(f, "  result l0")?;
    }
    for (slot, data) in body.slots.iter() {
        writeln!(
            f,
            "  slot {slot}: {} align {}",
            data.size,
            1u128 << data.align_log2
        )?;
    }
    for &block in &body.layout {
        let data = &body.blocks[block];
        writeln!(f, "{block}:")?;
        for (inst, at) in data.insts.iter().zip(&data.locs) {
            f.write_str("  ")?;
            self::inst(f, body, inst, names)?;
            loc(f, *at)?;
        }
        f.write_str("  ")?;
        terminator(f, body, &data.term, names)?;
        loc(f, data.term_loc)?;
    }
    Ok(())
}

fn results(f: &mut Formatter<'_>, body: &Body, operands: Operands) -> Result {
    if operands.num_results() > 0 {
        list(f, body.pool.results(operands))?;
        f.write_str(" = ")?;
    }
    Ok(())
}

fn constant(f: &mut Formatter<'_>, ty: Type, bits: u64) -> Result {
    match ty {
        Type::F32 | Type::F64 => write!(f, "{ty}.const 0x{bits:x}"),
        Type::I32 => write!(f, "i32.const {}", bits as u32 as i32),
        Type::I8 => write!(f, "i8.const {}", bits as u8 as i8),
        Type::I16 => write!(f, "i16.const {}", bits as u16 as i16),
        // Only `i64` is left in valid bodies.
        _ => write!(f, "{ty}.const {}", bits as i64),
    }
}

fn callee(f: &mut Formatter<'_>, callee: &Callee, names: &Names<'_>) -> Result {
    match *callee {
        Callee::Direct(func) => write!(f, "{}", names.func(func)),
        Callee::Indirect { table, ty } => write!(f, "indirect {} {ty} ", names.table(table)),
        Callee::Ref(ty) => write!(f, "ref {ty} "),
    }
}

fn call(
    f: &mut Formatter<'_>,
    body: &Body,
    target: &Callee,
    operands: Operands,
    names: &Names<'_>,
) -> Result {
    callee(f, target, names)?;
    f.write_str("(")?;
    list(f, body.pool.args(operands))?;
    f.write_str(")")
}

fn access(f: &mut Formatter<'_>, access: Access) -> Result {
    write!(f, " align {}", 1u128 << access.align_log2())?;
    if access.is_volatile() {
        f.write_str(" volatile")?;
    }
    if access.is_notrap() {
        f.write_str(" notrap")?;
    }
    Ok(())
}

/// Writes immediates as they stand before the operands; `memarg` writes what follows them.
pub(super) fn imm(f: &mut Formatter<'_>, imm: &Imm, names: &Names<'_>) -> Result {
    match *imm {
        Imm::Memarg(arg) => memarg(f, arg, names),
        Imm::MemargLane(arg, lane) => {
            memarg(f, arg, names)?;
            write!(f, " lane {lane}")
        }
        Imm::Lane(lane) => write!(f, "{lane}"),
        Imm::Shuffle(lanes) => {
            f.write_str("[")?;
            list(f, lanes)?;
            f.write_str("]")
        }
        Imm::Memory(m) => write!(f, "{}", names.memory(m)),
        Imm::MemoryMemory(a, b) => write!(f, "{} {}", names.memory(a), names.memory(b)),
        Imm::DataMemory(d, m) => write!(f, "{} {}", names.data(d), names.memory(m)),
        Imm::Data(d) => write!(f, "{}", names.data(d)),
        Imm::Table(t) => write!(f, "{}", names.table(t)),
        Imm::TableTable(a, b) => write!(f, "{} {}", names.table(a), names.table(b)),
        Imm::ElemTable(e, t) => write!(f, "{e} {}", names.table(t)),
        Imm::Elem(e) => write!(f, "{e}"),
        Imm::Ty(t) => write!(f, "{t}"),
        Imm::TyField(t, n) | Imm::TyCount(t, n) => write!(f, "{t} {n}"),
        Imm::TyTy(a, b) => write!(f, "{a} {b}"),
        Imm::TyData(t, d) => write!(f, "{t} {}", names.data(d)),
        Imm::TyElem(t, e) => write!(f, "{t} {e}"),
        Imm::Heap(h) => write!(f, "{h}"),
        Imm::Func(func) => write!(f, "{}", names.func(func)),
    }
}

fn memarg(f: &mut Formatter<'_>, arg: MemArg, names: &Names<'_>) -> Result {
    write!(f, "{}+{}", names.memory(arg.memory), arg.offset)?;
    access(f, arg.access)
}

fn op(f: &mut Formatter<'_>, op: Opcode, args: &[Local]) -> Result {
    write!(f, "{op}")?;
    if !args.is_empty() {
        f.write_str(" ")?;
        list(f, args)?;
    }
    Ok(())
}

pub(super) fn inst(f: &mut Formatter<'_>, body: &Body, inst: &Inst, names: &Names<'_>) -> Result {
    match inst {
        Inst::Const { dst, bits } => {
            write!(f, "{dst} = ")?;
            constant(
                f,
                body.locals.get(*dst).copied().unwrap_or(Type::I64),
                *bits,
            )
        }
        Inst::ConstWide { dst, value } => {
            let ty = body.locals.get(*dst).copied().unwrap_or(Type::V128);
            write!(f, "{dst} = {ty}.const 0x{:x}", body.pool.wides[*value])
        }
        Inst::Copy { dst, src } => write!(f, "{dst} = copy {src}"),
        Inst::Unary { op: o, dst, arg } => {
            write!(f, "{dst} = ")?;
            op(f, *o, &[*arg])
        }
        Inst::Binary { op: o, dst, args } => {
            write!(f, "{dst} = ")?;
            op(f, *o, args)
        }
        Inst::Ternary { op: o, dst, args } => {
            write!(f, "{dst} = ")?;
            op(f, *o, args)
        }
        Inst::Op {
            op: o,
            imm: id,
            operands,
        } => {
            results(f, body, *operands)?;
            write!(f, "{o}")?;
            if let Some(id) = id.expand() {
                f.write_str(" ")?;
                imm(f, &body.pool.imms[id], names)?;
            }
            let args = body.pool.args(*operands);
            if !args.is_empty() {
                f.write_str(if id.is_some() { " : " } else { " " })?;
                list(f, args)?;
            }
            Ok(())
        }
        Inst::Load {
            op,
            access: a,
            dst,
            addr,
            memory,
            offset,
        } => {
            write!(f, "{dst} = {op} {} {addr}+{offset}", names.memory(*memory))?;
            access(f, *a)
        }
        Inst::Store {
            op,
            access: a,
            addr,
            value,
            memory,
            offset,
        } => {
            write!(f, "{op} {} {addr}+{offset}, {value}", names.memory(*memory))?;
            access(f, *a)
        }
        Inst::StackAddr { dst, slot, offset } => write!(f, "{dst} = stack_addr {slot} {offset}"),
        Inst::SymAddr { dst, item, addend } => {
            write!(f, "{dst} = sym_addr {} {addend}", names.item(*item))
        }
        Inst::GlobalGet { dst, global } => {
            write!(f, "{dst} = global.get {}", names.global(*global))
        }
        Inst::GlobalSet { global, src } => write!(f, "global.set {}, {src}", names.global(*global)),
        Inst::Call { callee, operands } => {
            results(f, body, *operands)?;
            f.write_str("call ")?;
            call(f, body, callee, *operands, names)
        }
    }
}

fn handlers(f: &mut Formatter<'_>, body: &Body, id: HandlersId, names: &Names<'_>) -> Result {
    f.write_str(" handlers [")?;
    for (i, handler) in body.pool.handlers[id].iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        match handler.tag {
            Some(tag) => {
                write!(f, "catch {} (", names.tag(tag))?;
                list(f, body.pool.results(handler.payload))?;
                f.write_str(")")?;
            }
            None => f.write_str("catch_all")?,
        }
        if let Some(local) = handler.exnref {
            write!(f, " exnref {local}")?;
        }
        write!(f, " {}", handler.target)?;
    }
    f.write_str("]")
}

pub(super) fn terminator(
    f: &mut Formatter<'_>,
    body: &Body,
    term: &Terminator,
    names: &Names<'_>,
) -> Result {
    match term {
        Terminator::Unreachable => f.write_str("unreachable")?,
        Terminator::Jump(b) => write!(f, "jump {b}")?,
        Terminator::BrIf {
            cond,
            then_to,
            else_to,
        } => {
            write!(f, "br_if {cond}, {then_to}, {else_to}")?;
        }
        Terminator::BrTable {
            index,
            targets,
            default,
        } => {
            write!(f, "br_table {index}, [")?;
            list(f, body.pool.blocks(*targets))?;
            write!(f, "], {default}")?;
        }
        Terminator::Return(operands) => {
            f.write_str("return")?;
            if operands.num_args() > 0 {
                f.write_str(" ")?;
                list(f, body.pool.args(*operands))?;
            }
        }
        Terminator::ReturnCall { callee, operands } => {
            f.write_str("return_call ")?;
            call(f, body, callee, *operands, names)?;
        }
        Terminator::Invoke {
            callee,
            operands,
            normal,
            ..
        } => {
            results(f, body, *operands)?;
            f.write_str("invoke ")?;
            call(f, body, callee, *operands, names)?;
            write!(f, " {normal}")?;
        }
        Terminator::Throw { tag, operands, .. } => {
            write!(f, "throw {} (", names.tag(*tag))?;
            list(f, body.pool.args(*operands))?;
            f.write_str(")")?;
        }
        Terminator::ThrowRef { exn, .. } => write!(f, "throw_ref {exn}")?,
    }
    match term.handlers() {
        Some(id) => handlers(f, body, id, names),
        None => Ok(()),
    }
}
