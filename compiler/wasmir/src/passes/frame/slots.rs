//! The bytes of a frame, by their distance from the stack pointer at entry (negative).
//!
//! A slot is a range no part of which is accessed alone: accesses are slots or unions of slots. Where two accesses overlap in
//! part, slots are cut until that holds (the partitions of LLVM's SROA, found as accesses come). Cuts halve: a slot's width is a
//! power of two. A byte range that others may reach is *resident*: it stays in memory.
//!
//! # Invariants
//! Slots of one frame never overlap. What several slots make up becomes locals as a whole or not at all. Everything only grows:
//! a slot that is not promotable once never becomes so again, and what was cut stays cut.

use super::slot_map::SlotMap;
use super::values::Value;
use crate::types::Type;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// The widest access there is.
const WIDEST: i32 = 16;

/// The widest slot that may be a part of an access.
const WIDEST_PART: i32 = 8;

/// A range no part of which is accessed alone.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Its size in bytes.
    pub(super) width: u32,
    /// Whether anything loads it.
    pub(super) loaded: bool,
    /// The type of the local: that of all accesses that have one, or else the integer that wide.
    ty: Option<Type>,
    /// What the function stores there.
    pub(super) value: Value,
    /// Whether it is promotable, as far as was known at this number of doubts.
    answer: Cell<(u64, bool)>,
}

/// The slots of a function's frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    slots: SlotMap,
    /// Disjoint resident ranges, by start.
    resident: BTreeMap<i32, i32>,
    /// Addresses that escaped.
    escaped: BTreeSet<i32>,
    /// What the stack pointer was when a function, or one inlined into it, was entered: the upper
    /// ends of frames. None lies inside of a span.
    borders: BTreeSet<i32>,
    /// Frames by their lower ends; those that overlap are one span. Functions inlined one after the
    /// other use the same bytes, and what divides the frames of one lies inside an object of another.
    spans: BTreeMap<i32, i32>,
    /// Grows with each change.
    changes: u64,
    /// Grows with each change that may keep a slot in memory.
    doubts: u64,
}

/// The integer of a width that is no wider than a machine word.
fn integer(width: u32) -> Option<Type> {
    match width {
        1 | 2 | 4 => Some(Type::I32),
        8 => Some(Type::I64),
        _ => None,
    }
}

impl Slot {
    /// The type of the local that a slot becomes. A narrow slot in a wider local is its low bytes; the rest is anything.
    pub(super) fn ty(&self) -> Type {
        self.ty.or(integer(self.width)).unwrap_or(Type::V128)
    }
}

impl Slots {
    /// How often anything changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Records that a frame ends at `offset`.
    pub(super) fn border(&mut self, offset: i32) {
        let before = self.spans.range(..offset).next_back();
        if before.is_none_or(|(_, &high)| high <= offset) {
            let new = u64::from(self.borders.insert(offset));
            self.changes += new;
            self.doubts += new;
        }
    }

    /// Records that the bytes `low..high` are one function's: an address in them may reach all of them.
    pub(super) fn frame(&mut self, mut low: i32, mut high: i32) {
        let known = self.spans.range(..=low).next_back();
        if low >= high || known.is_some_and(|(_, &end)| end >= high) {
            return;
        }
        // Those that share a byte; those that only meet stay apart.
        let overlapping: Vec<i32> = self
            .spans
            .range(..high)
            .rev()
            .take_while(|span| *span.1 > low)
            .map(|span| *span.0)
            .collect();
        for start in overlapping {
            let end = self.spans.remove(&start).expect("just found");
            (low, high) = (low.min(start), high.max(end));
        }
        self.spans.insert(low, high);
        self.borders
            .retain(|&border| border <= low || border >= high);
        self.changes += 1;
        self.doubts += 1;
    }

    /// Records that the address at `offset` escapes.
    pub(super) fn escape(&mut self, offset: i32) {
        let new = u64::from(self.escaped.insert(offset));
        self.changes += new;
        self.doubts += new;
    }

    /// Records that the bytes `low..high` stay in memory.
    pub(super) fn reside(&mut self, mut low: i32, mut high: i32) {
        if low >= high || self.covered(low, high) {
            return;
        }
        let touching: Vec<i32> = self
            .resident
            .range(..=high)
            .rev()
            .take_while(|r| *r.1 >= low)
            .map(|r| *r.0)
            .collect();
        for start in touching {
            let end = self.resident.remove(&start).expect("just found");
            (low, high) = (low.min(start), high.max(end));
        }
        self.resident.insert(low, high);
        self.changes += 1;
        self.doubts += 1;
    }

