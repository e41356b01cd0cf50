//! Loops as a forest of intervals of positions, and how far a live range that meets them reaches.
//!
//! # Algorithm
//! The intervals are nested or disjoint. Two sorted lists of changes say which loop is innermost at a position; a loop's ancestors are
//! searched by skew-binary jump pointers (Myers, "An Applicative Random-Access Stack", 1983).
//!
//! # Invariants
//! No two intervals overlap without one holding the other; all starts differ.
//!
//! # Cost
//! O(loops) to build from sorted intervals; logarithmic per query.

use crate::segments::Segment;

const NONE: u32 = u32::MAX;

/// Loops, by place in the list they were made from.
pub(crate) struct LoopForest {
    loops: Vec<Loop>,
    /// Where the innermost loop changes, with the start of a loop counted to it.
    within: Vec<(u32, u32)>,
    /// The same with the start left out.
    inside: Vec<(u32, u32)>,
}

struct Loop {
    start: u32,
    end: u32,
    parent: u32,
    /// An ancestor some way up, or itself for roots.
    jump: u32,
    root: u32,
    depth: u32,
}

impl LoopForest {
    /// From half-open intervals in ascending order of their starts.
    pub(crate) fn new(intervals: &[Segment]) -> LoopForest {
        let mut loops: Vec<Loop> = Vec::with_capacity(intervals.len());
        let mut open: Vec<u32> = Vec::new();
        for &(start, end) in intervals {
            while let Some(&last) = open.last()
                && loops[last as usize].end <= start
            {
                open.pop();
            }
            let me = loops.len() as u32;
            let new = match open.last() {
                None => Loop {
                    start,
                    end,
                    parent: NONE,
                    jump: me,
                    root: me,
                    depth: 0,
                },
                Some(&parent) => {
                    let above = &loops[parent as usize];
                    let far = &loops[above.jump as usize];
                    // Two jumps of the same length make one.
                    let even =
                        above.depth - far.depth == far.depth - loops[far.jump as usize].depth;
                    Loop {
                        start,
                        end,
                        parent,
                        jump: if even { far.jump } else { parent },
                        root: above.root,
                        depth: above.depth + 1,
                    }
                }
            };
            loops.push(new);
            open.push(me);
        }
        let within = changes(&loops, 0);
        let inside = changes(&loops, 1);
        LoopForest {
            loops,
            within,
            inside,
        }
    }

    /// The range in which a value is live that is touched from `from` to `to`: through each loop that it enters from outside, to the
    /// loop's end; and from the start of each loop that it leaves. With `through`, also to the end of all loops that `from` is in.
    pub(crate) fn widen(&self, (mut from, mut to): Segment, through: bool) -> Segment {
        if let Some(outermost) = self.outermost(innermost(&self.inside, to), |l| l.start > from) {
            to = outermost.end;
        }
        if let Some(outermost) = self.outermost(innermost(&self.inside, from), |l| l.end < to) {
            from = outermost.start;
        }
        if through && let Some(innermost) = innermost(&self.within, from) {
            let root = self.loops[innermost as usize].root;
            to = to.max(self.loops[root as usize].end);
        }
        (from, to)
    }

    /// The outermost of a loop and its ancestors for which `holds`, which holds for none around one for which it does not.
    fn outermost(&self, innermost: Option<u32>, holds: impl Fn(&Loop) -> bool) -> Option<&Loop> {
        let mut at = &self.loops[innermost? as usize];
        if !holds(at) {
            return None;
        }
        while at.parent != NONE {
            let (far, near) = (
                &self.loops[at.jump as usize],
                &self.loops[at.parent as usize],
            );
            if holds(far) {
                at = far;
            } else if holds(near) {
                at = near;
            } else {
                break;
            }
        }
        Some(at)
    }
}

/// Positions at which the innermost loop changes, and the loop from there on; starts count `late` positions later.
fn changes(loops: &[Loop], late: u32) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(2 * loops.len());
    let mut open: Vec<u32> = Vec::new();
    let close = |open: &mut Vec<u32>, out: &mut Vec<(u32, u32)>, before: u32| {
        while let Some(&last) = open.last()
            && loops[last as usize].end <= before
        {
            open.pop();
            out.push((
                loops[last as usize].end,
                open.last().copied().unwrap_or(NONE),
            ));
        }
    };
    for (i, l) in loops.iter().enumerate() {
        close(&mut open, &mut out, l.start + late);
        out.push((l.start + late, i as u32));
        open.push(i as u32);
    }
    close(&mut open, &mut out, u32::MAX);
    out
}

fn innermost(changes: &[(u32, u32)], position: u32) -> Option<u32> {
    let after = changes.partition_point(|&(at, _)| at <= position);
    let &(_, innermost) = changes.get(after.checked_sub(1)?)?;
    (innermost != NONE).then_some(innermost)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each loop looked at in turn, as often as something changes.
    fn slow(loops: &[Segment], (mut from, mut to): Segment, through: bool) -> Segment {
        loop {
            let before = (from, to);
            for &(ls, le) in loops {
                if from < ls && to > ls && to < le {
                    to = le;
                } else if from > ls && from < le && to > le {
                    from = ls;
                }
            }
            if before == (from, to) {
                break;
            }
        }
        for &(ls, le) in loops {
            if through && from >= ls && from < le {
                to = to.max(le);
            }
        }
        (from, to)
    }

    /// Loops within `from..to`, the outer ones first.
    fn grow(
        from: u32,
        to: u32,
        depth: u32,
        next: &mut impl FnMut(u32) -> u32,
        out: &mut Vec<Segment>,
    ) {
        let mut at = from + next(3);
        while depth < 12 && at + 3 < to {
            let end = at + 2 + next(to - at - 2);
            out.push((at, end));
            grow(at + 1, end, depth + 1, next, out);
            at = end + next(4);
        }
    }

    #[test]
    fn ranges_are_widened_as_by_looking_at_each_loop() {
        let mut seed = 3u32;
        let mut next = |limit: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % limit
        };
        let (mut widened, mut loops_seen) = (0, 0);
        for _ in 0..60 {
            let mut loops = Vec::new();
            grow(0, 120, 0, &mut next, &mut loops);
            loops_seen += loops.len();
            let forest = LoopForest::new(&loops);
            for from in 0..124 {
                for to in from + 1..125 {
                    for through in [false, true] {
                        let expected = slow(&loops, (from, to), through);
                        assert_eq!(
                            forest.widen((from, to), through),
                            expected,
                            "{from}..{to} in {loops:?}"
                        );
                        widened += u32::from(expected != (from, to));
                    }
                }
            }
        }
        assert!(widened > 10_000 && loops_seen > 500);
    }

    #[test]
    fn deep_nests_are_searched_in_few_steps() {
        let n = 50_000;
        let loops: Vec<Segment> = (0..n).map(|i| (i, 4 * n - i)).collect();
        let forest = LoopForest::new(&loops);
        for from in (0..n).step_by(7) {
            // Comes from outside of all but `from` + 1 loops, and ends in the middle of all.
            assert_eq!(forest.widen((from, 2 * n), false), (from, 4 * n - from - 1));
        }
    }
}
