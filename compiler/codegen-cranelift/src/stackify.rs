//! Tree building: each block's instructions become WebAssembly stack code.
//!
//! # Input / Output
//! [`Lir`] → per block a list of [`Item`]s: operators in stack order with `local.get`, `local.set`, `local.tee` of
//! values. Which local a value gets is decided later.
//! # Algorithm
//! Backwards through the block, like LLVM's register stackification, with one more idea. The code is written in
//! reverse; at an operand whose definition is in the block, this is its first use in final order, and nothing still
//! unwritten conflicts with moving it here, the definition is written right here. If something does conflict, the
//! statements in between may be written first (they leave the stack as they find it), as long as no operand further
//! left, of this or an enclosing instruction, is defined among them. Otherwise it is a `local.get`. A value with
//! other uses gets a `local.tee`.
//! # Invariants
//! Effects keep their order ([`Effects::conflicts`]); every use is after its definition.
//! # Cost
//! Linear: each instruction is written once, conflict queries look at the last unwritten instruction per kind of
//! effect, and work is kept on an explicit stack.

use crate::lir::{Blk, Def, Inst, Lir, Term, Val};
use crate::ops::Effects;
use crate::results::Entry;
use cranelift_entity::{EntityRef, SecondaryMap};

/// A piece of stack code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// An operator; its operands are on the stack.
    Op(Inst),
    /// Pushes a value's local.
    Get(Val),
    /// Pops into a value's local.
    Set(Val),
    /// Copies the top into a value's local.
    Tee(Val),
    /// Pops.
    Drop,
    /// Pushes a value on its way to a block parameter; nothing if they share a local.
    EdgeGet(Val, Val),
    /// Pops into a block parameter; nothing if the value (when given) shares its local.
    EdgeSet(Val, Option<Val>),
    /// The value on the stack is what the next block finds there.
    Leave,
}

/// Stack code of all blocks.
#[derive(Default)]
pub struct Code {
    items: Vec<Item>,
    ranges: SecondaryMap<Blk, (u32, u32)>,
    entries: SecondaryMap<Blk, Option<Entry>>,
}

impl Code {
    /// The stack code of a block.
    pub fn block(&self, block: Blk) -> &[Item] {
        let (start, end) = self.ranges[block];
        &self.items[start as usize..end as usize]
    }

    /// The stack code of a block, to be changed.
    pub(crate) fn block_mut(&mut self, block: Blk) -> &mut [Item] {
        let (start, end) = self.ranges[block];
        &mut self.items[start as usize..end as usize]
    }

    /// What the block finds on the stack.
    pub fn entry(&self, block: Blk) -> Option<Entry> {
        self.entries[block]
    }

    pub(crate) fn enter(&mut self, block: Blk, entry: Entry) {
        self.entries[block] = Some(entry);
    }
}

enum Frame {
    /// Operands still to be written, from the last to the first.
    Operands {
        start: usize,
        next: usize,
        bound: i64,
        jump: bool,
    },
    /// Statements to be written before the definition at `pos`.
    Advance {
        pos: u32,
        inst: Inst,
        val: Val,
        bound: i64,
    },
}

/// Reused memory.
#[derive(Default)]
pub struct Scratch {
    uses: SecondaryMap<Val, u32>,
    local_uses: SecondaryMap<Val, u32>,
    home: SecondaryMap<Inst, u32>,
    written: Vec<bool>,
    by_effect: [Vec<u32>; Effects::COUNT],
    frames: Vec<Frame>,
    operands: Vec<(Val, i64)>,
    out: Vec<Item>,
    dead: Vec<Inst>,
}

impl Scratch {
    /// How often a value was used in the function last worked on, edges included.
    pub(crate) fn uses(&self, v: Val) -> u32 {
        self.uses[v]
    }
}

/// Removes instructions whose results nobody uses.
fn remove_dead(lir: &mut Lir, s: &mut Scratch) {
    lir.count_uses(&mut s.uses);
    let unused = |lir: &Lir, uses: &SecondaryMap<Val, u32>, inst: Inst| {
        lir.insts[inst].effects.removable() && lir.results(inst).all(|v| uses[v] == 0)
    };
    let mut dead = std::mem::take(&mut s.dead);
    for (_, data) in lir.blocks.iter() {
        dead.extend(
            data.insts
                .iter()
                .copied()
                .filter(|&i| unused(lir, &s.uses, i)),
        );
    }
    let mut any = false;
    let mut gone = vec![false; lir.insts.len()];
    while let Some(inst) = dead.pop() {
        if std::mem::replace(&mut gone[inst.index()], true) {
            continue;
        }
        any = true;
        for &arg in lir.args(inst) {
            s.uses[arg] -= 1;
            if s.uses[arg] == 0
                && let Def::Inst(def) = lir.vals[arg].def
                && unused(lir, &s.uses, def)
            {
                dead.push(def);
            }
        }
    }
    s.dead = dead;
    if any {
        for (_, data) in lir.blocks.iter_mut() {
            data.insts.retain(|i| !gone[i.index()]);
        }
    }
}