    fn covered(&self, low: i32, high: i32) -> bool {
        self.resident
            .range(..=low)
            .next_back()
            .is_some_and(|(_, &end)| end >= high)
    }

    fn touches_resident(&self, low: i32, high: i32) -> bool {
        self.resident
            .range(..high)
            .next_back()
            .is_some_and(|(_, &end)| end > low)
    }

    /// Records a load or store of `width` bytes at `offset`, as a value of type `ty`. One that only moves bytes has no type.
    pub(super) fn access(&mut self, offset: i32, width: u32, load: bool, ty: Option<Type>) {
        let known = self.slots.get(offset);
        let mut whole = known.is_some_and(|slot| slot.width == width);
        if let Some(slot) = known.filter(|_| whole)
            && slot.loaded >= load
            && (ty.is_none() || slot.ty == ty)
        {
            return;
        }
        let end = offset.saturating_add(width as i32);
        if !whole {
            if self.covered(offset, end) {
                return;
            }
            self.make_slots(offset, end);
            whole = self.is_whole(offset, width);
        }
        let (mut at, mut changed) = (offset, false);
        // A vector is not put together; bytes that are only moved need not be.
        let mut clash = !whole && ty.is_some() && width as i32 > WIDEST_PART;
        while at < end
            && let Some(slot) = self.slots.get_mut(at)
        {
            changed |= load && !slot.loaded;
            slot.loaded |= load;
            if whole && let Some(ty) = ty {
                let joined = match slot.ty {
                    Some(known) if known != ty => integer(slot.width).unwrap_or(known),
                    _ => ty,
                };
                // Sixteen bytes are a vector or an integer.
                clash |= joined != ty && integer(slot.width).is_none();
                changed |= slot.ty != Some(joined);
                slot.ty = Some(joined);
            }
            clash |= !whole && slot.width as i32 > WIDEST_PART;
            at += slot.width as i32;
        }
        self.changes += u64::from(changed);
        if !whole {
            let mut free = self
                .parts(offset, end)
                .map(|(at, slot)| self.is_free(at, slot));
            let first = free.next();
            clash |= free.any(|other| Some(other) != first);
        }
        if clash {
            self.reside(offset, end);
        }
    }

    /// Cuts slots, and makes new ones, until `low..end` is a union of them.
    fn make_slots(&mut self, low: i32, end: i32) {
        self.cut(low);
        self.cut(end);
        let mut at = low;
        while at < end {
            if let Some(slot) = self.slots.get(at) {
                at += slot.width as i32;
                continue;
            }
            let gap = (at + 1..end).find(|&next| self.slots.get(next).is_some());
            let gap = gap.unwrap_or(end) - at;
            let alone = at == low && gap == end - low;
            let mut width = 1 << at.trailing_zeros().min(3);
            while width > gap {
                width /= 2;
            }
            if alone && gap <= WIDEST && gap & (gap - 1) == 0 {
                width = gap;
            }
            self.insert(at, width as u32, false, Value::Unset);
            at += width;
        }
    }

    fn insert(&mut self, offset: i32, width: u32, loaded: bool, value: Value) {
        let slot = Slot {
            width,
            loaded,
            ty: None,
            value,
            answer: Cell::new((u64::MAX, false)),
        };
        self.slots.insert(offset, slot);
        self.changes += 1;
    }

    /// Halves what lies on both sides of `at` until nothing does.
    fn cut(&mut self, at: i32) {
        // Slots do not overlap: only the last that begins before can reach so far.
        let nearest = self.slots.last_before(at, WIDEST - 1);
        let Some((start, _)) = nearest.filter(|(start, slot)| start + slot.width as i32 > at)
        else {
            return;
        };
        let mut slots = vec![start];
        while let Some(start) = slots.pop() {
            let Some(old) = self.slots.get(start) else {
                continue;
            };
            let (half, loaded) = (old.width / 2, old.loaded);
            if start >= at || start + 2 * half as i32 <= at {
                continue;
            }
            // What was stored there escapes when the store is seen again.
            let value = match old.value {
                Value::Unset => Value::Unset,
                _ => Value::Other,
            };
            let middle = start + half as i32;
            self.insert(start, half, loaded, value);
            self.insert(middle, half, loaded, value);
            slots.extend([start, middle]);
        }
    }

