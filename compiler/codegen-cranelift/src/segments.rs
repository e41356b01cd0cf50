//! Live ranges of a local: disjoint segments in ascending order, few or many.
//!
//! Classes of values grow by the segments of the values they take in, at any place. Most have a handful, where a vector is
//! best; a variable of a function of 100,000 instructions has as many, where inserting into a vector would be quadratic.
//!
//! # Invariants
//! Segments are half open and never empty; segments that touch are one.
//!
//! # Cost
//! Queries and insertions take logarithmic time, but for moving at most [`FEW`] segments.

use smallvec::SmallVec;
use std::collections::BTreeMap;

/// A live range: from a definition to the last use, half open.
pub(crate) type Segment = (u32, u32);

/// Segments in order; most values have one or two, which need no memory of their own.
pub(crate) type List = SmallVec<[Segment; 2]>;

/// More segments than this are kept in a tree.
const FEW: usize = 256;

/// A set of positions.
#[derive(Clone, Debug)]
pub(crate) enum Segments {
    Few(List),
    Many(BTreeMap<u32, u32>),
}

impl Default for Segments {
    fn default() -> Segments {
        Segments::Few(List::new())
    }
}

impl Segments {
    /// From segments that are disjoint and ascending.
    pub(crate) fn new(list: List) -> Segments {
        if list.len() > FEW {
            Segments::Many(list.into_iter().collect())
        } else {
            Segments::Few(list)
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Segments::Few(list) => list.len(),
            Segments::Many(tree) => tree.len(),
        }
    }

    /// The first position and the one after the last.
    pub(crate) fn hull(&self) -> Option<Segment> {
        match self {
            Segments::Few(list) => Some((list.first()?.0, list.last()?.1)),
            Segments::Many(tree) => Some((*tree.first_key_value()?.0, *tree.last_key_value()?.1)),
        }
    }

    /// Whether a position of the segment is in the set.
    pub(crate) fn overlaps(&self, (start, end): Segment) -> bool {
        // Among those that begin before the segment's end, the last one ends last.
        let before = match self {
            Segments::Few(list) => {
                let i = list.partition_point(|&(s, _)| s < end);
                i.checked_sub(1).map(|i| list[i].1)
            }
            Segments::Many(tree) => tree.range(..end).next_back().map(|(_, &e)| e),
        };
        before.is_some_and(|e| e > start)
    }

    /// Adds a segment that does not overlap the set.
    pub(crate) fn insert(&mut self, (start, end): Segment) {
        match self {
            Segments::Few(list) => {
                let i = list.partition_point(|&(s, _)| s < start);
                let left = i > 0 && list[i - 1].1 == start;
                let right = i < list.len() && list[i].0 == end;
                match (left, right) {
                    (true, true) => {
                        list[i - 1].1 = list[i].1;
                        list.remove(i);
                    }
                    (true, false) => list[i - 1].1 = end,
                    (false, true) => list[i].0 = start,
                    (false, false) => list.insert(i, (start, end)),
                }
                if list.len() > FEW {
                    *self = Segments::Many(std::mem::take(list).into_iter().collect());
                }
            }
            Segments::Many(tree) => {
                let end = tree.remove(&end).unwrap_or(end);
                match tree.range_mut(..start).next_back() {
                    Some((_, e)) if *e == start => *e = end,
                    _ => {
                        tree.insert(start, end);
                    }
                }
            }
        }
    }

    /// Calls `f` with each segment in order, until it is false; whether it was true for all.
    pub(crate) fn all(&self, mut f: impl FnMut(Segment) -> bool) -> bool {
        match self {
            Segments::Few(list) => list.iter().all(|&s| f(s)),
            Segments::Many(tree) => tree.iter().all(|(&s, &e)| f((s, e))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set of positions as bits is the oracle; both forms go through the same steps.
    #[test]
    fn both_forms_agree_with_a_bit_set() {
        let mut few = Segments::default();
        let mut many = Segments::Many(BTreeMap::new());
        let mut bits = [false; 2000];
        let mut seed = 7u32;
        let mut inserted = 0;
        for _ in 0..3000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let start = seed >> 8 & 0x7ff;
            let end = start + 1 + (seed >> 20 & 7);
            if end as usize > bits.len() {
                continue;
            }
            let taken = bits[start as usize..end as usize].contains(&true);
            assert_eq!(few.overlaps((start, end)), taken);
            assert_eq!(many.overlaps((start, end)), taken);
            if !taken {
                few.insert((start, end));
                many.insert((start, end));
                bits[start as usize..end as usize].fill(true);
                inserted += 1;
            }
        }
        assert!(inserted > 100);
        let mut lists = [List::new(), List::new()];
        for (segments, list) in [&few, &many].into_iter().zip(&mut lists) {
            assert!(segments.all(|s| {
                list.push(s);
                true
            }));
            assert_eq!(segments.len(), list.len());
        }
        assert_eq!(lists[0], lists[1]);
        for pair in lists[0].windows(2) {
            assert!(pair[0].1 < pair[1].0, "touching segments are one");
        }
        let covered: u32 = lists[0].iter().map(|(s, e)| e - s).sum();
        assert_eq!(covered as usize, bits.iter().filter(|b| **b).count());
    }
}
