//! Makes every loop single-entry, so that [`crate::flow`] can structure the graph.
//!
//! # Algorithm
//! While a retreating edge goes to a block that does not dominate its source: take the strongly connected regions of
//! the graph with two or more entries. Where it takes little, all entries but one get [copies](crate::split) of the way to that one.
//! Otherwise route every edge to an entry through one dispatch block, which
//! switches on a number that the edge supplies. Regions are then searched again without their dispatch block. Regions
//! nested deeper than [`MAX_ROUNDS`] make every one of their blocks an entry, which ends the search.
//! # Soundness
//! Each path executes the same blocks in the same order. A definition may no longer dominate its uses on paths that
//! never happen; values become locals, which always hold something, so that is harmless.
//! # Cost
//! O(rounds · (blocks + edges)), at most one dispatch block per region and round, and at most [`crate::split::MAX_COPIED`] instructions in copies: linear.

use crate::flow::Graph;
use crate::lir::{Blk, BlockData, Def, Edge, Imm, Lir, Term, Ty, Val};
use crate::ops::{Effects, Op};
use crate::split::Splitter;
use cranelift_codegen::ir::SourceLoc;
use cranelift_entity::EntityRef;
use rustc_hash::FxHashMap;

/// More parameters of entries than this share those of the dispatcher.
const MAX_OWN_PARAMS: usize = 64;

/// How often regions are searched again inside regions.
const MAX_ROUNDS: usize = 6;

/// What was done to make a function reducible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Loops with several entries of which all but one were copied out.
    pub splits: usize,
    /// Dispatch blocks.
    pub dispatchers: usize,
}

/// Rewrites `lir` until it is reducible, keeping `graph` up to date.
pub fn make_reducible(lir: &mut Lir, graph: &mut Graph) -> Made {
    let mut made = Made::default();
    let mut dispatchers = vec![false; lir.blocks.len()];
    let mut splitter = Splitter::default();
    let mut round = 0;
    while round <= MAX_ROUNDS && !is_reducible(graph) {
        let regions = regions(lir, graph, &dispatchers);
        let mut inside = vec![0; graph.rpo.len()];
        for (region, number) in regions.iter().zip(1..) {
            for &b in region {
                inside[graph.place(b)] = number;
            }
        }
        // Copies are new ways into other regions: dispatch blocks are made in a round of their own.
        let mut split = 0;
        splitter.begin(lir);
        for (region, number) in regions.iter().zip(1..) {
            let entries = entries(graph, region, &inside, number, false);
            split += usize::from(splitter.split(lir, graph, &entries, &inside, number));
        }
        made.splits += split;
        if split == 0 {
            for (region, number) in regions.iter().zip(1..) {
                let entries = entries(graph, region, &inside, number, round == MAX_ROUNDS);
                if entries.len() >= 2 {
                    dispatch(lir, graph, &entries);
                    made.dispatchers += 1;
                }
            }
            round += 1;
        }
        dispatchers.resize(lir.blocks.len(), split == 0);
        graph.compute(lir);
    }
    made
}

/// True when every retreating edge goes to a block that dominates its source.
fn is_reducible(graph: &Graph) -> bool {
    (0..graph.rpo.len()).all(|i| {
        graph
            .preds(i)
            .iter()
            .all(|&p| (p as usize) < i || graph.dominates(i, p as usize))
    })
}

