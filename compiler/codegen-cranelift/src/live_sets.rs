//! The values that are live at one place, built up and taken down while a block is walked through backwards.
//!
//! # Algorithm
//! A list of members and a mark for each value (Briggs and Torczon, "An Efficient Representation for Sparse Sets", 1993).
//! In great functions, few of the many values are live at any one place: sets cost what they hold, where bit sets would
//! cost the number of all values for each block.
//!
//! # Cost
//! Constant for each operation; [`LiveSet::members`] takes time in proportion to the members there ever were since
//! [`LiveSet::restart`].

use crate::lir::Val;
use cranelift_entity::SecondaryMap;

/// A set of values.
pub(crate) struct LiveSet {
    /// Everything that was a member since the last restart, once.
    listed: Vec<Val>,
    /// For each value twice the number of the restart when it was listed last, and one more while it is a member.
    marks: SecondaryMap<Val, u64>,
    now: u64,
}

impl LiveSet {
    /// An empty set of values with numbers below `values`.
    pub(crate) fn new(values: usize) -> LiveSet {
        let mut marks = SecondaryMap::new();
        marks.resize(values);
        LiveSet {
            listed: Vec::new(),
            marks,
            now: 2,
        }
    }

    /// Empties the set.
    pub(crate) fn restart(&mut self) {
        self.listed.clear();
        self.now += 2;
    }

    /// Adds a value.
    pub(crate) fn insert(&mut self, v: Val) {
        if self.marks[v] < self.now {
            self.listed.push(v);
        }
        self.marks[v] = self.now + 1;
    }

    /// Removes a value.
    pub(crate) fn remove(&mut self, v: Val) {
        if self.marks[v] > self.now {
            self.marks[v] = self.now;
        }
    }

    /// The members.
    pub(crate) fn members(&self) -> impl Iterator<Item = Val> {
        let listed = self.listed.iter().copied();
        listed.filter(|&v| self.marks[v] > self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn agrees_with_a_set() {
        let mut state = 1u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut set = LiveSet::new(20);
        let mut model = BTreeSet::new();
        for _ in 0..5000 {
            let v = Val::from_u32(random(20));
            match random(12) {
                0 => {
                    set.restart();
                    model.clear();
                }
                1..6 => {
                    set.remove(v);
                    model.remove(&v);
                }
                _ => {
                    set.insert(v);
                    model.insert(v);
                }
            }
            let members: Vec<Val> = set.members().collect();
            assert_eq!(members.len(), model.len(), "each member once");
            assert!(members.iter().all(|v| model.contains(v)));
        }
    }
}
