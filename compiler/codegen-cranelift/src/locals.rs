//! From values to locals: liveness, coalescing of block parameters, colouring, and order by use.
//!
//! # Algorithm
//! Positions number the stack code in final order. One backward pass builds each value's live segments (Wimmer and
//! Franz, "Linear Scan Register Allocation on SSA Form", CGO 2010): what is live into a loop's header is live through
//! the loop. Functions whose sets would be too large use one segment per value instead, widened over
//! loops. Parameters are then merged with their arguments, most frequent copies first, when no segments overlap;
//! classes are coloured by a linear scan; and locals are numbered by use, so that the hottest have one-byte indices.
//! # Invariants
//! Two values share a local only if their segments are disjoint and their types equal.
//! # Cost
//! O(code + total length of segments), the latter bounded by [`MEMBERS_PER_ITEM`].

use crate::error::{ErrorKind, Result};
use crate::flow::{Graph, Step};
use crate::lir::{Blk, Def, Lir, Term, Ty, Val};
use crate::live_sets::LiveSet;
use crate::loop_forest::LoopForest;
use crate::segments::{List, Segment, Segments};
use crate::stackify::{Code, Item};
use cranelift_entity::{EntityRef, SecondaryMap};

/// Members of all blocks' live sets together that a function may have for each item of its code, before precision is given up. In
/// functions that people write, they are at most three.
const MEMBERS_PER_ITEM: usize = 8;

/// Members that every function may have.
const MEMBERS_OF_SMALL: usize = 1 << 16;

/// The most locals engines accept.
pub const MAX_LOCALS: u32 = 50_000;

/// Which local each value has, and the declarations.
#[derive(Default)]
pub struct Locals {
    /// Local of each value that has one, plus one.
    index: SecondaryMap<Val, u32>,
    /// Declared locals after the parameters: runs of a type.
    pub runs: Vec<(u32, wasm_encoder::ValType)>,
    /// Index of each pinned local.
    pub pinned: Vec<u32>,
    /// Whether a read of the pinned local must say that it is not null.
    pub asserted: Vec<bool>,
}

impl Locals {
    /// The local of a value.
    pub fn get(&self, v: Val) -> u32 {
        debug_assert!(self.index[v] != 0, "{v} has no local");
        self.index[v] - 1
    }

    /// The local of a value, if it has one.
    pub fn find(&self, v: Val) -> Option<u32> {
        self.index.get(v).and_then(|index| index.checked_sub(1))
    }

    /// True when both values live in the same local.
    pub fn same(&self, a: Val, b: Val) -> bool {
        self.index[a] == self.index[b]
    }
}

/// How the function's wasm parameters relate to values.
#[derive(Clone, Debug, Default)]
pub struct Abi {
    /// The local index of each parameter of the entry block. Empty: they are `0..n`.
    pub params: Vec<u32>,
    /// Number of wasm parameters.
    pub count: u32,
    /// Locals that never become values: type, and parameter index if they are one.
    pub pinned: Vec<(wasm_encoder::ValType, Option<u32>)>,
    /// The function returns references, which its CLIF signature does not show.
    pub opaque_results: bool,
}

struct Allocator<'a> {
    lir: &'a Lir,
    code: &'a Code,
    graph: &'a Graph,
    order: Vec<Blk>,
    /// First and one-past-last position of each block.
    span: SecondaryMap<Blk, (u32, u32)>,
    /// Segments in descending order while being built.
    segments: SecondaryMap<Val, List>,
    weight: SecondaryMap<Val, u32>,
}

/// Gives every value of the stack code that needs one a local.
pub fn allocate(
    lir: &Lir,
    code: &Code,
    graph: &Graph,
    steps: &[Step],
    abi: &Abi,
) -> Result<Locals> {
    let order = steps
        .iter()
        .filter_map(|s| {
            if let Step::Body(b) = s {
                Some(*b)
            } else {
                None
            }
        })
        .collect();
    let mut a = Allocator {
        lir,
        code,
        graph,
        order,
        span: SecondaryMap::new(),
        segments: SecondaryMap::new(),
        weight: SecondaryMap::new(),
    };
    a.segments.resize(lir.vals.len());
    a.weight.resize(lir.vals.len());
    a.liveness();
    for v in lir.vals.keys() {
        a.segments[v].reverse();
    }
    let mut classes = Classes::new(lir, std::mem::take(&mut a.segments));
    let entry_params = &lir.blocks[lir.entry()].params;
    for (i, &p) in entry_params.iter().enumerate() {
        classes.fixed[p] = abi.params.get(i).copied().unwrap_or(i as u32) + 1;
    }
    a.coalesce(&mut classes);
    a.colour(&mut classes, abi)
}

