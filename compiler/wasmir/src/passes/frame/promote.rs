//! The rewriting: accesses of promotable slots become accesses of locals.
//!
//! A slot of up to four bytes becomes an `i32` whose low bytes are the slot's bytes (the rest is
//! anything: loads extend), one of eight an `i64`, one of sixteen a `v128`; a slot that only float
//! instructions touch becomes a float. A slot that is never loaded is not kept at all.

use super::values::{Analysis, Base, Region, Value};
use super::{Context, Stats};
use crate::body::{BlockData, Body};
use crate::entities::Local;
use crate::inst::{Inst, SrcLoc};
use crate::op::Opcode;
use crate::types::Type;
use rustc_hash::FxHashMap;
use std::mem;

/// Whether a load or store of this kind can become one of a local.
pub(super) fn is_plain(op: Opcode) -> bool {
    load_of(op).is_some() || store_of(op).is_some()
}

/// Whether the operator moves a float.
pub(super) fn is_float(op: Opcode) -> bool {
    matches!(
        op,
        Opcode::F32Load | Opcode::F64Load | Opcode::F32Store | Opcode::F64Store
    )
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
        I32Store8 | I32Store16 => (Type::I32, true),
        I64Store8 | I64Store16 | I64Store32 => (Type::I64, true),
        _ => return None,
    })
}

/// The operator between two types of the same width, if one is needed.
fn reinterpret(from: Type, to: Type) -> Option<Opcode> {
    match (from, to) {
        (Type::I32, Type::F32) => Some(Opcode::F32ReinterpretI32),
        (Type::F32, Type::I32) => Some(Opcode::I32ReinterpretF32),
        (Type::I64, Type::F64) => Some(Opcode::F64ReinterpretI64),
        (Type::F64, Type::I64) => Some(Opcode::I64ReinterpretF64),
        _ => None,
    }
}

/// What becomes of a slot.
#[derive(Clone, Copy)]
enum Home {
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

    fn load(&mut self, step: LoadStep, slot: Local) -> Local {
        match step {
            LoadStep::Same(ty) => match reinterpret(self.body.locals[slot], ty) {
                Some(op) => self.unary(op, ty, slot),
                None => slot,
            },
            LoadStep::Mask(mask) => {
                let (bits, dst) = (
                    self.body.locals.push(Type::I32),
                    self.body.locals.push(Type::I32),
                );
                self.push(Inst::Const {
                    dst: bits,
                    bits: u64::from(mask),
                });
                self.push(Inst::Binary {
                    op: Opcode::I32And,
                    dst,
                    args: [slot, bits],
                });
                dst
            }
            LoadStep::Extend(op) => self.unary(op, Type::I32, slot),
            LoadStep::Wide(&step, op) => {
                let narrow = self.load(step, slot);
                self.unary(op, Type::I64, narrow)
            }
        }
    }

    fn store(&mut self, op: Opcode, value: Local, slot: Local) {
        let (ty, narrow) = store_of(op).expect("a plain store");
        let value = match (ty, narrow) {
            (Type::I64, true) => self.unary(Opcode::I32WrapI64, Type::I32, value),
            _ => value,
        };
        let (from, to) = (self.body.locals[value], self.body.locals[slot]);
        match reinterpret(from, to) {
            Some(op) => self.push(Inst::Unary {
                op,
                dst: slot,
                arg: value,
            }),
            None => self.push(Inst::Copy {
                dst: slot,
                src: value,
            }),
        }
    }
}

/// Rewrites `body` by what `analysis` found.
pub(super) fn promote(body: &mut Body, context: &Context<'_>, analysis: &Analysis) -> Stats {
    let mut stats = Stats::default();
    let mut homes: FxHashMap<(Region, i32), Home> = FxHashMap::default();
    for (region, offset, slot) in analysis.frames.promoted() {
        let ty = match (slot.width, slot.float) {
            (1 | 2, _) | (4, false) => Type::I32,
            (4, true) => Type::F32,
            (8, false) => Type::I64,
            (8, true) => Type::F64,
            _ => Type::V128,
        };
        let home = if slot.loaded {
            Home::Local(body.locals.push(ty))
        } else {
            Home::Nowhere
        };
        homes.insert((region, offset), home);
    }
    stats.slots = homes.len();
    let unframe = analysis.frames.region(Region::STACK).nothing_remains()
        && only_frames_move_the_stack(body, context, analysis);
    if homes.is_empty() && !unframe {
        return stats;
    }
    let home_of = |addr, offset, op: Opcode| -> Option<Home> {
        let access = analysis.frame_access(addr, offset, op.access_width()?)?;
        analysis
            .frames
            .region(access.region)
            .promotable(access.offset, access.width)
            .then(|| homes[&(access.region, access.offset)])
    };
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
            match inst {
                Inst::Load {
                    op,
                    access,
                    dst,
                    addr,
                    memory,
                    offset,
                } if memory == context.memory && !access.is_volatile() => {
                    match (load_of(op), home_of(addr, offset, op)) {
                        (Some(step), Some(Home::Local(slot))) => {
                            stats.loads += 1;
                            let value = sink.load(step, slot);
                            sink.push(Inst::Copy { dst, src: value });
                        }
                        _ => sink.push(inst),
                    }
                }
                Inst::Store {
                    op,
                    access,
                    addr,
                    value,
                    memory,
                    offset,
                } if memory == context.memory && !access.is_volatile() && is_plain(op) => {
                    match home_of(addr, offset, op) {
                        Some(home) => {
                            stats.stores += 1;
                            if let Home::Local(slot) = home {
                                sink.store(op, value, slot);
                            }
                        }
                        None => sink.push(inst),
                    }
                }
                Inst::GlobalSet { global, .. } if unframe && context.is_stack_pointer(global) => {
                    moved = true;
                }
                _ => sink.push(inst),
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
