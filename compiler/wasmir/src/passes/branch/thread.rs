//! Jump threading: the look ahead from an edge, and the copies that it leads to.
//!
//! # Invariants
//! Copies are taken of the blocks as the walk left them, before any is added to: a block may be copied for one way and have copies
//! added to it for its own.

use super::Walk;
use crate::body::{BlockData, Body};
use crate::entities::Block;
use crate::inst::{Inst, SrcLoc, Terminator};

/// How many instructions are copied for one way at most, constants and copies included.
pub(super) const MOST_INSTS: usize = 24;

/// How many of them may cost anything when emitted.
const MOST_COST: usize = 5;

/// How many blocks a way leads through at most.
const MOST_BLOCKS: usize = 8;

/// What all copies in a body may cost together.
pub(super) fn budget(body: &Body) -> usize {
    32 + super::super::inline::weight(body) / 4
}

/// An edge that is sent elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// The jump at the end of a block.
    Jump(Block),
    /// The branch at the end of a block, if its condition is this.
    Branch(Block, bool),
}

/// A way that passes branches which are decided on it.
#[derive(Debug)]
pub(super) struct Thread {
    from: Source,
    /// The blocks that are copied for it, in order.
    path: Vec<Block>,
    /// Where it goes on.
    to: Block,
}

/// What an instruction costs when it is copied; `None` if it is not.
fn cost(inst: &Inst) -> Option<usize> {
    match inst {
        Inst::Const { .. } | Inst::Copy { .. } => Some(0),
        // Lists of operands belong to one instruction each, and calls are better not repeated.
        Inst::Op { .. } | Inst::Call { .. } => None,
        _ => Some(1),
    }
}

impl Walk {
    /// Follows the edge from the place that the facts are about to `to`.
    pub(super) fn look_ahead(&mut self, body: &Body, from: Source, to: Block) {
        // The facts of a single edge are seen when its target is visited.
        if self.shape.edges[to] < 2 {
            return;
        }
        let mark = self.facts.mark();
        let mut path = Vec::new();
        let (mut insts, mut spent) = (0, 0);
        // How much of the path ends in a branch that is decided, where it leads, and what it costs.
        let mut found: Option<(usize, Block, usize)> = None;
        let mut at = to;
        while path.len() < MOST_BLOCKS && !self.shape.headers.contains(at) && !path.contains(&at) {
            let data = &body.blocks[at];
            insts += data.insts.len();
            let costs = data.insts.iter().map(cost);
            let Some(costs) = costs.sum::<Option<usize>>() else {
                break;
            };
            spent += costs;
            if insts > MOST_INSTS || spent > MOST_COST.min(self.growth) {
                break;
            }
            for inst in &data.insts {
                self.facts.pass(body, inst);
            }
            path.push(at);
            at = match data.term {
                Terminator::Jump(next) => next,
                ref term => match self.decided(body, term) {
                    Some(next) => {
                        found = Some((path.len(), next, spent));
                        next
                    }
                    None => break,
                },
            };
        }
        self.facts.back_to(mark);
        if let Some((length, to, spent)) = found {
            path.truncate(length);
            self.growth -= spent;
            self.threads.push(Thread { from, path, to });
        }
    }
}

/// Makes the copies.
pub(super) fn apply(body: &mut Body, threads: Vec<Thread>) {
    let copies: Vec<(Vec<Inst>, Vec<SrcLoc>)> = threads
        .iter()
        .map(|thread| {
            let blocks = || thread.path.iter().map(|&block| &body.blocks[block]);
            (
                blocks()
                    .flat_map(|data| data.insts.iter().copied())
                    .collect(),
                blocks()
                    .flat_map(|data| data.locs.iter().copied())
                    .collect(),
            )
        })
        .collect();
    for (thread, (insts, locs)) in threads.into_iter().zip(copies) {
        match thread.from {
            Source::Jump(block) => {
                let data = &mut body.blocks[block];
                data.insts.extend(insts);
                data.locs.extend(locs);
                data.term = Terminator::Jump(thread.to);
            }
            Source::Branch(block, truth) => {
                let to = if insts.is_empty() {
                    thread.to
                } else {
                    let term_loc = body.blocks[block].term_loc;
                    let copy = body.blocks.push(BlockData {
                        insts,
                        locs,
                        term: Terminator::Jump(thread.to),
                        term_loc,
                    });
                    body.layout.push(copy);
                    copy
                };
                if let Terminator::BrIf {
                    then_to, else_to, ..
                } = &mut body.blocks[block].term
                {
                    *(if truth { then_to } else { else_to }) = to;
                }
            }
        }
    }
}
