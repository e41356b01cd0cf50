//! Moves the steps of counters and pointers to the end of their block.
//!
//! The mid-end places a pure instruction where it is first wanted; for `i + 1` that goes into the next iteration this is the
//! branch back, but before whatever else the branch wants. If that still reads `i`, both are alive at once: they need two
//! locals, and each iteration a copy, which a conditional branch has to make in a block of its own. With the step after
//! everything that reads the old value, one local is enough and the copy is gone.
//!
//! # Algorithm
//! In each block that ends with a branch: a *step* is an operator on a parameter and constants whose result is that
//! parameter's next value along one of the edges. Backwards, what may move is found: steps that nothing which stays reads, and
//! the pure instructions that lead from them to the branch's condition, like the comparison at the end of a loop. Those
//! go to the end of the block, in their order; what else leads to the condition goes before them.
//!
//! # Invariants
//! Only instructions without effects move, each stays in its block, after its operands and before its uses.
//!
//! # Cost
//! Linear.

use crate::lir::{Inst, Lir, Term, Val};
use cranelift_entity::{SecondaryMap, packed_option::ReservedValue};

/// What is known of a value in the block being looked at.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// The block's number, plus one; in other blocks, the rest says nothing.
    block: u32,
    facts: u8,
}

impl Mark {
    /// A step's result.
    const STEP: u8 = 1;
    /// Read by an instruction that stays where it is.
    const EARLY: u8 = 2;
    /// Read by one that moves, or by the branch as its condition.
    const LATE: u8 = 4;
    /// A step contributes to it.
    const STEPPED: u8 = 8;
}

struct Marks {
    map: SecondaryMap<Val, Mark>,
    block: u32,
}

impl Marks {
    fn add(&mut self, v: Val, fact: u8) {
        let facts = self.facts(v) | fact;
        let block = self.block;
        self.map[v] = Mark { block, facts };
    }

    fn facts(&self, v: Val) -> u8 {
        let mark = self.map[v];
        if mark.block == self.block {
            mark.facts
        } else {
            0
        }
    }
}

/// Runs the pass.
pub fn sink(lir: &mut Lir) {
    let mut marks = Marks {
        map: SecondaryMap::new(),
        block: 0,
    };
    for block in lir.blocks.keys() {
        let Term::Branch { cond, .. } = lir.blocks[block].term else {
            continue;
        };
        marks.block = block.as_u32() + 1;
        let mut any = false;
        lir.for_each_edge(block, |edge| {
            for (&v, &param) in lir.edge_args(edge).iter().zip(&lir.blocks[edge.to].params) {
                if v != Lir::undef() && is_step(lir, v, param) {
                    marks.add(v, Mark::STEP);
                    any = true;
                }
            }
        });
        if any {
            marks.add(cond, Mark::LATE);
            let insts = std::mem::take(&mut lir.blocks[block].insts);
            lir.blocks[block].insts = ordered(lir, insts, &mut marks);
        }
    }
}

/// The instructions of a block in their new order.
fn ordered(lir: &Lir, mut insts: Vec<Inst>, marks: &mut Marks) -> Vec<Inst> {
    let mut late: Vec<Inst> = Vec::new();
    for place in (0..insts.len()).rev() {
        let inst = insts[place];
        let facts = lir.results(inst).fold(0, |all, v| all | marks.facts(v));
        let moves = lir.insts[inst].effects.is_none()
            && facts & (Mark::STEP | Mark::LATE) != 0
            && facts & Mark::EARLY == 0;
        for &v in lir.args(inst) {
            marks.add(v, if moves { Mark::LATE } else { Mark::EARLY });
        }
        if moves {
            late.push(inst);
            insts[place] = Inst::reserved_value();
        }
    }
    insts.retain(|inst| !inst.is_reserved_value());
    // Of what moves, the part that no step contributes to comes first: it may read what a step replaces.
    let mut stepped: Vec<Inst> = Vec::new();
    for inst in late.into_iter().rev() {
        let after = |v: Val| marks.facts(v) & Mark::STEPPED != 0;
        let is_step = lir.results(inst).any(|v| marks.facts(v) & Mark::STEP != 0);
        if is_step || lir.args(inst).iter().any(|&v| after(v)) {
            lir.results(inst).for_each(|v| marks.add(v, Mark::STEPPED));
            stepped.push(inst);
        } else {
            insts.push(inst);
        }
    }
    insts.extend(stepped);
    insts
}

/// Whether a value is the next one of `param`, made from the last one and constants.
fn is_step(lir: &Lir, v: Val, param: Val) -> bool {
    let constant = |v: Val| lir.is_constant_value(v);
    lir.sole_def(v).is_some_and(|inst| {
        let args = lir.args(inst);
        lir.insts[inst].effects.is_none()
            && args.contains(&param)
            && args.iter().all(|&v| v == param || constant(v))
    })
}