/// Builds the stack code of every block.
pub fn stackify(lir: &mut Lir, code: &mut Code, s: &mut Scratch) {
    remove_dead(lir, s);
    code.items.clear();
    code.ranges.clear();
    code.entries.clear();
    s.local_uses.clear();
    s.local_uses.resize(lir.vals.len());
    s.home.clear();
    s.home.resize(lir.insts.len());
    for block in lir.blocks.keys() {
        let start = code.items.len() as u32;
        Builder {
            lir,
            s,
            block,
            cursor: 0,
        }
        .build();
        code.items.extend(s.out.drain(..).rev());
        code.ranges[block] = (start, code.items.len() as u32);
    }
}

struct Builder<'a> {
    lir: &'a mut Lir,
    s: &'a mut Scratch,
    block: Blk,
    /// Every position at or after this one is written.
    cursor: usize,
}

impl Builder<'_> {
    fn build(&mut self) {
        let insts = std::mem::take(&mut self.lir.blocks[self.block].insts);
        self.cursor = insts.len();
        self.s.written.clear();
        self.s.written.resize(insts.len(), false);
        for list in &mut self.s.by_effect {
            list.clear();
        }
        for (pos, &inst) in insts.iter().enumerate() {
            // Homes are stamped per block: 0 means "not in this block".
            self.s.home[inst] = pos as u32 + 1;
            let effects = self.lir.insts[inst].effects.0;
            for bit in 0..Effects::COUNT {
                if effects & (1 << bit) != 0 {
                    self.s.by_effect[bit].push(pos as u32);
                }
            }
            for &arg in self.lir.args(inst) {
                self.s.local_uses[arg] += 1;
            }
        }
        for &v in self.lir.term_operands(self.block) {
            self.s.local_uses[v] += 1;
        }
        if let Term::Jump(edge) = self.lir.blocks[self.block].term {
            for &v in self.lir.edge_args(edge) {
                if v != Lir::undef() {
                    self.s.local_uses[v] += 1;
                }
            }
        }
        self.terminator();
        self.run(&insts);
        for &inst in &insts {
            self.s.home[inst] = 0;
        }
        self.lir.blocks[self.block].insts = insts;
    }

    fn terminator(&mut self) {
        if let Term::Jump(edge) = self.lir.blocks[self.block].term {
            let params = &self.lir.blocks[edge.to].params;
            let start = self.s.operands.len();
            let mut bound = -1;
            for (i, &v) in self.lir.edge_args(edge).iter().enumerate() {
                if v == Lir::undef() || v == params[i] {
                    if v != Lir::undef() {
                        self.s.local_uses[v] -= 1;
                    }
                    continue;
                }
                self.s.out.push(Item::EdgeSet(params[i], None));
                self.s.operands.push((v, bound));
                bound = bound.max(position(self.lir, self.s, v));
            }
            // A parameter that keeps its value is read all the same: its local must last to the end of the block.
            for (i, &v) in self.lir.edge_args(edge).iter().enumerate() {
                if v == params[i] {
                    self.s.out.push(Item::EdgeGet(v, v));
                }
            }
            let next = self.s.operands.len() - start;
            self.s.frames.push(Frame::Operands {
                start,
                next,
                bound: -1,
                jump: true,
            });
            return;
        }
        let start = self.s.operands.len();
        let mut bound = -1;
        for &v in self.lir.term_operands(self.block) {
            self.s.operands.push((v, bound));
            bound = bound.max(position(self.lir, self.s, v));
        }
        let next = self.s.operands.len() - start;
        self.s.frames.push(Frame::Operands {
            start,
            next,
            bound: -1,
            jump: false,
        });
    }

    fn run(&mut self, insts: &[Inst]) {
        loop {
            match self.s.frames.pop() {
                None => {
                    let Some(pos) = self.last_unwritten() else {
                        return;
                    };
                    self.root(insts[pos as usize], pos, -1);
                }
                Some(Frame::Advance {
                    pos,
                    inst,
                    val,
                    bound,
                }) => match self.last_unwritten() {
                    Some(last) if last > pos => {
                        self.s.frames.push(Frame::Advance {
                            pos,
                            inst,
                            val,
                            bound,
                        });
                        // Nothing in between may reach past the target, which waits for its own place.
                        self.root(insts[last as usize], last, i64::from(pos));
                    }
                    _ => self.inline(inst, val, bound),
                },
                Some(Frame::Operands {
                    start,
                    next,
                    bound,
                    jump,
                }) => {
                    if next == 0 {
                        self.s.operands.truncate(start);
                        continue;
                    }
                    let index = next - 1;
                    self.s.frames.push(Frame::Operands {
                        start,
                        next: index,
                        bound,
                        jump,
                    });
                    let (v, left) = self.s.operands[start + index];
                    let inlined = self.operand(v, bound.max(left), jump);
                    if jump {
                        // The k-th EdgeSet from the start of the reversed output belongs to operand k.
                        if let Item::EdgeSet(param, _) = self.s.out[index] {
                            let from = if inlined { None } else { Some(v) };
                            self.s.out[index] = Item::EdgeSet(param, from);
                            if !inlined {
                                self.s.out.push(Item::EdgeGet(v, param));
                            }
                        }
                    }
                }
            }
        }
    }

    fn last_unwritten(&mut self) -> Option<u32> {
        while self.cursor > 0 && self.s.written[self.cursor - 1] {
            self.cursor -= 1;
        }
        self.cursor.checked_sub(1).map(|p| p as u32)
    }

    /// True when an unwritten instruction after `pos` conflicts with these effects.
    fn blocked(&mut self, effects: Effects, pos: u32) -> bool {
        let conflicts = effects.conflicts().0;
        for bit in 0..Effects::COUNT {
            if conflicts & (1 << bit) == 0 {
                continue;
            }
            let list = &mut self.s.by_effect[bit];
            while list.last().is_some_and(|&p| self.s.written[p as usize]) {
                list.pop();
            }
            if list.last().is_some_and(|&p| p > pos) {
                return true;
            }
        }
        false
    }

    /// Writes an operand. Returns false when the value is to be read from its local; in a jump the caller
    /// writes that read.
    fn operand(&mut self, v: Val, bound: i64, jump: bool) -> bool {
        let remaining = self.s.local_uses[v];
        self.s.local_uses[v] = remaining - 1;
        let Some(inst) = self.lir.sole_def(v) else {
            return self.get(v, jump);
        };
        if self.lir.is_constant(inst) {
            self.s.out.push(Item::Op(inst));
            return true;
        }
        let home = self.s.home[inst];
        if home == 0 || remaining != 1 || self.s.written[home as usize - 1] {
            return self.get(v, jump);
        }
        let pos = home - 1;
        if !self.blocked(self.lir.insts[inst].effects, pos) {
            self.inline(inst, v, bound);
            return true;
        }
        if bound < i64::from(pos) {
            self.s.frames.push(Frame::Advance {
                pos,
                inst,
                val: v,
                bound,
            });
            return true;
        }
        self.get(v, jump)
    }

    fn get(&mut self, v: Val, jump: bool) -> bool {
        if !jump {
            self.s.out.push(Item::Get(v));
        }
        false
    }

    fn inline(&mut self, inst: Inst, val: Val, bound: i64) {
        self.s.written[self.s.home[inst] as usize - 1] = true;
        if self.s.uses[val] > 1 {
            self.s.out.push(Item::Tee(val));
        }
        self.write(inst, bound);
    }

    fn root(&mut self, inst: Inst, pos: u32, bound: i64) {
        self.s.written[pos as usize] = true;
        for v in self.lir.results(inst) {
            self.s.out.push(if self.s.uses[v] > 0 {
                Item::Set(v)
            } else {
                Item::Drop
            });
        }
        self.write(inst, bound);
    }

    fn write(&mut self, inst: Inst, bound: i64) {
        self.order_operands(inst);
        self.s.out.push(Item::Op(inst));
        let start = self.s.operands.len();
        let mut left = -1;
        for &v in self.lir.args(inst) {
            self.s.operands.push((v, left));
            left = left.max(position(self.lir, self.s, v));
        }
        let next = self.s.operands.len() - start;
        if next > 0 {
            self.s.frames.push(Frame::Operands {
                start,
                next,
                bound,
                jump: false,
            });
        }
    }

    /// Puts the operand defined later last, where the operator allows it; constants go last of all.
    fn order_operands(&mut self, inst: Inst) {
        let &[a, b] = self.lir.args(inst) else { return };
        let Some(op) = self.lir.insts[inst].op.swapped() else {
            return;
        };
        let (pa, pb) = (position(self.lir, self.s, a), position(self.lir, self.s, b));
        let constant = |v: Val| self.lir.is_constant_value(v);
        let swap = match (constant(a), constant(b)) {
            (true, false) => true,
            (false, true) => false,
            _ => pa >= 0 && pb >= 0 && pa > pb,
        };
        if swap {
            self.lir.insts[inst].op = op;
            self.lir.args_mut(inst).swap(0, 1);
        }
    }
}

/// Position of a value's unwritten definition in the current block, or -1.
fn position(lir: &Lir, s: &Scratch, v: Val) -> i64 {
    match lir.vals[v].def {
        Def::Inst(inst) => match s.home[inst] {
            0 => -1,
            home if s.written[home as usize - 1] => -1,
            home => i64::from(home) - 1,
        },
        Def::Param(_) => -1,
    }
}