impl Allocator<'_> {
    fn number(&mut self) -> u32 {
        let mut pos = 1;
        for &b in &self.order {
            let start = pos;
            // One position before the items for parameters, one after for edges.
            pos += self.code.block(b).len() as u32 + 2;
            self.span[b] = (start, pos);
        }
        pos
    }

    /// Calls `f` with each value read on the edges of a conditional terminator.
    fn edge_uses(&self, block: Blk, mut f: impl FnMut(Val)) {
        if let Term::Branch { .. } = self.lir.blocks[block].term {
            self.lir.for_each_edge(block, |e| {
                for &v in self.lir.edge_args(e) {
                    if v != Lir::undef() && !self.lir.is_constant_value(v) {
                        f(v);
                    }
                }
            });
        }
    }

    fn liveness(&mut self) {
        self.number();
        // The furthest position from which control comes back to each header.
        let mut loop_end: SecondaryMap<Blk, u32> = SecondaryMap::new();
        for &b in &self.order {
            self.lir.for_each_edge(b, |e| {
                if self.span[e.to].0 <= self.span[b].0 {
                    loop_end[e.to] = loop_end[e.to].max(self.span[b].1);
                }
            });
        }
        // The edge back may leave an inner loop from its middle: the outer loop reaches as far as all loops inside it.
        let mut inner: Vec<Segment> = Vec::new();
        for &header in self.order.iter().rev() {
            if loop_end[header] == 0 {
                continue;
            }
            while let Some((start, end)) = inner.pop() {
                if start > loop_end[header] {
                    inner.push((start, end));
                    break;
                }
                loop_end[header] = loop_end[header].max(end);
            }
            inner.push((self.span[header].0, loop_end[header]));
        }
        // Values that are live across blocks are kept in sets.
        let mut home: SecondaryMap<Val, u32> = SecondaryMap::new();
        home.resize(self.lir.vals.len());
        let mut global: SecondaryMap<Val, bool> = SecondaryMap::new();
        global.resize(self.lir.vals.len());
        let mut touch = |v: Val, b: Blk, foreign: bool| {
            let stamp = b.as_u32() + 1;
            if home[v] == 0 {
                home[v] = stamp;
            }
            global[v] |= foreign || home[v] != stamp;
        };
        for &b in &self.order {
            for &p in &self.lir.blocks[b].params {
                touch(p, b, true);
            }
            for item in self.code.block(b) {
                match *item {
                    Item::Get(v) | Item::Set(v) | Item::Tee(v) => {
                        // A use before any definition in the same block comes from elsewhere.
                        let local = match self.lir.vals[v].def {
                            Def::Inst(_) => false,
                            Def::Param(d) => d != b,
                        };
                        touch(v, b, local);
                    }
                    Item::EdgeGet(v, p) => {
                        touch(v, b, false);
                        touch(p, b, true);
                    }
                    Item::EdgeSet(p, _) => touch(p, b, true),
                    Item::Op(_) | Item::Drop | Item::Leave => {}
                }
            }
            let mut seen = Vec::new();
            self.edge_uses(b, |v| seen.push(v));
            for v in seen {
                touch(v, b, false);
            }
        }
        for &b in &self.order {
            for item in self.code.block(b) {
                match *item {
                    Item::Get(v)
                    | Item::Set(v)
                    | Item::Tee(v)
                    | Item::EdgeGet(v, _)
                    | Item::EdgeSet(v, _) => {
                        self.weight[v] += 1;
                    }
                    Item::Op(_) | Item::Drop | Item::Leave => {}
                }
            }
        }
        if !self.segments(&global, &loop_end) {
            for v in self.lir.vals.keys() {
                self.segments[v].clear();
            }
            self.hulls(&loop_end);
        }
    }

    /// One segment per value, from the first to the last position, widened over the loops in which the value is
    /// touched but does not begin.
    fn hulls(&mut self, loop_end: &SecondaryMap<Blk, u32>) {
        let mut hull: SecondaryMap<Val, (u32, u32)> = SecondaryMap::with_default((u32::MAX, 0));
        hull.resize(self.lir.vals.len());
        let loops: Vec<Segment> = self
            .order
            .iter()
            .filter(|&&b| loop_end[b] != 0)
            .map(|&b| (self.span[b].0, loop_end[b]))
            .collect();
        let forest = LoopForest::new(&loops);
        let mut touch = |v: Val, from: u32, to: u32| {
            let h = &mut hull[v];
            *h = (h.0.min(from), h.1.max(to));
        };
        for &b in &self.order {
            let (start, end) = self.span[b];
            for &p in &self.lir.blocks[b].params {
                touch(p, start, start + 1);
            }
            for (pos, item) in (start + 1..).zip(self.code.block(b)) {
                match *item {
                    Item::Get(v) | Item::Set(v) | Item::Tee(v) => touch(v, pos, pos + 1),
                    Item::EdgeGet(v, p) => {
                        touch(v, pos, pos + 1);
                        touch(p, pos, end);
                    }
                    Item::EdgeSet(p, _) => touch(p, pos, end),
                    Item::Op(_) | Item::Drop | Item::Leave => {}
                }
            }
            let mut used = Vec::new();
            self.edge_uses(b, |v| used.push(v));
            for v in used {
                touch(v, end - 1, end);
            }
            self.lir.for_each_edge(b, |e| {
                for &p in &self.lir.blocks[e.to].params {
                    touch(p, end - 1, end);
                }
            });
        }
        for v in self.lir.vals.keys() {
            let (from, to) = hull[v];
            if to == 0 {
                continue;
            }
            // A parameter is written on edges into its block: it is live through every loop that contains it.
            let through = matches!(self.lir.vals[v].def, Def::Param(_));
            self.segments[v].push(forest.widen((from, to), through));
        }
    }

    /// Exact segments; false if the live sets together grow beyond what may be spent on them.
    fn segments(
        &mut self,
        global: &SecondaryMap<Val, bool>,
        loop_end: &SecondaryMap<Blk, u32>,
    ) -> bool {
        let mut live_in: SecondaryMap<Blk, Box<[Val]>> = SecondaryMap::new();
        live_in.resize(self.lir.blocks.len());
        let mut live = LiveSet::new(self.lir.vals.len());
        let order = std::mem::take(&mut self.order);
        let items: usize = order.iter().map(|&b| self.code.block(b).len() + 1).sum();
        let mut budget = MEMBERS_OF_SMALL + MEMBERS_PER_ITEM * items;
        for &b in order.iter().rev() {
            let (start, end) = self.span[b];
            live.restart();
            let lir = self.lir;
            lir.for_each_edge(b, |e| live_in[e.to].iter().for_each(|&v| live.insert(v)));
            live.members().for_each(|v| self.add(v, start, end));
            let mut uses = Vec::new();
            self.edge_uses(b, |v| uses.push(v));
            let keep = |live: &mut LiveSet, v: Val| {
                if global[v] {
                    live.insert(v);
                }
            };
            for v in uses {
                self.add(v, start, end - 1);
                keep(&mut live, v);
            }
            let items = self.code.block(b);
            let mut pos = end - 1;
            for item in items.iter().rev() {
                pos -= 1;
                match *item {
                    Item::Get(v) => {
                        self.add(v, start, pos);
                        keep(&mut live, v);
                    }
                    Item::Set(v) | Item::Tee(v) => {
                        self.begin(v, pos, start);
                        live.remove(v);
                    }
                    Item::EdgeSet(p, from) => {
                        // With a copy still to come, the parameter begins where the copy reads.
                        if from.is_none() {
                            self.begin_edge(p, pos, end);
                        }
                        live.remove(p);
                    }
                    Item::EdgeGet(v, p) => {
                        // Edges read all values before they write the first parameter: what one of these parameters holds may be read
                        // by a later copy, and is live up to here.
                        self.begin_edge(p, pos, end);
                        self.add(v, start, pos);
                        keep(&mut live, v);
                    }
                    Item::Op(_) | Item::Drop | Item::Leave => {}
                }
            }
            for &p in &self.lir.blocks[b].params {
                live.remove(p);
            }
            if loop_end[b] != 0 {
                let end = loop_end[b];
                live.members().for_each(|v| self.widen(v, start, end));
            }
            live_in[b] = live.members().collect();
            match budget.checked_sub(live_in[b].len()) {
                Some(left) => budget = left,
                None => {
                    self.order = order;
                    return false;
                }
            }
        }
        self.order = order;
        true
    }

    /// Adds `[from, to)` in front of (or overlapping the start of) a value's segments.
    fn add(&mut self, v: Val, from: u32, to: u32) {
        if from >= to {
            return;
        }
        self.widen(v, from, to);
    }

    fn widen(&mut self, v: Val, from: u32, mut to: u32) {
        let list = &mut self.segments[v];
        let mut from = from;
        while let Some(&(s, e)) = list.last() {
            if s > to {
                break;
            }
            from = from.min(s);
            to = to.max(e);
            list.pop();
        }
        list.push((from, to));
    }

    /// A parameter of the next block is written at `pos` and keeps its local to the end of this one.
    fn begin_edge(&mut self, p: Val, pos: u32, end: u32) {
        self.add(p, pos, end);
    }

    /// The value is defined at `pos` of the block that begins at `start`.
    fn begin(&mut self, v: Val, pos: u32, start: u32) {
        match self.segments[v].last_mut() {
            Some(last) if last.0 <= pos && last.1 > pos && last.0 >= start => last.0 = pos,
            // Never read afterwards (or a second definition of a value that is live here): it still
            // occupies its local while it is written.
            Some(last) if last.0 <= pos && last.1 > pos => {}
            _ => self.add(v, pos, pos + 1),
        }
    }

    fn coalesce(&self, classes: &mut Classes<'_>) {
        // Copies by weight: those in loops first, then in program order.
        let mut copies: Vec<(u32, u32, Val, Val)> = Vec::new();
        for (k, &b) in self.order.iter().enumerate() {
            let hot = self.depth_hint(b);
            self.lir.for_each_edge(b, |e| {
                for (&v, &p) in self
                    .lir
                    .edge_args(e)
                    .iter()
                    .zip(&self.lir.blocks[e.to].params)
                {
                    if v != Lir::undef() && v != p && !self.lir.is_constant_value(v) {
                        copies.push((hot, k as u32, v, p));
                    }
                }
            });
        }
        copies.sort_by_key(|&(hot, k, ..)| (std::cmp::Reverse(hot), k));
        for (_, _, v, p) in copies {
            classes.merge(v, p);
        }
    }

    /// 1 for blocks that jump backwards, where copies run once per iteration.
    fn depth_hint(&self, b: Blk) -> u32 {
        let mut back = 0;
        self.lir.for_each_edge(b, |e| {
            back |= u32::from(self.graph.number[e.to] <= self.graph.number[b])
        });
        back
    }

    fn colour(&mut self, classes: &mut Classes<'_>, abi: &Abi) -> Result<Locals> {
        let mut reps: Vec<Val> = self
            .lir
            .vals
            .keys()
            .filter(|&v| classes.find(v) == v && classes.segments[v].len() > 0)
            .collect();
        reps.sort_by_key(|&v| (classes.segments[v].hull().map(|(start, _)| start), v));
        struct Slot {
            ty: Ty,
            fixed: Option<u32>,
            weight: u64,
        }
        let mut slots: Vec<Slot> = Vec::new();
        let mut slot_of: SecondaryMap<Val, u32> = SecondaryMap::new();
        // Free slots per type; and slots in use by the position where they become free.
        let mut free: [Vec<u32>; 5] = Default::default();
        let mut busy: [std::collections::BinaryHeap<std::cmp::Reverse<(u32, u32)>>; 5] =
            Default::default();
        let mut weight: SecondaryMap<Val, u64> = SecondaryMap::new();
        for v in self.lir.vals.keys() {
            let rep = classes.find(v);
            weight[rep] += u64::from(self.weight[v]);
        }
        for &p in &self.lir.blocks[self.lir.entry()].params {
            let rep = classes.find(p);
            let ty = self.lir.vals[p].ty;
            slots.push(Slot {
                ty,
                fixed: Some(classes.fixed[rep].max(classes.fixed[p]) - 1),
                weight: 0,
            });
            let slot = slots.len() as u32 - 1;
            slot_of[rep] = slot + 1;
            match classes.segments[rep].hull() {
                Some((_, end)) => busy[ty as usize].push(std::cmp::Reverse((end, slot))),
                None => free[ty as usize].push(slot),
            }
        }
        for &v in &reps {
            if slot_of[v] == 0 {
                let ty = self.lir.vals[v].ty as usize;
                let (start, end) = classes.segments[v].hull().unwrap_or_default();
                while let Some(&std::cmp::Reverse((e, slot))) = busy[ty].peek() {
                    if e > start {
                        break;
                    }
                    busy[ty].pop();
                    free[ty].push(slot);
                }
                let slot = free[ty].pop().unwrap_or_else(|| {
                    slots.push(Slot {
                        ty: self.lir.vals[v].ty,
                        fixed: None,
                        weight: 0,
                    });
                    slots.len() as u32 - 1
                });
                slot_of[v] = slot + 1;
                busy[ty].push(std::cmp::Reverse((end, slot)));
            }
            slots[slot_of[v] as usize - 1].weight += weight[v];
        }
        // Number the declared locals: hot ones first when there are more than one-byte indices.
        let mut declared: Vec<u32> = (0..slots.len() as u32)
            .filter(|&s| slots[s as usize].fixed.is_none())
            .collect();
        let pinned_declared = abi.pinned.iter().filter(|p| p.1.is_none()).count() as u32;
        let total = abi.count + declared.len() as u32 + pinned_declared;
        if total > MAX_LOCALS {
            return Err(ErrorKind::Limit("more than 50,000 locals"));
        }
        let by_weight = |s: &u32| (std::cmp::Reverse(slots[*s as usize].weight), *s);
        declared.sort_by_key(by_weight);
        let hot = if total > 128 {
            128u32.saturating_sub(abi.count) as usize
        } else {
            declared.len()
        };
        let hot = hot.min(declared.len());
        let by_type = |s: &u32| {
            (
                slots[*s as usize].ty,
                std::cmp::Reverse(slots[*s as usize].weight),
                *s,
            )
        };
        declared[..hot].sort_by_key(by_type);
        declared[hot..].sort_by_key(by_type);
        let mut out = Locals::default();
        let mut number: Vec<u32> = slots.iter().map(|s| s.fixed.unwrap_or(0)).collect();
        let mut next = abi.count;
        for s in declared {
            number[s as usize] = next;
            next += 1;
            let ty = slots[s as usize].ty.val_type();
            match out.runs.last_mut() {
                Some((n, t)) if *t == ty => *n += 1,
                _ => out.runs.push((1, ty)),
            }
        }
        for &(ty, param) in &abi.pinned {
            out.pinned.push(param.unwrap_or(next));
            let (ty, asserted) = match ty {
                // Whether a local was set before is judged by the nesting of blocks, which is new: locals without a
                // first value become nullable.
                wasm_encoder::ValType::Ref(r) if !r.nullable && param.is_none() => {
                    let nullable = wasm_encoder::RefType {
                        nullable: true,
                        ..r
                    };
                    (wasm_encoder::ValType::Ref(nullable), true)
                }
                other => (other, false),
            };
            out.asserted.push(asserted);
            if param.is_none() {
                next += 1;
                match out.runs.last_mut() {
                    Some((n, t)) if *t == ty => *n += 1,
                    _ => out.runs.push((1, ty)),
                }
            }
        }
        out.index.resize(self.lir.vals.len());
        for v in self.lir.vals.keys() {
            let rep = classes.find(v);
            if slot_of[rep] != 0 {
                out.index[v] = number[slot_of[rep] as usize - 1] + 1;
            }
        }
        Ok(out)
    }
}

