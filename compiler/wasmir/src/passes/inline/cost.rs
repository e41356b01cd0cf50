//! The weight of a body: what it costs to have a copy of it, and what the copy costs when something is known of the arguments.
//!
//! # Algorithm
//! [`weight`] counts. [`weight_given`] walks over the blocks that can be reached with the constants among the arguments, computing
//! what becomes constant, and leaves out what will not be there in the copy: instructions with known results, branches that are
//! decided, blocks they do not lead to, and loads and stores by an argument that is an address in the caller's
//! frame, which will be locals. (LLVM's inline cost does the same, by interpreting the callee's instructions for each call.)
//!
//! # Cost
//! O(instructions of the callee); the walk ends where the limit is passed.

use crate::analysis::{Assignments, constant};
use crate::body::Body;
use crate::entities::{Block, Local};
use crate::inst::{Inst, Terminator};
use crate::op::Opcode;
use cranelift_entity::{EntitySet, SecondaryMap};

/// What a call is known to pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Passed {
    /// Nothing is known.
    #[default]
    Any,
    /// This constant.
    Const(u64),
    /// An address in the caller's frame, which the callee does not keep.
    Frame,
}

/// The weight of a body in the cost model.
pub fn weight(body: &Body) -> usize {
    let block = |&b: &Block| {
        let data = &body.blocks[b];
        let costly = |i: &&Inst| !matches!(i, Inst::Const { .. } | Inst::Copy { .. });
        let term = usize::from(!matches!(
            data.term,
            Terminator::Jump(_) | Terminator::Return(_)
        ));
        data.insts.iter().filter(costly).count() + term
    };
    body.layout.iter().map(block).sum()
}

/// The weight of what is left of `body` with these arguments, or something above `limit`.
pub(super) fn weight_given(
    body: &Body,
    assignments: &Assignments,
    args: impl IntoIterator<Item = Passed>,
    limit: usize,
) -> usize {
    let mut known: SecondaryMap<Local, Passed> = SecondaryMap::new();
    known.resize(body.locals.len());
    for (param, passed) in body.params().zip(args) {
        if assignments.is_stable(param) {
            known[param] = passed;
        }
    }
    let mut reached = EntitySet::with_capacity(body.blocks.len());
    let mut work: Vec<Block> = body.entry().into_iter().collect();
    let mut sum = 0;
    while let Some(block) = work.pop() {
        if !reached.insert(block) {
            continue;
        }
        let data = &body.blocks[block];
        for inst in &data.insts {
            let (dst, value) = value(inst, &known);
            if let Some(dst) = dst.filter(|&dst| assignments.is_stable(dst)) {
                known[dst] = value;
            }
            sum += usize::from(!is_free(inst, value, &known));
        }
        if sum > limit {
            return sum;
        }
        match data.term {
            Terminator::Jump(to) => work.push(to),
            Terminator::BrIf {
                cond,
                then_to,
                else_to,
            } => match known[cond] {
                Passed::Const(0) => work.push(else_to),
                Passed::Const(_) | Passed::Frame => work.push(then_to),
                Passed::Any => {
                    sum += 1;
                    work.extend([else_to, then_to]);
                }
            },
            Terminator::BrTable {
                index,
                targets,
                default,
            } => {
                let targets = body.pool.blocks(targets);
                if let Passed::Const(index) = known[index] {
                    let listed = usize::try_from(index).ok().and_then(|i| targets.get(i));
                    work.push(listed.copied().unwrap_or(default));
                } else {
                    sum += 1;
                    work.push(default);
                    work.extend(targets.iter().rev());
                }
            }
            Terminator::Return(_) => {}
            ref term => {
                sum += 1;
                term.for_each_target(&body.pool, |to| work.push(to));
            }
        }
    }
    sum
}

/// What an instruction's only result is known to be.
fn value(inst: &Inst, known: &SecondaryMap<Local, Passed>) -> (Option<Local>, Passed) {
    let constant = |value: Option<u64>| value.map_or(Passed::Any, Passed::Const);
    match *inst {
        Inst::Const { dst, bits } => (Some(dst), Passed::Const(bits)),
        Inst::Copy { dst, src } => (Some(dst), known[src]),
        Inst::Unary { op, dst, arg } => match known[arg] {
            Passed::Const(x) => (Some(dst), constant(constant::unary(op, x))),
            // No address in a frame is zero.
            Passed::Frame if op == Opcode::I32Eqz => (Some(dst), Passed::Const(0)),
            _ => (Some(dst), Passed::Any),
        },
        Inst::Binary {
            op,
            dst,
            args: [a, b],
        } => match (op, known[a], known[b]) {
            (_, Passed::Const(x), Passed::Const(y)) => {
                (Some(dst), constant(constant::binary(op, x, y)))
            }
            (Opcode::I32And | Opcode::I32Mul, Passed::Const(0), _)
            | (Opcode::I32And | Opcode::I32Mul, _, Passed::Const(0)) => {
                (Some(dst), Passed::Const(0))
            }
            (Opcode::I32Add, Passed::Frame, Passed::Const(_))
            | (Opcode::I32Add, Passed::Const(_), Passed::Frame) => (Some(dst), Passed::Frame),
            _ => (Some(dst), Passed::Any),
        },
        Inst::Ternary {
            op: Opcode::Select,
            dst,
            args: [a, b, cond],
        } => match known[cond] {
            Passed::Const(0) => (Some(dst), known[b]),
            Passed::Const(_) => (Some(dst), known[a]),
            _ => (Some(dst), Passed::Any),
        },
        _ => (None, Passed::Any),
    }
}

/// Whether nothing will be left of an instruction, whose result is known to be `value`.
fn is_free(inst: &Inst, value: Passed, known: &SecondaryMap<Local, Passed>) -> bool {
    match *inst {
        Inst::Const { .. } | Inst::Copy { .. } => true,
        Inst::Load { addr, .. } | Inst::Store { addr, .. } => known[addr] == Passed::Frame,
        Inst::Ternary {
            op: Opcode::Select,
            args: [.., cond],
            ..
        } => matches!(known[cond], Passed::Const(_)),
        _ => value != Passed::Any,
    }
}
