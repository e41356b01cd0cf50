//! Which blocks are placed behind a loop that control left to reach them.
//!
//! Placed where the dominator tree has it, the code behind a loop would stand within: `loop … br_if 0 … end` would go on after the
//! branch. To an engine, what stands within is part of the loop: its locals become values that change from one iteration to the
//! next, and its code comes between the hot blocks. So a block that is not of the loop although its immediate dominator is, is
//! placed behind the outermost of such loops. That includes code that never returns, such as the call that reports a failed check.
//!
//! # Algorithm
//! Loops are found from the innermost to the outermost, each by a walk against the edges from where control comes back to
//! its header; a loop that was found is one node for those around it, by union-find (Tarjan, "Testing flow graph reducibility", 1974).
//!
//! # Size
//! A check that fails and never returns is shorter as an arm of an `if`, by a byte or two. Where the loop calls functions anyway,
//! that is what it becomes: it has no other way in and leads nowhere.
//!
//! # Soundness
//! Let `c` be placed behind loop `L` and control go from there to `m`, whose place is told by its immediate dominator `x`. If `x` is in
//! `L`, then `m` is not, or `c` would be: `m` is placed behind `L` too and further down, or behind a loop around it. Otherwise
//! `x` dominates the header of `L`, and what it opens encloses the whole of that. So each label that `c` needs is in reach.
//!
//! # Cost
//! O(edges · α(blocks)) for the loops. The outermost loop is found step by step; a graph in which that takes more than
//! [`MOST_STEPS`] in all keeps the order of the dominator tree.

use crate::flow::Graph;
use crate::lir::{Lir, Term};
use crate::ops::Op;

/// No loop.
const NONE: u32 = u32::MAX;

/// Steps outwards, of all blocks together.
const MOST_STEPS: usize = 1 << 22;

/// For each place, that of the header behind whose loop it goes; `None` for those that stay where their dominators are.
pub(crate) fn find(lir: &Lir, graph: &Graph, header: &[bool]) -> Vec<Option<u32>> {
    let n = graph.rpo.len();
    let mut behind = vec![None; n];
    if !header.contains(&true) {
        return behind;
    }
    let parent = parents(graph, header);
    let innermost = |place: u32| match header[place as usize] {
        true => place,
        false => parent[place as usize],
    };
    let mut calling = vec![false; n];
    for place in (0..n).rev() {
        let inner = innermost(place as u32);
        if inner != NONE && (calling[place] || calls(lir, graph, place)) {
            calling[inner as usize] = true;
            let outer = parent[inner as usize];
            if inner as usize == place && outer != NONE {
                calling[outer as usize] = true;
            }
        }
    }
    let mut steps = 0;
    for place in 1..n {
        let around = parent[place];
        let mut left = innermost(graph.idom(place));
        let fails = matches!(lir.blocks[graph.rpo[place]].term, Term::Diverge)
            && graph.preds(place).len() == 1;
        if left == around || (fails && calling[left as usize]) {
            continue;
        }
        while parent[left as usize] != around {
            left = parent[left as usize];
            steps += 1;
        }
        if steps > MOST_STEPS {
            return vec![None; n];
        }
        behind[place] = Some(left);
    }
    behind
}

/// Whether the block at a place calls a function.
fn calls(lir: &Lir, graph: &Graph, place: usize) -> bool {
    let insts = &lir.blocks[graph.rpo[place]].insts;
    insts
        .iter()
        .any(|&inst| matches!(lir.insts[inst].op, Op::CALL | Op::CALL_INDIRECT))
}

/// For each place, the header of the innermost loop around it; around the whole loop for a header.
fn parents(graph: &Graph, header: &[bool]) -> Vec<u32> {
    let n = graph.rpo.len();
    let mut parent = vec![NONE; n];
    // Leads to the outermost loop that was found around a place.
    let mut found: Vec<u32> = (0..n as u32).collect();
    let mut work = Vec::new();
    for head in (0..n as u32).rev().filter(|&i| header[i as usize]) {
        let preds = graph.preds(head as usize).iter();
        work.extend(preds.copied().filter(|&pred| pred >= head));
        while let Some(place) = work.pop() {
            let mut inner = place;
            while found[inner as usize] != inner {
                let next = found[inner as usize];
                found[inner as usize] = found[next as usize];
                inner = next;
            }
            if inner != head {
                parent[inner as usize] = head;
                found[inner as usize] = head;
                work.extend_from_slice(graph.preds(inner as usize));
            }
        }
    }
    parent
}