/// Union-find of values that share a local.
struct Classes<'a> {
    lir: &'a Lir,
    parent: Vec<u32>,
    segments: SecondaryMap<Val, Segments>,
    /// Parameter index plus one.
    fixed: SecondaryMap<Val, u32>,
}

impl<'a> Classes<'a> {
    fn new(lir: &'a Lir, mut segments: SecondaryMap<Val, List>) -> Self {
        let mut sets: SecondaryMap<Val, Segments> = SecondaryMap::new();
        sets.resize(lir.vals.len());
        for v in lir.vals.keys() {
            sets[v] = Segments::new(std::mem::take(&mut segments[v]));
        }
        Classes {
            lir,
            parent: (0..lir.vals.len() as u32).collect(),
            segments: sets,
            fixed: SecondaryMap::new(),
        }
    }

    fn find(&mut self, v: Val) -> Val {
        let mut x = v.as_u32();
        while self.parent[x as usize] != x {
            let up = self.parent[x as usize];
            self.parent[x as usize] = self.parent[up as usize];
            x = up;
        }
        Val::from_u32(x)
    }

    /// Merges the classes if they may share a local.
    fn merge(&mut self, a: Val, b: Val) {
        let (a, b) = (self.find(a), self.find(b));
        if a == b
            || self.lir.vals[a].ty != self.lir.vals[b].ty
            || (self.fixed[a] != 0 && self.fixed[b] != 0)
        {
            return;
        }
        // The class with fewer segments is searched for in, and inserted into, the other.
        let (big, small) = if self.segments[a].len() >= self.segments[b].len() {
            (a, b)
        } else {
            (b, a)
        };
        let small_segments = std::mem::take(&mut self.segments[small]);
        let list = &mut self.segments[big];
        if !small_segments.all(|s| !list.overlaps(s)) {
            self.segments[small] = small_segments;
            return;
        }
        small_segments.all(|s| {
            list.insert(s);
            true
        });
        self.fixed[big] = self.fixed[big].max(self.fixed[small]);
        self.parent[small.index()] = big.as_u32();
    }
}
