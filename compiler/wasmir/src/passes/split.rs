//! Results instead of result pointers: a function that gives back a struct through memory becomes a *worker*, which returns the
//! struct's fields, and a *wrapper*, which stores them.
//!
//! The wrapper is a call and a few stores, so [`super::inline`] puts it where the function was called, and in callers, whose place for
//! the result is most often a slot of their own, [`super::frame`] makes locals of what was stored. This is the worker/wrapper
//! transformation of functional compilers for constructed products (Gill and Hutton, "The worker/wrapper transformation", 2009;
//! Baker-Finch, Glynn and Peyton Jones, "Constructed product result analysis for Haskell", 2004), and does what LLVM's and
//! GCC's interprocedural scalar replacement do for arguments. Nothing needs to be known of the function's callers: who does not get a copy
//! of the wrapper calls it.
//!
//! # Input, output
//! A body with [`Body::result_param`], inlined into and with its frames promoted; the two bodies if the result can be kept in locals,
//! and what the worker does with its parameters.
//!
//! # Algorithm
//! The parameter becomes the address of a stack slot of the worker's own. If promotion finds all of that slot promotable,
//! its parts are the fields: each return loads them, and promotion runs over the body.
//!
//! # Soundness
//! Until the function returns nobody else reads or writes its result, so it may be anywhere until then; what the function has not written
//! of it by then is undefined, so it may be zero.
//!
//! # Cost
//! Two runs of promotion over the functions for which the summary of their parameters does not rule it out.

use super::frame::{self, Field, ParamUse, Summary};
use crate::body::Body;
use crate::entities::{Func, Local};
use crate::inst::{Access, Callee, Inst, Operands, SrcLoc, Terminator};
use crate::types::Type;

/// The largest result that is taken apart, in bytes.
const LARGEST: i32 = 64;

/// The most fields that are returned: engines return so many in registers.
const MOST_FIELDS: usize = 6;

/// What becomes of a function.
#[derive(Debug)]
pub(super) struct Split {
    /// Takes the function's place.
    pub(super) wrapper: Body,
    /// Does the work.
    pub(super) worker: Body,
    /// What the worker does with its parameters.
    pub(super) summary: Summary,
    /// What promotion did to the worker.
    pub(super) frames: frame::Stats,
}

/// Runs the pass on a body of which `summary` tells what it does with its parameters; `worker` is what the worker will be called by.
pub(super) fn run(
    body: &Body,
    summary: &Summary,
    context: &frame::Context<'_>,
    worker: Func,
) -> Option<Split> {
    let size = match summary.param(0) {
        ParamUse::Within { low, high } if low >= 0 && (1..=LARGEST).contains(&high) => high,
        _ => return None,
    };
    let pointer = body.params().next()?;
    if !body.result_param || body.locals[pointer] != Type::I32 || !is_simple(body, pointer) {
        return None;
    }
    let mut made = without_pointer(body, size as u32);
    let slot = made.slots.last()?.0;
    let fields = frame::fields(&made, context, slot)?;
    if !(1..=MOST_FIELDS).contains(&fields.len()) {
        return None;
    }
    return_fields(&mut made, &fields, context);
    let (frames, summary) = frame::run(&mut made, context);
    Some(Split {
        wrapper: wrapper(body, &fields, context, worker),
        worker: made,
        summary,
        frames,
    })
}

/// The types of what a worker returns.
pub(super) fn results(worker: &Body) -> Vec<Type> {
    let returned = worker
        .layout
        .iter()
        .find_map(|&block| match worker.blocks[block].term {
            Terminator::Return(values) => Some(values),
            _ => None,
        });
    let values = returned.map_or(&[][..], |values| worker.pool.args(values));
    values.iter().map(|&value| worker.locals[value]).collect()
}

