//! The rewriting: accesses of promotable slots become accesses of locals.
//!
//! A slot of up to four bytes becomes an `i32` whose low bytes are the slot's bytes (the rest is anything: loads extend), one of
//! eight an `i64`, one of sixteen a `v128`; a slot that only instructions of one other type touch becomes a local of that type. A
//! slot that is never loaded is not kept at all.
//!
//! An access of several slots puts their bits together, or takes them apart, by shifts. A copy ([`super::moves`]) becomes
//! copies of locals, or loads and stores of its slots if one end is in memory: of the stores the last comes first, since it
//! traps if any of them does.

use super::moves::{self, Bulk, access_ops};
use super::regions::{Base, Region};
use super::values::{Analysis, FrameAccess, Value};
use super::{Context, Stats};
use crate::body::{BlockData, Body};
use crate::entities::{Local, Memory};
use crate::inst::{Access, Imm, Inst, Operands, SrcLoc};
use crate::op::Opcode;
use crate::types::Type;
use rustc_hash::FxHashMap;
use std::mem;

/// Whether a load or store of this kind can become one of a local.
pub(super) fn is_plain(op: Opcode) -> bool {
    load_of(op).is_some() || store_of(op).is_some()
}

/// The type of the local that an access of one slot would best find.
pub(super) fn moved_type(op: Opcode) -> Option<Type> {
    if let Some(LoadStep::Same(ty)) = load_of(op) {
        return Some(ty);
    }
    match store_of(op) {
        Some((ty, false)) => Some(ty),
        _ => Some(Type::I32),
    }
}

/// How the bits of a slot become the result of a load: the result's type and the steps to it.
#[derive(Clone, Copy)]
enum LoadStep {
    /// The slot itself, when the types agree.
    Same(Type),
    /// The low bits of an `i32` slot, zero-extended by a mask.
    Mask(u32),
    /// The low bits of an `i32` slot, sign-extended by an operator.
    Extend(Opcode),
    /// As another step to an `i32`, then this operator to an `i64`.
    Wide(&'static LoadStep, Opcode),
}

fn load_of(op: Opcode) -> Option<LoadStep> {
    use LoadStep::*;
    use Opcode::*;
    Some(match op {
        I32Load => Same(Type::I32),
        I64Load => Same(Type::I64),
        F32Load => Same(Type::F32),
        F64Load => Same(Type::F64),
        V128Load => Same(Type::V128),
        I8Load => Same(Type::I8),
        I16Load => Same(Type::I16),
        I128Load => Same(Type::I128),
        I32Load8U => Mask(0xff),
        I32Load16U => Mask(0xffff),
        I32Load8S => Extend(I32Extend8S),
        I32Load16S => Extend(I32Extend16S),
        I64Load8U => Wide(&Mask(0xff), I64ExtendI32U),
        I64Load16U => Wide(&Mask(0xffff), I64ExtendI32U),
        I64Load32U => Wide(&Same(Type::I32), I64ExtendI32U),
        I64Load8S => Wide(&Extend(I32Extend8S), I64ExtendI32S),
        I64Load16S => Wide(&Extend(I32Extend16S), I64ExtendI32S),
        I64Load32S => Wide(&Same(Type::I32), I64ExtendI32S),
        _ => return None,
    })
}

/// The type of the value a store takes, and whether it stores its low bits only.
fn store_of(op: Opcode) -> Option<(Type, bool)> {
    use Opcode::*;
    Some(match op {
        I32Store => (Type::I32, false),
        I64Store => (Type::I64, false),
        F32Store => (Type::F32, false),
        F64Store => (Type::F64, false),
        V128Store => (Type::V128, false),
        I8Store => (Type::I8, false),
        I16Store => (Type::I16, false),
        I128Store => (Type::I128, false),
        I32Store8 | I32Store16 => (Type::I32, true),
        I64Store8 | I64Store16 | I64Store32 => (Type::I64, true),
        _ => return None,
    })
}

/// The operator between two types that hold the same slot, if one is needed.
fn conversion(from: Type, to: Type) -> Option<Opcode> {
    match (from, to) {
        (Type::I32, Type::F32) => Some(Opcode::F32ReinterpretI32),
        (Type::F32, Type::I32) => Some(Opcode::I32ReinterpretF32),
        (Type::I64, Type::F64) => Some(Opcode::F64ReinterpretI64),
        (Type::F64, Type::I64) => Some(Opcode::I64ReinterpretF64),
        (Type::I8, Type::I32) => Some(Opcode::I32ExtendI8U),
        (Type::I32, Type::I8) => Some(Opcode::I8WrapI32),
        (Type::I16, Type::I32) => Some(Opcode::I32ExtendI16U),
        (Type::I32, Type::I16) => Some(Opcode::I16WrapI32),
        _ => None,
    }
}

/// What becomes of a slot.
#[derive(Clone, Copy)]
enum Home {
    /// It is this local.
    Local(Local),
    /// Nothing reads it.
    Nowhere,
}

/// Instructions under construction.
struct Sink<'a> {
    body: &'a mut Body,
    out: &'a mut BlockData,
    loc: SrcLoc,
}

