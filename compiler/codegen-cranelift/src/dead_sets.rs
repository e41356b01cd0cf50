//! Removes assignments of globals that are overwritten before anything can see them.
//!
//! Inlined functions leave them behind: the epilogue of one sets the stack pointer, the prologue of the next sets it
//! again.
//!
//! # Algorithm
//! Backwards through each block, keeping the globals that are assigned later with nothing in between that reads them or
//! may leave the function; a trap leaves it, and globals outlive traps.
//!
//! # Cost
//! Linear; few globals are pending at a time.

use crate::lir::{Imm, Lir};
use crate::ops::{Effects, Op};
use smallvec::SmallVec;

/// Runs the pass.
pub fn remove(lir: &mut Lir) {
    let observers = Effects::SIDE.with(Effects::TRAP).with(Effects::TRAP_MEM);
    let mut pending: SmallVec<[u32; 4]> = SmallVec::new();
    for (_, block) in lir.blocks.iter_mut() {
        pending.clear();
        let insts = &lir.insts;
        let mut dead = false;
        let mut keep: SmallVec<[bool; 64]> = SmallVec::from_elem(true, block.insts.len());
        for (place, &inst) in block.insts.iter().enumerate().rev() {
            let data = &insts[inst];
            match (data.op, data.imm) {
                (Op::GLOBAL_SET, Imm::Index(global)) => {
                    if pending.contains(&global) {
                        keep[place] = false;
                        dead = true;
                    } else {
                        pending.push(global);
                    }
                }
                (Op::GLOBAL_GET, Imm::Index(global)) => pending.retain(|g| *g != global),
                _ if data.effects.0 & observers.0 != 0 => pending.clear(),
                _ => {}
            }
        }
        if dead {
            let mut keep = keep.into_iter();
            block.insts.retain(|_| keep.next().unwrap_or(true));
        }
    }
}
