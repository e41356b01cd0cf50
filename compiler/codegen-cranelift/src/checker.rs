//! Checks that each read of a local finds the value that is meant, in builds with debug assertions.
//!
//! # Algorithm
//! The stack code is executed symbolically, as regalloc2's checker does with registers (Fallin, "Cranelift, Part 3: Correctness in Register
//! Allocation", 2021): a state says of each local which value it holds. Where ways meet, a local on which they disagree holds none.
//! Blocks are visited in reverse postorder until no state changes; then every read is looked up. It knows nothing of how locals were
//! chosen, neither of live ranges nor of interference.
//!
//! # Cost
//! O(blocks · locals) for each round, and a few rounds. Functions above [`LIMIT`] are not checked, nor those with a dispatch block, where values
//! arrive on ways that their definitions do not dominate.

use crate::flow::Graph;
use crate::lir::{Blk, Edge, Lir, Term, Val};
use crate::locals::Locals;
use crate::stackify::{Code, Item};
use cranelift_entity::SecondaryMap;

/// Blocks times values of the largest function that is checked.
const LIMIT: usize = 1 << 22;

/// Of each local the value that it holds, if that is known.
type State = Vec<Option<Val>>;

struct Checker<'a> {
    lir: &'a Lir,
    code: &'a Code,
    locals: &'a Locals,
    /// What is wrong; looked for in the last round alone.
    wrong: Option<String>,
}

/// Says what is wrong, if anything is.
pub(crate) fn check(lir: &Lir, code: &Code, graph: &Graph, locals: &Locals) -> Option<String> {
    if lir.blocks.len().saturating_mul(lir.vals.len()) > LIMIT {
        return None;
    }
    let count = lir.vals.keys().filter_map(|v| locals.find(v)).max();
    let mut entry: State = vec![None; count.map_or(0, |last| last as usize + 1)];
    for &param in &lir.blocks[lir.entry()].params {
        if let Some(local) = locals.find(param) {
            entry[local as usize] = Some(param);
        }
    }
    let mut checker = Checker {
        lir,
        code,
        locals,
        wrong: None,
    };
    let mut before: SecondaryMap<Blk, Option<State>> = SecondaryMap::new();
    before[lir.entry()] = Some(entry);
    loop {
        let mut changed = false;
        for &block in &graph.rpo {
            let Some(mut state) = before[block].clone() else {
                continue;
            };
            checker.block(block, &mut state);
            lir.for_each_edge(block, |edge| {
                let after = checker.edge(block, edge, &state);
                changed |= meet(&mut before[edge.to], after);
            });
        }
        if !changed {
            break;
        }
    }
    // All states hold now, so what was read wrongly on the way there does not count.
    checker.wrong = None;
    for &block in &graph.rpo {
        if let Some(mut state) = before[block].clone() {
            checker.block(block, &mut state);
            lir.for_each_edge(block, |edge| {
                checker.edge(block, edge, &state);
            });
        }
    }
    checker.wrong
}

/// Lets a state come in by one more way; whether that changes what is known.
fn meet(into: &mut Option<State>, from: State) -> bool {
    let Some(known) = into else {
        *into = Some(from);
        return true;
    };
    let mut changed = false;
    for (known, from) in known.iter_mut().zip(from) {
        if known.is_some() && *known != from {
            *known = None;
            changed = true;
        }
    }
    changed
}

impl Checker<'_> {
    fn reads(&mut self, block: Blk, state: &State, v: Val) {
        let Some(local) = self.locals.find(v) else {
            return;
        };
        let held = state[local as usize];
        if held != Some(v) && self.wrong.is_none() {
            let held = held.map_or("nothing certain".to_owned(), |held| held.to_string());
            self.wrong = Some(format!(
                "{block} reads {v} from local {local}, which holds {held}"
            ));
        }
    }

    fn writes(&self, state: &mut State, v: Val) {
        if let Some(local) = self.locals.find(v) {
            state[local as usize] = Some(v);
        }
    }

    fn block(&mut self, block: Blk, state: &mut State) {
        let mut items = self.code.block(block);
        if let Some(entry) = self.code.entry(block) {
            if !entry.once {
                self.writes(state, entry.param);
            }
            if items.first() == Some(&Item::Get(entry.param)) {
                items = &items[1..];
            }
        }
        for &item in items {
            match item {
                Item::Get(v) | Item::EdgeGet(v, _) => self.reads(block, state, v),
                Item::EdgeSet(p, from) => {
                    // What shares the local is not copied: it has to be there still.
                    if let Some(v) = from.filter(|&v| self.locals.same(v, p)) {
                        self.reads(block, state, v);
                    }
                    self.writes(state, p);
                }
                Item::Set(v) | Item::Tee(v) => self.writes(state, v),
                Item::Op(_) | Item::Drop | Item::Leave => {}
            }
        }
    }

    /// The state behind an edge. Those of jumps are part of the block's code.
    fn edge(&mut self, block: Blk, edge: Edge, state: &State) -> State {
        let mut after = state.clone();
        if matches!(self.lir.blocks[block].term, Term::Jump(_)) {
            return after;
        }
        let stays = self.code.entry(edge.to).map(|entry| entry.param);
        let params = &self.lir.blocks[edge.to].params;
        for (&p, &v) in params.iter().zip(self.lir.edge_args(edge)) {
            if v != Lir::undef() && !self.lir.is_constant_value(v) && self.locals.find(p).is_some()
            {
                self.reads(block, state, v);
            }
            if stays != Some(p) {
                self.writes(&mut after, p);
            }
        }
        after
    }
}