impl Sink<'_> {
    fn push(&mut self, inst: Inst) {
        self.out.push(inst, self.loc);
    }

    fn unary(&mut self, op: Opcode, ty: Type, arg: Local) -> Local {
        let dst = self.body.locals.push(ty);
        self.push(Inst::Unary { op, dst, arg });
        dst
    }

    fn binary(&mut self, op: Opcode, ty: Type, args: [Local; 2]) -> Local {
        let dst = self.body.locals.push(ty);
        self.push(Inst::Binary { op, dst, args });
        dst
    }

    fn constant(&mut self, ty: Type, bits: u64) -> Local {
        let dst = self.body.locals.push(ty);
        self.push(Inst::Const { dst, bits });
        dst
    }

    /// The same bits as this type.
    fn convert(&mut self, value: Local, to: Type) -> Local {
        match conversion(self.body.locals[value], to) {
            Some(op) => self.unary(op, to, value),
            None => value,
        }
    }

    /// Gives a slot's local a value of one of the types that hold it.
    fn assign(&mut self, dst: Local, src: Local) {
        match conversion(self.body.locals[src], self.body.locals[dst]) {
            Some(op) => self.push(Inst::Unary { op, dst, arg: src }),
            None => self.push(Inst::Copy { dst, src }),
        }
    }

    fn load(&mut self, step: LoadStep, slot: Local) -> Local {
        let narrow = matches!(self.body.locals[slot], Type::I8 | Type::I16);
        match step {
            LoadStep::Same(ty) => self.convert(slot, ty),
            // An extension has made the bits above zero.
            LoadStep::Mask(_) if narrow => self.convert(slot, Type::I32),
            LoadStep::Mask(mask) => {
                let bits = self.constant(Type::I32, u64::from(mask));
                self.binary(Opcode::I32And, Type::I32, [slot, bits])
            }
            LoadStep::Extend(op) => {
                let bits = self.convert(slot, Type::I32);
                self.unary(op, Type::I32, bits)
            }
            LoadStep::Wide(&step, op) => {
                let narrow = self.load(step, slot);
                self.unary(op, Type::I64, narrow)
            }
        }
    }

    /// A stored value as the integer or other type that a slot of that width may have.
    fn stored(&mut self, op: Opcode, value: Local) -> Local {
        match store_of(op) {
            Some((Type::I64, true)) => self.unary(Opcode::I32WrapI64, Type::I32, value),
            _ => value,
        }
    }

    /// The bytes of several slots as an integer.
    fn concat(&mut self, parts: &[Part], total: u32) -> Option<Local> {
        let mut sum = None;
        let (ty, shl, or) = match total {
            8 => (Type::I64, Opcode::I64Shl, Opcode::I64Or),
            _ => (Type::I32, Opcode::I32Shl, Opcode::I32Or),
        };
        for part in parts {
            let mut bits = match self.body.locals[part.local] {
                // What stands above the last slot is shifted out, or as good as what may stand there.
                Type::I32 if part.width < 4 && part.at + part.width < total => {
                    let mask = (1 << (8 * part.width)) - 1;
                    self.load(LoadStep::Mask(mask), part.local)
                }
                Type::I64 | Type::F64 => self.convert(part.local, Type::I64),
                _ => self.convert(part.local, Type::I32),
            };
            if ty == Type::I64 && self.body.locals[bits] == Type::I32 {
                bits = self.unary(Opcode::I64ExtendI32U, ty, bits);
            }
            if part.at > 0 {
                let distance = self.constant(ty, u64::from(8 * part.at));
                bits = self.binary(shl, ty, [bits, distance]);
            }
            sum = Some(match sum {
                Some(sum) => self.binary(or, ty, [sum, bits]),
                None => bits,
            });
        }
        sum
    }

    /// Gives several slots their bytes of a stored value.
    fn take_apart(&mut self, value: Local, parts: &[Part]) {
        let (ty, shr) = match self.body.locals[value] {
            Type::I64 | Type::F64 => (Type::I64, Opcode::I64ShrU),
            _ => (Type::I32, Opcode::I32ShrU),
        };
        let value = self.convert(value, ty);
        for part in parts {
            let mut bits = value;
            if part.at > 0 {
                let distance = self.constant(ty, u64::from(8 * part.at));
                bits = self.binary(shr, ty, [bits, distance]);
            }
            if ty == Type::I64 && part.width < 8 {
                bits = self.unary(Opcode::I32WrapI64, Type::I32, bits);
            }
            self.assign(part.local, bits);
        }
    }

    /// Loads what a slot of this type would hold from memory.
    fn fetch(&mut self, ty: Type, width: u32, from: Place) -> Local {
        let dst = self.body.locals.push(ty);
        if let Some((op, _)) = access_ops(ty, width) {
            self.push(Inst::Load {
                op,
                access: from.access,
                dst,
                addr: from.addr,
                memory: from.memory,
                offset: from.offset,
            });
        }
        dst
    }

    /// Stores what a slot holds to memory.
    fn put(&mut self, value: Local, width: u32, to: Place) {
        if let Some((_, op)) = access_ops(self.body.locals[value], width) {
            self.push(Inst::Store {
                op,
                access: to.access,
                addr: to.addr,
                value,
                memory: to.memory,
                offset: to.offset,
            });
        }
    }
}

