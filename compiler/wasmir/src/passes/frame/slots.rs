//! The bytes of a frame, by their distance from the stack pointer at entry (negative).
//!
//! A slot is a range that is always accessed whole. A byte range that others may reach, or that is
//! accessed in more than one way, is *resident*: it stays in memory.
//!
//! # Invariants
//! Slots of one frame never overlap unless resident ranges cover the overlap. Everything only grows:
//! a slot that is not promotable once never becomes so again.

use super::values::Value;
use rustc_hash::FxHashMap;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// The widest access there is.
const WIDEST: i32 = 16;

/// A range that is always accessed whole.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Its size in bytes.
    pub(super) width: u32,
    /// Whether anything loads it.
    pub(super) loaded: bool,
    /// Whether every access is one of a float, so that the local can be one.
    pub(super) float: bool,
    /// What the function stores there.
    pub(super) value: Value,
    /// Whether it is promotable, as far as was known at this number of doubts.
    answer: Cell<(u64, bool)>,
}

/// The slots of a function's frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    slots: FxHashMap<i32, Slot>,
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

    /// Records a load or store of `width` bytes at `offset`.
    pub(super) fn access(&mut self, offset: i32, width: u32, load: bool, float: bool) {
        let slot = match self.slots.get_mut(&offset) {
            // What it overlaps was found when the later of the two was first seen.
            Some(slot) if slot.width == width => slot,
            _ => {
                if let Some((low, high)) = self.clash(offset, width) {
                    self.reside(low, high);
                    return;
                }
                self.changes += 1;
                self.slots.entry(offset).or_insert(Slot {
                    width,
                    loaded: false,
                    float: true,
                    value: Value::Unset,
                    answer: Cell::new((u64::MAX, false)),
                })
            }
        };
        let changed = load && !slot.loaded || slot.float && !float;
        slot.loaded |= load;
        slot.float &= float;
        self.changes += u64::from(changed);
    }

    /// The bytes of an access that is no slot yet and of the slots that it overlaps, if there are any.
    fn clash(&self, offset: i32, width: u32) -> Option<(i32, i32)> {
        let high = offset.saturating_add(width as i32);
        let mut clash = None::<(i32, i32)>;
        for start in offset.saturating_sub(WIDEST)..high {
            let Some(slot) = self.slots.get(&start) else {
                continue;
            };
            let end = start + slot.width as i32;
            if end > offset {
                let (l, h) = clash.unwrap_or((offset, high));
                clash = Some((l.min(start), h.max(end)));
            }
        }
        clash
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
        let slot = self.slots.get(&offset);
        slot.is_some_and(|slot| slot.width == width && self.is_free(offset, slot))
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
            .get(&offset)
            .map_or(Value::Other, |slot| slot.value)
    }

    /// Sets what the slot at `offset` holds.
    pub(super) fn set_value(&mut self, offset: i32, value: Value) {
        if let Some(slot) = self.slots.get_mut(&offset)
            && slot.value != value
        {
            slot.value = value;
            self.changes += 1;
        }
    }

    /// The slots that can become locals, in order.
    pub(super) fn promoted(&self) -> Vec<(i32, &Slot)> {
        let free = |&(offset, slot): &(&i32, &Slot)| self.is_free(*offset, slot);
        let slots = self.slots.iter().filter(free);
        let mut all: Vec<(i32, &Slot)> = slots.map(|(&offset, slot)| (offset, slot)).collect();
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
                .all(|(&offset, slot)| self.is_free(offset, slot))
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
            slots.access(offset, 4, true, false);
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
    fn accesses_of_two_shapes_clash() {
        let mut slots = Slots::default();
        slots.border(0);
        slots.access(-8, 4, true, false);
        slots.access(-4, 4, true, false);
        slots.access(-16, 8, true, true);
        assert_eq!(slots.promoted().len(), 3);
        slots.access(-8, 8, false, false);
        assert_eq!(
            slots.promoted().iter().map(|s| s.0).collect::<Vec<_>>(),
            [-16]
        );
    }

    #[test]
    fn frames_of_one_place_are_divided_only_where_all_of_them_are() {
        let mut slots = Slots::default();
        // A function of 32 bytes, and then one of 16 bytes that calls another, all below -160.
        for (border, frame) in [(0, -160), (-160, -192), (-160, -176), (-176, -192)] {
            slots.border(border);
            slots.frame(frame, border);
        }
        slots.access(-164, 4, true, false);
        slots.access(-8, 4, true, false);
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
        slots.access(-4, 4, true, false);
        slots.access(-20, 4, true, false);
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
