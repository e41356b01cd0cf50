//! Block merging: appends a block to the only one that jumps to it.
//!
//! Inlining and [choices that became `select`](crate::ifconv) leave such pairs. Code for the stack is built block by block,
//! so a value used across the border would need a local; and parameters of the second block would be copies.
//!
//! # Algorithm
//! One walk over the blocks follows each chain of jumps to blocks with one way in; parameters become the arguments, which
//! one walk over all operands puts in their place.
//!
//! # Invariants
//! Order and number of instructions stay. What nothing leads to is left empty.
//!
//! # Cost
//! Linear.

use crate::lir::{Blk, Lir, Term, Val};
use cranelift_entity::{SecondaryMap, packed_option::PackedOption};

/// Runs the pass.
pub fn merge(lir: &mut Lir) {
    let mut preds: SecondaryMap<Blk, u32> = SecondaryMap::new();
    preds.resize(lir.blocks.len());
    for block in lir.blocks.keys() {
        lir.for_each_edge(block, |e| preds[e.to] += 1);
    }
    let mut stands_for: SecondaryMap<Val, PackedOption<Val>> = SecondaryMap::new();
    let mut renamed = false;
    for block in lir.blocks.keys() {
        while let Term::Jump(edge) = lir.blocks[block].term
            && preds[edge.to] == 1
            && edge.to != block
            && edge.to != lir.entry()
        {
            let next = &mut lir.blocks[edge.to];
            let params = std::mem::take(&mut next.params);
            let insts = std::mem::take(&mut next.insts);
            let (term, loc) = (next.term, next.loc);
            next.term = Term::Diverge;
            for (&param, &arg) in params.iter().zip(lir.edge_args(edge)) {
                stands_for[param] = arg.into();
                renamed = true;
            }
            let data = &mut lir.blocks[block];
            if data.insts.is_empty() {
                data.insts = insts;
            } else {
                data.insts.extend(insts);
            }
            (data.term, data.loc) = (term, loc);
        }
    }
    if renamed {
        lir.rename(|mut v| {
            // Chains are as long as the parameters of parameters; each link is followed once and then cut short.
            let mut last = v;
            while let Some(next) = stands_for[last].expand() {
                last = next;
            }
            while let Some(next) = stands_for[v].expand() {
                stands_for[v] = last.into();
                v = next;
            }
            last
        });
    }
}
