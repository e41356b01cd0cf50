//! Node splitting: a loop with several entries becomes one with a single entry, by copies of what the others run first.
//!
//! ```text
//! entry → h, e     h → e     e → h, out          entry → h, e'    h → e    e → h, out    e' → h, out
//! ```
//!
//! # Algorithm
//! One entry is to be the header. What control can pass from the other entries before it comes to the header is copied, and the edges
//! that enter from outside go to the copies. Of all entries, the one that leaves the least to copy is chosen.
//! # When
//! The copies of a loop have at most [`MAX_COPY`] instructions and terminators, those of a function [`MAX_COPIED`]. A dispatch block
//! costs about ten instructions, and one more at every edge to an entry; and it is passed in every iteration.
//! # Invariants
//! Each path executes the same instructions. A value that is read outside of its block gets a second definition instead of a second
//! name: values become locals, which do not mind. Parameters likewise.
//! # Cost
//! O(values) to begin; for each region, at most [`MAX_ENTRIES`] searches that end at the bound.

use crate::flow::Graph;
use crate::lir::{Blk, BlockData, Edge, Lir, Term, Val};
use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashMap;

/// The most instructions and terminators to copy for one loop.
const MAX_COPY: usize = 12;

/// The most instructions and terminators to copy in a function.
pub(crate) const MAX_COPIED: usize = 200;

/// More entries than this go to a dispatch block.
const MAX_ENTRIES: usize = 4;

/// Splits the regions of a function.
#[derive(Default)]
pub(crate) struct Splitter {
    uses: SecondaryMap<Val, u32>,
    copied: usize,
}

impl Splitter {
    /// Begins a round: nothing but [`Splitter::split`] may change the function in it.
    pub(crate) fn begin(&mut self, lir: &Lir) {
        if self.copied < MAX_COPIED {
            lir.count_uses(&mut self.uses);
        }
    }

    /// Splits a region with these entries, if that takes little. `inside` tells for each place of the graph the number of its region.
    pub(crate) fn split(
        &mut self,
        lir: &mut Lir,
        graph: &Graph,
        entries: &[Blk],
        inside: &[u32],
        number: u32,
    ) -> bool {
        if !(2..=MAX_ENTRIES).contains(&entries.len()) || self.copied >= MAX_COPIED {
            return false;
        }
        let ways = entries.iter().filter_map(|&header| {
            let from = entries.iter().copied().filter(|&e| e != header);
            way(lir, graph, from, header, inside, number)
        });
        let Some((size, blocks)) = ways.min_by_key(|(size, _)| *size) else {
            return false;
        };
        self.copied += size;
        let copies = self.copy(lir, &blocks);
        for &entry in entries {
            let Some(&copy) = copies.get(&entry) else {
                continue;
            };
            for &p in graph.preds(graph.place(entry)) {
                if inside[p as usize] != number {
                    lir.for_each_edge_mut(graph.rpo[p as usize], |e| {
                        if e.to == entry {
                            e.to = copy;
                        }
                    });
                }
            }
        }
        true
    }

    /// Copies blocks; edges among them go to the copies.
    fn copy(&self, lir: &mut Lir, blocks: &[Blk]) -> FxHashMap<Blk, Blk> {
        let copies: FxHashMap<Blk, Blk> = blocks
            .iter()
            .map(|&b| {
                let data = BlockData {
                    term: Term::Diverge,
                    insts: Vec::new(),
                    ..lir.blocks[b].clone()
                };
                (b, lir.blocks.push(data))
            })
            .collect();
        for &b in blocks {
            let mut renamed: FxHashMap<Val, Val> = FxHashMap::default();
            let own = self.own(lir, b);
            for inst in lir.blocks[b].insts.clone() {
                let args = rename(&renamed, lir.args(inst));
                let fresh = lir
                    .results(inst)
                    .all(|v| own.get(&v) == Some(&self.uses[v]));
                let copy = lir.copy_inst(inst, &args, fresh);
                if fresh {
                    renamed.extend(lir.results(inst).zip(lir.results(copy)));
                }
                lir.blocks[copies[&b]].insts.push(copy);
            }
            let term = copy_term(lir, b, &renamed, &copies);
            lir.blocks[copies[&b]].term = term;
        }
        copies
    }

    /// How often the block itself reads the values that it reads or defines.
    fn own(&self, lir: &Lir, block: Blk) -> FxHashMap<Val, u32> {
        let mut own: FxHashMap<Val, u32> = FxHashMap::default();
        for &inst in &lir.blocks[block].insts {
            for v in lir.results(inst) {
                own.entry(v).or_default();
            }
            for &v in lir.args(inst) {
                *own.entry(v).or_default() += 1;
            }
        }
        for &v in lir.term_operands(block) {
            *own.entry(v).or_default() += 1;
        }
        lir.for_each_edge(block, |e| {
            for &v in lir.edge_args(e) {
                *own.entry(v).or_default() += 1;
            }
        });
        own
    }
}

/// The blocks of the region that control can pass from some entries before it comes to the header, and how many instructions they have;
/// nothing if they are too many.
fn way(
    lir: &Lir,
    graph: &Graph,
    from: impl Iterator<Item = Blk>,
    header: Blk,
    inside: &[u32],
    number: u32,
) -> Option<(usize, Vec<Blk>)> {
    let mut blocks: Vec<Blk> = from.collect();
    let (mut size, mut at) = (0, 0);
    while let Some(&b) = blocks.get(at) {
        at += 1;
        size += lir.blocks[b].insts.len() + 1;
        if size > MAX_COPY {
            return None;
        }
        let mut edges = 0;
        lir.for_each_edge(b, |e| {
            edges += 1;
            // A switch of any size is one terminator: its edges count as soon as they are many.
            if edges <= MAX_COPY
                && e.to != header
                && inside[graph.place(e.to)] == number
                && !blocks.contains(&e.to)
            {
                blocks.push(e.to);
            }
        });
        if edges > MAX_COPY {
            return None;
        }
    }
    Some((size, blocks))
}

fn rename(renamed: &FxHashMap<Val, Val>, vals: &[Val]) -> Vec<Val> {
    vals.iter()
        .map(|v| renamed.get(v).copied().unwrap_or(*v))
        .collect()
}

fn copy_term(
    lir: &mut Lir,
    block: Blk,
    renamed: &FxHashMap<Val, Val>,
    copies: &FxHashMap<Blk, Blk>,
) -> Term {
    let term = lir.blocks[block].term;
    let edge = |lir: &mut Lir, e: Edge| {
        let args = rename(renamed, lir.edge_args(e));
        lir.edge(copies.get(&e.to).copied().unwrap_or(e.to), &args)
    };
    let one = |v: Val| renamed.get(&v).copied().unwrap_or(v);
    match term {
        Term::Jump(e) => Term::Jump(edge(lir, e)),
        Term::Branch { cond, then, other } => Term::Branch {
            cond: one(cond),
            then: edge(lir, then),
            other: edge(lir, other),
        },
        Term::Switch { index, start, len } => {
            let edges: Vec<Edge> = lir.edges[start as usize..(start + len) as usize].to_vec();
            let edges: Vec<Edge> = edges.into_iter().map(|e| edge(lir, e)).collect();
            let start = lir.edges.len() as u32;
            lir.edges.extend(edges);
            Term::Switch {
                index: one(index),
                start,
                len,
            }
        }
        Term::Return(start, len) => {
            let vals = rename(renamed, lir.get_list((start, len)));
            lir.term_return(&vals)
        }
        Term::Diverge => Term::Diverge,
    }
}
