//! Slots of a table, with generations.
//!
//! # Invariants
//!
//! A slot is in use or on the free list, never both; a pair of slot and generation is handed out at most once. A slot whose generations are
//! used up is never handed out again. The table has at least as many slots as there are entries.
//!
//! # Cost
//!
//! Eight bytes a slot; taking and freeing are constant, growing doubles.

use alloc::vec::Vec;

/// The end of the free list.
const NONE: u32 = u32::MAX;

struct Entry {
    /// Counts the times the slot was freed.
    generation: u32,
    /// The next free slot, if this one is free.
    next: u32,
}

/// Which slots are in use.
pub(crate) struct Slots {
    entries: Vec<Entry>,
    /// The first free slot.
    free: u32,
    /// Slots that the table has.
    capacity: u32,
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: NONE,
            capacity: 0,
        }
    }

    /// A free slot and its generation; `grow` adds slots to the table and says whether it could.
    pub(crate) fn take(&mut self, grow: impl FnOnce(u32) -> bool) -> Option<(u32, u32)> {
        if let Some(entry) = self.entries.get(self.free as usize) {
            let slot = self.free;
            self.free = entry.next;
            return Some((slot, entry.generation));
        }
        let slot = u32::try_from(self.entries.len()).ok()?;
        if slot == self.capacity {
            let more = self.capacity.clamp(8, 1 << 20);
            let capacity = self.capacity.checked_add(more)?;
            if !grow(more) {
                return None;
            }
            self.capacity = capacity;
        }
        self.entries.push(Entry {
            generation: 0,
            next: NONE,
        });
        Some((slot, 0))
    }

    /// Frees a slot, and with it ends its generation.
    pub(crate) fn free(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return;
        };
        // The last generation stays current to nobody: no slot is handed out with it.
        entry.generation = entry.generation.saturating_add(1);
        if entry.generation < u32::MAX {
            entry.next = self.free;
            self.free = slot;
        }
    }

    /// Whether the slot is still of this generation.
    pub(crate) fn is_current(&self, slot: u32, generation: u32) -> bool {
        self.entries
            .get(slot as usize)
            .is_some_and(|entry| entry.generation == generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn against_a_model() {
        // A fixed sequence of takes and frees (xorshift), compared with a list of what is alive.
        let (mut state, mut slots) = (0x2545_f491_4f6c_dd1du64, Slots::new());
        let (mut alive, mut dead) = (Vec::<(u32, u32)>::new(), Vec::new());
        let mut table = 0;
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if alive.is_empty() || state % 5 < 3 && alive.len() < 300 {
                let id = slots.take(|more| {
                    table += more;
                    true
                });
                let id = id.expect("the table grows");
                assert!(id.0 < table);
                assert!(!dead.contains(&id), "handed out twice");
                assert!(alive.iter().all(|other| other.0 != id.0), "in use");
                alive.push(id);
            } else {
                let id = alive.swap_remove((state >> 8) as usize % alive.len());
                slots.free(id.0);
                dead.push(id);
                if dead.len() > 500 {
                    dead.drain(..250);
                }
            }
            assert!(alive.iter().all(|id| slots.is_current(id.0, id.1)));
            assert!(dead.iter().all(|id| !slots.is_current(id.0, id.1)));
        }
        assert!(table < 1024, "freed slots are used again");
    }

    /// What one step of a sequence does.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// Takes a slot, from a table that can grow or not.
        Take { grows: bool },
        /// Frees one of those in use, by its place among them.
        Free(usize),
    }

    /// Runs a sequence from the start, with generations that are used up after `lives`, against a set of what is in use and a set of all
    /// that ever was.
    fn replay(steps: &[Step], lives: u32) -> usize {
        let (mut slots, mut table) = (Slots::new(), 0);
        let (mut alive, mut ever) = (Vec::<(u32, u32)>::new(), Vec::<(u32, u32)>::new());
        for step in steps {
            match *step {
                Step::Take { grows } => {
                    let known = slots.entries.len();
                    let id = slots.take(|more| {
                        table += if grows { more } else { 0 };
                        grows
                    });
                    let Some(id) = id else {
                        assert!(!grows, "{steps:?}: a table that grows has room");
                        continue;
                    };
                    // The first time that a slot is seen, its life is made shorter than four thousand million.
                    if id.0 as usize == known {
                        slots.entries[known].generation = u32::MAX - lives;
                    }
                    let id = (id.0, slots.entries[id.0 as usize].generation);
                    assert!(id.0 < table, "{steps:?}: beyond the table");
                    assert!(!ever.contains(&id), "{steps:?}: {id:?} is handed out twice");
                    assert!(
                        alive.iter().all(|other| other.0 != id.0),
                        "{steps:?}: {id:?} is in use"
                    );
                    alive.push(id);
                    ever.push(id);
                }
                Step::Free(place) => slots.free(alive.remove(place).0),
            }
            for id in &ever {
                assert_eq!(
                    slots.is_current(id.0, id.1),
                    alive.contains(id),
                    "{steps:?}: {id:?}"
                );
            }
        }
        alive.len()
    }

    #[test]
    fn all_short_sequences() {
        fn extend(steps: &mut Vec<Step>, lives: u32, left: usize) -> usize {
            let alive = replay(steps, lives);
            if left == 0 {
                return 1;
            }
            let takes = [true, false].map(|grows| Step::Take { grows });
            let frees = (0..alive).map(Step::Free);
            let mut sequences = 0;
            for step in takes.into_iter().chain(frees) {
                steps.push(step);
                sequences += extend(steps, lives, left - 1);
                steps.pop();
            }
            sequences
        }
        for lives in 1..=3 {
            let sequences = extend(&mut Vec::new(), lives, 8);
            assert!(sequences > 20_000, "{sequences} sequences");
        }
    }

    #[test]
    fn a_slot_with_used_up_generations_retires() {
        let mut slots = Slots::new();
        let (slot, _) = slots.take(|_| true).expect("the table grows");
        slots.entries[slot as usize].generation = u32::MAX - 2;
        slots.free(slot);
        assert_eq!(slots.take(|_| true), Some((slot, u32::MAX - 1)));
        slots.free(slot);
        assert_eq!(slots.take(|_| true), Some((slot + 1, 0)), "not the old one");
        slots.free(slot);
        assert!(!slots.is_current(slot, u32::MAX - 1));
    }

    #[test]
    fn a_table_that_cannot_grow() {
        let mut slots = Slots::new();
        assert_eq!(slots.take(|_| false), None);
        assert_eq!(slots.take(|more| more == 8), Some((0, 0)));
        for expected in 1..8 {
            assert_eq!(slots.take(|_| false), Some((expected, 0)));
        }
        assert_eq!(slots.take(|_| false), None);
    }
}
