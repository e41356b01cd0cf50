//! Block parameters that arrive on the stack: results of the wasm constructs that end where their block begins.
//!
//! A parameter usually lives in a local that every edge into its block assigns. Where each of the edges has the value on
//! the stack at the end of its code anyway (it is computed there, or constant), the assignments are left out, and
//! the constructs that control leaves on its way to the block get the parameter's type: `if (result i32) … else … end`.
//! What the block does first decides whether the value gets a local at all (see [`Entry`]).
//!
//! # Input / Output
//! The stack code of all blocks; the same without the assignments that are not needed, and for each block what it finds
//! on the stack ([`Code::entry`]).
//!
//! # Algorithm
//! In reverse postorder, so that a value which only passes through a block is seen on its way to the next. A block
//! qualifies if it is reached by two or more edges, all of them forward ones of jumps and branches: a wasm `loop` has no
//! results to give to its head, and a `br_table` would have to bring a value for each of its targets. Only the first
//! parameter can be a result, since its value is the lowest on the stack: multiple results would need a type of their
//! own, and save no more bytes than that takes.
//!
//! # Invariants
//! Every edge into a block with an entry leaves exactly one value of its type on the stack, and nothing below it.
//!
//! # Cost
//! O(blocks + edges); the code never grows: of two or more assignments at most one remains.

use crate::flow::Graph;
use crate::lir::{Blk, Edge, Lir, Term, Val};
use crate::stackify::{Code, Item};

/// What a block finds on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The parameter; unless the block's first item reads it, it is put into its local.
    pub param: Val,
    /// The block's first item is the only use.
    pub once: bool,
}

/// Finds the parameters that can arrive on the stack.
pub fn find(lir: &Lir, graph: &Graph, code: &mut Code, uses: impl Fn(Val) -> u32) {
    for place in 1..graph.rpo.len() {
        let block = graph.rpo[place];
        let Some(&param) = lir.blocks[block].params.first() else {
            continue;
        };
        let preds = graph.preds(place);
        if preds.len() < 2 || uses(param) == 0 {
            continue;
        }
        let from = |&pred: &u32| graph.rpo[pred as usize];
        let brought =
            |pred: &u32| (*pred as usize) < place && brings(lir, code, from(pred), block, param);
        if !preds.iter().all(brought) {
            continue;
        }
        for pred in preds {
            let items = code.block_mut(from(pred));
            if let Some(last @ Item::EdgeSet(..)) = items.last_mut() {
                *last = Item::Leave;
            }
        }
        let once = uses(param) == 1;
        let items = code.block_mut(block);
        match items {
            // A value that only passes through is on the stack at the end as well.
            [first @ Item::EdgeGet(..), .., last @ Item::EdgeSet(..)]
                if once
                    && matches!((&*first, &*last), (Item::EdgeGet(v, p), Item::EdgeSet(to, Some(from)))
                        if *v == param && p == to && from == v) =>
            {
                let Item::EdgeSet(to, _) = *last else {
                    continue;
                };
                *first = Item::Get(param);
                *last = Item::EdgeSet(to, None);
            }
            _ => {}
        }
        let first = code.block(block).first() == Some(&Item::Get(param));
        code.enter(
            block,
            Entry {
                param,
                once: once && first,
            },
        );
    }
}

/// Whether every edge from `pred` to `block` has the value of `param` at the bottom of what it puts on the stack.
fn brings(lir: &Lir, code: &Code, pred: Blk, block: Blk, param: Val) -> bool {
    let constant = |edge: Edge| {
        edge.to != block
            || lir
                .edge_args(edge)
                .first()
                .is_some_and(|&v| lir.is_constant_value(v))
    };
    match lir.blocks[pred].term {
        Term::Jump(_) => code.block(pred).last() == Some(&Item::EdgeSet(param, None)),
        Term::Branch { then, other, .. } => constant(then) && constant(other),
        Term::Switch { .. } | Term::Return(..) | Term::Diverge => false,
    }
}