/// A slot's share of an access.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The distance from the first byte of the access.
    at: u32,
    width: u32,
    local: Local,
}

/// A place in memory.
#[derive(Clone, Copy)]
struct Place {
    addr: Local,
    memory: Memory,
    offset: u64,
    access: Access,
}

impl Place {
    /// The place so many bytes behind.
    fn behind(self, distance: u32) -> Place {
        let align = self.access.align_log2();
        let align = align.min(distance.trailing_zeros().min(u32::from(align)) as u8);
        Place {
            offset: self.offset + u64::from(distance),
            access: Access::new(align),
            ..self
        }
    }

    /// The same for an access that is so wide: none is aligned to more than its width.
    fn of_width(self, width: u32) -> Place {
        let align = self.access.align_log2().min(width.trailing_zeros() as u8);
        Place {
            access: Access::new(align),
            ..self
        }
    }
}

/// The type of a value that is moved from memory to memory, or from there to a slot that is not kept.
fn plain_type(width: u32) -> Type {
    match width {
        16 => Type::V128,
        8 => Type::I64,
        _ => Type::I32,
    }
}

/// The locals that slots became, and those that carry parts of copies.
struct Homes<'a> {
    analysis: &'a Analysis,
    /// The memory that the slots lie in.
    memory: Memory,
    slots: FxHashMap<(Region, i32), Home>,
    /// The parts of what a load brings, for locals that are taken apart.
    carried: FxHashMap<Local, Vec<Part>>,
}

