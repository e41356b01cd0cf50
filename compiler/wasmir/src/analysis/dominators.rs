//! The dominator tree of a body.
//!
//! # Algorithm
//! Immediate dominators ([`immediate_dominators`]) of the blocks in reverse postorder. The tree is then numbered in preorder,
//! so that "dominates" compares two intervals.
//!
//! # Cost
//! O(edges · log blocks). Explicit stacks only.

use super::idom::{Preds, immediate_dominators};
use crate::body::Body;
use crate::entities::Block;
use cranelift_entity::SecondaryMap;

const UNREACHED: u32 = u32::MAX;

/// The dominator tree of the blocks that can be reached from the entry.
#[derive(Clone, Debug)]
pub struct Dominators {
    rpo: Vec<Block>,
    /// A block's position in `rpo`.
    number: SecondaryMap<Block, u32>,
    /// Immediate dominators, by position; the entry's is itself.
    idom: Vec<u32>,
    /// First and last preorder number of each block's subtree, by position.
    span: Vec<(u32, u32)>,
}

impl Dominators {
    /// Computes the tree for `body`.
    pub fn of(body: &Body) -> Dominators {
        Dominators::in_order(body, reverse_postorder(body))
    }

    /// Computes the tree for `body`, of which `rpo` is the [`reverse_postorder`].
    pub fn in_order(body: &Body, rpo: Vec<Block>) -> Dominators {
        let mut number = SecondaryMap::with_default(UNREACHED);
        number.resize(body.blocks.len());
        for (i, &block) in rpo.iter().enumerate() {
            number[block] = i as u32;
        }
        let mut result = Dominators {
            rpo,
            number,
            idom: Vec::new(),
            span: Vec::new(),
        };
        if !result.rpo.is_empty() {
            result.compute(body);
            result.number_tree();
        }
        result
    }

    /// The reachable blocks in reverse postorder.
    pub fn reverse_postorder(&self) -> &[Block] {
        &self.rpo
    }

    /// Whether `block` can be reached.
    pub fn reaches(&self, block: Block) -> bool {
        self.number[block] != UNREACHED
    }

    /// The immediate dominator; `None` for the entry and for what cannot be reached.
    pub fn immediate(&self, block: Block) -> Option<Block> {
        let n = self.number[block];
        (n != UNREACHED && n != 0).then(|| self.rpo[self.idom[n as usize] as usize])
    }

    /// Whether every path to `b` passes `a` (a block dominates itself). What cannot be reached is
    /// dominated by everything.
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        let (a, b) = (self.number[a], self.number[b]);
        if b == UNREACHED {
            return true;
        }
        if a == UNREACHED {
            return false;
        }
        let (first, last) = self.span[a as usize];
        (first..=last).contains(&self.span[b as usize].0)
    }

    fn compute(&mut self, body: &Body) {
        let mut edges = Vec::with_capacity(2 * self.rpo.len());
        for (i, &block) in self.rpo.iter().enumerate() {
            body.for_each_successor(block, |s| edges.push((i as u32, self.number[s])));
        }
        let mut preds = Preds::default();
        preds.fill(self.rpo.len(), &edges);
        immediate_dominators(&preds, &mut self.idom);
    }

    fn number_tree(&mut self) {
        let count = self.rpo.len();
        // Subtree sizes: a dominator precedes what it dominates in reverse postorder.
        let mut size = vec![1u32; count];
        for i in (1..count).rev() {
            size[self.idom[i] as usize] += size[i];
        }
        self.span = vec![(0, 0); count];
        // The next free preorder number below each block.
        let mut next = vec![1u32; count];
        self.span[0] = (0, count as u32 - 1);
        for i in 1..count {
            let parent = self.idom[i] as usize;
            let first = next[parent];
            next[parent] += size[i];
            next[i] = first + 1;
            self.span[i] = (first, first + size[i] - 1);
        }
    }
}

