//! Source positions.

use crate::inst::SrcLoc;

/// A row of the line table: positions from `start` on, up to the next row, are at `line:col`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// The first position of the row.
    pub start: SrcLoc,
    /// Index into [`DebugInfo::files`]; `None` ends a sequence.
    pub file: Option<u32>,
    /// Line, from 1; 0 for none.
    pub line: u32,
    /// Column, from 1; 0 for none.
    pub col: u32,
}

/// The files and lines that [`SrcLoc`]s stand for.
///
/// For a lifted module a `SrcLoc` is an offset into its code section; for front ends that start from
/// source it is any ascending number. Either way a position belongs to the last row that starts at
/// or before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebugInfo {
    /// File names.
    pub files: Vec<String>,
    /// Rows in ascending order of `start`.
    pub rows: Vec<LineRow>,
}

impl DebugInfo {
    /// File, line and column of a position.
    pub fn lookup(&self, loc: SrcLoc) -> Option<(&str, u32, u32)> {
        let row = self.row(loc)?;
        let file = self.files.get(row.file? as usize)?;
        Some((file, row.line, row.col))
    }

    /// The row that a position belongs to.
    pub fn row(&self, loc: SrcLoc) -> Option<&LineRow> {
        if !loc.is_some() {
            return None;
        }
        let after = self.rows.partition_point(|row| row.start <= loc);
        self.rows.get(after.checked_sub(1)?)
    }

    /// Rows for positions most of which lie near the one before.
    pub fn reader(&self) -> RowReader<'_> {
        RowReader {
            rows: &self.rows,
            next: 0,
        }
    }
}

/// Answers what [`DebugInfo::row`] does, by a search that begins at the row of the last position: its steps double until they
/// have gone too far (Bentley and Yao, "An almost optimal algorithm for unbounded searching", 1976).
#[derive(Clone, Debug)]
pub struct RowReader<'a> {
    rows: &'a [LineRow],
    /// The row after the one of the last position.
    next: usize,
}

impl<'a> RowReader<'a> {
    /// The row that a position belongs to.
    pub fn row(&mut self, loc: SrcLoc) -> Option<&'a LineRow> {
        if !loc.is_some() {
            return None;
        }
        let rows = self.rows;
        let begun = |i: usize| rows[i].start <= loc;
        // All rows before `low` have begun, none from `high` on.
        let (mut low, mut high) = (self.next, self.next);
        let mut step = 1;
        if low == 0 || begun(low - 1) {
            while high < rows.len() && begun(high) {
                low = high + 1;
                high = rows.len().min(high + step);
                step *= 2;
            }
        } else {
            while low > 0 && !begun(low - 1) {
                high = low - 1;
                low = low.saturating_sub(step);
                step *= 2;
            }
        }
        self.next = low + rows[low..high].partition_point(|row| row.start <= loc);
        rows.get(self.next.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_agrees_with_a_search() {
        let mut state = 3u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        for rows in [0, 1, 2, 30] {
            let mut starts: Vec<u32> = (0..rows).map(|_| random(60)).collect();
            starts.sort_unstable();
            let rows = starts.into_iter().enumerate().map(|(i, start)| LineRow {
                start: SrcLoc(start),
                file: Some(0),
                line: i as u32 + 1,
                col: 0,
            });
            let info = DebugInfo {
                files: vec!["a.rs".into()],
                rows: rows.collect(),
            };
            let mut reader = info.reader();
            let mut at = 0;
            for _ in 0..2000 {
                at = match random(4) {
                    0 => random(64),
                    _ => at + random(3),
                };
                let loc = if random(20) == 0 {
                    SrcLoc::NONE
                } else {
                    SrcLoc(at)
                };
                assert_eq!(reader.row(loc), info.row(loc), "{loc:?}");
            }
        }
    }
}