    /// The slots that make up `low..end`; as far as there are any.
    pub(super) fn parts(&self, low: i32, end: i32) -> impl Iterator<Item = (i32, &Slot)> {
        let mut at = low;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let slot = self.slots.get(at)?;
            at += slot.width as i32;
            Some((at - slot.width as i32, slot))
        })
    }

    /// Where the slots of an access begin: a bit for each distance from `offset`.
    pub(super) fn starts(&self, offset: i32, width: u32) -> u64 {
        let parts = self.parts(offset, offset + width as i32);
        parts.fold(0, |starts, (at, _)| starts | 1 << (at - offset))
    }

    /// Makes slots begin at those places, and perhaps at others.
    pub(super) fn cut_at(&mut self, offset: i32, starts: u64) {
        for distance in (1..64).filter(|distance| starts >> distance & 1 != 0) {
            self.cut(offset + distance);
        }
    }

    /// Whether an access is one slot.
    pub(super) fn is_whole(&self, offset: i32, width: u32) -> bool {
        self.slots
            .get(offset)
            .is_some_and(|slot| slot.width == width)
    }

    /// Whether a byte range lies in a frame of which an address escaped.
    fn in_escaped_frame(&self, offset: i32) -> bool {
        if self.escaped.is_empty() {
            return false;
        }
        // Frames are divided by the borders; an address on a border belongs to both sides.
        let low = self
            .borders
            .range(..=offset)
            .next_back()
            .copied()
            .unwrap_or(i32::MIN);
        let high = self
            .borders
            .range(offset + 1..)
            .next()
            .copied()
            .unwrap_or(i32::MAX);
        self.escaped.range(low..=high).next().is_some()
    }

    /// Whether accesses of `width` bytes at `offset` can become accesses of a local.
    pub(super) fn promotable(&self, offset: i32, width: u32) -> bool {
        let end = offset.saturating_add(width as i32);
        let mut at = offset;
        for (start, slot) in self.parts(offset, end) {
            if !self.is_free(start, slot) {
                return false;
            }
            at = start + slot.width as i32;
        }
        at == end
    }

    /// Whether nothing keeps a slot in memory.
    fn is_free(&self, offset: i32, slot: &Slot) -> bool {
        let (known, answer) = slot.answer.get();
        if known == self.doubts {
            return answer;
        }
        let answer = !self.touches_resident(offset, offset + slot.width as i32)
            && !self.in_escaped_frame(offset);
        slot.answer.set((self.doubts, answer));
        answer
    }

    /// What the slot at `offset` holds.
    pub(super) fn value(&self, offset: i32) -> Value {
        self.slots
            .get(offset)
            .map_or(Value::Other, |slot| slot.value)
    }

    /// Sets what the slot at `offset` holds.
    pub(super) fn set_value(&mut self, offset: i32, value: Value) {
        if let Some(slot) = self.slots.get_mut(offset)
            && slot.value != value
        {
            slot.value = value;
            self.changes += 1;
        }
    }

    /// The slots that can become locals, in order.
    pub(super) fn promoted(&self) -> Vec<(i32, &Slot)> {
        let free = |&(offset, slot): &(i32, &Slot)| self.is_free(offset, slot);
        let mut all: Vec<(i32, &Slot)> = self.slots.iter().filter(free).collect();
        all.sort_unstable_by_key(|(offset, _)| *offset);
        all
    }

    /// Whether, once the promotable slots are gone, no byte of any frame is used.
    pub(super) fn nothing_remains(&self) -> bool {
        self.escaped.is_empty()
            && self.resident.is_empty()
            && self
                .slots
                .iter()
                .all(|(offset, slot)| self.is_free(offset, slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_keep_slots_in_memory() {
        let mut slots = Slots::default();
        slots.border(0);
        for offset in [-16, -12, -8, -4] {
            slots.access(offset, 4, true, Some(Type::I32));
        }
        assert_eq!(slots.promoted().len(), 4);
        slots.reside(-14, -11);
        assert_eq!(
            slots.promoted().iter().map(|s| s.0).collect::<Vec<_>>(),
            [-8, -4]
        );
        slots.reside(-11, -6);
        assert_eq!(
            slots.promoted().iter().map(|s| s.0).collect::<Vec<_>>(),
            [-4]
        );
        let before = slots.changes();
        slots.reside(-13, -7);
        assert_eq!(slots.changes(), before, "nothing new");
        assert!(!slots.nothing_remains());
    }

    #[test]
    fn an_access_may_be_a_union_of_slots() {
        let mut slots = Slots::default();
        slots.border(0);
        slots.access(-8, 4, true, Some(Type::I32));
        slots.access(-4, 4, true, Some(Type::I32));
        slots.access(-16, 8, true, Some(Type::F64));
        assert_eq!(slots.promoted().len(), 3);
        slots.access(-8, 8, false, Some(Type::I64));
        assert_eq!(
            slots.promoted().iter().map(|s| s.0).collect::<Vec<_>>(),
            [-16, -8, -4]
        );
        slots.access(-15, 1, false, Some(Type::I8));
        let widths = |slots: &Slots| {
            let promoted = slots.promoted();
            promoted
                .iter()
                .map(|(at, slot)| (*at, slot.width, slot.ty()))
                .collect::<Vec<_>>()
        };
        let mut cut = vec![
            (-16, 1, Type::I32),
            (-15, 1, Type::I8),
            (-14, 2, Type::I32),
            (-12, 4, Type::I32),
        ];
        cut.extend([(-8, 4, Type::I32), (-4, 4, Type::I32)]);
        assert_eq!(widths(&slots), cut);
        assert_eq!(slots.starts(-16, 16), 0b1_0001_0001_0111);
        assert!(slots.promotable(-16, 8) && !slots.promotable(-20, 8));
    }

    #[test]
    fn a_union_stays_in_memory_as_a_whole() {
        let mut slots = Slots::default();
        slots.border(0);
        slots.access(-8, 4, true, Some(Type::I32));
        slots.access(-4, 4, true, Some(Type::I32));
        slots.reside(-2, -1);
        assert_eq!(slots.promoted().len(), 1);
        slots.access(-8, 8, false, Some(Type::I64));
        assert_eq!(slots.promoted().len(), 0);
        slots.access(-32, 16, true, Some(Type::V128));
        assert_eq!(slots.promoted().len(), 1);
        slots.access(-32, 16, true, Some(Type::I128));
        assert_eq!(slots.promoted().len(), 0, "a vector is no integer");
        slots.access(-64, 8, true, Some(Type::I64));
        slots.access(-56, 8, true, Some(Type::I64));
        assert_eq!(slots.promoted().len(), 2);
        slots.access(-64, 16, false, None);
        assert_eq!(slots.promoted().len(), 2, "bytes are moved in parts");
        slots.access(-64, 16, true, Some(Type::V128));
        assert_eq!(slots.promoted().len(), 0, "no vector is put together");
    }

    #[test]
    fn frames_of_one_place_are_divided_only_where_all_of_them_are() {
        let mut slots = Slots::default();
        // A function of 32 bytes, and then one of 16 bytes that calls another, all below -160.
        for (border, frame) in [(0, -160), (-160, -192), (-160, -176), (-176, -192)] {
            slots.border(border);
            slots.frame(frame, border);
        }
        slots.access(-164, 4, true, Some(Type::I32));
        slots.access(-8, 4, true, Some(Type::I32));
        slots.escape(-180);
        assert_eq!(
            slots.promoted().iter().map(|s| s.0).collect::<Vec<_>>(),
            [-8]
        );
        let before = slots.changes();
        slots.border(-176);
        slots.frame(-176, -160);
        assert_eq!(slots.changes(), before, "nothing new");
    }

    #[test]
    fn an_escape_costs_one_frame_and_on_a_border_two() {
        let mut slots = Slots::default();
        slots.border(0);
        slots.border(-16);
        slots.access(-4, 4, true, Some(Type::I32));
        slots.access(-20, 4, true, Some(Type::I32));
        assert_eq!(slots.promoted().len(), 2);
        let mut lower = slots.clone();
        lower.escape(-24);
        assert_eq!(
            lower.promoted().iter().map(|s| s.0).collect::<Vec<_>>(),
            [-4]
        );
        let mut upper = slots.clone();
        upper.escape(-8);
        assert_eq!(
            upper.promoted().iter().map(|s| s.0).collect::<Vec<_>>(),
            [-20]
        );
        slots.escape(-16);
        assert_eq!(slots.promoted().len(), 0);
    }
}
