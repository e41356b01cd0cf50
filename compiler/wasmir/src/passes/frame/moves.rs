//! Bytes that are only moved: copies of structs in larger pieces than their fields.
//!
//! A copy is a `memory.copy` or `memory.fill` of known length, or a load whose local is used for nothing but stores of the same
//! width, as front ends write short copies. If one end of it is promotable, the copy becomes one of slots: both ends are cut at
//! the same places, so that each slot of one is a slot of the other, and pointers are followed through it. (LLVM's SROA splits
//! copies by the slices of the `alloca` in the same way; what LLVM does by rewriting until nothing changes is here a part of
//! the fixed point.)
//!
//! # Invariants
//! Once nothing changes, the cuts of a move are those of each of its ends that is promotable.
//!
//! # Cost
//! O(slots) for each visit of a copy, and a copy has no more than [`MOST_SLOTS`].

use super::Context;
use super::regions::Region;
use super::values::{Analysis, FrameAccess, Value, Walker};
use crate::body::Body;
use crate::entities::Local;
use crate::inst::{Imm, Inst, Operands};
use crate::op::Opcode;
use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashMap;

/// The longest copy that is taken apart.
pub(super) const LONGEST: u32 = 64;

/// The most slots that it is taken apart into.
const MOST_SLOTS: u32 = 16;

/// The width of what nothing is loaded into, or nothing stored of.
const NONE: u8 = 0;

/// The width of what more is done with.
const MIXED: u8 = u8::MAX;

/// The width of all loads into a local, and of all stores of it.
#[derive(Clone, Copy, Default)]
struct Widths {
    loaded: u8,
    stored: u8,
}

/// A copy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Move {
    /// Where slots begin: a bit for each distance from the first byte.
    pub(super) starts: u64,
    /// Where the bytes come from, if that is a region.
    from: Option<FrameAccess>,
}

/// The copies of a body.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// For each local that carries the bytes from a load to stores, the place of its move in the list plus one; zero for one that
    /// does something else.
    carriers: SecondaryMap<Local, u32>,
    list: Vec<Move>,
    /// Bulk copies, by where their operands begin.
    bulk: FxHashMap<u32, Move>,
    /// Grows with each change.
    pub(super) changes: u64,
}

impl Moves {
    /// The moves of a body that has anything to promote.
    pub(super) fn of(body: &Body, context: &Context<'_>) -> Moves {
        let blocks = || body.layout.iter().map(|&block| &body.blocks[block]);
        let own = |inst: &Inst| match *inst {
            Inst::StackAddr { .. } => true,
            Inst::GlobalGet { global, .. } => context.is_stack_pointer(global),
            _ => false,
        };
        if !blocks().flat_map(|data| &data.insts).any(own) {
            return Moves::default();
        }
        // What is loaded into each local, and what is stored of it.
        let mut width: SecondaryMap<Local, Widths> = SecondaryMap::new();
        width.resize(body.locals.len());
        for param in body.params() {
            width[param].loaded = MIXED;
        }
        for data in blocks() {
            for inst in &data.insts {
                match *inst {
                    Inst::Load {
                        op,
                        access,
                        dst,
                        addr,
                        ..
                    } => {
                        width[addr].stored = MIXED;
                        let moved = moved_width(op).filter(|_| !access.is_volatile());
                        let known = &mut width[dst].loaded;
                        *known = match (*known, moved) {
                            (NONE, Some(moved)) => moved,
                            _ => MIXED,
                        };
                    }
                    Inst::Store {
                        op,
                        access,
                        addr,
                        value,
                        ..
                    } if !access.is_volatile() && addr != value => {
                        width[addr].stored = MIXED;
                        let known = &mut width[value].stored;
                        *known = match (*known, moved_width(op)) {
                            (NONE, Some(moved)) => moved,
                            (known, Some(moved)) if known == moved => moved,
                            _ => MIXED,
                        };
                    }
                    _ => {
                        inst.for_each_use(&body.pool, |local| width[local].stored = MIXED);
                        inst.for_each_def(&body.pool, |local| width[local].loaded = MIXED);
                    }
                }
            }
            let term = &data.term;
            term.for_each_use(&body.pool, |local| width[local].stored = MIXED);
            term.for_each_def(&body.pool, |local| width[local].loaded = MIXED);
        }
        let mut moves = Moves::default();
        moves.carriers.resize(body.locals.len());
        for local in body.locals.keys() {
            let Widths { loaded, stored } = width[local];
            if !matches!(loaded, NONE | MIXED) && (stored == NONE || stored == loaded) {
                moves.list.push(Move::default());
                moves.carriers[local] = moves.list.len() as u32;
            }
        }
        moves
    }

    /// The move that a local carries.
    #[inline]
    pub(super) fn carried(&self, local: Local) -> Option<Move> {
        let place = (self.carriers[local] as usize).checked_sub(1)?;
        Some(self.list[place])
    }

    fn set_carried(&mut self, local: Local, moved: Move) {
        if let Some(place) = (self.carriers[local] as usize).checked_sub(1) {
            self.list[place] = moved;
        }
    }