impl Homes<'_> {
    /// The region's bytes that an access of a local's would touch, if they became locals.
    fn promoted(&self, access: FrameAccess) -> Option<FrameAccess> {
        let slots = self.analysis.frames.region(access.region);
        slots
            .promotable(access.offset, access.width)
            .then_some(access)
    }

    fn access(&self, place: Place, op: Opcode) -> Option<FrameAccess> {
        if place.memory != self.memory {
            return None;
        }
        let width = op.access_width()?;
        let found = self.analysis.frame_access(place.addr, place.offset, width);
        self.promoted(found?)
    }

    /// The slots of an access, without those that nothing reads, and whether it is one slot.
    fn parts(&self, access: FrameAccess) -> (Vec<Part>, bool) {
        let end = access.offset + access.width as i32;
        let slots = self.analysis.frames.region(access.region);
        let kept = |(offset, slot): (i32, &super::slots::Slot)| match self
            .slots
            .get(&(access.region, offset))
        {
            Some(&Home::Local(local)) => Some(Part {
                at: (offset - access.offset) as u32,
                width: slot.width,
                local,
            }),
            _ => None,
        };
        let parts = slots.parts(access.offset, end).filter_map(kept);
        (parts.collect(), slots.is_whole(access.offset, access.width))
    }

    /// Chooses locals for the parts of what loads bring that only carry it.
    fn choose_parts(&mut self, body: &mut Body) {
        for i in 0..body.layout.len() {
            let block = body.layout[i];
            for k in 0..body.blocks[block].insts.len() {
                let Inst::Load {
                    op,
                    dst,
                    addr,
                    memory,
                    offset,
                    access,
                } = body.blocks[block].insts[k]
                else {
                    continue;
                };
                let Some(moved) = self.analysis.moves.carried(dst) else {
                    continue;
                };
                let width = op.access_width().unwrap_or(0);
                let from = self.access(
                    Place {
                        addr,
                        memory,
                        offset,
                        access,
                    },
                    op,
                );
                let parts: Vec<Part> = match from {
                    Some(from) => self.parts(from).0,
                    None if moved.starts.count_ones() > 1 => moves::slots(moved.starts, width)
                        .map(|(at, width)| Part {
                            at,
                            width,
                            local: dst,
                        })
                        .collect(),
                    None => continue,
                };
                let own = |part: &Part| {
                    let ty = match from {
                        Some(_) => body.locals[part.local],
                        None => plain_type(part.width),
                    };
                    Part {
                        local: body.locals.push(ty),
                        ..*part
                    }
                };
                let parts = parts.iter().map(own).collect();
                self.carried.insert(dst, parts);
            }
        }
    }

    /// Rewrites a load; says whether it did.
    fn load(&self, sink: &mut Sink<'_>, op: Opcode, dst: Local, from: Place) -> bool {
        let found = self.access(from, op);
        if let Some(own) = self.carried.get(&dst) {
            match found {
                Some(found) => {
                    let (parts, _) = self.parts(found);
                    for (part, own) in parts.iter().zip(own) {
                        sink.assign(own.local, part.local);
                    }
                }
                None => {
                    for own in own {
                        let ty = sink.body.locals[own.local];
                        let place = from.behind(own.at).of_width(own.width);
                        let value = sink.fetch(ty, own.width, place);
                        sink.assign(own.local, value);
                    }
                }
            }
            return true;
        }
        let (Some(found), Some(step)) = (found, load_of(op)) else {
            return false;
        };
        let (parts, whole) = self.parts(found);
        let bits = match parts[..] {
            [part] if whole => Some(part.local),
            _ => sink.concat(&parts, found.width),
        };
        let Some(bits) = bits else { return false };
        let value = sink.load(step, bits);
        sink.push(Inst::Copy { dst, src: value });
        true
    }

    /// Rewrites a store; says whether it did.
    fn store(&self, sink: &mut Sink<'_>, op: Opcode, value: Local, to: Place) -> bool {
        let found = self.access(to, op);
        match (found, self.carried.get(&value)) {
            (Some(found), Some(own)) => {
                for part in self.parts(found).0 {
                    if let Some(own) = own.iter().find(|own| own.at == part.at) {
                        sink.assign(part.local, own.local);
                    }
                }
            }
            (None, Some(own)) => {
                for own in own.iter().rev() {
                    let place = to.behind(own.at).of_width(own.width);
                    sink.put(own.local, own.width, place);
                }
            }
            (Some(found), None) => {
                let (parts, whole) = self.parts(found);
                if !parts.is_empty() {
                    let value = sink.stored(op, value);
                    match parts[..] {
                        [part] if whole => sink.assign(part.local, value),
                        _ => sink.take_apart(value, &parts),
                    }
                }
            }
            (None, None) => return false,
        }
        true
    }

    /// Rewrites a bulk copy or fill; says whether it did.
    fn bulk(
        &self,
        sink: &mut Sink<'_>,
        context: &Context<'_>,
        op: Opcode,
        imm: Option<Imm>,
        operands: Operands,
    ) -> bool {
        let Some(moved) = self.analysis.moves.bulk(operands) else {
            return false;
        };
        let Some(bulk) = Bulk::of(self.analysis, sink.body, context, op, imm, operands) else {
            return false;
        };
        let to = bulk.to.and_then(|to| self.promoted(to));
        let from = bulk.from.and_then(|from| self.promoted(from));
        if to.is_none() && from.is_none() {
            return false;
        }
        let &[to_addr, from_addr, _] = sink.body.pool.args(operands) else {
            return false;
        };
        let place = |addr| Place {
            addr,
            memory: self.memory,
            offset: 0,
            access: Access::new(0),
        };
        let targets = to.map(|to| self.parts(to).0);
        if let Some(byte) = bulk.fill {
            for part in targets.into_iter().flatten() {
                let bits = u64::from(byte) * 0x0101_0101_0101_0101;
                match part.width {
                    16 => {
                        let value = u128::from(bits) << 64 | u128::from(bits);
                        let value = sink.body.pool.wides.push(value);
                        sink.push(Inst::ConstWide {
                            dst: part.local,
                            value,
                        });
                    }
                    width => sink.push(Inst::Const {
                        dst: part.local,
                        bits: bits >> (64 - 8 * width),
                    }),
                }
            }
            return true;
        }
        let sources = from.map(|from| self.parts(from).0);
        let mut held = Vec::new();
        for (at, width) in moves::slots(moved.starts, bulk.length) {
            let target = match &targets {
                Some(targets) => match targets.iter().find(|part| part.at == at) {
                    Some(target) => Some(*target),
                    // Nothing reads it.
                    None => continue,
                },
                None => None,
            };
            let source = sources
                .as_ref()
                .and_then(|parts| parts.iter().find(|part| part.at == at));
            let value = match source {
                Some(source) => {
                    // Ends may overlap: all is read before anything is written.
                    let ty = sink.body.locals[source.local];
                    let copy = sink.body.locals.push(ty);
                    sink.assign(copy, source.local);
                    copy
                }
                None => {
                    let ty = target.map_or(plain_type(width), |t| sink.body.locals[t.local]);
                    sink.fetch(ty, width, place(from_addr).behind(at))
                }
            };
            held.push((at, width, value, target));
        }
        for (at, width, value, target) in held.into_iter().rev() {
            match target {
                Some(target) => sink.assign(target.local, value),
                None => sink.put(value, width, place(to_addr).behind(at)),
            }
        }
        true
    }
}

