//! The slots of a region by their offsets.
//!
//! # Algorithm
//! Slots stand in a list in the order in which they came. Frames are dense, so most are found through an array by their distance
//! from the start of the region; the array grows no longer than [`SPARSE`] places for each slot, and what lies further
//! out (a variable behind a large array, or whatever a hostile body says) is found by hashing.
//!
//! # Invariants
//! A slot keeps its place in the list.
//!
//! # Cost
//! O(1) for each question; memory in proportion to the number of slots.

use super::slots::Slot;
use rustc_hash::FxHashMap;

/// How many bytes of a region the array may cover for each slot.
const SPARSE: usize = 64;

/// A map from the first byte of a slot to the slot.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotMap {
    slots: Vec<(i32, Slot)>,
    /// By distance from the start of the region: the place in the list plus one, or zero.
    near: Vec<u32>,
    /// The places of those that are not in `near`.
    far: FxHashMap<i32, u32>,
}

/// Frames lie below the stack pointer, stack slots above their start: either way a region has one byte at a distance, or two
/// of which one is not its own.
fn distance(offset: i32) -> usize {
    (offset ^ (offset >> 31)) as usize
}

impl SlotMap {
    #[inline]
    fn place(&self, offset: i32) -> Option<usize> {
        if let Some(&place) = self.near.get(distance(offset))
            && place != 0
            && self.slots[place as usize - 1].0 == offset
        {
            return Some(place as usize - 1);
        }
        if self.far.is_empty() {
            return None;
        }
        self.far.get(&offset).map(|&place| place as usize)
    }

    /// The slot that begins at `offset`.
    #[inline]
    pub(super) fn get(&self, offset: i32) -> Option<&Slot> {
        self.place(offset).map(|place| &self.slots[place].1)
    }

    /// The last slot of those that begin in the `reach` bytes before `end`.
    pub(super) fn last_before(&self, end: i32, reach: i32) -> Option<(i32, &Slot)> {
        for start in (end.saturating_sub(reach)..end).rev() {
            // Most bytes are not the first of a slot, as the array alone can tell.
            let near = self.near.get(distance(start));
            if near.is_none_or(|&place| place == 0) && self.far.is_empty() {
                continue;
            }
            if let Some(slot) = self.get(start) {
                return Some((start, slot));
            }
        }
        None
    }

    /// The slot that begins at `offset`, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, offset: i32) -> Option<&mut Slot> {
        let place = self.place(offset)?;
        Some(&mut self.slots[place].1)
    }

    /// Puts a slot at `offset`, in place of the one that began there.
    pub(super) fn insert(&mut self, offset: i32, slot: Slot) {
        if let Some(known) = self.get_mut(offset) {
            *known = slot;
            return;
        }
        self.slots.push((offset, slot));
        let count = self.slots.len();
        let distance = distance(offset);
        if distance >= self.near.len() && distance < SPARSE * count {
            self.near.resize(distance + 1, 0);
        }
        match self.near.get_mut(distance) {
            Some(place) if *place == 0 => *place = count as u32,
            _ => {
                self.far.insert(offset, count as u32 - 1);
            }
        }
    }

    /// All slots, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i32, &Slot)> {
        self.slots.iter().map(|(offset, slot)| (*offset, slot))
    }
}