    /// The move that a bulk operator makes, if it is taken apart.
    pub(super) fn bulk(&self, operands: Operands) -> Option<Move> {
        self.bulk.get(&operands.start).copied()
    }
}

/// The width of a load or store that moves all of its local.
fn moved_width(op: Opcode) -> Option<u8> {
    use Opcode::*;
    match op {
        I8Load | I8Store => Some(1),
        I16Load | I16Store => Some(2),
        I32Load | I32Store => Some(4),
        I64Load | I64Store => Some(8),
        _ => None,
    }
}

/// The slots of a move of `width` bytes: where each begins, and how wide it is.
pub(super) fn slots(starts: u64, width: u32) -> impl DoubleEndedIterator<Item = (u32, u32)> {
    let begins = move |at: &u32| starts >> at & 1 != 0;
    (0..width).filter(begins).map(move |at| {
        let next = (at + 1..width).find(begins);
        (at, next.unwrap_or(width) - at)
    })
}

impl Walker<'_, '_> {
    /// Cuts one end of a move where the move is cut, and the move where that end is.
    fn align(&mut self, moved: &mut Move, end: FrameAccess) {
        let FrameAccess {
            region,
            offset,
            width,
        } = end;
        let slots = self.analysis.frames.region_mut(region);
        if slots.promotable(offset, width) {
            slots.cut_at(offset, moved.starts);
            moved.starts |= slots.starts(offset, width);
        }
    }

    fn promotable(&self, end: FrameAccess) -> bool {
        let slots = self.analysis.frames.region(end.region);
        slots.promotable(end.offset, end.width)
    }

    /// What the slots of a promotable access hold, in order.
    fn held(&self, end: FrameAccess) -> Vec<Value> {
        let slots = self.analysis.frames.region(end.region);
        let parts = slots.parts(end.offset, end.offset + end.width as i32);
        parts.map(|(_, slot)| slot.value).collect()
    }

    /// What an access of one slot finds there; `None` if it is one of several.
    fn held_alone(&self, end: FrameAccess) -> Option<Value> {
        let slots = self.analysis.frames.region(end.region);
        let whole = slots.is_whole(end.offset, end.width);
        whole.then(|| slots.value(end.offset))
    }

    /// Pointers among the bytes of an access go where they are not followed.
    pub(super) fn escape_held(&mut self, end: FrameAccess) {
        if !self.promotable(end) {
            return;
        }
        if let Some(value) = self.held_alone(end) {
            return self.analysis.escape(value);
        }
        for value in self.held(end) {
            self.analysis.escape(value);
        }
    }

    /// Bytes that are nowhere known, or those of `from`, come to a promotable place.
    pub(super) fn arrive(&mut self, to: FrameAccess, from: Option<FrameAccess>) {
        let from = from.filter(|&from| self.promotable(from));
        let new = match from {
            Some(from) => self.held_alone(from),
            None => Some(Value::Other),
        };
        if let (Some(old), Some(new)) = (self.held_alone(to), new) {
            let joined = self.analysis.join(old, new);
            let slots = self.analysis.frames.region_mut(to.region);
            return slots.set_value(to.offset, joined);
        }
        let mut values = from.map(|from| self.held(from)).unwrap_or_default();
        let old = self.held(to);
        if values.len() != old.len() {
            // Not aligned yet: what comes this way is seen when it is.
            for value in std::mem::take(&mut values) {
                self.analysis.escape(value);
            }
            values.resize(old.len(), Value::Other);
        }
        let slots = self.analysis.frames.region(to.region);
        let parts = slots.parts(to.offset, to.offset + to.width as i32);
        let places: Vec<i32> = parts.map(|(at, _)| at).collect();
        for ((at, old), new) in places.into_iter().zip(old).zip(values) {
            let joined = self.analysis.join(old, new);
            let slots = self.analysis.frames.region_mut(to.region);
            slots.set_value(at, joined);
        }
    }

    /// A load into a local that carries a move; `from` is where from, if that is a region.
    pub(super) fn pick_up(&mut self, dst: Local, from: Option<FrameAccess>) {
        let Some(mut moved) = self.analysis.moves.carried(dst) else {
            return;
        };
        let before = (moved.starts, moved.from.is_some());
        moved.from = from;
        if let Some(from) = from {
            self.align(&mut moved, from);
        }
        self.settle_carried(dst, moved, before);
    }

    /// A store of a local that carries a move; `to` is where to, if that is a region.
    pub(super) fn put_down(&mut self, value: Local, to: Option<FrameAccess>) {
        let Some(mut moved) = self.analysis.moves.carried(value) else {
            return;
        };
        let before = (moved.starts, moved.from.is_some());
        match to {
            Some(to) if self.promotable(to) => {
                self.align(&mut moved, to);
                if let Some(from) = moved.from {
                    self.align(&mut moved, from);
                }
                self.settle_carried(value, moved, before);
                self.arrive(to, moved.from);
            }
            _ => {
                if let Some(from) = moved.from {
                    self.escape_held(from);
                }
            }
        }
    }