/// The blocks of `body` that can be reached from the entry, in reverse postorder.
pub fn reverse_postorder(body: &Body) -> Vec<Block> {
    let Some(entry) = body.entry() else {
        return Vec::new();
    };
    let mut seen: SecondaryMap<Block, bool> = SecondaryMap::new();
    seen.resize(body.blocks.len());
    let mut order = Vec::with_capacity(body.layout.len());
    // What is open is a block with the place from which on its successors wait, last first.
    let mut pending: Vec<Block> = Vec::new();
    let mut open: Vec<(Block, usize)> = Vec::with_capacity(8);
    seen[entry] = true;
    open.push((entry, 0));
    body.for_each_successor(entry, |to| pending.push(to));
    while let Some(&(block, start)) = open.last() {
        if pending.len() == start {
            order.push(block);
            open.pop();
            continue;
        }
        let next = pending.pop().expect("longer than `start`");
        if !std::mem::replace(&mut seen[next], true) {
            open.push((next, pending.len()));
            body.for_each_successor(next, |to| pending.push(to));
        }
    }
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BodyBuilder, Type};

    /// A body whose blocks branch to the given ones (at most two each); none means return.
    fn graph(edges: &[&[usize]]) -> (Body, Vec<Block>) {
        let mut builder = BodyBuilder::new(&[Type::I32]);
        let cond = builder.param(0);
        let blocks: Vec<Block> = edges.iter().map(|_| builder.block()).collect();
        for (i, targets) in edges.iter().enumerate() {
            builder.switch_to(blocks[i]);
            match **targets {
                [] => builder.ret(&[]),
                [a] => builder.jump(blocks[a]),
                [a, b] => builder.br_if(cond, blocks[a], blocks[b]),
                _ => unreachable!("at most two successors"),
            }
        }
        (builder.finish(), blocks)
    }

    /// `a` dominates `b` if removing `a` makes `b` unreachable: the definition, as an oracle.
    fn by_definition(body: &Body, a: Block, b: Block) -> bool {
        if a == b {
            return true;
        }
        let mut seen = vec![a];
        let mut work: Vec<Block> = body.entry().filter(|&e| e != a).into_iter().collect();
        while let Some(block) = work.pop() {
            if block == b {
                return false;
            }
            if !seen.contains(&block) {
                seen.push(block);
                body.for_each_successor(block, |s| {
                    if s != a {
                        work.push(s);
                    }
                });
            }
        }
        true
    }

    #[test]
    fn agrees_with_the_definition_on_random_graphs() {
        let mut state = 0x9e37_79b9_u64;
        let mut random = |n: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        for _ in 0..300 {
            let n = 1 + random(9);
            // No edge leads back to the entry.
            let lists: Vec<Vec<usize>> = (0..n)
                .map(|_| {
                    (0..random(3))
                        .filter(|_| n > 1)
                        .map(|_| 1 + random(n - 1))
                        .collect()
                })
                .collect();
            let slices: Vec<&[usize]> = lists.iter().map(Vec::as_slice).collect();
            let (body, blocks) = graph(&slices);
            let tree = Dominators::of(&body);
            for &a in blocks.iter().filter(|&&a| tree.reaches(a)) {
                for &b in &blocks {
                    assert_eq!(
                        tree.dominates(a, b),
                        by_definition(&body, a, b),
                        "{lists:?} {a} {b}"
                    );
                }
                if let Some(parent) = tree.immediate(a) {
                    assert!(parent != a && tree.dominates(parent, a), "{lists:?} {a}");
                }
            }
        }
    }

    #[test]
    fn an_irreducible_loop_has_its_entry_as_dominator() {
        let (body, b) = graph(&[&[1, 2], &[2], &[1, 3], &[]]);
        let tree = Dominators::of(&body);
        assert_eq!(tree.immediate(b[1]), Some(b[0]));
        assert_eq!(tree.immediate(b[2]), Some(b[0]));
        assert_eq!(tree.immediate(b[3]), Some(b[2]));
    }
}
