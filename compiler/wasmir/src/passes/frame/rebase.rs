//! One base for all frame addresses of a body.
//!
//! What stays of a frame is reached through many locals: the stack pointer after each (inlined) prologue, and sums of
//! those. Here every load and store of the frame names one local and a distance, which is part of the instruction, and
//! addresses that are handed out are computed from the same local.
//!
//! # Input, output
//! A body after [promotion](super::promote) with the analysis it was made by; the same with fewer address computations.
//!
//! # Algorithm
//! The base is the lowest address of the frame that is mentioned, so that no distance is negative. It is computed in the
//! entry block, from the stack pointer there.
//!
//! # Soundness
//! Distances in instructions do not wrap around where sums do. Frames lie within the memory (see [`super`]), so sums do
//! not wrap either; a program whose stack has overflowed traps at its next access instead of going on somewhere else.
//!
//! # Cost
//! Two walks over the body.

use super::Context;
use super::regions::Base;
use super::values::{Analysis, Value};
use crate::body::{BlockData, Body};
use crate::entities::Local;
use crate::inst::Inst;
use crate::op::Opcode;
use crate::types::Type;

/// The distance of a local from the stack pointer at entry.
fn distance(analysis: &Analysis, local: Local) -> Option<i32> {
    match analysis.value(local) {
        Value::Ptr(Base::Stack, distance) => Some(distance),
        _ => None,
    }
}

/// The frame address that an instruction mentions, if it can be written in terms of the base.
fn mention(inst: &Inst, context: &Context<'_>, analysis: &Analysis) -> Option<i32> {
    match *inst {
        Inst::Load {
            addr,
            memory,
            offset,
            ..
        }
        | Inst::Store {
            addr,
            memory,
            offset,
            ..
        } if memory == context.memory => {
            let whole = i64::from(distance(analysis, addr)?) + i64::try_from(offset).ok()?;
            i32::try_from(whole).ok()
        }
        Inst::Binary {
            op: Opcode::I32Add | Opcode::I32Sub,
            dst,
            ..
        } => distance(analysis, dst),
        Inst::GlobalGet { dst, global } if context.is_stack_pointer(global) => {
            distance(analysis, dst)
        }
        _ => None,
    }
}

/// Rewrites `body`; gives the number of loads and stores that changed.
pub(super) fn rebase(body: &mut Body, context: &Context<'_>, analysis: &Analysis) -> usize {
    let (Some(entry), Some(stack_pointer)) = (body.entry(), context.stack_pointer) else {
        return 0;
    };
    if !analysis.reads_stack() {
        return 0;
    }
    let (mut low, mut high, mut accesses) = (i32::MAX, i32::MIN, 0);
    for &block in &body.layout {
        for inst in &body.blocks[block].insts {
            if let Some(at) = mention(inst, context, analysis) {
                (low, high) = (low.min(at), high.max(at));
                accesses += usize::from(matches!(inst, Inst::Load { .. } | Inst::Store { .. }));
            }
        }
    }
    // Distances must be numbers that no frame can make wrap.
    if accesses == 0 || high.checked_sub(low).is_none() {
        return 0;
    }
    let base = body.locals.push(Type::I32);
    let mut changed = 0;
    let mut data = BlockData::default();
    for i in 0..body.layout.len() {
        let block = body.layout[i];
        let mut old = std::mem::take(&mut body.blocks[block]);
        for (&inst, &loc) in old.insts.iter().zip(&old.locs) {
            let mut inst = inst;
            let Some(at) = mention(&inst, context, analysis) else {
                data.push(inst, loc);
                continue;
            };
            let above = (at - low) as u32;
            match &mut inst {
                Inst::Load { addr, offset, .. } | Inst::Store { addr, offset, .. } => {
                    changed += usize::from(*addr != base);
                    *addr = base;
                    *offset = u64::from(above);
                }
                Inst::Binary { dst, .. } | Inst::GlobalGet { dst, .. } if above == 0 => {
                    inst = Inst::Copy {
                        dst: *dst,
                        src: base,
                    };
                }
                Inst::Binary { dst, .. } | Inst::GlobalGet { dst, .. } => {
                    let dst = *dst;
                    let bits = body.locals.push(Type::I32);
                    data.push(
                        Inst::Const {
                            dst: bits,
                            bits: u64::from(above),
                        },
                        loc,
                    );
                    inst = Inst::Binary {
                        op: Opcode::I32Add,
                        dst,
                        args: [base, bits],
                    };
                }
                _ => {}
            }
            data.push(inst, loc);
        }
        old.replace(&mut data);
        body.blocks[block] = old;
    }
    let (top, bits) = (body.locals.push(Type::I32), body.locals.push(Type::I32));
    let first = [
        Inst::GlobalGet {
            dst: top,
            global: stack_pointer,
        },
        Inst::Const {
            dst: bits,
            bits: u64::from(low.unsigned_abs()),
        },
        Inst::Binary {
            op: if low < 0 {
                Opcode::I32Sub
            } else {
                Opcode::I32Add
            },
            dst: base,
            args: [top, bits],
        },
    ];
    let data = &mut body.blocks[entry];
    let loc = data.locs.first().copied().unwrap_or(data.term_loc);
    data.insts.splice(0..0, first);
    data.locs.splice(0..0, [loc; 3]);
    changed
}