/// Rewrites `body` by what `analysis` found.
pub(super) fn promote(body: &mut Body, context: &Context<'_>, analysis: &Analysis) -> Stats {
    let mut stats = Stats::default();
    let mut homes = Homes {
        analysis,
        memory: context.memory,
        slots: FxHashMap::default(),
        carried: FxHashMap::default(),
    };
    for (region, offset, slot) in analysis.frames.promoted() {
        let home = if slot.loaded {
            Home::Local(body.locals.push(slot.ty()))
        } else {
            Home::Nowhere
        };
        homes.slots.insert((region, offset), home);
    }
    stats.slots = homes.slots.len();
    let unframe = analysis.frames.region(Region::STACK).nothing_remains()
        && only_frames_move_the_stack(body, context, analysis);
    if homes.slots.is_empty() && !unframe {
        return stats;
    }
    homes.choose_parts(body);
    let mut moved = false;
    let mut out = BlockData::default();
    for i in 0..body.layout.len() {
        let block = body.layout[i];
        let mut old = mem::take(&mut body.blocks[block]);
        let mut sink = Sink {
            body,
            out: &mut out,
            loc: SrcLoc::NONE,
        };
        for (&inst, &loc) in old.insts.iter().zip(&old.locs) {
            sink.loc = loc;
            let done = match inst {
                Inst::Load {
                    op,
                    access,
                    dst,
                    addr,
                    memory,
                    offset,
                } if !access.is_volatile() && is_plain(op) => {
                    let from = Place {
                        addr,
                        memory,
                        offset,
                        access,
                    };
                    let done = homes.load(&mut sink, op, dst, from);
                    stats.loads += usize::from(done);
                    done
                }
                Inst::Store {
                    op,
                    access,
                    addr,
                    value,
                    memory,
                    offset,
                } if !access.is_volatile() && is_plain(op) => {
                    let to = Place {
                        addr,
                        memory,
                        offset,
                        access,
                    };
                    let done = homes.store(&mut sink, op, value, to);
                    stats.stores += usize::from(done);
                    done
                }
                Inst::Op { op, imm, operands } => {
                    let imm = imm.expand().map(|imm| sink.body.pool.imms[imm]);
                    let done = homes.bulk(&mut sink, context, op, imm, operands);
                    stats.copies += usize::from(done);
                    done
                }
                Inst::GlobalSet { global, .. } if unframe && context.is_stack_pointer(global) => {
                    moved = true;
                    true
                }
                _ => false,
            };
            if !done {
                sink.push(inst);
            }
        }
        old.replace(&mut out);
        body.blocks[block] = old;
    }
    stats.frames = usize::from(moved);
    stats
}

/// Whether every assignment to the stack pointer is one of the body's own frames, so that all of them can go
/// together. What a handler assigns is not: it undoes what a callee that threw has left.
fn only_frames_move_the_stack(body: &Body, context: &Context<'_>, analysis: &Analysis) -> bool {
    body.layout
        .iter()
        .filter(|&&block| analysis.stack_at(block) != Value::Unset)
        .all(|&block| {
            let data = &body.blocks[block];
            let only = data.insts.iter().all(|inst| match *inst {
                Inst::GlobalSet { global, src } if context.is_stack_pointer(global) => {
                    matches!(analysis.value(src), Value::Ptr(Base::Stack, _))
                }
                _ => true,
            });
            only && data.term.handlers().is_none()
        })
}
