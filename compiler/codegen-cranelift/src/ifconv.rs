//! Turns branches that only choose between values into `select`.
//!
//! ```text
//! b0: branch v0, b1, b2        b0: v3 = select v1, v2, v0
//! b1: jump b3(v1)         →        jump b3(v3)
//! b2: jump b3(v2)
//! ```
//!
//! # Algorithm
//! For each branch whose arms meet in the same block, directly or through a block that does next to nothing: what such a
//! block does moves before the branch, and each argument in which the arms differ becomes a `select`. Inner branches come
//! first, so that nested choices collapse.
//!
//! # When
//! At most [`MAX_MOVED`] instructions move, all without effects, and at most [`MAX_SELECTS`] arguments differ: then the
//! result is smaller than the branch, and computing both sides costs less than a branch that is guessed wrong.
//!
//! # Cost
//! Linear.

use crate::lir::{Blk, Edge, Imm, Lir, Term, Val};
use crate::ops::{Effects, Op};
use cranelift_entity::SecondaryMap;
use smallvec::SmallVec;

/// The most instructions that move before the branch.
const MAX_MOVED: usize = 2;

/// The most arguments that are chosen.
const MAX_SELECTS: usize = 2;

/// Where an arm of a branch ends up.
struct Arm {
    /// The block that the arms may share.
    edge: Edge,
    /// The block on the way, if there is one.
    through: Option<Blk>,
}

/// Runs the pass.
pub fn convert(lir: &mut Lir) {
    let mut preds: SecondaryMap<Blk, u32> = SecondaryMap::new();
    preds.resize(lir.blocks.len());
    for block in lir.blocks.keys() {
        lir.for_each_edge(block, |e| preds[e.to] += 1);
    }
    for block in lir.blocks.keys().rev().collect::<Vec<_>>() {
        let Term::Branch { cond, then, other } = lir.blocks[block].term else {
            continue;
        };
        let (a, b) = (arm(lir, &preds, then), arm(lir, &preds, other));
        if a.edge.to != b.edge.to {
            continue;
        }
        let through: SmallVec<[Blk; 2]> = a.through.into_iter().chain(b.through).collect();
        let moved: usize = through.iter().map(|&t| lir.blocks[t].insts.len()).sum();
        let args = |edge: Edge| SmallVec::<[Val; 8]>::from_slice(lir.edge_args(edge));
        let (left, right) = (args(a.edge), args(b.edge));
        let differs =
            |(a, b): &(&Val, &Val)| *a != *b && **a != Lir::undef() && **b != Lir::undef();
        let selects = left.iter().zip(&right).filter(differs).count();
        if moved > MAX_MOVED || selects > MAX_SELECTS {
            continue;
        }
        // The choice of a negation is the other choice.
        let negated = lir
            .sole_def(cond)
            .filter(|&inst| lir.insts[inst].op == Op::I32_EQZ);
        let positive = negated.map_or(cond, |inst| lir.args(inst)[0]);
        for &t in &through {
            let insts = std::mem::take(&mut lir.blocks[t].insts);
            lir.blocks[block].insts.extend(insts);
            // Nothing leads there any more.
            lir.blocks[t].term = Term::Diverge;
        }
        let loc = lir.blocks[block].loc;
        let mut chosen: SmallVec<[Val; 8]> = SmallVec::new();
        for (&x, &y) in left.iter().zip(&right) {
            if x == y || y == Lir::undef() {
                chosen.push(x);
            } else if x == Lir::undef() {
                chosen.push(y);
            } else {
                let ty = lir.vals[x].ty;
                let (x, y) = if negated.is_some() { (y, x) } else { (x, y) };
                let (args, none) = ([x, y, positive], Effects::NONE);
                let inst = lir.new_inst(Op::SELECT, none, Imm::None, &args, &[ty], loc);
                lir.blocks[block].insts.push(inst);
                chosen.push(lir.insts[inst].first);
            }
        }
        let edge = lir.edge(a.edge.to, &chosen);
        lir.blocks[block].term = Term::Jump(edge);
        // Two ways in became one; each block on the way took its own with it.
        preds[a.edge.to] -= 1;
    }
}

/// Sees through a block that only this edge enters, that has no effects and goes on to one other.
fn arm(lir: &Lir, preds: &SecondaryMap<Blk, u32>, edge: Edge) -> Arm {
    let data = &lir.blocks[edge.to];
    let pure = |&inst: &crate::lir::Inst| lir.insts[inst].effects.is_none();
    match data.term {
        Term::Jump(next)
            if preds[edge.to] == 1
                && data.params.is_empty()
                && !data.cold
                && data.insts.len() <= MAX_MOVED
                && data.insts.iter().all(pure) =>
        {
            Arm {
                edge: next,
                through: Some(edge.to),
            }
        }
        _ => Arm {
            edge,
            through: None,
        },
    }
}