/// The strongly connected regions with a cycle, dispatch blocks and proper loop headers left out (Tarjan).
fn regions(lir: &Lir, graph: &Graph, dispatchers: &[bool]) -> Vec<Vec<Blk>> {
    let n = graph.rpo.len();
    // Headers that dominate all their retreating sources are entries of good loops: cutting them
    // exposes what is irreducible inside.
    let skip: Vec<bool> = (0..n)
        .map(|i| {
            let mut back = graph
                .preds(i)
                .iter()
                .filter(|&&p| p as usize >= i)
                .peekable();
            let good = back.peek().is_some() && back.all(|&p| graph.dominates(i, p as usize));
            good || dispatchers
                .get(graph.rpo[i].index())
                .copied()
                .unwrap_or(true)
        })
        .collect();
    let succ: Vec<Vec<u32>> = (0..n)
        .map(|i| {
            let mut out = Vec::new();
            lir.for_each_edge(graph.rpo[i], |e| {
                let t = graph.place(e.to);
                if !skip[t] {
                    out.push(t as u32);
                }
            });
            out
        })
        .collect();
    let mut index = vec![0u32; n];
    let mut low = vec![0u32; n];
    let mut on = vec![false; n];
    let mut stack = Vec::new();
    let mut out = Vec::new();
    let mut next = 1;
    for root in 0..n {
        if index[root] != 0 || skip[root] {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some(&mut (v, ref mut edge)) = work.last_mut() {
            if *edge == 0 {
                index[v] = next;
                low[v] = next;
                next += 1;
                stack.push(v);
                on[v] = true;
            }
            if let Some(&w) = succ[v].get(*edge) {
                *edge += 1;
                let w = w as usize;
                if index[w] == 0 {
                    work.push((w, 0));
                } else if on[w] {
                    low[v] = low[v].min(index[w]);
                }
                // A node without edges left must not be entered twice.
                continue;
            }
            work.pop();
            if let Some(&(parent, _)) = work.last() {
                low[parent] = low[parent].min(low[v]);
            }
            if low[v] == index[v] {
                let mut region = Vec::new();
                while let Some(w) = stack.pop() {
                    on[w] = false;
                    region.push(graph.rpo[w]);
                    if w == v {
                        break;
                    }
                }
                if region.len() > 1 {
                    region.sort_unstable();
                    out.push(region);
                }
            }
        }
    }
    out
}

/// The blocks of a region that edges from outside of it reach. With `all`, every block.
///
/// `inside` holds, for each place, the number of the last region it was in; numbers start at 1.
fn entries(graph: &Graph, region: &[Blk], inside: &[u32], number: u32, all: bool) -> Vec<Blk> {
    let entered = |b: Blk| {
        let preds = graph.preds(graph.place(b));
        preds.iter().any(|&p| inside[p as usize] != number)
    };
    region
        .iter()
        .copied()
        .filter(|&b| all || entered(b))
        .collect()
}

/// Routes the entries of a region through a new block.
fn dispatch(lir: &mut Lir, graph: &Graph, entries: &[Blk]) {
    let d = lir.blocks.push(BlockData {
        params: Vec::new(),
        insts: Vec::new(),
        term: Term::Diverge,
        loc: SourceLoc::default(),
        cold: false,
    });
    // The dispatcher's parameters: the selector, then those of every entry.
    let selector = lir.new_val(Ty::I32, Def::Param(d));
    let mut params = vec![selector];
    // The dispatcher's parameter for each parameter of each entry. A few entries have their own, which shares a local with
    // the entry's; many use the same ones, so that edges stay short.
    let total: usize = entries.iter().map(|&e| lir.blocks[e].params.len()).sum();
    let mut slots: FxHashMap<Blk, (usize, Vec<u32>)> = FxHashMap::default();
    let mut shared: [Vec<u32>; Ty::ALL.len()] = Default::default();
    for (k, &e) in entries.iter().enumerate() {
        let mut own = Vec::new();
        let mut used = [0; Ty::ALL.len()];
        for p in lir.blocks[e].params.clone() {
            let ty = lir.vals[p].ty;
            let nth = &mut used[ty as usize];
            let pool = &mut shared[ty as usize];
            if total <= MAX_OWN_PARAMS {
                *nth = pool.len();
            }
            if *nth == pool.len() {
                pool.push(params.len() as u32);
                params.push(lir.new_val(ty, Def::Param(d)));
            }
            own.push(pool[*nth]);
            *nth += 1;
        }
        slots.insert(e, (k, own));
    }
    let selectors: Vec<Val> = (0..entries.len())
        .map(|k| {
            let inst = lir.new_inst(
                Op::I32_CONST,
                Effects::NONE,
                Imm::Const(k as i64),
                &[],
                &[Ty::I32],
                SourceLoc::default(),
            );
            lir.insts[inst].first
        })
        .collect();
    lir.blocks[d].params = params.clone();
    // In order, so that the result does not depend on which entry an edge goes to.
    let mut sources: Vec<u32> = Vec::new();
    for &e in entries {
        sources.extend(graph.preds(graph.place(e)));
    }
    sources.sort_unstable();
    sources.dedup();
    for place in sources {
        let block = graph.rpo[place as usize];
        let mut edges = Vec::new();
        lir.for_each_edge(block, |e| edges.push(e));
        let rerouted: Vec<Edge> = edges
            .into_iter()
            .map(|e| match slots.get(&e.to) {
                None => e,
                Some((k, own)) => {
                    let mut args = vec![Lir::undef(); params.len()];
                    args[0] = selectors[*k];
                    for (&slot, &v) in own.iter().zip(lir.edge_args(e)) {
                        args[slot as usize] = v;
                    }
                    lir.edge(d, &args)
                }
            })
            .collect();
        let mut it = rerouted.into_iter();
        lir.for_each_edge_mut(block, |e| {
            if let Some(new) = it.next() {
                *e = new;
            }
        });
    }
    let start = lir.edges.len() as u32;
    for &e in entries {
        let args: Vec<Val> = slots[&e]
            .1
            .iter()
            .map(|&slot| params[slot as usize])
            .collect();
        let edge = lir.edge(e, &args);
        lir.edges.push(edge);
    }
    lir.blocks[d].term = Term::Switch {
        index: selector,
        start,
        len: entries.len() as u32,
    };
}

/// Gives every switch edge with arguments a block of its own, which makes the copies.
pub fn split_switch_edges(lir: &mut Lir) {
    for block in lir.blocks.keys().collect::<Vec<_>>() {
        let Term::Switch { start, len, .. } = lir.blocks[block].term else {
            continue;
        };
        for k in start..start + len {
            let e = lir.edges[k as usize];
            if lir.edge_args(e).is_empty() {
                continue;
            }
            let data = &lir.blocks[block];
            let (loc, cold) = (data.loc, data.cold);
            let forward = lir.blocks.push(BlockData {
                params: Vec::new(),
                insts: Vec::new(),
                term: Term::Jump(e),
                loc,
                cold,
            });
            lir.edges[k as usize] = lir.edge(forward, &[]);
        }
    }
}