/// Whether a body returns, always without results and never by a tail call, and its first parameter keeps its value.
fn is_simple(body: &Body, pointer: Local) -> bool {
    let mut returns = false;
    for &block in &body.layout {
        let data = &body.blocks[block];
        let mut assigned = false;
        let mut define = |local| assigned |= local == pointer;
        for inst in &data.insts {
            inst.for_each_def(&body.pool, &mut define);
        }
        data.term.for_each_def(&body.pool, &mut define);
        match data.term {
            Terminator::Return(values) if values.num_args() == 0 => returns = true,
            Terminator::Return(_) | Terminator::ReturnCall { .. } => return false,
            _ => {}
        }
        if assigned {
            return false;
        }
    }
    returns
}

/// The body with the address of a new stack slot in place of the first parameter.
fn without_pointer(body: &Body, size: u32) -> Body {
    let mut made = body.clone();
    made.result_param = false;
    made.num_params -= 1;
    // The other parameters move up; the first becomes the local behind them.
    let last = Local::from_u32(made.num_params);
    let renumber = |local: Local| match local.as_u32() {
        0 => last,
        number if number <= last.as_u32() => Local::from_u32(number - 1),
        _ => local,
    };
    for (local, &ty) in &body.locals {
        made.locals[renumber(local)] = ty;
    }
    let Body {
        blocks,
        layout,
        pool,
        ..
    } = &mut made;
    for &block in &*layout {
        let data = &mut blocks[block];
        for inst in &mut data.insts {
            inst.map_uses(pool, renumber);
            inst.map_defs(pool, renumber);
        }
        data.term.map_uses(pool, renumber);
        data.term.map_defs(pool, renumber);
    }
    let slot = made.slots.push(crate::StackSlotData {
        size,
        align_log2: 4,
    });
    let address = Inst::StackAddr {
        dst: last,
        slot,
        offset: 0,
    };
    let entry = &mut made.blocks[made.layout[0]];
    entry.insts.insert(0, address);
    entry.locs.insert(0, SrcLoc::NONE);
    made
}

/// Loads the fields at each return, from what the first parameter became.
fn return_fields(made: &mut Body, fields: &[Field], context: &frame::Context<'_>) {
    let addr = Local::from_u32(made.num_params);
    for i in 0..made.layout.len() {
        let block = made.layout[i];
        if !matches!(made.blocks[block].term, Terminator::Return(_)) {
            continue;
        }
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let dst = made.locals.push(field.ty);
            values.push(dst);
            let load = Inst::Load {
                op: field.load,
                access: Access::new(field.width_log2),
                dst,
                addr,
                memory: context.memory,
                offset: u64::from(field.offset),
            };
            let data = &mut made.blocks[block];
            data.push(load, data.term_loc);
        }
        let operands = made.pool.operands(&[], &values);
        made.blocks[block].term = Terminator::Return(operands);
    }
}

/// Calls the worker and stores what it returns.
fn wrapper(body: &Body, fields: &[Field], context: &frame::Context<'_>, worker: Func) -> Body {
    let params: Vec<Type> = body.params().map(|param| body.locals[param]).collect();
    let mut made = Body::new(&params);
    made.result_param = true;
    let results: Vec<Local> = fields
        .iter()
        .map(|field| made.locals.push(field.ty))
        .collect();
    let args: Vec<Local> = made.params().skip(1).collect();
    let block = made.blocks.push(Default::default());
    made.layout.push(block);
    let operands = made.pool.operands(&results, &args);
    let callee = Callee::Direct(worker);
    made.blocks[block].push(Inst::Call { callee, operands }, SrcLoc::NONE);
    for (field, &value) in fields.iter().zip(&results) {
        let store = Inst::Store {
            op: field.store,
            access: Access::new(field.width_log2),
            addr: Local::from_u32(0),
            value,
            memory: context.memory,
            offset: u64::from(field.offset),
        };
        made.blocks[block].push(store, SrcLoc::NONE);
    }
    made.blocks[block].term = Terminator::Return(Operands::default());
    made
}