    fn settle_carried(&mut self, local: Local, moved: Move, before: (u64, bool)) {
        self.analysis.moves.changes += u64::from(before != (moved.starts, moved.from.is_some()));
        self.analysis.moves.set_carried(local, moved);
    }

    /// A copy or fill of known length that has a region at one end at least; says whether all was said about it.
    pub(super) fn bulk_move(&mut self, op: Opcode, imm: Option<Imm>, operands: Operands) -> bool {
        let Some(bulk) = Bulk::of(self.analysis, self.body, self.context, op, imm, operands) else {
            return false;
        };
        let (to, what) = bulk.pointers;
        if matches!((to, what), (Value::Unset, _) | (_, Value::Unset)) {
            return true;
        }
        let old = self.analysis.moves.bulk.get(&operands.start).copied();
        let mut moved = old.unwrap_or_default();
        for (end, load) in [(bulk.to, false), (bulk.from, true)] {
            if let Some(end) = end {
                let slots = self.analysis.frames.region_mut(end.region);
                slots.access(end.offset, end.width, load, None);
                self.align(&mut moved, end);
            }
        }
        // What the second end added.
        if let Some(to) = bulk.to {
            self.align(&mut moved, to);
        }
        if moved.starts.count_ones() > MOST_SLOTS {
            return false;
        }
        self.analysis.moves.changes += u64::from(old.is_none_or(|old| old.starts != moved.starts));
        self.analysis.moves.bulk.insert(operands.start, moved);
        match bulk.to {
            Some(to) if self.promotable(to) => self.arrive(to, bulk.from),
            _ => {
                if let Some(from) = bulk.from {
                    self.escape_held(from);
                }
                self.touch_other(to, bulk.to, bulk.length);
            }
        }
        if bulk.fill.is_none() {
            self.touch_other(what, bulk.from, bulk.length);
        }
        true
    }

    /// An end of a copy that is not promotable is touched in memory.
    fn touch_other(&mut self, pointer: Value, end: Option<FrameAccess>, length: u32) {
        if end.is_none_or(|end| !self.promotable(end)) {
            self.analysis.touch(pointer, 0, i64::from(length));
        }
    }
}

/// A bulk copy or fill of known length.
pub(super) struct Bulk {
    /// Where the bytes go, if that is a region.
    pub(super) to: Option<FrameAccess>,
    /// Where they come from, if that is a region.
    pub(super) from: Option<FrameAccess>,
    /// How many.
    pub(super) length: u32,
    /// All of them, if they are the same.
    pub(super) fill: Option<u8>,
    /// The destination, and the source or byte.
    pointers: (Value, Value),
}

impl Bulk {
    /// What an operator does, if it is such a one and not both of its ends are elsewhere.
    pub(super) fn of(
        analysis: &Analysis,
        body: &Body,
        context: &Context<'_>,
        op: Opcode,
        imm: Option<Imm>,
        operands: Operands,
    ) -> Option<Bulk> {
        let here = context.memory;
        let copies = match (op, imm?) {
            (Opcode::MemoryCopy, Imm::MemoryMemory(a, b)) if a == here && b == here => true,
            (Opcode::MemoryFill, Imm::Memory(a)) if a == here => false,
            _ => return None,
        };
        let &[to, what, length] = body.pool.args(operands) else {
            return None;
        };
        let pointers = (analysis.value(to), analysis.value(what));
        let length = match analysis.value(length) {
            Value::Const(length) => u32::try_from(length).ok()?,
            _ => return None,
        };
        if !(1..=LONGEST).contains(&length) {
            return None;
        }
        let end = |pointer| {
            let Value::Ptr(base, offset) = pointer else {
                return None;
            };
            let end = FrameAccess {
                region: Region::of(base)?,
                offset,
                width: length,
            };
            (!analysis.is_outside(body, end)).then_some(end)
        };
        let fill = match pointers.1 {
            _ if copies => None,
            Value::Const(byte) => Some(byte as u8),
            _ => return None,
        };
        let (to, from) = (end(pointers.0), end(pointers.1).filter(|_| copies));
        (to.is_some() || from.is_some()).then_some(Bulk {
            to,
            from,
            length,
            fill,
            pointers,
        })
    }
}

/// The operators that load and store a slot of this type and width.
pub(super) fn access_ops(ty: crate::Type, width: u32) -> Option<(Opcode, Opcode)> {
    use crate::Type::*;
    use Opcode::*;
    Some(match (ty, width) {
        (I8, 1) => (I8Load, I8Store),
        (I16, 2) => (I16Load, I16Store),
        (I32, 1) => (I32Load8U, I32Store8),
        (I32, 2) => (I32Load16U, I32Store16),
        (I32, 4) => (I32Load, I32Store),
        (F32, 4) => (F32Load, F32Store),
        (I64, 8) => (I64Load, I64Store),
        (F64, 8) => (F64Load, F64Store),
        (V128, 16) => (V128Load, V128Store),
        (I128, 16) => (I128Load, I128Store),
        _ => return None,
    })
}
